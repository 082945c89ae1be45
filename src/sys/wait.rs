//! Reaping children.

use std::io;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal {
        /// Its number.
        number: i32,
        /// Whether it left a core file.
        core: bool,
    },
}

/// Reaps the child `pid` if it has ended.
///
/// # Errors
/// What waitpid(2) answered.
pub fn reap(pid: i32) -> io::Result<Option<Ended>> {
    Ok(match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG))? {
        WaitStatus::Exited(_, code) => Some(Ended::Code(code)),
        WaitStatus::Signaled(_, signal, core) => Some(Ended::Signal { number: signal as i32, core }),
        _ => None,
    })
}
