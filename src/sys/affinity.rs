//! Which hardware threads a process may use.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Pins another process of ours to `cpu`. One that sleeps wakes up there, without having to move.
///
/// # Errors
/// As [`pin_to`]; ESRCH if it has gone.
pub fn pin_process(pid: i32, cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(pid), &set)?)
}

/// Pins the calling process (which has one thread) to hardware thread `cpu`.
///
/// # Errors
/// If the affinity mask or the cgroup does not allow it, or there is no such thread.
pub fn pin_to(cpu: usize) -> io::Result<()> {
    if core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
        Ok(())
    } else {
        let error = io::Error::last_os_error();
        Err(io::Error::new(error.kind(), format!("cannot pin to core {cpu}: {error}")))
    }
}

/// How many hardware threads are online, whoever may use them.
pub fn online() -> usize {
    let count = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN);
    count.ok().flatten().and_then(|count| usize::try_from(count).ok()).unwrap_or(1)
}

/// The hardware threads the calling process may use.
///
/// # Errors
/// What sched_getaffinity(2) answered.
pub fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect())
}

/// Lets the calling process (which has one thread) run on the hardware threads `cpus` again.
///
/// # Errors
/// What sched_setaffinity(2) answered.
pub fn allow(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Which of `cpus` the calling thread could be pinned to, whatever its mask is now. Asks the kernel by moving there for a
/// moment; the mask is afterwards what it was.
///
/// # Errors
/// If the mask cannot be read or put back.
pub fn reachable(cpus: &[usize]) -> io::Result<Vec<usize>> {
    if cpus.is_empty() {
        return Ok(Vec::new());
    }
    let before = allowed()?;
    let reached = cpus.iter().copied().filter(|cpu| allow(&[*cpu]).is_ok()).collect();
    allow(&before)?;
    Ok(reached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_what_is_reachable_leaves_the_mask_as_it_was() {
        let before = allowed().unwrap();
        allow(&before[..1]).unwrap();
        let mut asked = before.clone();
        asked.push(1_000_000);
        assert_eq!(
            reachable(&asked).unwrap(),
            before,
            "a narrowed mask is no bound, a thread that is not there is one"
        );
        assert_eq!(allowed().unwrap(), before[..1]);
        allow(&before).unwrap();
    }
}
