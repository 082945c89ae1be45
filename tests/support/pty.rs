//! A device on a real kernel terminal: the test writes to the master, pinring opens the slave.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

/// A pseudo terminal whose slave is found under a link, as a serial port is found under /dev/serial/by-id.
pub(crate) struct Device {
    master: PtyMaster,
    /// Keeps the line raw and the terminal alive until pinring opens it.
    slave: File,
}

impl Device {
    /// Plugs it in: the link leads to a new terminal.
    pub(crate) fn plug(link: &Path) -> Self {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path: PathBuf = ptsname_r(&master).unwrap().into();
        let slave = File::options().read(true).write(true).open(&path).unwrap();
        let mut settings = tcgetattr(&slave).unwrap();
        cfmakeraw(&mut settings);
        tcsetattr(&slave, SetArg::TCSANOW, &settings).unwrap();
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK | OFlag::O_RDWR)).unwrap();
        let new = link.with_extension("new");
        std::os::unix::fs::symlink(path, &new).unwrap();
        std::fs::rename(new, link).unwrap();
        Self { master, slave }
    }

    /// Sends as much of `bytes` as the line takes now; how many that was.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> usize {
        match self.master.write(bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => panic!("the terminal's master: {error}"),
        }
    }

    /// Bytes sent that nobody has read yet.
    pub(crate) fn unread(&self) -> usize {
        use std::os::fd::AsFd;
        pinring::sys::pipe::unread(self.slave.as_fd()).unwrap()
    }
}
