//! Pseudo terminals: a serial line whose other end is a program.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

/// The master's end of a pseudo terminal whose slave is raw: what is sent comes out as it is.
#[derive(Debug)]
pub struct Pty {
    master: PtyMaster,
    /// Our own descriptor of the slave: keeps the line raw, and tells what nobody has read yet.
    slave: File,
    path: PathBuf,
}

impl Pty {
    /// Opens a new one.
    ///
    /// # Errors
    /// What the system answered: no pseudo terminals left, /dev/pts not mounted.
    pub fn open() -> io::Result<Self> {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path: PathBuf = ptsname_r(&master)?.into();
        let slave = File::options().read(true).write(true).open(&path)?;
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
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }

    /// Bytes sent that nobody has read yet.
    ///
    /// # Errors
    /// What ioctl(2) answered.
    pub fn unread(&self) -> io::Result<usize> {
        super::pipe::unread(self.slave.as_fd())
    }
}
