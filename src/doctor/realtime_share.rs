//! How much of each second real-time programs may have.

use std::path::Path;

use super::finding::{Finding, Level};
use super::read;

const CHECK: &str = "real-time share";
const WHY: &str = "a real-time worker that looks for messages without sleeping is stopped for the rest of each period";

/// sched_rt_runtime_us and sched_rt_period_us, where the kernel shows them.
pub(super) fn look(root: &Path) -> Option<(i64, i64)> {
    let read = |file: &str| read::number(root, format!("proc/sys/kernel/{file}"));
    Some((read("sched_rt_runtime_us")?, read("sched_rt_period_us")?))
}

/// `is_needed`: the configuration has a real-time worker that never sleeps.
pub(super) fn judge(share: Option<(i64, i64)>, is_needed: bool) -> Finding {
    let finding = |level, found: String| Finding::new(CHECK, level, found, WHY);
    let all = "sudo sysctl -w kernel.sched_rt_runtime_us=-1   # a program that never sleeps then has its core for good\n\
               echo 'kernel.sched_rt_runtime_us = -1' | sudo tee /etc/sysctl.d/90-pinring.conf";
    match share {
        None => finding(Level::Unknown, "the kernel does not show sched_rt_runtime_us".into()),
        Some((0, _)) => {
            finding(Level::Fault, "real-time programs may not run at all (sched_rt_runtime_us is 0)".into())
                .mend("sudo sysctl -w kernel.sched_rt_runtime_us=950000")
        }
        Some((runtime, period)) if runtime < 0 || runtime >= period => finding(Level::Ok, "all of the time".into()),
        Some((runtime, period)) => {
            let found = format!("{} of {} ms (sched_rt_runtime_us)", runtime / 1000, period / 1000);
            // Workers that sleep never get there: then it is a guard and no harm.
            if is_needed { finding(Level::Warning, found).mend(all) } else { finding(Level::Ok, found) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::read::fake::machine;

    #[test]
    fn the_usual_share_hurts_only_those_who_never_sleep() {
        let usual = Some((950_000, 1_000_000));
        assert_eq!(judge(usual, false).level, Level::Ok);
        let finding = judge(usual, true);
        assert_eq!((finding.level, finding.found.as_str()), (Level::Warning, "950 of 1000 ms (sched_rt_runtime_us)"));
        assert!(finding.mend.contains("sched_rt_runtime_us=-1"));
    }

    #[test]
    fn none_at_all_is_a_fault_and_no_limit_is_fine() {
        assert_eq!(judge(Some((0, 1_000_000)), false).level, Level::Fault);
        assert_eq!(judge(Some((-1, 1_000_000)), true).level, Level::Ok);
        assert_eq!(judge(None, true).level, Level::Unknown);
    }

    #[test]
    fn the_share_is_read_from_proc() {
        let files =
            [("proc/sys/kernel/sched_rt_runtime_us", "-1\n"), ("proc/sys/kernel/sched_rt_period_us", "1000000\n")];
        assert_eq!(look(machine(&files).path()), Some((-1, 1_000_000)));
        assert_eq!(look(machine(&files[..1]).path()), None);
    }
}
