//! What a process says about itself to the kernel.

use std::io;

use nix::sys::prctl;
use nix::sys::signal::Signal;

/// Has the kernel send SIGKILL to this process when its parent ends.
///
/// Cleared by a change of user, and bound to the parent's *thread*: set it after the privileges are dropped, and
/// check afterwards that the parent had not ended before.
///
/// # Errors
/// What prctl(2) answered.
pub fn die_with_parent() -> io::Result<()> {
    Ok(prctl::set_pdeathsig(Signal::SIGKILL)?)
}

/// Names this process in `ps` and `top`; cut to 15 bytes, and at a zero. Allocates nothing, and needs no more code than this: for the child
/// side of a fork.
///
/// # Errors
/// What prctl(2) answered.
pub fn set_name(name: impl AsRef<[u8]>) -> io::Result<()> {
    let mut bytes = [0; 16];
    for (byte, given) in bytes[..15].iter_mut().zip(name.as_ref()) {
        *byte = *given;
    }
    // SAFETY: the kernel reads up to the zero, which the last of them is at least.
    let result = unsafe { libc::prctl(libc::PR_SET_NAME, bytes.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes [`die_with_parent`] back.
///
/// # Errors
/// What prctl(2) answered.
pub fn live_on() -> io::Result<()> {
    Ok(prctl::set_pdeathsig(None)?)
}

/// Whether this process becomes the parent of those of its descendants whose parent ends, instead of the system's first process.
///
/// # Errors
/// What prctl(2) answered.
pub fn adopt_orphans(are_adopted: bool) -> io::Result<()> {
    Ok(prctl::set_child_subreaper(are_adopted)?)
}
