//! The line discipline's settings, with any baud rate (termios2).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

mod ioctl {
    nix::ioctl_read_bad!(tcgets2, libc::TCGETS2, libc::termios2);
    nix::ioctl_write_ptr_bad!(tcsets2, libc::TCSETS2, libc::termios2);
    nix::ioctl_none_bad!(tiocexcl, libc::TIOCEXCL);
    nix::ioctl_read_bad!(tiocgicount, 0x545D, super::IoCounts);
}

/// What the driver has counted on a line (struct serial_icounter_struct of linux/serial.h).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct IoCounts {
    modem: [libc::c_int; 4],
    received: libc::c_int,
    sent: libc::c_int,
    frame: libc::c_int,
    overrun: libc::c_int,
    parity: libc::c_int,
    breaks: libc::c_int,
    buffer_overrun: libc::c_int,
    reserved: [libc::c_int; 9],
}

impl IoCounts {
    /// Bytes lost because the UART or the kernel's buffer was full, framing errors, parity errors.
    pub fn errors(&self) -> [u32; 3] {
        // Counters of the kernel, which wrap; the sign bit means nothing.
        let count = |value: libc::c_int| u32::from_ne_bytes(value.to_ne_bytes());
        [count(self.overrun).wrapping_add(count(self.buffer_overrun)), count(self.frame), count(self.parity)]
    }
}

/// Bits per character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataBits {
    /// 5 bits.
    Five,
    /// 6 bits.
    Six,
    /// 7 bits.
    Seven,
    /// 8 bits.
    Eight,
}

/// The parity bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// No parity bit.
    None,
    /// Even parity.
    Even,
    /// Odd parity.
    Odd,
}

/// Who may stop the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Nobody.
    None,
    /// RTS/CTS.
    Hardware,
    /// XON/XOFF bytes.
    Software,
}

/// How a line is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Bits per second, any number the driver can make.
    pub baud: u32,
    /// Bits per character.
    pub data_bits: DataBits,
    /// The parity bit.
    pub parity: Parity,
    /// One stop bit, or two.
    pub two_stop_bits: bool,
    /// Who may stop the sender.
    pub flow: Flow,
}

/// Sets the line raw: no echo, no translation, no signals; VMIN=1, VTIME=0, so that with O_NONBLOCK a read of an idle
/// line says EAGAIN and one of an unplugged line does not. Returns the baud rate that the driver made of it.
///
/// # Errors
/// What the driver answered; ENOTTY where `fd` is no tty.
pub fn set_raw(fd: BorrowedFd<'_>, line: &Line) -> io::Result<u32> {
    let mut settings = get(fd)?;
    settings.c_iflag = match line.flow {
        Flow::Software => libc::IXON | libc::IXOFF,
        Flow::None | Flow::Hardware => 0,
    } | if line.parity == Parity::None { 0 } else { libc::INPCK };
    settings.c_oflag = 0;
    settings.c_lflag = 0;
    settings.c_cflag = control_flags(line);
    settings.c_ispeed = line.baud;
    settings.c_ospeed = line.baud;
    settings.c_cc[libc::VMIN] = 1;
    settings.c_cc[libc::VTIME] = 0;
    // SAFETY: TCSETS2 reads one termios2, which `settings` is.
    unsafe { ioctl::tcsets2(fd.as_raw_fd(), &raw const settings) }?;
    Ok(get(fd)?.c_ospeed)
}

fn control_flags(line: &Line) -> libc::tcflag_t {
    let bits = match line.data_bits {
        DataBits::Five => libc::CS5,
        DataBits::Six => libc::CS6,
        DataBits::Seven => libc::CS7,
        DataBits::Eight => libc::CS8,
    };
    let parity = match line.parity {
        Parity::None => 0,
        Parity::Even => libc::PARENB,
        Parity::Odd => libc::PARENB | libc::PARODD,
    };
    let stop = if line.two_stop_bits { libc::CSTOPB } else { 0 };
    let flow = if line.flow == Flow::Hardware { libc::CRTSCTS } else { 0 };
    bits | parity | stop | flow | libc::CREAD | libc::CLOCAL | libc::BOTHER | (libc::BOTHER << libc::IBSHIFT)
}

fn get(fd: BorrowedFd<'_>) -> io::Result<libc::termios2> {
    let mut settings = std::mem::MaybeUninit::<libc::termios2>::zeroed();
    // SAFETY: TCGETS2 writes one termios2 at the pointer, which has room for it.
    unsafe { ioctl::tcgets2(fd.as_raw_fd(), settings.as_mut_ptr()) }?;
    // SAFETY: the call above has filled it; besides, all zeros is a valid termios2.
    Ok(unsafe { settings.assume_init() })
}

/// Forbids others to open the tty while we hold it (TIOCEXCL); root is not held by it, see flock.
///
/// # Errors
/// What the driver answered.
pub fn set_exclusive(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes no argument.
    unsafe { ioctl::tiocexcl(fd.as_raw_fd()) }?;
    Ok(())
}

/// The driver's counters; `None` where it keeps none (a pseudo terminal).
pub fn io_counts(fd: BorrowedFd<'_>) -> Option<IoCounts> {
    let mut counts = IoCounts::default();
    // SAFETY: TIOCGICOUNT writes one struct serial_icounter_struct, whose layout `IoCounts` has.
    unsafe { ioctl::tiocgicount(fd.as_raw_fd(), &raw mut counts) }.ok()?;
    Some(counts)
}

/// Keeps what is typed off the screen while it lives; signals (Ctrl-C) still work.
#[derive(Debug)]
pub struct Quiet {
    terminal: std::os::fd::OwnedFd,
    before: nix::sys::termios::Termios,
}

impl Quiet {
    /// Silences the terminal behind `fd`.
    ///
    /// # Errors
    /// ENOTTY if it is none.
    pub fn start(fd: impl std::os::fd::AsFd) -> io::Result<Self> {
        use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
        let terminal = fd.as_fd().try_clone_to_owned()?;
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON);
        tcsetattr(&terminal, SetArg::TCSANOW, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        // What was typed meanwhile was meant for us, not for the shell; a terminal that is gone needs nothing.
        let _ = tcsetattr(&self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}
