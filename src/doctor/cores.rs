//! The cores and the kernel: clock speed, isolation, real-time.

use super::{Finding, Level, Patient, name_of};

pub(super) fn examine(patient: &Patient) -> Vec<Finding> {
    vec![governor(patient), isolation(patient), kernel(patient), throttling_of_realtime(patient)]
}

fn governor(patient: &Patient) -> Finding {
    const CHECK: &str = "cpu governor";
    let mut slow = Vec::new();
    let mut any = false;
    for cpu in patient.list("sys/devices/system/cpu") {
        let Ok(governor) = std::fs::read_to_string(cpu.join("cpufreq/scaling_governor")) else { continue };
        any = true;
        if governor.trim() != "performance" {
            slow.push(format!("{} {}", name_of(&cpu), governor.trim()));
        }
    }
    if !any {
        return Finding::unknown(CHECK, "this machine does not let its clock speed be seen");
    }
    if slow.is_empty() {
        return Finding::ok(CHECK, "performance");
    }
    Finding::new(
        CHECK,
        Level::Note,
        slow.join(", "),
        "a core that has slept wakes up slow: some 10 to 100 us more until data are seen",
        "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
    )
}

fn isolation(patient: &Patient) -> Finding {
    const CHECK: &str = "isolated cores";
    match patient.read("sys/devices/system/cpu/isolated") {
        None => Finding::unknown(CHECK, "the kernel does not say which cores are isolated"),
        Some(cores) if !cores.is_empty() => Finding::ok(CHECK, format!("cores {cores} are kept free for workers")),
        Some(_) => Finding::new(
            CHECK,
            Level::Note,
            "none: other programs may run on the workers' cores",
            "whatever runs there delays a worker; it loses nothing by that, but comes later",
            "pinring topology   (prints the words for the kernel's command line)",
        ),
    }
}

fn kernel(patient: &Patient) -> Finding {
    const CHECK: &str = "kernel";
    let version = patient.read("proc/version").unwrap_or_default();
    let preempts = patient.read("sys/kernel/realtime").as_deref() == Some("1") || version.contains("PREEMPT_RT");
    if preempts {
        return Finding::ok(CHECK, "PREEMPT_RT");
    }
    if version.is_empty() {
        return Finding::unknown(CHECK, "there is no /proc/version");
    }
    let name = version.split_whitespace().nth(2).unwrap_or("?");
    let found = format!("Linux {name} without PREEMPT_RT");
    if !patient.wants_realtime {
        return Finding::ok(CHECK, found);
    }
    Finding::new(
        CHECK,
        Level::Note,
        found,
        "the configuration asks for real-time priorities; without PREEMPT_RT a driver may still delay a worker by milliseconds",
        "sudo apt install linux-image-rt-$(dpkg --print-architecture)   (Debian, Raspberry Pi OS)",
    )
}

/// The kernel takes real-time processes off a core for a part of each second, so that they cannot block it.
fn throttling_of_realtime(patient: &Patient) -> Finding {
    const CHECK: &str = "real-time budget";
    let number =
        |file: &str| patient.read(&format!("proc/sys/kernel/{file}")).and_then(|text| text.parse::<i64>().ok());
    match (number("sched_rt_runtime_us"), number("sched_rt_period_us")) {
        (Some(runtime), Some(period)) if runtime >= 0 && runtime < period && patient.wants_realtime => Finding::new(
            CHECK,
            Level::Note,
            format!("{runtime} of {period} us"),
            "a worker that never sleeps (wait = \"busy\") and has a real-time priority is stopped for the rest of each period",
            "echo -1 | sudo tee /proc/sys/kernel/sched_rt_runtime_us   (only if you trust what runs with priority)",
        ),
        (Some(runtime), Some(_)) => {
            Finding::ok(CHECK, if runtime < 0 { "unlimited".into() } else { format!("{runtime} us") })
        }
        _ => Finding::unknown(CHECK, "the kernel does not say"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::tests::Tree;

    #[test]
    fn every_slow_core_is_named() {
        let tree = Tree::new(&[
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"),
        ]);
        let finding = governor(&tree.patient());
        assert_eq!((finding.level, finding.found.as_str()), (Level::Note, "cpu0 ondemand"));
        assert_eq!(governor(&Tree::new(&[]).patient()).level, Level::Unknown);
    }

    #[test]
    fn preempt_rt_is_known_by_either_sign() {
        let version = "Linux version 6.12.1-rt5 (x) #1 SMP PREEMPT_RT Debian";
        assert_eq!(kernel(&Tree::new(&[("proc/version", version)]).patient()).found, "PREEMPT_RT");
        let realtime = [("sys/kernel/realtime", "1"), ("proc/version", "Linux version 5.10.0 x")];
        assert_eq!(kernel(&Tree::new(&realtime).patient()).found, "PREEMPT_RT");
        let tree = Tree::new(&[("proc/version", "Linux version 6.1.0 x")]);
        assert_eq!(kernel(&Patient { wants_realtime: true, ..tree.patient() }).level, Level::Note);
    }
}
