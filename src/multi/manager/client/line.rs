//! One connection to a server.

use std::io;
use std::time::Duration;

use super::super::wire::{Op, Reply, Request, SERVER, SessionToken, read, write};
use crate::multi::net::{BytesConn, MAX_MESSAGE, RecvBytesError, SendBytesError};
use crate::sys::at_fork::OwnedHere;

/// How much is read at once: a small answer with its length.
const AHEAD: usize = 4096;
/// Buffers that have grown larger are given back.
const KEPT: usize = 256 << 10;

/// A connection, and memory for what goes over it.
pub(super) struct Line {
    conn: OwnedHere<BytesConn>,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// The longest request that the server takes.
    max: usize,
    /// After what time without a byte a send or a receive is [`Broken::Silent`].
    limit: Option<Duration>,
}

/// Why a request has no answer.
pub(super) enum Broken {
    /// It is longer than the server takes. Nothing was sent.
    TooLong { len: usize, max: usize },
    /// For so long nothing has come, or nothing was taken. An answer may come yet: it must be waited for further, or the connection dropped.
    Silent(Duration),
    /// The connection is of no use any more.
    Lost(String),
}

impl Line {
    /// Opens the conversation on a fresh connection; with the server's number. It may be silent so long, now and later on.
    pub(super) fn open(mut conn: BytesConn, session: SessionToken, limit: Duration) -> Result<(Self, u64), Broken> {
        conn.make_eager(AHEAD);
        let conn = OwnedHere::new(conn);
        let mut line = Self { conn, inbox: Vec::new(), outbox: Vec::new(), max: AHEAD, limit: None };
        line.limit_silence(Some(limit))?;
        line.send(SERVER, Op::Open { session })?;
        line.receive()?;
        match line.answer()? {
            Reply::Opened { incarnation, max_message } => {
                line.max = usize::try_from(max_message).unwrap_or(usize::MAX);
                Ok((line, incarnation))
            }
            _ => Err(Broken::Lost("it has not said which server it is".to_owned())),
        }
    }

    /// From now on it may be silent so long.
    pub(super) fn limit_silence(&mut self, limit: Option<Duration>) -> Result<(), Broken> {
        if self.limit != limit {
            let conn = self.conn.get().ok_or_else(of_the_parent)?;
            conn.limit_silence(limit).map_err(|error| lost(&error))?;
            self.limit = limit;
        }
        Ok(())
    }

    /// Sends a request.
    pub(super) fn send(&mut self, object: u64, op: Op<'_>) -> Result<(), Broken> {
        write(&Request { object, op }, &mut self.outbox).map_err(|error| lost(&error))?;
        if self.outbox.len() > self.max {
            return Err(Broken::TooLong { len: self.outbox.len(), max: self.max });
        }
        let conn = self.conn.get().ok_or_else(of_the_parent)?;
        let sent = conn.send_bytes(&self.outbox);
        if self.outbox.capacity() > KEPT {
            self.outbox = Vec::new();
        }
        let limit = self.limit;
        sent.map_err(|error| match error {
            SendBytesError::Io(error) => silent(limit, &error),
            other => lost(&other),
        })
    }

    /// Waits for the answer.
    pub(super) fn receive(&mut self) -> Result<(), Broken> {
        if self.inbox.capacity() > KEPT {
            self.inbox = Vec::new();
        }
        let conn = self.conn.get().ok_or_else(of_the_parent)?;
        let limit = self.limit;
        conn.recv_to(&mut self.inbox, MAX_MESSAGE).map_err(|error| match error {
            RecvBytesError::Io(error) => silent(limit, &error),
            other => lost(&other),
        })
    }

    /// What was received.
    pub(super) fn answer(&self) -> Result<Reply<'_>, Broken> {
        read(&self.inbox).ok_or_else(|| lost(&"the answer makes no sense; are both ends of the same release?"))
    }
}

fn of_the_parent() -> Broken {
    lost(&"it belongs to the process this one was forked from")
}

fn silent(limit: Option<Duration>, error: &io::Error) -> Broken {
    match limit {
        Some(limit) if error.kind() == io::ErrorKind::WouldBlock => Broken::Silent(limit),
        _ => lost(error),
    }
}

fn lost(why: &dyn ToString) -> Broken {
    Broken::Lost(why.to_string())
}
