//! adjtimex(2): whether somebody keeps the clock right.

use std::io;

/// What the kernel knows of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// Nobody (NTP, PTP, GPS) has set it right lately: STA_UNSYNC, or the call says TIME_ERROR.
    pub is_unsynchronised: bool,
    /// How wrong it may be at most, in microseconds, as whoever keeps it right has told the kernel.
    pub max_error_us: u64,
}

/// Asks; changes nothing.
///
/// # Errors
/// What adjtimex(2) answered.
pub fn state() -> io::Result<ClockState> {
    // SAFETY: `timex` is made of integers, for which all zeros are valid; `modes` 0 asks and sets nothing.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: writes one `timex`, which is ours for the length of the call.
    let answer = unsafe { libc::adjtimex(&raw mut timex) };
    if answer == -1 {
        return Err(io::Error::last_os_error());
    }
    #[allow(clippy::useless_conversion, reason = "long has 32 bits on 32-bit ARM")]
    let max_error = i64::from(timex.maxerror);
    Ok(ClockState {
        is_unsynchronised: answer == libc::TIME_ERROR || timex.status & libc::STA_UNSYNC != 0,
        max_error_us: u64::try_from(max_error).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_may_ask() {
        state().unwrap();
    }
}
