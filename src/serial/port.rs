//! Opening a serial port for ourselves alone, raw.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::sys::termios::{self, DataBits, Flow, IoCounts, Line, Parity};
use crate::sys::{lock, tty};

/// How a port is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSettings {
    /// Bits per second; any number the driver can make.
    pub baud: u32,
    /// Bits per character.
    pub data_bits: DataBits,
    /// The parity bit.
    pub parity: Parity,
    /// Stop bits: 1 or 2.
    pub stop_bits: u8,
    /// Who may stop the sender.
    pub flow: Flow,
}

impl Default for PortSettings {
    /// 115200 8N1, no flow control.
    fn default() -> Self {
        Self { baud: 115_200, data_bits: DataBits::Eight, parity: Parity::None, stop_bits: 1, flow: Flow::None }
    }
}

impl PortSettings {
    /// Bits a character takes on the wire, start and stop bits included.
    pub fn bits_per_character(&self) -> u32 {
        let data = match self.data_bits {
            DataBits::Five => 5,
            DataBits::Six => 6,
            DataBits::Seven => 7,
            DataBits::Eight => 8,
        };
        1 + data + u32::from(self.parity != Parity::None) + u32::from(self.stop_bits)
    }
}

/// Why a port could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such device (any more).
    #[error("{path}: there is no such port; is it plugged in? `pinring ports` lists what is there", path = .0.display())]
    Absent(PathBuf),
    /// The permissions do not allow it.
    #[error("{path}: not allowed to open it; add the user to its group (`sudo usermod -aG dialout USER`, then log in again)", path = .0.display())]
    Denied(PathBuf),
    /// Somebody else has it.
    #[error("{path}: another program has it open; `pinring ports` shows which", path = .0.display())]
    Busy(PathBuf),
    /// It is no serial port.
    #[error("{path}: it is no serial port", path = .0.display())]
    NotATty(PathBuf),
    /// Anything else.
    #[error("{path}: cannot be {what}: {source}", path = path.display())]
    System {
        /// The port.
        path: PathBuf,
        /// What was tried: `opened`, `set to 12345 baud` ...
        what: String,
        /// What the system answered.
        source: io::Error,
    },
}

/// An open serial port: raw, non-blocking, ours alone.
#[derive(Debug)]
pub struct Port(OwnedFd);

impl Port {
    /// Opens and sets the port at `path`; a link is followed.
    ///
    /// Never blocks: not for a carrier (CLOCAL), not for input.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path, settings: &PortSettings) -> Result<Self, OpenError> {
        let flags = tty::NO_CONTROLLING_TTY | tty::NON_BLOCKING;
        let opened = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
        let fd: OwnedFd = opened.map_err(|source| explain(path, source))?.into();
        if !tty::is_tty(fd.as_fd()) {
            return Err(OpenError::NotATty(path.to_owned()));
        }
        // The lock keeps out whoever asks for it, root included; TIOCEXCL keeps out who does not ask.
        lock::try_exclusive(fd.as_fd()).map_err(|source| explain(path, source))?;
        let failed = |what: &str| {
            let what = what.to_owned();
            move |source| OpenError::System { path: path.to_owned(), what, source }
        };
        termios::set_exclusive(fd.as_fd()).map_err(failed("locked"))?;
        let line = Line {
            baud: settings.baud,
            data_bits: settings.data_bits,
            parity: settings.parity,
            two_stop_bits: settings.stop_bits == 2,
            flow: settings.flow,
        };
        let baud = termios::set_raw(fd.as_fd(), &line).map_err(failed(&format!("set to {} baud", settings.baud)))?;
        // A UART divides its clock: what it makes may differ a little. From 3 % on bytes are lost.
        if baud.abs_diff(settings.baud) > settings.baud / 33 {
            let what = format!("set to {} baud: the driver makes {baud} of it", settings.baud);
            return Err(failed(&what)(io::ErrorKind::InvalidInput.into()));
        }
        Ok(Self(fd))
    }

    /// Sends what the line takes now, without blocking; how many bytes that is.
    ///
    /// # Errors
    /// What write(2) answered; EIO once the device has gone.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        tty::write(self.0.as_fd(), bytes)
    }

    /// The driver's counters of overruns and framing errors; `None` where it keeps none (a pseudo terminal).
    pub fn io_counts(&self) -> Option<IoCounts> {
        termios::io_counts(self.0.as_fd())
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Port {
    /// A port that an earlier incarnation has opened and set.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

fn explain(path: &Path, source: io::Error) -> OpenError {
    use io::ErrorKind::{NotFound, PermissionDenied, ResourceBusy, WouldBlock};
    match source.kind() {
        NotFound => OpenError::Absent(path.to_owned()),
        PermissionDenied => OpenError::Denied(path.to_owned()),
        ResourceBusy | WouldBlock => OpenError::Busy(path.to_owned()),
        _ if tty::is_device_gone(&source) => OpenError::Absent(path.to_owned()),
        _ => OpenError::System { path: path.to_owned(), what: "opened".into(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pty() -> (nix::pty::PtyMaster, PathBuf) {
        let master = nix::pty::posix_openpt(nix::fcntl::OFlag::O_RDWR | nix::fcntl::OFlag::O_NOCTTY).unwrap();
        nix::pty::grantpt(&master).unwrap();
        nix::pty::unlockpt(&master).unwrap();
        let path = nix::pty::ptsname_r(&master).unwrap().into();
        (master, path)
    }

    #[test]
    fn a_second_opener_is_told_that_the_port_is_busy() {
        let (_master, path) = pty();
        let settings = PortSettings { baud: 123_456, ..PortSettings::default() };
        let first = Port::open(&path, &settings).unwrap();
        assert!(matches!(Port::open(&path, &settings), Err(OpenError::Busy(_))));
        drop(first);
        Port::open(&path, &settings).unwrap();
    }

    #[test]
    fn what_is_no_port_is_named() {
        let missing = Path::new("/dev/does-not-exist");
        assert!(matches!(Port::open(missing, &PortSettings::default()), Err(OpenError::Absent(_))));
        let null = Path::new("/dev/null");
        assert!(matches!(Port::open(null, &PortSettings::default()), Err(OpenError::NotATty(_))));
    }

    #[test]
    fn a_character_is_ten_bits_by_default() {
        assert_eq!(PortSettings::default().bits_per_character(), 10);
        let even = PortSettings { parity: Parity::Even, stop_bits: 2, ..PortSettings::default() };
        assert_eq!(even.bits_per_character(), 12);
    }
}
