//! Whether the cores run at their full clock all the time.

use std::collections::BTreeMap;
use std::path::Path;

use super::finding::{Finding, Level};
use super::read;
use crate::topology::format_cpulist;

const CHECK: &str = "cpu governor";
const WHY: &str = "other governors lower the clock while a worker waits, so it handles what comes next more slowly";

/// The governor of each hardware thread that has one.
pub(super) fn look(root: &Path) -> Vec<(usize, String)> {
    let governor = |path: &Path| {
        let cpu = read::index(&read::name(path), "cpu")?;
        Some((cpu, read::text(path, "cpufreq/scaling_governor")?))
    };
    read::entries(root, "sys/devices/system/cpu").iter().filter_map(|path| governor(path)).collect()
}

pub(super) fn judge(governors: &[(usize, String)]) -> Finding {
    if governors.is_empty() {
        let found = "this kernel does not steer the clock (a virtual machine, or the firmware does)";
        return Finding::new(CHECK, Level::Unknown, found, WHY);
    }
    let mut others: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (cpu, governor) in governors.iter().filter(|(_, governor)| governor != "performance") {
        others.entry(governor).or_default().push(*cpu);
    }
    if others.is_empty() {
        let found = format!("`performance` on all {} hardware threads", governors.len());
        return Finding::new(CHECK, Level::Ok, found, WHY);
    }
    let of = |(governor, cpus): (&&str, &mut Vec<usize>)| {
        cpus.sort_unstable();
        format!("`{governor}` on {}", format_cpulist(cpus))
    };
    let found: Vec<String> = others.iter_mut().map(of).collect();
    Finding::new(CHECK, Level::Warning, format!("{} instead of `performance`", found.join(", ")), WHY).mend(
        "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor\n\
         # from now on at every start:\n\
         echo 'w /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor - - - - performance' | \
         sudo tee /etc/tmpfiles.d/pinring-governor.conf",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::read::fake::machine;

    fn governors(names: &[&str]) -> Vec<(usize, String)> {
        names.iter().enumerate().map(|(cpu, name)| (cpu, (*name).to_owned())).collect()
    }

    #[test]
    fn each_governor_that_is_not_performance_is_named_with_its_cores() {
        let finding = judge(&governors(&["ondemand", "ondemand", "performance", "schedutil"]));
        assert_eq!(finding.level, Level::Warning);
        assert_eq!(finding.found, "`ondemand` on 0-1, `schedutil` on 3 instead of `performance`");
        assert!(finding.mend.contains("echo performance"));
        assert_eq!(judge(&governors(&["performance"; 4])).level, Level::Ok);
    }

    #[test]
    fn a_machine_that_does_not_say_is_unknown() {
        let root =
            machine(&[("sys/devices/system/cpu/online", "0-1\n"), ("sys/devices/system/cpu/cpu0/online", "1\n")]);
        assert_eq!(judge(&look(root.path())).level, Level::Unknown);
    }

    #[test]
    fn the_governors_are_read_core_by_core() {
        let cpu = "sys/devices/system/cpu";
        let root = machine(&[
            (&format!("{cpu}/cpu0/cpufreq/scaling_governor"), "powersave\n"),
            (&format!("{cpu}/cpu10/cpufreq/scaling_governor"), "performance\n"),
            (&format!("{cpu}/cpufreq/policy0/scaling_governor"), "powersave\n"),
        ]);
        assert_eq!(look(root.path()), [(0, "powersave".to_owned()), (10, "performance".to_owned())]);
    }
}
