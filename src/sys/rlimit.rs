//! What this process may use.

use nix::sys::resource::{Resource, getrlimit};

/// A limit: what counts now.
fn soft(resource: Resource) -> Option<u64> {
    #[allow(clippy::useless_conversion, reason = "a limit has 32 bits on 32-bit ARM")]
    getrlimit(resource).ok().map(|(soft, _)| u64::from(soft))
}

/// Highest real-time priority an unprivileged process may take.
pub fn realtime_priority() -> Option<u64> {
    soft(Resource::RLIMIT_RTPRIO)
}

/// Bytes an unprivileged process may lock.
pub fn locked_memory() -> Option<u64> {
    soft(Resource::RLIMIT_MEMLOCK)
}

/// Descriptors a process may have.
pub fn open_files() -> Option<u64> {
    soft(Resource::RLIMIT_NOFILE)
}
