//! Terminals as such: opening flags, and what their errors mean.

use std::io;
use std::os::fd::BorrowedFd;

/// Flag of open(2): the port shall not become this process's controlling terminal.
pub const NO_CONTROLLING_TTY: i32 = libc::O_NOCTTY;
/// Flag of open(2): neither the opening nor a read waits.
pub const NON_BLOCKING: i32 = libc::O_NONBLOCK;

/// Whether `fd` is a terminal (a serial port is one).
pub fn is_tty(fd: BorrowedFd<'_>) -> bool {
    nix::unistd::isatty(fd).unwrap_or(false)
}

/// Writes what `fd`, which is non-blocking, takes now; how many bytes that is.
///
/// # Errors
/// What write(2) answered.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(super::fd::or_nothing(nix::unistd::write(fd, bytes))?.unwrap_or(0))
}

/// Whether `error` says that the device behind a descriptor or path has gone: unplugged, or the other end of a pseudo
/// terminal closed. (splice(2) answers EINVAL on a tty that has been hung up.)
pub fn is_device_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::ENXIO | libc::ENODEV | libc::EINVAL))
}
