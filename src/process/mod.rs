//! Forked workers: birth, prologue, end.
//!
//! After a fork the child may do anything, because the parent has one thread ([`spawn()`] checks that); still it must
//! not: use the parent's epoll set, read its signalfd, flush its buffers, run its destructors, or return into its
//! stack. [`spawn()`] sees to all of that: the child runs the prologue, the body, and then `_exit`.

mod exit;
mod look;
#[allow(unsafe_code)]
mod spawn;
#[allow(unsafe_code)]
mod words;

pub use exit::{ExitCause, codes};
pub use look::{Doing, look};
pub use spawn::{Child, Identity, SpawnError, become_worker, spawn, spawn_spare, wake_spare};
pub use words::{Command, WorkerWords};
