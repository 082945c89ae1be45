//! Descriptors as such: which stay open over a fork, and what non-blocking ones answer.

use std::io;
use std::os::fd::RawFd;

use nix::errno::Errno;

/// Closes every descriptor from 3 on that is not in `keep`.
///
/// For the child side of a fork: what it does not need, it must not hold (a pidfd, a neighbour's
/// port, a control socket), or their other ends never see them closed. The standard streams stay.
///
/// # Errors
/// What close_range(2) answered.
///
/// # Safety
/// No owner of a descriptor outside `keep` may use or drop it afterwards: in the child of a fork,
/// such owners are leaked, never dropped.
// Inlined: in the child of a fork each page of code is a fault.
#[inline]
pub unsafe fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    let mut first = 3;
    // Without the heap, a page of which would have to be copied.
    while let Some(fd) = keep.iter().copied().filter(|fd| *fd >= first).min() {
        if fd > first {
            close_range(first.unsigned_abs(), (fd - 1).unsigned_abs())?;
        }
        first = fd + 1;
    }
    close_range(first.unsigned_abs(), u32::MAX)
}

#[inline]
fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: takes three integers; that nobody uses the descriptors any more is the promise of
    // `close_all_but`'s caller.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts `/dev/null` in the place of the standard input.
///
/// # Errors
/// What the system answered.
pub fn empty_stdin() -> io::Result<()> {
    let null = std::fs::File::open("/dev/null")?;
    nix::unistd::dup2_stdin(null)?;
    Ok(())
}

/// What a call on a non-blocking descriptor moved; `None`: nothing there, or no room, now.
pub(super) fn or_nothing(result: nix::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
