//! The connections of this process to one server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::error::ManagerError;
use super::super::wire::{Op, Refusal, Reply, SessionToken};
use super::handle::Target;
use super::line::{Broken, Line};
use crate::multi::net::{AcceptError, Addr, AuthKey, connect};
use crate::sys::{fork, random};

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long it is tried to find out whether a server still lives.
const PROBE_LIMIT: Duration = Duration::from_millis(500);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(5);
/// Idle connections that are kept.
const KEPT: usize = 16;

/// The way to one server.
///
/// A child may be forked at any time while no other thread is in here; the house forks from processes of one thread only.
pub(in super::super) struct Client {
    address: Addr,
    key: AuthKey,
    pool: Mutex<Pool>,
}

struct Pool {
    /// Whose it is: a forked child begins anew.
    pid: i32,
    session: SessionToken,
    /// The server's number, once it is known.
    incarnation: Option<u64>,
    idle: Vec<Line>,
    /// Where connections may be given up: one over which nothing is asked, so that the server knows that this client lives.
    anchor: Option<Line>,
    /// How long the server may be silent.
    limit: Option<Duration>,
    /// Objects of which a proxy is no more, one entry for each, that the server has not been told of.
    released: Vec<u64>,
}

impl Client {
    /// Connects, to know that a server is there and has the key.
    pub(in super::super) fn connect(address: &Addr, key: &AuthKey) -> Result<Self, ManagerError> {
        let (idle, released) = (Vec::new(), Vec::new());
        let pool = Pool { pid: 0, session: [0; 16], incarnation: None, idle, anchor: None, limit: None, released };
        let client = Self { address: address.clone(), key: key.clone(), pool: Mutex::new(pool) };
        let line = client.take(Target::SERVER)?;
        client.give_back(line);
        Ok(client)
    }

    pub(in super::super) fn address(&self) -> &Addr {
        &self.address
    }

    pub(in super::super) fn key(&self) -> &AuthKey {
        &self.key
    }

    /// The server's number.
    pub(super) fn incarnation(&self) -> Option<u64> {
        self.lock().incarnation
    }

    /// From now on the server may be silent so long.
    pub(in super::super) fn set_silence_limit(&self, limit: Option<Duration>) -> Result<(), ManagerError> {
        self.lock().limit = limit;
        // With the anchor, while the server still speaks.
        self.take(Target::SERVER).map(|line| self.give_back(line))
    }

