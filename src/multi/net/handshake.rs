//! How two ends prove to each other that they have the same key.
//!
//! | from | bytes | what |
//! |---|---|---|
//! | listener | 7, 1, 32 | `pinring`, version, its challenge S |
//! | client | 7, 1, 32, 32 | `pinring`, version, its challenge C, HMAC-SHA256(key, `client`, version, S, C) |
//! | listener | 1, 32 | 1 and HMAC-SHA256(key, `listener`, version, C, S), or 0 and zeros |
//!
//! The role is part of what is proved, so that neither end can be made to prove for the other by sending its own bytes back; the
//! version is, so that nobody can talk two ends into an older one; and both challenges are, so that no old proof is of use. The
//! listener proves last: who has no key learns nothing. Each message has one length, so a stranger can make nobody allocate.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::error::AcceptError;
use super::key::AuthKey;
use crate::sys::{random, stream};

const MAGIC: &[u8; 7] = b"pinring";
const VERSION: u8 = 1;
const GREETING: usize = MAGIC.len() + 1;
const CHALLENGE: usize = 32;
const PROOF: usize = 32;

/// How long both ends have to prove their keys, unless said otherwise.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// A conversation with a peer that has not proved anything yet.
struct Talk<'a> {
    fd: BorrowedFd<'a>,
    peer: &'a str,
    until: Option<Instant>,
    limit: Duration,
}

/// The listener's part.
pub(super) fn admit(fd: &impl AsFd, peer: &str, key: &AuthKey, limit: Duration) -> Result<(), AcceptError> {
    let talk = Talk::new(fd.as_fd(), peer, limit);
    let own = talk.challenge()?;
    talk.say(&greeting(), &own)?;
    let mut answer = [0; GREETING + CHALLENGE + PROOF];
    talk.hear_greeting(&mut answer)?;
    let (other, proof) = answer[GREETING..].split_at(CHALLENGE);
    if !key.accepts([b"client", &[VERSION], &own, other], proof) {
        // A client that has gone meanwhile need not be told.
        let _ = talk.say(&[0], &[0; PROOF]);
        return Err(AcceptError::Auth { peer: peer.to_owned() });
    }
    talk.say(&[1], &key.prove([b"listener", &[VERSION], other, &own]))
}

/// The client's part.
pub(super) fn introduce(fd: &impl AsFd, peer: &str, key: &AuthKey, limit: Duration) -> Result<(), AcceptError> {
    let talk = Talk::new(fd.as_fd(), peer, limit);
    let mut hello = [0; GREETING + CHALLENGE];
    talk.hear_greeting(&mut hello)?;
    let other = &hello[GREETING..];
    let own = talk.challenge()?;
    let proof = key.prove([b"client", &[VERSION], other, &own]);
    talk.say(&greeting(), &[own, proof].concat())?;
    let mut verdict = [0; 1 + PROOF];
    talk.hear(&mut verdict)?;
    let proved = key.accepts([b"listener", &[VERSION], &own, other], &verdict[1..]);
    if verdict[0] == 1 && proved { Ok(()) } else { Err(AcceptError::Auth { peer: peer.to_owned() }) }
}

fn greeting() -> [u8; GREETING] {
    let mut greeting = [VERSION; GREETING];
    greeting[..MAGIC.len()].copy_from_slice(MAGIC);
    greeting
}

impl<'a> Talk<'a> {
    fn new(fd: BorrowedFd<'a>, peer: &'a str, limit: Duration) -> Self {
        Self { fd, peer, until: Instant::now().checked_add(limit), limit }
    }

    fn challenge(&self) -> Result<[u8; CHALLENGE], AcceptError> {
        let mut challenge = [0; CHALLENGE];
        random::fill(&mut challenge).map_err(|source| self.failed(source))?;
        Ok(challenge)
    }

    /// A hundred bytes fit the buffer of a fresh socket: this does not wait.
    fn say(&self, head: &[u8], body: &[u8]) -> Result<(), AcceptError> {
        stream::send_all(self.fd, head, body).map_err(|source| self.failed(source))
    }

    fn hear_greeting(&self, message: &mut [u8]) -> Result<(), AcceptError> {
        // A stranger may say less than a greeting and wait: what is wrong is refused as soon as it is seen.
        let (head, body) = message.split_at_mut(GREETING);
        self.hear(head)?;
        if head != greeting() {
            return Err(AcceptError::Protocol { peer: self.peer.to_owned(), version: VERSION });
        }
        self.hear(body)
    }

    fn hear(&self, mut message: &mut [u8]) -> Result<(), AcceptError> {
        while !message.is_empty() {
            let rest = self.until.map(|until| until.saturating_duration_since(Instant::now()));
            let is_there = stream::wait_readable(self.fd, rest).map_err(|source| self.failed(source))?;
            if !is_there {
                return Err(AcceptError::HandshakeTimeout { peer: self.peer.to_owned(), limit: self.limit });
            }
            match stream::receive_now(self.fd, message).map_err(|source| self.failed(source))? {
                None => {}
                Some(0) => return Err(AcceptError::Closed { peer: self.peer.to_owned() }),
                Some(count) => message = &mut message[count..],
            }
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> AcceptError {
        let peer = self.peer.to_owned();
        match source.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => AcceptError::Closed { peer },
            _ => AcceptError::Io { peer, source },
        }
    }
}
