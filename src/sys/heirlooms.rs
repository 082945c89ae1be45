//! Descriptors that come from a former life: from a service manager (sd_listen_fds(3)), or from the program that this one replaced
//! by exec.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Where an exec leaves them: `name=number,name=number`.
pub const VARIABLE: &str = "PINRING_HEIRLOOMS";

/// First descriptor that a service manager passes.
const FIRST: RawFd = 3;

/// What this process was started with: the service manager's descriptors, then those of the program before this one. Called once, at the
/// start, before anything is opened.
pub fn from_environment() -> Vec<(String, OwnedFd)> {
    let variable = |name: &str| std::env::var(name).ok();
    let own = super::fork::own_pid().to_string();
    let mut found = Vec::new();
    let left = variable(VARIABLE).unwrap_or_default();
    found.extend(left.split(',').filter_map(|pair| {
        let (name, number) = pair.rsplit_once('=')?;
        Some((name.to_owned(), number.parse::<RawFd>().ok()?))
    }));
    // An exec keeps the pid: what was meant for the program before has been taken by it.
    if found.is_empty() && variable("LISTEN_PID").is_some_and(|pid| pid == own) {
        let count: RawFd = variable("LISTEN_FDS").and_then(|count| count.parse().ok()).unwrap_or(0);
        let names = variable("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').map(str::to_owned);
        found.extend(
            (FIRST..FIRST.saturating_add(count.clamp(0, 1024))).map(|fd| (names.next().unwrap_or_default(), fd)),
        );
    }
    found.into_iter().filter_map(|(name, fd)| Some((name, take(fd)?))).collect()
}

fn take(fd: RawFd) -> Option<OwnedFd> {
    if fd < FIRST {
        return None;
    }
    // SAFETY: only asks; a number that is no descriptor gives EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
    // SAFETY: it is open, as was just seen, and given to this process by whoever started it; nothing else here owns it, because nothing
    // was opened yet.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Duplicates that an exec does not close, and the value for [`VARIABLE`] that tells of them. They live until they are dropped, in case
/// the exec fails.
///
/// # Errors
/// What dup(2) answered.
pub fn for_exec(heirlooms: &[(String, BorrowedFd<'_>)]) -> io::Result<(Vec<OwnedFd>, String)> {
    let mut duplicates = Vec::with_capacity(heirlooms.len());
    let mut told = Vec::with_capacity(heirlooms.len());
    for (name, fd) in heirlooms {
        let number = fcntl(fd, FcntlArg::F_DUPFD(FIRST))?;
        // SAFETY: the kernel has just made it for us.
        let duplicate = unsafe { OwnedFd::from_raw_fd(number) };
        told.push(format!("{name}={}", duplicate.as_raw_fd()));
        duplicates.push(duplicate);
    }
    Ok((duplicates, told.join(",")))
}
