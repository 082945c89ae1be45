//! A line that many processes hold: when the last of them has ended the kernel kills those that hang on it, whatever they are doing. It is
//! a pipe that nobody writes to, and a signal that its reader is sent when no writer is left (fcntl(2), `F_SETSIG`).

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{pipe2, read};

use super::fork::own_pid;

/// Which signal is sent: of linux/fcntl.h, the same on all that this runs on.
const F_SETSIG: i32 = 10;

/// Whoever has it, by having made it or by a fork, holds it; a program that is executed does not.
#[derive(Debug)]
pub struct Lifeline {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Lifeline {
    /// Makes one.
    ///
    /// # Errors
    /// What pipe2(2) answered.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { reader, writer })
    }

    /// What must stay open in whoever is to hold it, or to hang on it.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        use std::os::fd::AsFd;
        [self.reader.as_fd(), self.writer.as_fd()]
    }

    /// From now on this process does not hold it, but hangs on it: it is killed when nobody holds it any more. Its children do neither.
    ///
    /// # Errors
    /// What the system answered; or BrokenPipe if nobody holds it by now.
    pub fn hang_on(&self) -> io::Result<()> {
        // An open file of our own: the one that came with the fork has one owner for all.
        let path = format!("/proc/self/fd/{}", self.reader.as_raw_fd());
        let own = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        set(&own, libc::F_SETOWN, own_pid())?;
        set(&own, F_SETSIG, libc::SIGKILL)?;
        fcntl(&own, FcntlArg::F_SETFL(OFlag::O_ASYNC | OFlag::O_NONBLOCK))?;
        // In the writer's place: that is given up so, and what we hang on stays open as long as this process lives.
        // SAFETY: takes integers; the number stays that of an open descriptor, whose owner we have borrowed.
        if unsafe { libc::dup3(own.as_raw_fd(), self.writer.as_raw_fd(), libc::O_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // Cut before the signal was asked for.
        if matches!(read(&own, &mut [0]), Ok(0)) { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

fn set(file: &File, what: i32, value: i32) -> io::Result<()> {
    // SAFETY: takes integers, of a descriptor that is borrowed.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), what, value) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
