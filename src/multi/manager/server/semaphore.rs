//! A semaphore: permits, which come back when their holder dies.

use std::collections::HashMap;

use super::super::wire::{Op, Refusal, Reply};
use super::body::{Body, Caller, Gate};

pub(super) struct Semaphore(Gate<State>);

struct State {
    free: u64,
    /// How many each session holds.
    held: HashMap<u64, u64>,
}

impl Semaphore {
    pub(super) fn new(permits: u64) -> Self {
        Self(Gate::new(State { free: permits, held: HashMap::new() }))
    }
}

impl Body for Semaphore {
    fn answer(&self, op: &Op<'_>, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        let session = caller.session;
        match op {
            Op::Acquire(limit) => {
                self.0.wait(caller.conn, *limit, |state| {
                    state.free = state.free.checked_sub(1)?;
                    *state.held.entry(session).or_default() += 1;
                    Some(())
                })?;
                caller.reply(&Reply::Held { guard: 0, owner_died: false })
            }
            Op::Yield { .. } => {
                self.0.change(|state| {
                    let held = state.held.get_mut(&session).ok_or(Refusal::NotHeld)?;
                    *held -= 1;
                    if *held == 0 {
                        state.held.remove(&session);
                    }
                    state.free += 1;
                    Ok::<(), Refusal>(())
                })?;
                caller.reply(&Reply::Nothing)
            }
            Op::Len => {
                let free = self.0.lock().free;
                caller.reply(&Reply::Count(free))
            }
            _ => Err(Refusal::WrongKind),
        }
    }

    fn abandon(&self, session: u64) {
        self.0.change(|state| state.free += state.held.remove(&session).unwrap_or(0));
    }
}
