//! Signals: blocked and read from a descriptor in the supervisor, default again in a worker.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, kill, raise, sigaction, signal, sigprocmask,
};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// The signals that ask the supervisor to stop.
const STOP: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// Signals that do nothing but come in here, as long as this lives.
#[derive(Debug)]
pub struct SignalInput {
    input: SignalFd,
    blocked: SigSet,
}

impl SignalInput {
    /// Requests to stop: SIGTERM, SIGINT and SIGHUP.
    ///
    /// # Errors
    /// What the system answered.
    pub fn of_stops() -> io::Result<Self> {
        Self::of(STOP.into_iter().collect())
    }

    /// News of children that have ended: SIGCHLD.
    ///
    /// # Errors
    /// What the system answered.
    pub fn of_children() -> io::Result<Self> {
        Self::of(SigSet::from(Signal::SIGCHLD))
    }

    fn of(blocked: SigSet) -> io::Result<Self> {
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), None)?;
        let input = SignalFd::with_flags(&blocked, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { input, blocked })
    }

    /// The name of the next, if one has come.
    ///
    /// # Errors
    /// What read(2) answered.
    pub fn next(&self) -> io::Result<Option<&'static str>> {
        let Some(info) = self.input.read_signal()? else { return Ok(None) };
        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
        Ok(Some(Signal::try_from(number).map_or("a signal", Signal::as_str)))
    }
}

impl AsFd for SignalInput {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }
}

impl Drop for SignalInput {
    fn drop(&mut self) {
        // Unblocking a valid set cannot fail.
        let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&self.blocked), None);
    }
}

/// Ends the ignoring of children that have ended, which a process may have been born with: whoever waits for them finds them. A handler
/// stays; and where nothing is ignored nothing is touched, as that would take a pending SIGCHLD away.
///
/// # Errors
/// What the system answered.
pub fn stop_ignoring_children() -> io::Result<()> {
    // SAFETY: zeros are a valid sigaction, which the kernel overwrites.
    let mut found: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: writes to `found` only; null asks for no change.
    Errno::result(unsafe { libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut found) })?;
    let is_ignored = found.sa_sigaction == libc::SIG_IGN;
    if !is_ignored && found.sa_flags & libc::SA_NOCLDWAIT == 0 {
        return Ok(());
    }
    if is_ignored {
        found.sa_sigaction = libc::SIG_DFL;
    }
    found.sa_flags &= !libc::SA_NOCLDWAIT;
    // SAFETY: a handler was installed before, by who answers for it.
    Errno::result(unsafe { libc::sigaction(libc::SIGCHLD, &raw const found, std::ptr::null_mut()) })?;
    Ok(())
}

/// Sets what is done about children that have ended back to the default: whoever waits for them finds them, also where they were to be
/// ignored.
///
/// # Errors
/// What the system answered.
pub fn heed_children() -> io::Result<()> {
    // SAFETY: SIG_DFL installs no handler.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
    Ok(())
}

/// Ignores what asks a program to stop: for a process that stays until the others have gone.
///
/// # Errors
/// What the system answered.
pub fn ignore_stop_signals() -> io::Result<()> {
    for number in STOP {
        // SAFETY: SIG_IGN installs no handler, so no code of ours can run in a signal's context.
        unsafe { signal(number, SigHandler::SigIgn) }?;
    }
    Ok(())
}

/// Ignores SIGINT: Ctrl-C is the business of whoever started this process.
///
/// # Errors
/// What the system answered.
pub fn ignore_interrupt() -> io::Result<()> {
    // SAFETY: SIG_IGN installs no handler.
    unsafe { signal(Signal::SIGINT, SigHandler::SigIgn) }?;
    Ok(())
}

/// Sets what asks a program to stop back to what it does by default, for a child of who [ignored](ignore_stop_signals) it.
///
/// # Errors
/// What the system answered.
pub fn heed_stop_signals() -> io::Result<()> {
    for number in STOP {
        // SAFETY: SIG_DFL installs no handler.
        unsafe { signal(number, SigHandler::SigDfl) }?;
    }
    Ok(())
}

/// Sets a forked worker's signals: nothing blocked, all at their default, but SIGINT, SIGHUP and SIGTERM
/// ignored (they may go to the whole process group; the supervisor decides what they mean) and
/// SIGPIPE and SIGXFSZ ignored (they come back as errors).
///
/// # Errors
/// What the system answered.
pub fn reset_in_worker() -> io::Result<()> {
    for number in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGTERM, Signal::SIGPIPE, Signal::SIGXFSZ] {
        // SAFETY: SIG_IGN installs no handler, so no code of ours can run in a signal's context.
        unsafe { signal(number, SigHandler::SigIgn) }?;
    }
    for number in [Signal::SIGSEGV, Signal::SIGBUS] {
        // Rust's own handler says "stack overflow" to a stderr that may lead nowhere, and takes the first one sent by hand for nothing.
        // SAFETY: SIG_DFL installs no handler.
        unsafe { signal(number, SigHandler::SigDfl) }?;
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    Ok(())
}

/// Has SIGABRT call `last_words` once, in the signal's context, and then end the process as it does by default.
///
/// `last_words` is not restricted to what is safe in a signal's context: the process ends in any case, and who sent the signal
/// must be ready to kill it.
///
/// # Errors
/// What sigaction(2) answered.
pub fn on_abort(last_words: fn()) -> io::Result<()> {
    let _ = LAST_WORDS.set(last_words);
    let flags = SaFlags::SA_RESETHAND | SaFlags::SA_NODEFER;
    let action = SigAction::new(SigHandler::Handler(abort), flags, SigSet::empty());
    // SAFETY: the handler never returns to what it interrupted, so whatever that held in the middle of a change is never used by it
    // again; that the handler itself may find a lock taken is said above.
    unsafe { sigaction(Signal::SIGABRT, &action) }?;
    Ok(())
}

static LAST_WORDS: OnceLock<fn()> = OnceLock::new();

extern "C" fn abort(_: libc::c_int) {
    if let Some(last_words) = LAST_WORDS.get() {
        last_words();
    }
    // SA_RESETHAND: this time it ends the process.
    let _ = raise(Signal::SIGABRT);
}

/// Ignores SIGXFSZ and SIGPIPE, so that a file-size limit and a closed reader are errors, not deaths.
///
/// # Errors
/// What the system answered.
pub fn ignore_write_signals() -> io::Result<()> {
    for number in [Signal::SIGPIPE, Signal::SIGXFSZ] {
        // SAFETY: SIG_IGN installs no handler.
        unsafe { signal(number, SigHandler::SigIgn) }?;
    }
    Ok(())
}

/// Whether there is a process `pid`, running or not yet reaped.
pub fn exists(pid: i32) -> bool {
    !matches!(kill(Pid::from_raw(pid), None), Err(nix::errno::Errno::ESRCH))
}

/// Sends SIGKILL to `pid`.
///
/// # Errors
/// What kill(2) answered: there is no such process, or it belongs to somebody else.
pub fn kill_hard(pid: i32) -> io::Result<()> {
    Ok(kill(Pid::from_raw(pid), Signal::SIGKILL)?)
}

/// Sends SIGTERM to `pid`.
///
/// # Errors
/// As [`kill_hard`].
pub fn terminate(pid: i32) -> io::Result<()> {
    Ok(kill(Pid::from_raw(pid), Signal::SIGTERM)?)
}

/// Name of a signal number, `signal 63` where it has none.
pub fn name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}
