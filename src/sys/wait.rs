//! Reaping children.

use std::io;

use nix::sys::signal::{Signal, kill};
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
    Ok(wait(Some(pid), libc::WNOHANG | libc::WNOWAIT)?.map(|(_, ended)| ended))
}

/// How the process `pid` ended, which is another's child, if it has and is not reaped yet. `None` also where /proc does not say.
pub fn peek_at_other(pid: i32) -> Option<Ended> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // proc_pid_stat(5): behind the name, which may have any characters, the state; the 52nd of all is the status as waitpid(2) gives it.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    fields.next().filter(|state| *state == "Z")?;
    let status = fields.nth(48)?.parse().ok()?;
    if libc::WIFEXITED(status) {
        return Some(Ended::Code(libc::WEXITSTATUS(status)));
    }
    libc::WIFSIGNALED(status).then(|| Ended::Signal { number: libc::WTERMSIG(status), core: libc::WCOREDUMP(status) })
}

/// Waits until any child has ended, which stays to be [reaped](reap); its pid.
///
/// # Errors
/// What waitid(2) answered: ECHILD if there is none.
pub fn peek_at_any() -> io::Result<i32> {
    Ok(wait(None, libc::WNOWAIT)?.map_or(0, |(pid, _)| pid))
}

/// The pid of a child that has ended, if there is one; it stays to be [reaped](reap).
pub fn find_ended() -> Option<i32> {
    wait(None, libc::WNOHANG | libc::WNOWAIT).ok()?.map(|(pid, _)| pid)
}

/// Waits until the child `pid` has ended, and reaps it; how it ended.
///
/// # Errors
/// What waitid(2) answered.
pub fn until_end(pid: i32) -> io::Result<Option<Ended>> {
    Ok(wait(Some(pid), 0)?.map(|(_, ended)| ended))
}

/// Reaps the child `pid` if it has ended.
///
/// # Errors
/// What waitid(2) answered.
pub fn reap(pid: i32) -> io::Result<Option<Ended>> {
    Ok(wait(Some(pid), libc::WNOHANG)?.map(|(_, ended)| ended))
}

/// Kills the child `pid` and reaps it: for one that cannot be observed.
///
/// # Errors
/// What kill(2) or waitid(2) answered.
pub fn end(pid: i32) -> io::Result<()> {
    kill(Pid::from_raw(pid), Signal::SIGKILL)?;
    until_end(pid).map(drop)
}

/// waitid(2) for the child `pid`, or any: which has ended, and how. Not nix's, which has no name for real-time signals and fails for one that
/// was killed by them.
fn wait(pid: Option<i32>, flags: i32) -> io::Result<Option<(i32, Ended)>> {
    let (kind, id) = pid.map_or((libc::P_ALL, 0), |pid| (libc::P_PID, pid.unsigned_abs()));
    loop {
        // SAFETY: zeros are a valid siginfo_t, and its pid then says that nobody was found.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: writes to `info` only.
        if unsafe { libc::waitid(kind, id, &raw mut info, flags | libc::WEXITED) } < 0 {
            match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => continue,
                error => return Err(error),
            }
        }
        // SAFETY: waitid(2) fills in what there is of a child, or nothing.
        let pid = unsafe { info.si_pid() };
        // SAFETY: as above.
        let status = unsafe { info.si_status() };
        let ended = match info.si_code {
            libc::CLD_EXITED => Ended::Code(status),
            code => Ended::Signal { number: status, core: code == libc::CLD_DUMPED },
        };
        return Ok((pid != 0).then_some((pid, ended)));
    }
}
