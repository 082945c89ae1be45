//! Whether this user may have real-time priorities and memory that stays.

use std::path::Path;

use super::finding::{Finding, Level};
use super::read;
use crate::sys::rlimit::{Limited, limit};
use crate::sys::sched;

const FIFO: &str = "real-time priority";
const FIFO_WHY: &str = "without SCHED_FIFO any other busy program delays a worker by milliseconds";
const LOCK: &str = "locked memory";
const LOCK_WHY: &str = "memory that is not locked may be swapped out, and fetching it from a card takes long";

/// Numbers of capabilities (capabilities(7)).
const CAP_IPC_LOCK: u32 = 14;
const CAP_SYS_NICE: u32 = 23;

/// As much a worker has, generously: rings, program, libraries.
const ENOUGH: u64 = 256 << 20;

/// What this process may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RightsFacts {
    /// Effective capabilities, one bit each; `None`: /proc does not say.
    capabilities: Option<u64>,
    /// RLIMIT_RTPRIO; the inner `None`: without limit.
    priority: Option<Option<u64>>,
    /// RLIMIT_MEMLOCK.
    memory: Option<Option<u64>>,
    /// Whether this is a user namespace (a container without root): what its capabilities allow, the machine may still refuse.
    is_namespaced: bool,
    /// What the kernel said when the priority was tried.
    tried: Option<Result<(), String>>,
}

pub(super) fn look(root: &Path) -> RightsFacts {
    let status = read::text(root, "proc/self/status");
    // Tried in a thread of its own, which takes the priority with it when it ends.
    let tried = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, || sched::set_fifo(1));
        thread.ok()?.join().ok()
    });
    RightsFacts {
        capabilities: status.and_then(|text| effective(&text)),
        priority: limit(Limited::RealtimePriority).ok().map(|(soft, _)| soft),
        memory: limit(Limited::LockedMemory).ok().map(|(soft, _)| soft),
        is_namespaced: read::text(root, "proc/self/uid_map").is_some_and(|map| is_part(&map)),
        tried: tried.map(|tried| tried.map_err(|error| error.to_string())),
    }
}

