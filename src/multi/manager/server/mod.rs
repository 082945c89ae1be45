//! The process that holds the objects: one thread for each connection, one that accepts them.
//!
//! - A client process is a **session**, however many connections it has; what it has proxies of is leased to it. With its last
//!   connection its leases go, its locks become free, its permits come back.
//! - An object lives as long as a session leases it or a name stands for it.
//! - A connection that sends what makes no sense is closed; nothing else happens.

mod barrier;
mod body;
mod connection;
mod dict;
mod event;
mod holdings;
mod list;
mod locks;
mod queue;
mod semaphore;
mod services;
mod threads;
mod values;

pub(super) use threads::{Server, Settings};

use super::service::Registration;
use super::wire::SessionToken;
use crate::sys::eventfd::EventFd;

/// What all threads of a server use.
struct Shared {
    holdings: holdings::Holdings,
    services: Vec<Registration>,
    max_message: usize,
    /// Tells this server from another one at the same address.
    incarnation: u64,
    /// Who has it may end the server.
    stop_token: Option<SessionToken>,
    /// Rung when the server is to end.
    stop: EventFd,
}
