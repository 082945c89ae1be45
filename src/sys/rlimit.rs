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
    /// Bytes of a file, or of memory that has a descriptor.
    FileSize,
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
        Limited::FileSize => Resource::RLIMIT_FSIZE,
    };
    let (soft, hard) = getrlimit(resource)?;
    #[allow(clippy::useless_conversion, reason = "rlim_t has 32 bits on 32-bit ARM")]
    let bounded = |limit: libc::rlim_t| (limit != libc::RLIM_INFINITY).then(|| u64::from(limit));
    Ok((bounded(soft), bounded(hard)))
}

/// Refuses to make a file longer than it may be, at which the kernel would send SIGXFSZ.
///
/// # Errors
/// FileTooLarge, with the limit.
pub fn allow_file_of(bytes: usize) -> io::Result<()> {
    match limit(Limited::FileSize)? {
        (Some(most), _) if most < bytes as u64 => {
            let message =
                format!("{bytes} bytes of memory are more than a file may have here: `ulimit -f` says {most} bytes");
            Err(io::Error::new(io::ErrorKind::FileTooLarge, message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_not_above_the_hard_one() {
        for what in [Limited::Descriptors, Limited::RealtimePriority, Limited::LockedMemory, Limited::FileSize] {
            let (soft, hard) = limit(what).unwrap();
            assert!(soft.unwrap_or(u64::MAX) <= hard.unwrap_or(u64::MAX), "{what:?}");
        }
    }
}
