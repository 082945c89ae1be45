//! flock(2): a lock that belongs to an open file, wherever its descriptor travels.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Takes the exclusive lock on what `fd` refers to. It is held until the last duplicate of `fd` is closed.
///
/// # Errors
/// WouldBlock if somebody else holds it.
pub fn try_exclusive(fd: BorrowedFd<'_>) -> io::Result<()> {
    // nix's Flock would unlock on drop, but the lock must outlive this process when the descriptor does.
    // SAFETY: takes two integers; `fd` is open while it is borrowed.
    let result = unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
