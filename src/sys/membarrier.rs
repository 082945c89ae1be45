//! membarrier(2): a fence in every other process at once, paid for by the one that asks.

use std::io;

/// From linux/membarrier.h; libc has the enumeration only for some targets.
const GLOBAL_EXPEDITED: libc::c_int = 1 << 1;
const REGISTER_GLOBAL_EXPEDITED: libc::c_int = 1 << 2;

fn membarrier(command: libc::c_int) -> io::Result<()> {
    // SAFETY: takes three integers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Has this process, and what it forks from now on, take part in [`everywhere`].
///
/// # Errors
/// The kernel (before 4.16, or behind a filter) has no such thing.
pub fn register() -> io::Result<()> {
    if cfg!(any(miri, loom)) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    membarrier(REGISTER_GLOBAL_EXPEDITED)
}

/// A SeqCst fence in this thread and in every thread that runs now and whose process has registered. Microseconds.
///
/// # Errors
/// As [`register`].
pub fn everywhere() -> io::Result<()> {
    membarrier(GLOBAL_EXPEDITED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_could_register_can_fence() {
        if register().is_ok() {
            everywhere().unwrap();
        }
    }
}
