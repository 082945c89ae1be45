//! Pipes used as a kernel-held buffer: bytes go in from a tty, are looked at, and are taken out only
//! when what was made of them is committed.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::fd::or_nothing;
use nix::fcntl::{OFlag, SpliceFFlags, splice, tee};
use nix::unistd::{pipe2, read};

/// Both ends of a pipe, non-blocking.
#[derive(Debug)]
pub struct Pipe {
    /// Where bytes come out.
    pub reader: OwnedFd,
    /// Where bytes go in.
    pub writer: OwnedFd,
}

impl Pipe {
    /// An empty pipe of the system's default capacity (64 KiB).
    ///
    /// # Errors
    /// What pipe2(2) answered.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { reader, writer })
    }

    /// Bytes it holds.
    ///
    /// # Errors
    /// What ioctl(FIONREAD) answered.
    pub fn len(&self) -> io::Result<usize> {
        unread(self.reader.as_fd())
    }

    /// Whether it holds no byte.
    ///
    /// # Errors
    /// As [`Self::len`].
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Moves at most `max` bytes from `source` into the pipe, inside the kernel: a process killed at this call has
    /// moved all of what it moved or nothing. `None`: nothing there.
    ///
    /// # Errors
    /// What splice(2) answered; EINVAL for a tty that has been hung up.
    pub fn splice_from(&self, source: BorrowedFd<'_>, max: usize) -> io::Result<Option<usize>> {
        or_nothing(splice(source, None, &self.writer, None, max, SpliceFFlags::SPLICE_F_NONBLOCK))
    }

    /// Copies what the pipe holds (at most `max` bytes) into `other` without taking it out.
    ///
    /// # Errors
    /// What tee(2) answered.
    pub fn tee_into(&self, other: &Pipe, max: usize) -> io::Result<Option<usize>> {
        or_nothing(tee(&self.reader, &other.writer, max, SpliceFFlags::SPLICE_F_NONBLOCK))
    }

    /// Moves exactly `count` bytes, which the pipe must hold, into `sink`.
    ///
    /// # Errors
    /// What splice(2) answered, or UnexpectedEof if the pipe held less.
    pub fn discard_into(&self, sink: BorrowedFd<'_>, mut count: usize) -> io::Result<()> {
        while count > 0 {
            match or_nothing(splice(&self.reader, None, sink, None, count, SpliceFFlags::SPLICE_F_NONBLOCK))? {
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(moved) => count -= moved,
            }
        }
        Ok(())
    }

    /// Takes bytes out into `buffer`; `None`: nothing there.
    ///
    /// # Errors
    /// What read(2) answered.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        or_nothing(read(&self.reader, buffer))
    }
}

mod ioctl {
    nix::ioctl_read_bad!(fionread, libc::FIONREAD, libc::c_int);
}

/// Bytes that `fd` (a tty, a pipe) holds unread.
///
/// # Errors
/// What ioctl(FIONREAD) answered; EIO for a tty that has been hung up.
pub fn unread(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count = 0;
    // SAFETY: FIONREAD writes one int, and `count` is one.
    unsafe { ioctl::fionread(fd.as_raw_fd(), &raw mut count) }?;
    usize::try_from(count).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_seen_through_tee_stay_until_discarded() {
        let (kept, copy) = (Pipe::new().unwrap(), Pipe::new().unwrap());
        nix::unistd::write(&kept.writer, b"abcdef").unwrap();
        assert_eq!(kept.tee_into(&copy, 100).unwrap(), Some(6));
        let mut buffer = [0; 16];
        assert_eq!(copy.read(&mut buffer).unwrap(), Some(6));
        assert_eq!(&buffer[..6], b"abcdef");
        assert_eq!(kept.len().unwrap(), 6);
        let null = std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
        kept.discard_into(null.as_fd(), 4).unwrap();
        assert_eq!(kept.read(&mut buffer).unwrap(), Some(2));
        assert_eq!(&buffer[..2], b"ef");
        assert!(kept.is_empty().unwrap());
    }
}
