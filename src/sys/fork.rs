//! fork(2).

use std::io;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{ForkResult, fork as raw_fork, getpid};

/// Which side of the fork one is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// In the parent; the child's pid.
    Parent(i32),
    /// In the child.
    Child,
}

/// Forks.
///
/// # Errors
/// What fork(2) answered: EAGAIN (process limit), ENOMEM.
///
/// # Safety
/// The process must have one thread only: in the child, whatever lock another thread held would stay
/// locked for ever. (`process::spawn` checks that before it comes here.)
pub unsafe fn fork() -> io::Result<Side> {
    // SAFETY: single-threaded, by this function's own contract.
    match unsafe { raw_fork() }? {
        ForkResult::Parent { child } => Ok(Side::Parent(child.as_raw())),
        ForkResult::Child => Ok(Side::Child),
    }
}

/// This process's pid.
pub fn own_pid() -> i32 {
    getpid().as_raw()
}

/// This process's user.
pub fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The pid of this process's parent; 1 or a subreaper's once the parent has ended.
pub fn parent_pid() -> i32 {
    nix::unistd::getppid().as_raw()
}

/// Ends this process at once: no destructors, no atexit handlers. For the child side of a fork,
/// which shares the parent's buffers and must not flush them a second time.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit touches nothing of ours.
    unsafe { libc::_exit(code) }
}

/// Whether this process is known to have one thread only, by a single question to the kernel: unshare(2) of the threads is refused where
/// there are others, and does nothing where there are none. Where it may not be called (a sandbox), and while a thread that has ended is
/// on its way out, the answer is no: then ask [`thread_count`].
pub fn has_one_thread() -> bool {
    unshare(CloneFlags::CLONE_THREAD).is_ok()
}

/// How many threads this process has, from /proc/self/task; `None` where /proc is not mounted.
pub fn thread_count() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}
