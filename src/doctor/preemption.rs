//! Whether the kernel can be interrupted nearly everywhere (PREEMPT_RT).

use std::path::Path;

use super::boot::Boot;
use super::finding::{Finding, Level};
use super::read;

const CHECK: &str = "kernel preemption";
const WHY: &str = "in an ordinary kernel a driver can keep a worker waiting for milliseconds, now and then";

/// What the kernel says of itself, and which system it is part of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KernelFacts {
    /// /sys/kernel/realtime: 1.
    is_realtime: bool,
    /// `uname -v`.
    version: Option<String>,
    command_line: String,
    /// Names of the system and of what it is like, from /etc/os-release.
    systems: Vec<String>,
    is_raspberry: bool,
}

pub(super) fn look(root: &Path) -> KernelFacts {
    KernelFacts {
        is_realtime: read::text(root, "sys/kernel/realtime").as_deref() == Some("1"),
        version: read::text(root, "proc/sys/kernel/version"),
        command_line: read::text(root, "proc/cmdline").unwrap_or_default(),
        systems: systems(&read::text(root, "etc/os-release").unwrap_or_default()),
        is_raspberry: read::is_raspberry(root),
    }
}

/// `ID=` and `ID_LIKE=` of /etc/os-release.
fn systems(text: &str) -> Vec<String> {
    let of = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim_matches('"').split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    [of("ID="), of("ID_LIKE=")].concat()
}

pub(super) fn judge(facts: &KernelFacts, architecture: &str, boot: Boot) -> Finding {
    let finding = |level, found: &str| Finding::new(CHECK, level, found, WHY);
    let Some(version) = &facts.version else {
        return finding(Level::Unknown, "/proc does not show the kernel's version");
    };
    let says = |word: &str| version.contains(word);
    if facts.is_realtime || says("PREEMPT_RT") || says("PREEMPT RT") {
        return finding(Level::Ok, "PREEMPT_RT");
    }
    let mend = install(facts, architecture);
    // `preempt=` is only heard by kernels that leave the choice to whoever starts them.
    let dynamic = says("PREEMPT_DYNAMIC") && !facts.command_line.split_whitespace().any(|word| word == "preempt=full");
    if dynamic {
        let next_best = boot.add("preempt=full");
        return finding(Level::Note, "no PREEMPT_RT; preemption is the kernel's usual choice (PREEMPT_DYNAMIC)")
            .mend(format!("{mend}\n# or, the next best thing with this kernel:\n{next_best}"));
    }
    let found =
        if says("PREEMPT") { "preemptible, but no PREEMPT_RT" } else { "no PREEMPT_RT, and hardly preemptible at all" };
    finding(Level::Note, found).mend(mend)
}

/// How to get such a kernel.
fn install(facts: &KernelFacts, architecture: &str) -> String {
    let is = |name: &str| facts.systems.iter().any(|system| system == name);
    // Raspberry Pi OS calls itself debian, but a Pi does not start with Debian's kernels.
    if is("debian") && !is("ubuntu") && !facts.is_raspberry {
        let kernel = match architecture {
            "x86_64" => Some("rt-amd64"),
            "aarch64" => Some("rt-arm64"),
            "arm" => Some("rt-armmp"),
            _ => None,
        };
        if let Some(kernel) = kernel {
            return format!("sudo apt install linux-image-{kernel} && sudo reboot");
        }
    }
    if is("ubuntu") && !facts.is_raspberry {
        return "sudo pro enable realtime-kernel && sudo reboot".into();
    }
    if is("debian") || is("raspbian") || is("ubuntu") {
        return "apt-cache search --names-only '^linux-image.*-rt'   # install the one for this board, then reboot"
            .into();
    }
    "# install this system's kernel with PREEMPT_RT (usually called -rt)".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\n";

    fn facts(version: &str) -> KernelFacts {
        KernelFacts { version: Some(version.into()), systems: systems(DEBIAN), ..KernelFacts::default() }
    }

    #[test]
    fn a_realtime_kernel_is_known_by_its_file_or_its_version() {
        let old = KernelFacts { is_realtime: true, ..facts("#1 SMP Debian 4.19.37-rt") };
        let new = facts("#1 SMP PREEMPT_RT Debian 6.12.48-1 (2025-09-20)");
        for facts in [old, new, facts("#1 SMP PREEMPT RT Debian 5.10.46-4")] {
            assert_eq!(judge(&facts, "x86_64", Boot::Grub).level, Level::Ok);
        }
    }

    #[test]
    fn the_next_best_thing_is_said_where_the_kernel_hears_it() {
        let dynamic = facts("#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1 (2025-09-20)");
        let finding = judge(&dynamic, "x86_64", Boot::Grub);
        assert!(
            finding.mend.starts_with("sudo apt install linux-image-rt-amd64 && sudo reboot\n# or"),
            "{}",
            finding.mend
        );
        assert!(finding.mend.contains("preempt=full"));
        let full = KernelFacts { command_line: "quiet preempt=full".into(), ..dynamic };
        assert!(!judge(&full, "x86_64", Boot::Grub).mend.contains("preempt=full"));
        assert_eq!(judge(&KernelFacts::default(), "x86_64", Boot::Grub).level, Level::Unknown);
    }

    #[test]
    fn a_raspberry_is_not_given_the_kernel_of_debian() {
        let facts = KernelFacts { is_raspberry: true, ..facts("#1 SMP PREEMPT Debian 1:6.12.47-1+rpt1") };
        assert!(install(&facts, "aarch64").starts_with("apt-cache search"));
        let ubuntu = KernelFacts { systems: systems("ID=ubuntu\nID_LIKE=debian\n"), ..KernelFacts::default() };
        assert!(install(&ubuntu, "x86_64").starts_with("sudo pro enable"));
    }
}
