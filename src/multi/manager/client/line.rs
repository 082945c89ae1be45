//! One connection to a server.

use super::super::wire::{Op, Reply, Request, SERVER, SessionToken, read, write};
use crate::multi::net::{BytesConn, MAX_MESSAGE, SendBytesError};
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
}

impl Line {
    /// Opens the conversation on a fresh connection; with the server's number. Says how it broke.
    pub(super) fn open(mut conn: BytesConn, session: SessionToken) -> Result<(Self, u64), String> {
        conn.make_eager(AHEAD);
        let mut line = Self { conn: OwnedHere::new(conn), inbox: Vec::new(), outbox: Vec::new() };
        line.send(SERVER, Op::Open { session })?;
        match line.receive()? {
            Reply::Opened { incarnation } => Ok((line, incarnation)),
            _ => Err("it has not said which server it is".to_owned()),
        }
    }

    /// Sends a request. Says how it broke.
    pub(super) fn send(&mut self, object: u64, op: Op<'_>) -> Result<(), String> {
        write(&Request { object, op }, &mut self.outbox).map_err(|error| error.to_string())?;
        let conn = self.conn.get().ok_or_else(of_the_parent)?;
        let sent = conn.send_bytes(&self.outbox);
        if self.outbox.capacity() > KEPT {
            self.outbox = Vec::new();
        }
        match sent {
            // The server closes where a message is too long for it, and may have said nothing.
            Err(SendBytesError::Closed) => Err("the server has closed it".to_owned()),
            other => other.map_err(|error| error.to_string()),
        }
    }

    /// Waits for the answer. Says how it broke.
    pub(super) fn receive(&mut self) -> Result<Reply<'_>, String> {
        if self.inbox.capacity() > KEPT {
            self.inbox = Vec::new();
        }
        let conn = self.conn.get().ok_or_else(of_the_parent)?;
        conn.recv_to(&mut self.inbox, MAX_MESSAGE).map_err(|error| error.to_string())?;
        read(&self.inbox).ok_or_else(|| "the answer makes no sense; are both ends of the same release?".to_owned())
    }
}

fn of_the_parent() -> String {
    "it belongs to the process this one was forked from".to_owned()
}
