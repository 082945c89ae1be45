//! What all kinds of objects have in common.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::wire::{Limit, Op, Refusal, Reply, write};
use crate::multi::net::BytesConn;

/// How often a connection whose client waits looks whether the client is still there. It is this long, at most, that a dead client
/// keeps what it held.
const LOOK: Duration = Duration::from_millis(200);

/// An object's content, for any number of threads.
pub(super) trait Body: Send + Sync {
    /// Does what is asked, and writes the answer.
    fn answer(&self, op: &Op<'_>, caller: &mut Caller<'_>) -> Result<(), Refusal>;

    /// The client of that session is no more: what it held is free.
    fn abandon(&self, _session: u64) {}

    /// What the last answer of this kind of object took out has not reached its client.
    fn take_back(&self, _bytes: Vec<u8>) {}
}

/// Who asks, and where the answer goes.
pub(super) struct Caller<'a> {
    /// The number of its session.
    pub(super) session: u64,
    pub(super) conn: &'a BytesConn,
    pub(super) out: &'a mut Vec<u8>,
    /// What [`Body::take_back`] gets if the answer does not reach its client.
    pub(super) taken: Option<Vec<u8>>,
}

impl Caller<'_> {
    /// Answers.
    pub(super) fn reply(&mut self, reply: &Reply<'_>) -> Result<(), Refusal> {
        write(reply, self.out).map_err(|error| Refusal::Failed(error.to_string()))
    }
}

/// State that one can wait for.
#[derive(Default)]
pub(super) struct Gate<S> {
    state: Mutex<S>,
    changed: Condvar,
}

impl<S> Gate<S> {
    pub(super) fn new(state: S) -> Self {
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, S> {
        lock(&self.state)
    }

    /// Changes the state and wakes all who wait for it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut S) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `take` gives something. A client that has gone is given nothing, also if it went before its request was read: it may
    /// have given up a server that was stopped.
    pub(super) fn wait<T>(
        &self,
        conn: &BytesConn,
        limit: Limit,
        mut take: impl FnMut(&mut S) -> Option<T>,
    ) -> Result<T, Refusal> {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        if conn.has_hung_up() {
            return Err(Refusal::Gone);
        }
        let mut state = self.lock();
        loop {
            if let Some(taken) = take(&mut state) {
                self.changed.notify_all();
                return Ok(taken);
            }
            let rest = until.map_or(LOOK, |until| until.saturating_duration_since(Instant::now()));
            if rest.is_zero() {
                return Err(Refusal::Timeout);
            }
            let waited = self.changed.wait_timeout(state, rest.min(LOOK));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if conn.has_hung_up() {
                return Err(Refusal::Gone);
            }
        }
    }
}

/// Locks: what a panic has left is used, for every change below is whole before anything can panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
