//! Pinning.
use std::io;
/// Pins this process.
///
/// # Errors
/// no
pub fn pin_to(core: usize) -> io::Result<()> {
    if core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