    /// Asks `target` for `op`, and has `read` take from the answer what is wanted.
    pub(in super::super) fn ask<R>(
        &self,
        target: Target,
        op: Op<'_>,
        read: impl FnOnce(Reply<'_>) -> Option<R>,
    ) -> Result<R, ManagerError> {
        let mut line = self.take(target)?;
        let sent = line.send(target.id, op);
        let heard = sent.and_then(|()| self.hear(&mut line));
        let result = match heard.and_then(|()| line.answer()) {
            Err(Broken::TooLong { len, max }) => {
                Err(ManagerError::TooLarge { object: self.name(target), len: len as u64, max: max as u64 })
            }
            Err(Broken::Silent(limit)) => {
                // With its connection goes the answer, should it come: nobody takes it for that of another request.
                drop(line);
                return Err(self.silent(target, limit));
            }
            Err(Broken::Lost(reason)) => {
                // Never asked again by itself: it may have been done.
                drop(line);
                return Err(self.lost(target, reason));
            }
            Ok(Reply::Refused(refusal)) => Err(self.refused(target, refusal)),
            Ok(reply) => read(reply).ok_or_else(|| ManagerError::Codec {
                object: self.name(target),
                reason: "the answer is of another type".to_owned(),
            }),
        };
        self.give_back(line);
        result
    }

    /// Waits for the answer as long as the server is not silent: what was asked may take its time, a connection may not.
    fn hear(&self, line: &mut Line) -> Result<(), Broken> {
        loop {
            match line.receive() {
                Err(Broken::Silent(limit)) if self.answers_within(limit) => {}
                other => return other,
            }
        }
    }

    /// Whether the server, or the system in its place, says anything to a newcomer.
    fn answers_within(&self, limit: Duration) -> bool {
        let session = self.lock().session;
        match connect(&self.address, &self.key, limit) {
            Ok(conn) => !matches!(Line::open(conn, session, limit), Err(Broken::Silent(_))),
            Err(error) => !matches!(error, AcceptError::HandshakeTimeout { .. }),
        }
    }

    /// One proxy of an object is no more. The server hears of it with the next chance.
    pub(super) fn release(&self, id: u64) {
        let mut pool = self.lock();
        if pool.pid != fork::own_pid() {
            return;
        }
        pool.released.push(id);
        if let Some(line) = pool.idle.pop() {
            put_back(&mut pool, line);
        }
    }

    /// What an error calls it.
    pub(in super::super) fn name(&self, target: Target) -> String {
        match target.id {
            0 => format!("the manager at {}", self.address),
            id => format!("{} {id} of the manager at {}", target.kind, self.address),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, target: Target) -> Result<Line, ManagerError> {
        let mut pool = self.lock();
        let own_pid = fork::own_pid();
        if pool.pid != own_pid {
            pool.idle.clear();
            pool.anchor = None;
            pool.released.clear();
            random::fill(&mut pool.session)
                .map_err(|source| ManagerError::Io { address: self.address.to_string(), source })?;
            pool.pid = own_pid;
        }
        let limit = pool.limit;
        if limit.is_some() && pool.anchor.is_none() {
            drop(pool);
            let anchor = self.open(target, limit)?;
            pool = self.lock();
            pool.anchor = Some(anchor);
        }
        let idle = pool.idle.pop();
        drop(pool);
        let mut line = match idle {
            Some(line) => line,
            None => self.open(target, limit)?,
        };
        line.limit_silence(limit).map_err(|broken| self.broken(target, broken))?;
        Ok(line)
    }

    /// Another connection.
    fn open(&self, target: Target, limit: Option<Duration>) -> Result<Line, ManagerError> {
        let (session, expected) = {
            let pool = self.lock();
            (pool.session, pool.incarnation)
        };
        let opening = limit.map_or(CONNECT_LIMIT, |limit| limit.min(CONNECT_LIMIT));
        let conn = connect(&self.address, &self.key, opening).map_err(|error| match error {
            AcceptError::Auth { .. } => ManagerError::Auth { address: self.address.to_string() },
            AcceptError::HandshakeTimeout { .. } if limit.is_some() => self.silent(target, opening),
            other if expected.is_some() => self.lost(target, other.to_string()),
            other => ManagerError::Connect(other),
        })?;
        let opened = Line::open(conn, session, opening);
        let (line, incarnation) = opened.map_err(|broken| self.broken(target, broken))?;
        if expected.is_some_and(|expected| expected != incarnation) {
            return Err(ManagerError::ServerDied { address: self.address.to_string(), object: self.name(target) });
        }
        self.lock().incarnation = Some(incarnation);
        Ok(line)
    }

    fn give_back(&self, line: Line) {
        put_back(&mut self.lock(), line);
    }

    fn broken(&self, target: Target, broken: Broken) -> ManagerError {
        match broken {
            Broken::Silent(limit) => self.silent(target, limit),
            Broken::Lost(reason) => self.lost(target, reason),
            Broken::TooLong { .. } => self.lost(target, "it takes no request at all".to_owned()),
        }
    }

    fn silent(&self, target: Target, limit: Duration) -> ManagerError {
        ManagerError::Silent { address: self.address.to_string(), object: self.name(target), limit }
    }

    /// A connection has broken: because the server is no more?
    fn lost(&self, target: Target, reason: String) -> ManagerError {
        let (address, object) = (self.address.to_string(), self.name(target));
        if self.server_lives() {
            ManagerError::Disconnected { address, object, reason }
        } else {
            ManagerError::ServerDied { address, object }
        }
    }

    fn server_lives(&self) -> bool {
        let (expected, session) = {
            let pool = self.lock();
            (pool.incarnation, pool.session)
        };
        let until = Instant::now() + PROBE_LIMIT;
        loop {
            match connect(&self.address, &self.key, PROBE_LIMIT) {
                // Nobody listens.
                Err(AcceptError::Io { .. }) => return false,
                // A process that is dying closes one socket after the other.
                Err(AcceptError::Closed { .. }) => {}
                // Slow: alive in any case. Or of another key: not the one we know.
                Err(error) => return !matches!(error, AcceptError::Auth { .. }),
                Ok(conn) => {
                    if let Ok((_, incarnation)) = Line::open(conn, session, PROBE_LIMIT) {
                        return expected.is_none_or(|expected| expected == incarnation);
                    }
                }
            }
            if Instant::now() >= until {
                return true;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn refused(&self, target: Target, refusal: Refusal) -> ManagerError {
        let object = self.name(target);
        match refusal {
            Refusal::NoObject => ManagerError::NotFound(format!("{object}: nobody holds it any more")),
            Refusal::NoName => ManagerError::NotFound(format!("object of that name at {object}")),
            Refusal::OutOfRange { len } => ManagerError::NotFound(format!("such place in {object}, which has {len}")),
            Refusal::NoService => ManagerError::NotFound(format!(
                "service of that name registered with {object}; see `ManagerBuilder::register`"
            )),
            Refusal::NoMethod(method) => ManagerError::NotFound(format!("method `{method}` of {object}")),
            Refusal::WrongType { found } => {
                ManagerError::TypeMismatch { object, found, wanted: target.kind.to_owned() }
            }
            Refusal::Timeout => ManagerError::Timeout { object },
            Refusal::Closed => ManagerError::Closed { object },
            Refusal::Broken => ManagerError::Broken { object },
            Refusal::TooLarge { len, max } => ManagerError::TooLarge { object, len, max },
            Refusal::TooMany { items, max } => ManagerError::TooMany { object, items, max },
            Refusal::NotHeld => ManagerError::Remote(format!("{object} is not held by who gives it back")),
            Refusal::NotYours => {
                ManagerError::Remote(format!("{object} can be shut down only by the process that has started it"))
            }
            Refusal::BadArguments(why) => ManagerError::Remote(format!("{object} has refused the arguments: {why}")),
            Refusal::Failed(why) => ManagerError::Remote(format!("{object} has failed: {why}")),
            Refusal::WrongKind | Refusal::Gone => ManagerError::Remote(format!("{object} cannot do that")),
        }
    }
}

fn put_back(pool: &mut Pool, mut line: Line) {
    let told = pool.released.drain(..).all(|id| line.send(id, Op::Release).is_ok());
    // A broken one is found out by who asks next, or not at all.
    if told && pool.idle.len() < KEPT {
        pool.idle.push(line);
    }
}
