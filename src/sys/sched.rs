//! Real-time scheduling and memory that stays.

use std::io;

use nix::sys::mman::{MlockAllFlags, mlockall, munlockall};

/// Gives this process the real-time policy SCHED_FIFO at `priority` (1 to 99); what it forks has the usual one again.
///
/// # Errors
/// PermissionDenied without CAP_SYS_NICE or a sufficient RLIMIT_RTPRIO; InvalidInput for a priority that does not exist.
pub fn set_fifo(priority: u8) -> io::Result<()> {
    set(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, priority)
}

/// Gives this process the usual policy.
///
/// # Errors
/// What sched_setscheduler(2) answered.
pub fn set_other() -> io::Result<()> {
    set(libc::SCHED_OTHER, 0)
}

fn set(policy: libc::c_int, priority: u8) -> io::Result<()> {
    // The kernel's `sched_param` is one int. By number, because musl's function of that name always says ENOSYS.
    let parameter: libc::c_int = priority.into();
    // SAFETY: reads one int; 0 is the calling thread.
    let result = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const parameter) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Keeps all memory of this process, now and later, out of swap.
///
/// # Errors
/// PermissionDenied or OutOfMemory without CAP_IPC_LOCK or a sufficient RLIMIT_MEMLOCK.
pub fn lock_memory() -> io::Result<()> {
    Ok(mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)?)
}

/// Keeps the memory that this process has now out of swap, but not what comes later: that could be refused, and so end the
/// process, where RLIMIT_MEMLOCK is small.
///
/// # Errors
/// As [`lock_memory`].
pub fn lock_present_memory() -> io::Result<()> {
    Ok(mlockall(MlockAllFlags::MCL_CURRENT)?)
}

/// Lets the memory of this process go to swap again.
pub fn unlock_memory() {
    // Asks for no right, and cannot fail but for want of memory locks at all.
    let _ = munlockall();
}

/// The command by which a program may have real-time priorities and locked memory (capabilities(7)).
pub fn setcap(program: &str) -> String {
    format!("sudo setcap cap_sys_nice,cap_ipc_lock+ep {program}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_that_does_not_exist_is_refused() {
        assert_eq!(set_fifo(100).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        set_other().unwrap();
    }
}
