//! A device on a real kernel terminal: the test is the device, pinring opens the line.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use pinring::sys::pty::Pty;

/// A pseudo terminal found under a link, as a serial port is found under /dev/serial/by-id.
pub(crate) struct Device(Pty);

impl Device {
    /// Plugs it in: the link leads to a new terminal.
    pub(crate) fn plug(link: &Path) -> Self {
        let pty = Pty::open().unwrap();
        let new = link.with_extension("new");
        std::os::unix::fs::symlink(pty.path(), &new).unwrap();
        std::fs::rename(new, link).unwrap();
        Self(pty)
    }

    /// Sends as much of `bytes` as the line takes now; how many that was.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> usize {
        self.0.send(bytes).unwrap()
    }

    /// What pinring has sent.
    pub(crate) fn received(&mut self) -> Vec<u8> {
        self.0.receive().unwrap()
    }

    /// Whether all that was sent has been read.
    pub(crate) fn is_read(&self) -> bool {
        !self.0.has_unread().unwrap()
    }
}