/// `CapEff` of /proc/self/status.
fn effective(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Whether /proc/self/uid_map shows less than all users: only the machine's own namespace has them all.
fn is_part(map: &str) -> bool {
    map.split_whitespace().ne(["0", "0", "4294967295"])
}

impl RightsFacts {
    fn has(&self, capability: u32) -> bool {
        // SCHED_FIFO and locked memory ask for the capability on the machine itself.
        !self.is_namespaced && self.capabilities.is_some_and(|all| all >> capability & 1 == 1)
    }
}

impl RightsFacts {
    /// The way for `program` started by hand, and the one for a service.
    fn mend(&self, program: &str, unit: &str) -> String {
        if self.is_namespaced {
            return "# a user namespace cannot give this away: raise the limits of whoever starts the container, or start it as root\n\
                    sudo prlimit --pid $$ --rtprio=99 --memlock=unlimited   # in the shell that starts it"
                .into();
        }
        format!(
            "{}\n\
             # or, for a service, in its unit (pinring install --print-unit writes it so):\n{unit}",
            sched::setcap(program)
        )
    }
}

/// `priority` is the highest that the configuration asks for, if it asks.
pub(super) fn judge_fifo(facts: &RightsFacts, priority: Option<u8>, program: &str) -> Finding {
    let finding = |level, found: String| Finding::new(FIFO, level, found, FIFO_WHY);
    let bad = if priority.is_some() { Level::Warning } else { Level::Note };
    let unit = "AmbientCapabilities=CAP_SYS_NICE CAP_IPC_LOCK\nLimitRTPRIO=99";
    match &facts.tried {
        None => finding(Level::Unknown, "it could not be tried".into()),
        Some(Err(error)) if facts.has(CAP_SYS_NICE) => {
            // Rights enough, and yet refused: a container's filter, or a group without real-time budget.
            finding(bad, format!("SCHED_FIFO is refused in spite of CAP_SYS_NICE: {error}")).mend(
                "# in a container: --cap-add SYS_NICE --ulimit rtprio=99; where CONFIG_RT_GROUP_SCHED is on:\n\
                 echo 950000 | sudo tee /sys/fs/cgroup/cpu/cpu.rt_runtime_us",
            )
        }
        Some(Err(_)) => finding(bad, "this user may not have SCHED_FIFO".into()).mend(facts.mend(program, unit)),
        Some(Ok(())) if facts.has(CAP_SYS_NICE) => finding(Level::Ok, "SCHED_FIFO is allowed (CAP_SYS_NICE)".into()),
        Some(Ok(())) => {
            let most = facts.priority.unwrap_or(Some(1)).unwrap_or(99);
            let wanted = priority.map_or(1, u64::from);
            if most < wanted {
                let found = format!("SCHED_FIFO is allowed up to {most} only, the configuration asks for {wanted}");
                return finding(Level::Warning, found).mend(facts.mend(program, unit));
            }
            finding(Level::Ok, format!("SCHED_FIFO is allowed up to {most} (RLIMIT_RTPRIO)"))
        }
    }
}

/// `is_wanted`: the configuration asks for it.
pub(super) fn judge_lock(facts: &RightsFacts, is_wanted: bool, program: &str) -> Finding {
    let finding = |level, found: String| Finding::new(LOCK, level, found, LOCK_WHY);
    if facts.has(CAP_IPC_LOCK) {
        return finding(Level::Ok, "as much as wanted (CAP_IPC_LOCK)".into());
    }
    match facts.memory {
        None => finding(Level::Unknown, "getrlimit(2) does not say".into()),
        Some(None) => finding(Level::Ok, "as much as wanted (RLIMIT_MEMLOCK)".into()),
        Some(Some(most)) if most >= ENOUGH => finding(Level::Ok, format!("up to {} MiB", most >> 20)),
        Some(Some(most)) => {
            let level = if is_wanted { Level::Warning } else { Level::Note };
            let found = format!("no more than {} KiB can be locked", most >> 10);
            let unit = "AmbientCapabilities=CAP_SYS_NICE CAP_IPC_LOCK\nLimitMEMLOCK=infinity";
            finding(level, found).mend(facts.mend(program, unit))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "Name:\tx\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n";
    const PROGRAM: &str = "$(command -v pinring)";

    /// Somebody with these limits and no capability.
    fn user(priority: Option<u64>, memory: Option<u64>) -> RightsFacts {
        let tried = if priority == Some(0) { Err("Operation not permitted".into()) } else { Ok(()) };
        RightsFacts {
            capabilities: Some(0),
            priority: Some(priority),
            memory: Some(memory),
            is_namespaced: false,
            tried: Some(tried),
        }
    }

    #[test]
    fn capabilities_are_read_from_the_status() {
        assert_eq!(effective(ROOT), Some(0x1ff_ffff_ffff));
        let root = RightsFacts { capabilities: effective(ROOT), tried: Some(Ok(())), ..user(Some(0), Some(0)) };
        assert_eq!(judge_fifo(&root, Some(98), PROGRAM).level, Level::Ok);
        assert_eq!(judge_lock(&root, true, PROGRAM).level, Level::Ok);
        assert_eq!(effective("nothing"), None);
    }

    #[test]
    fn a_user_without_rights_gets_both_ways() {
        let user = user(Some(0), Some(8 << 20));
        let finding = judge_fifo(&user, None, PROGRAM);
        assert_eq!(finding.level, Level::Note);
        assert!(finding.mend.starts_with("sudo setcap cap_sys_nice,cap_ipc_lock+ep $(command -v pinring)\n"));
        assert!(finding.mend.ends_with("LimitRTPRIO=99"));
        assert_eq!(judge_fifo(&user, Some(50), PROGRAM).level, Level::Warning);
        let finding = judge_lock(&user, true, PROGRAM);
        assert_eq!((finding.level, finding.found.as_str()), (Level::Warning, "no more than 8192 KiB can be locked"));
        assert!(finding.mend.ends_with("LimitMEMLOCK=infinity"));
    }

    #[test]
    fn limits_may_do_instead_of_capabilities() {
        let user = user(Some(60), None);
        assert_eq!(judge_fifo(&user, Some(50), PROGRAM).level, Level::Ok);
        assert_eq!(judge_fifo(&user, Some(70), PROGRAM).level, Level::Warning);
        assert_eq!(judge_lock(&user, true, PROGRAM).level, Level::Ok);
    }

    #[test]
    fn the_capabilities_of_a_user_namespace_do_not_count() {
        assert!(!is_part("         0          0 4294967295\n") && is_part("         0       1000          1\n"));
        let user = RightsFacts { capabilities: effective(ROOT), is_namespaced: true, ..user(Some(0), Some(8 << 20)) };
        for finding in [judge_fifo(&user, None, PROGRAM), judge_lock(&user, false, PROGRAM)] {
            assert_eq!(finding.level, Level::Note);
            assert!(finding.mend.contains("sudo prlimit"), "{finding:?}");
        }
    }

    #[test]
    fn what_was_refused_in_spite_of_all_rights_is_said_so() {
        let facts =
            RightsFacts { tried: Some(Err("no".into())), capabilities: effective(ROOT), ..RightsFacts::default() };
        assert!(judge_fifo(&facts, Some(1), PROGRAM).found.contains("in spite of CAP_SYS_NICE"));
        assert_eq!(judge_fifo(&RightsFacts::default(), Some(1), PROGRAM).level, Level::Unknown);
    }
}
