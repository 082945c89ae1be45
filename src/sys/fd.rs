//! Descriptors as such: which stay open over a fork, and what non-blocking ones answer.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::rlimit::{Limited, limit};

/// Closes every descriptor from 3 on that is not in `keep`, which is in ascending order.
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
    debug_assert!(keep.is_sorted());
    let mut first = 3;
    for fd in keep.iter().copied().filter(|fd| *fd >= 3) {
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

/// How many descriptors there must be room for besides those that are [out of use](deaden_all_but).
const RESERVE: usize = 300;

/// Takes every descriptor from 3 on that is not in `keep` out of use: its other end sees it closed, and its number is taken by one that
/// can be neither read nor written (EBADF). So who still has the number (in a static, say) never comes upon another's file. The numbers;
/// none, and all closed, where they cannot be listed (/proc is not mounted) or would leave too few for others.
///
/// # Errors
/// What close_range(2) answered.
///
/// # Safety
/// As [`close_all_but`].
pub unsafe fn deaden_all_but(keep: &[RawFd]) -> io::Result<Vec<RawFd>> {
    // SAFETY: the same promise.
    let numbers = unsafe { deaden(keep) };
    numbers.or_else(|_| {
        let mut keep = keep.to_vec();
        keep.sort_unstable();
        // SAFETY: as above.
        unsafe { close_all_but(&keep) }.map(|()| Vec::new())
    })
}

unsafe fn deaden(keep: &[RawFd]) -> io::Result<Vec<RawFd>> {
    let mut numbers = open_descriptors()?;
    let dead = open("/dev/null", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    // One of them was that of the list.
    numbers.retain(|fd| *fd >= 3 && *fd != dead.as_raw_fd() && !keep.contains(fd) && is_open(*fd));
    let (most, _) = limit(Limited::Descriptors)?;
    if most.is_some_and(|most| most < (numbers.len() + RESERVE) as u64) {
        return Err(Errno::EMFILE.into());
    }
    for fd in &numbers {
        // SAFETY: takes three integers; that nobody owns the second any more is the promise of our caller.
        if unsafe { libc::dup3(dead.as_raw_fd(), *fd, libc::O_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(numbers)
}

/// The numbers in /proc/self/fd, among them that of the list itself, which is closed by then.
fn open_descriptors() -> io::Result<Vec<RawFd>> {
    let names = std::fs::read_dir("/proc/self/fd")?.map(|entry| Ok(entry?.file_name()));
    let names: io::Result<Vec<_>> = names.collect();
    Ok(names?.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
}

fn is_open(fd: RawFd) -> bool {
    // SAFETY: takes integers and reads a flag.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_open_descriptors_are_listed() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let number = file.as_raw_fd();
        assert!(open_descriptors().unwrap().contains(&number) && is_open(number));
        assert!(!is_open(1 << 20));
    }
}
