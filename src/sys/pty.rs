//! Pseudo terminals: a serial line whose other end is a program.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use super::tty;

/// The master's end of a pseudo terminal whose slave is raw: what is sent comes out as it is.
#[derive(Debug)]
pub struct Pty {
    master: PtyMaster,
    /// Our own descriptor of the slave: keeps the line raw, and tells what nobody has read yet.
    slave: File,
    path: PathBuf,
}

impl Pty {
    /// Opens a new one. It does not become the controlling terminal: a demo without one (in a container, as a service)
    /// would be hung up with its own instrument.
    ///
    /// # Errors
    /// What the system answered: no pseudo terminals left, /dev/pts not mounted.
    pub fn open() -> io::Result<Self> {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path: PathBuf = ptsname_r(&master)?.into();
        let flags = tty::NO_CONTROLLING_TTY | tty::NON_BLOCKING;
        let slave = File::options().read(true).write(true).custom_flags(flags).open(&path)?;
        let mut settings = tcgetattr(&slave)?;
        cfmakeraw(&mut settings);
        tcsetattr(&slave, SetArg::TCSANOW, &settings)?;
        Ok(Self { master, slave, path })
    }

    /// Its descriptors, master and slave.
    pub fn descriptors(&self) -> [RawFd; 2] {
        [self.master.as_raw_fd(), self.slave.as_raw_fd()]
    }

    /// The slave's device.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sends as many of `bytes` as the line takes now; how many that was.
    ///
    /// # Errors
    /// What write(2) answered.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.master.write(bytes) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
            other => other,
        }
    }

    /// What the other side has sent so far.
    ///
    /// # Errors
    /// What read(2) answered.
    pub fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 4096];
        let count = match self.master.read(&mut buffer) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            other => other?,
        };
        buffer.truncate(count);
        Ok(buffer)
    }

    /// Whether there are bytes sent that nobody has read yet.
    ///
    /// Asked with poll(2), not FIONREAD: what was sent this moment is still on its way to the slave's buffer, which is all
    /// that FIONREAD counts; poll waits for it to get there before it says that there is nothing (`n_tty_poll` of the kernel).
    ///
    /// # Errors
    /// What poll(2) answered.
    pub fn has_unread(&self) -> io::Result<bool> {
        let mut slave = [PollFd::new(self.slave.as_fd(), PollFlags::POLLIN)];
        Ok(poll(&mut slave, PollTimeout::ZERO)? > 0)
    }

    /// Takes what nobody has read out of the line, so that nobody can read it any more; how many bytes that was.
    ///
    /// Exact even while somebody reads: the kernel gives every byte to one reader only.
    ///
    /// # Errors
    /// What poll(2) or read(2) answered.
    pub fn take_unread(&mut self) -> io::Result<usize> {
        // One read takes the whole of the slave's buffer (4 KiB); more may stand behind it.
        let (mut buffer, mut taken) = ([0; 4096], 0);
        while self.has_unread()? {
            match self.slave.read(&mut buffer) {
                Ok(count) => taken += count,
                // Another reader is at it or was faster: look again.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(pty: &Pty) -> File {
        let flags = tty::NO_CONTROLLING_TTY | tty::NON_BLOCKING;
        File::options().read(true).custom_flags(flags).open(pty.path()).unwrap()
    }

    #[test]
    fn every_byte_value_comes_out_as_it_went_in() {
        let mut pty = Pty::open().unwrap();
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(pty.send(&all).unwrap(), 256);
        assert!(pty.has_unread().unwrap());
        let (mut reader, mut seen) = (reader(&pty), Vec::<u8>::new());
        while pty.has_unread().unwrap() {
            let mut buffer = [0; 300];
            let count = reader.read(&mut buffer).unwrap();
            seen.extend(&buffer[..count]);
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn what_was_sent_this_moment_is_known_to_be_unread() {
        let mut pty = Pty::open().unwrap();
        let mut reader = reader(&pty);
        for number in 0..2000 {
            assert_eq!(pty.send(b"x").unwrap(), 1);
            assert!(pty.has_unread().unwrap(), "byte {number} was overlooked");
            assert_eq!(reader.read(&mut [0; 8]).unwrap(), 1);
        }
    }

    #[test]
    fn a_full_line_takes_no_more_and_all_of_it_is_taken_out_again() {
        let mut pty = Pty::open().unwrap();
        let (mut sent, mut refused) = (0, 0);
        while refused < 50 {
            let count = pty.send(&[7; 1000]).unwrap();
            sent += count;
            // The kernel moves what was sent on in its own time, and then has room again.
            if count == 0 {
                refused += 1;
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        assert!(sent > 4096, "more than the slave's own buffer, which is all that FIONREAD sees: {sent}");
        assert!(super::super::pipe::unread(pty.slave.as_fd()).unwrap() < sent);
        assert_eq!(pty.take_unread().unwrap(), sent);
        assert!(reader(&pty).read(&mut [0; 8]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
    }
}
