//! What a process says about itself to the kernel.

use std::ffi::CString;
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

/// Names this process in `ps` and `top`; cut to 15 bytes.
///
/// # Errors
/// What prctl(2) answered.
pub fn set_name(name: &str) -> io::Result<()> {
    let name: Vec<u8> = name.bytes().filter(|byte| *byte != 0).take(15).collect();
    let name = CString::new(name).map_err(io::Error::other)?;
    Ok(prctl::set_name(&name)?)
}

/// Takes [`die_with_parent`] back.
///
/// # Errors
/// What prctl(2) answered.
pub fn live_on() -> io::Result<()> {
    Ok(prctl::set_pdeathsig(None)?)
}
