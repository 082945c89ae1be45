//! Forking a worker.

use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::codes;
use crate::sys::fork::{Side, exit_now, fork, own_pid, parent_pid, thread_count};
use crate::sys::pidfd::PidFd;
use crate::sys::{affinity, fd, prctl, signal, stderr};

/// Who a child is to be.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// Its name in `ps`, cut to 15 bytes.
    pub name: &'a str,
    /// The core it is pinned to; `None` leaves it where it is.
    pub core: Option<usize>,
    /// The descriptors it keeps besides the standard streams.
    pub keep: &'a [RawFd],
}

/// A forked child.
#[derive(Debug)]
pub struct Child {
    /// Its process id.
    pub pid: i32,
    /// Becomes readable when it ends.
    pub pidfd: PidFd,
}

/// Why there is no child.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The parent has other threads, whose locks would stay locked in the child for ever.
    #[error("cannot fork worker `{name}`: this process has {threads} threads; fork before any thread is started")]
    Threads {
        /// The worker's name.
        name: String,
        /// How many threads there are.
        threads: usize,
    },
    /// The system refused.
    #[error("cannot fork worker `{name}`: {source}; look at `ulimit -u`, at the unit's TasksMax and at free memory")]
    System {
        /// The worker's name.
        name: String,
        /// What it answered.
        source: io::Error,
    },
}

/// Forks a child that becomes `identity`, runs `body` and exits with the code it returns. It dies with its parent.
///
/// # Errors
/// If this process has other threads, or the system refuses.
pub fn spawn(identity: Identity<'_>, body: impl FnOnce() -> i32) -> Result<Child, SpawnError> {
    let failed = |source| SpawnError::System { name: identity.name.to_owned(), source };
    // Without /proc nobody can tell; the house rule (no threads in the supervisor) must do.
    let threads = thread_count().unwrap_or(1);
    if threads > 1 {
        return Err(SpawnError::Threads { name: identity.name.to_owned(), threads });
    }
    let parent = own_pid();
    // SAFETY: the process has one thread, as just counted; only this thread could start another.
    match unsafe { fork() }.map_err(failed)? {
        Side::Parent(pid) => Ok(Child { pid, pidfd: PidFd::open(pid).map_err(failed)? }),
        Side::Child => {
            // Nothing may unwind into the parent's frames, of which this is a copy.
            let code = catch_unwind(AssertUnwindSafe(|| live(identity, parent, body))).unwrap_or(codes::PANIC);
            exit_now(code)
        }
    }
}

fn live(identity: Identity<'_>, parent: i32, body: impl FnOnce() -> i32) -> i32 {
    match prologue(identity, parent) {
        Ok(true) => body(),
        Ok(false) => codes::ORPHAN,
        Err(error) => {
            // There is no log ring yet, and the supervisor's stderr is ours, too.
            stderr::say(&format!("pinring: worker `{}`: cannot set up the process: {error}", identity.name));
            codes::PROLOGUE
        }
    }
}

/// Makes the child what it shall be; false if the parent ended meanwhile.
fn prologue(identity: Identity<'_>, parent: i32) -> io::Result<bool> {
    signal::reset_in_worker()?;
    prctl::die_with_parent()?;
    // The parent may have ended before the line above; then nobody would tell us.
    if parent_pid() != parent {
        return Ok(false);
    }
    prctl::set_name(identity.name)?;
    // SAFETY: the owners of all other descriptors live in the parent's frames, which this child never returns to: it
    // leaves through `_exit`.
    unsafe { fd::close_all_but(identity.keep) }?;
    if let Some(core) = identity.core {
        affinity::pin_to(core)?;
    }
    Ok(true)
}
