//! getrlimit(2): how much of something this process may have.

use std::io;

use nix::sys::resource::{Resource, getrlimit};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// Descriptors that are open at a time.
    Descriptors,
    /// The highest real-time priority without CAP_SYS_NICE.
    RealtimePriority,
    /// Bytes of memory that stay out of swap, without CAP_IPC_LOCK.
    LockedMemory,
}

/// The limit that counts now (the soft one) and how far it can be raised (the hard one); `None`: without limit.
///
/// # Errors
/// What getrlimit(2) answered.
pub fn limit(what: Limited) -> io::Result<(Option<u64>, Option<u64>)> {
    let resource = match what {
        Limited::Descriptors => Resource::RLIMIT_NOFILE,
        Limited::RealtimePriority => Resource::RLIMIT_RTPRIO,
        Limited::LockedMemory => Resource::RLIMIT_MEMLOCK,
    };
    let (soft, hard) = getrlimit(resource)?;
    #[allow(clippy::useless_conversion, reason = "rlim_t has 32 bits on 32-bit ARM")]
    let bounded = |limit: libc::rlim_t| (limit != libc::RLIM_INFINITY).then(|| u64::from(limit));
    Ok((bounded(soft), bounded(hard)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_not_above_the_hard_one() {
        for what in [Limited::Descriptors, Limited::RealtimePriority, Limited::LockedMemory] {
            let (soft, hard) = limit(what).unwrap();
            assert!(soft.unwrap_or(u64::MAX) <= hard.unwrap_or(u64::MAX), "{what:?}");
        }
    }
}
