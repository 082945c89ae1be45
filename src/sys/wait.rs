//! Reaping children.

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
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

/// How the child `pid` ended, if it has; it stays to be [reaped](reap), which takes its time.
///
/// # Errors
/// What waitid(2) answered.
pub fn peek(pid: i32) -> io::Result<Option<Ended>> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    Ok(ended(waitid(Id::Pid(Pid::from_raw(pid)), flags)?))
}

/// How the process `pid` ended, which is another's child, if it has and is not reaped yet. `None` also where /proc does not say.
pub fn peek_at_other(pid: i32) -> Option<Ended> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // proc_pid_stat(5): behind the name, which may have any characters, the state; the 52nd of all is the status as waitpid(2) gives it.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    fields.next().filter(|state| *state == "Z")?;
    ended(WaitStatus::from_raw(Pid::from_raw(pid), fields.nth(48)?.parse().ok()?).ok()?)
}

/// Waits until any child has ended, which stays to be [reaped](reap); its pid.
///
/// # Errors
/// What waitid(2) answered: ECHILD if there is none.
pub fn peek_at_any() -> io::Result<i32> {
    loop {
        match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?.pid().map_or(0, Pid::as_raw)),
        }
    }
}

/// The pid of a child that has ended, if there is one; it stays to be [reaped](reap).
pub fn find_ended() -> Option<i32> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::All, flags).ok()?.pid().map(Pid::as_raw)
}

/// Waits until the child `pid` has ended, and reaps it; how it ended.
///
/// # Errors
/// What waitpid(2) answered.
pub fn until_end(pid: i32) -> io::Result<Option<Ended>> {
    loop {
        match waitpid(Pid::from_raw(pid), None) {
            Err(Errno::EINTR) => {}
            other => return Ok(ended(other?)),
        }
    }
}

/// Reaps the child `pid` if it has ended.
///
/// # Errors
/// What waitpid(2) answered.
pub fn reap(pid: i32) -> io::Result<Option<Ended>> {
    Ok(ended(waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG))?))
}

/// Kills the child `pid` and reaps it: for one that cannot be observed.
///
/// # Errors
/// What kill(2) or waitpid(2) answered.
pub fn end(pid: i32) -> io::Result<()> {
    kill(Pid::from_raw(pid), Signal::SIGKILL)?;
    until_end(pid).map(drop)
}

fn ended(status: WaitStatus) -> Option<Ended> {
    match status {
        WaitStatus::Exited(_, code) => Some(Ended::Code(code)),
        WaitStatus::Signaled(_, signal, core) => Some(Ended::Signal { number: signal as i32, core }),
        _ => None,
    }
}
