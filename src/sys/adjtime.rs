//! Whether somebody keeps the clock right.

/// Whether the kernel's clock is synchronised (adjtimex(2) without STA_UNSYNC); `None` if it does not say.
pub fn is_synchronised() -> Option<bool> {
    // SAFETY: all zeros are a valid `timex` that asks for nothing to be changed.
    let mut time: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: reads and writes one `timex`.
    let state = unsafe { libc::adjtimex(&raw mut time) };
    (state >= 0).then_some(state != libc::TIME_ERROR && time.status & libc::STA_UNSYNC == 0)
}
