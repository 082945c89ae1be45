//! How a process ended.

use crate::sys::signal;
use crate::sys::wait::Ended;

/// How a process ended.
///
/// ```
/// use pinring::multi::{ExitStatus, JoinError, Process, exit};
///
/// let ended = Process::spawn(|| -> () { exit(3) })?.join();
/// assert_eq!(ended, Err(JoinError::Exited(ExitStatus::Code(3))));
/// let killed = ExitStatus::Signal { signal: 9, core_dumped: false };
/// assert_eq!((killed.exitcode(), killed.to_string()), (-9, "killed by SIGKILL".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code, 0 to 255.
    Code(i32),
    /// This signal killed it.
    Signal {
        /// Its number.
        signal: i32,
        /// Whether it left a core file.
        core_dumped: bool,
    },
    /// Only its parent could have seen how: this is not it, or it ignores SIGCHLD, and then the system does not say.
    Unknown,
}

impl ExitStatus {
    /// Whether it exited with 0.
    pub fn success(&self) -> bool {
        *self == Self::Code(0)
    }

    /// As Python has it: the code, minus the signal's number, or 255 where that is not known.
    pub fn exitcode(&self) -> i32 {
        match *self {
            Self::Code(code) => code,
            Self::Signal { signal, .. } => -signal,
            Self::Unknown => 255,
        }
    }

    /// As a word in shared memory, where 0 says that it is not known.
    pub(super) fn pack(this: Option<Self>) -> u32 {
        let (kind, number) = match this {
            None => (0, 0),
            Some(Self::Code(code)) => (1, code),
            Some(Self::Signal { signal, core_dumped: false }) => (2, signal),
            Some(Self::Signal { signal, core_dumped: true }) => (3, signal),
            Some(Self::Unknown) => (4, 0),
        };
        kind << 16 | (number.unsigned_abs() & 0xffff)
    }

    /// What such a word says.
    pub(super) fn unpack(word: u32) -> Option<Self> {
        let number = i32::try_from(word & 0xffff).unwrap_or(0);
        match word >> 16 {
            1 => Some(Self::Code(number)),
            kind @ (2 | 3) => Some(Self::Signal { signal: number, core_dumped: kind == 3 }),
            4 => Some(Self::Unknown),
            _ => None,
        }
    }
}

impl From<Ended> for ExitStatus {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Code(code) => Self::Code(code),
            Ended::Signal { number, core } => Self::Signal { signal: number, core_dumped: core },
        }
    }
}

impl std::fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal { signal, .. } => write!(f, "killed by {}", signal::name(*signal)),
            Self::Unknown => f.write_str("nobody knows how"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_in_a_word_what_it_was() {
        let codes = (0..256).map(ExitStatus::Code);
        let signals =
            (1..65).flat_map(|signal| [false, true].map(|core_dumped| ExitStatus::Signal { signal, core_dumped }));
        for status in codes.chain(signals).chain([ExitStatus::Unknown]).map(Some).chain([None]) {
            assert_eq!(ExitStatus::unpack(ExitStatus::pack(status)), status);
        }
        assert_eq!(ExitStatus::pack(None), 0);
    }
}
