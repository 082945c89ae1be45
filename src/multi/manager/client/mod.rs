//! The asking end: connections to one server, and what is asked over them.
//!
//! A client is a process: its connections carry one token, by which the server knows whose they are. Each request takes a connection
//! out of the pool, or makes one, and puts it back; so there are as many as there were threads that asked at the same time. A forked
//! child has none of its parent's ([`OwnedHere`](crate::sys::at_fork::OwnedHere)) and another token: it is a client of its own.

mod handle;
mod held;
mod known;
mod line;
pub(super) mod passport;
mod pool;

pub(super) use handle::{Handle, Target, value};
pub(super) use held::Held;
pub(super) use known::introduce;
pub(super) use pool::Client;
