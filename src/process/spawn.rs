//! Forking a worker.

use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::codes;
use crate::sys::fork::{Side, exit_now, fork, own_pid, parent_pid, thread_count};
use crate::sys::pidfd::PidFd;
use crate::sys::socket::{Channel, MAX_MESSAGE, Received};
use crate::sys::{affinity, fd, prctl, signal, stderr, wait};

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
    fork_child(identity.name, || become_worker(identity).map(|()| body()))
}

/// Forks a child that waits to be told which worker it is: the fork is paid before it is needed.
///
/// The child keeps the descriptors of `keep` and waits on `channel` for its worker's number; then it runs `body` with both, which
/// begins with [`become_worker`]. It ends when the other end of the channel is closed, and dies with its parent.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_spare(
    keep: &[RawFd],
    channel: Channel,
    body: impl FnOnce(usize, Channel) -> io::Result<i32>,
) -> Result<Child, SpawnError> {
    const NAME: &str = "pinring-spare";
    fork_child(NAME, || {
        set_up(NAME, keep)?;
        let mut buffer = [0; MAX_MESSAGE];
        loop {
            channel.wait()?;
            match channel.receive(&mut buffer)? {
                Received::Message(4, _) => {
                    let number = u32::from_ne_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
                    return body(usize::try_from(number).map_err(io::Error::other)?, channel);
                }
                Received::Nothing => {}
                Received::Message(..) | Received::Closed => return Ok(codes::DONE),
            }
        }
    })
}

/// Tells a spare which worker it is.
///
/// # Errors
/// If it has gone.
pub fn wake_spare(channel: &Channel, worker: usize) -> io::Result<()> {
    let number = u32::try_from(worker).map_err(io::Error::other)?;
    channel.send(&number.to_ne_bytes(), None)
}

fn fork_child(name: &str, live: impl FnOnce() -> io::Result<i32>) -> Result<Child, SpawnError> {
    let failed = |source| SpawnError::System { name: name.to_owned(), source };
    // Without /proc nobody can tell; the house rule (no threads in the supervisor) must do.
    let threads = thread_count().unwrap_or(1);
    if threads > 1 {
        return Err(SpawnError::Threads { name: name.to_owned(), threads });
    }
    let parent = own_pid();
    // SAFETY: the process has one thread, as just counted; only this thread could start another.
    match unsafe { fork() }.map_err(failed)? {
        Side::Parent(pid) => match PidFd::open(pid) {
            Ok(pidfd) => Ok(Child { pid, pidfd }),
            Err(error) => {
                let _ = wait::end(pid);
                Err(failed(error))
            }
        },
        Side::Child => {
            // Nothing may unwind into the parent's frames, of which this is a copy.
            let code = catch_unwind(AssertUnwindSafe(|| be_born(name, parent, live))).unwrap_or(codes::PANIC);
            exit_now(code)
        }
    }
}

fn be_born(name: &str, parent: i32, live: impl FnOnce() -> io::Result<i32>) -> i32 {
    match has_parent(parent).and_then(|has_parent| if has_parent { live() } else { Ok(codes::ORPHAN) }) {
        Ok(code) => code,
        Err(error) => {
            // There is no log ring yet, and the supervisor's stderr is ours, too.
            stderr::say(&format!("pinring: worker `{name}`: cannot set up the process: {error}"));
            codes::PROLOGUE
        }
    }
}

/// Ties this process's life to its parent's; false if the parent ended meanwhile.
fn has_parent(parent: i32) -> io::Result<bool> {
    signal::reset_in_worker()?;
    prctl::die_with_parent()?;
    // The parent may have ended before the line above; then nobody would tell us.
    Ok(parent_pid() == parent)
}

fn set_up(name: &str, keep: &[RawFd]) -> io::Result<()> {
    prctl::set_name(name)?;
    let mut keep = keep.to_vec();
    keep.sort_unstable();
    // SAFETY: the owners of all other descriptors live in the parent's frames, which this child never returns to: it
    // leaves through `_exit`.
    unsafe { fd::close_all_but(&keep) }
}

/// In a child: takes the name, the descriptors and the core of `identity`.
///
/// # Errors
/// What the system answered.
pub fn become_worker(identity: Identity<'_>) -> io::Result<()> {
    set_up(identity.name, identity.keep)?;
    if let Some(core) = identity.core {
        affinity::pin_to(core)?;
    }
    Ok(())
}
