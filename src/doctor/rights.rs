//! What this user may do.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{Finding, Level, Patient};
use crate::serial::ports;
use crate::sys::{access, rlimit};

/// Bit of CAP_SYS_NICE and of CAP_IPC_LOCK in a set of capabilities (capabilities(7)).
const SYS_NICE: u64 = 1 << 23;
const IPC_LOCK: u64 = 1 << 14;

pub(super) fn examine(patient: &Patient) -> Vec<Finding> {
    let mut findings = serial_ports(patient);
    for (pattern, group) in [("gpiochip", "gpio"), ("i2c-", "i2c"), ("spidev", "spi")] {
        findings.extend(bus(patient, pattern, group));
    }
    findings.push(realtime(patient));
    findings.push(locked_memory(patient));
    findings.push(descriptors(rlimit::open_files()));
    findings
}

fn serial_ports(patient: &Patient) -> Vec<Finding> {
    const CHECK: &str = "serial ports";
    let wanted: Vec<PathBuf> = if patient.ports.is_empty() {
        ports(&patient.root).ports.into_iter().map(|port| port.device).collect()
    } else {
        patient.ports.clone()
    };
    if wanted.is_empty() {
        return vec![Finding::new(
            CHECK,
            Level::Note,
            "none",
            "there is nothing to be read from",
            "pinring ports   (after plugging one in)",
        )];
    }
    let mut findings: Vec<Finding> = wanted.iter().filter_map(|port| port_trouble(CHECK, port)).collect();
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, format!("{} may be opened", wanted.len())));
    }
    findings
}

fn port_trouble(check: &'static str, port: &Path) -> Option<Finding> {
    let shown = port.display();
    let Ok(meta) = std::fs::metadata(port) else {
        let why = "pinring waits for it and records the rest";
        return Some(Finding::new(
            check,
            Level::Warning,
            format!("{shown}: not there"),
            why,
            "pinring ports   (lists what is there)",
        ));
    };
    if !meta.file_type().is_char_device() {
        let mend = "pinring ports   (lists the ports)";
        return Some(Finding::new(
            check,
            Level::Fault,
            format!("{shown}: no device"),
            "it cannot be a serial port",
            mend,
        ));
    }
    if access::may_use(port) {
        return None;
    }
    let group = access::group_name(meta.gid()).unwrap_or_else(|| "dialout".into());
    let mend = format!("sudo usermod -aG {group} \"$USER\"   (then log in again)");
    Some(Finding::new(
        check,
        Level::Fault,
        format!("{shown}: not allowed to open it"),
        "nothing can be read from it",
        mend,
    ))
}

fn bus(patient: &Patient, pattern: &str, group: &'static str) -> Option<Finding> {
    let devices = patient.list("dev").into_iter().filter(|path| super::name_of(path).starts_with(pattern));
    let closed: Vec<String> =
        devices.filter(|path| !access::may_use(path)).map(|path| path.display().to_string()).collect();
    (!closed.is_empty()).then(|| {
        let mend = format!("sudo usermod -aG {group} \"$USER\"   (then log in again)");
        Finding::new(
            "buses",
            Level::Note,
            format!("{}: not allowed to open", closed.join(", ")),
            "sensors on them cannot be read",
            mend,
        )
    })
}

/// The capabilities this process has, from /proc/self/status.
fn capabilities(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn has(patient: &Patient, capability: u64) -> bool {
    patient.read("proc/self/status").and_then(|status| capabilities(&status)).is_some_and(|set| set & capability != 0)
}

fn grant() -> String {
    let program = std::env::current_exe().map_or_else(|_| "pinring".into(), |path| path.display().to_string());
    format!("sudo setcap cap_sys_nice,cap_ipc_lock+ep {program}")
}

fn realtime(patient: &Patient) -> Finding {
    const CHECK: &str = "real-time priority";
    if has(patient, SYS_NICE) || rlimit::realtime_priority().is_some_and(|priority| priority > 0) {
        return Finding::ok(CHECK, "allowed");
    }
    let level = if patient.wants_realtime { Level::Warning } else { Level::Note };
    let mend = format!("{}   (in a unit: LimitRTPRIO=99)", grant());
    Finding::new(CHECK, level, "not allowed", "`[realtime] priority` has no effect", mend)
}

fn locked_memory(patient: &Patient) -> Finding {
    const CHECK: &str = "locked memory";
    let limit = rlimit::locked_memory();
    if has(patient, IPC_LOCK) || limit.is_none_or(|bytes| bytes >= 64 << 20) {
        return Finding::ok(CHECK, "allowed");
    }
    let level = if patient.wants_realtime { Level::Warning } else { Level::Note };
    let mend = format!("{}   (in a unit: LimitMEMLOCK=infinity)", grant());
    let found = format!("{} KiB at most", limit.unwrap_or(0) >> 10);
    Finding::new(CHECK, level, found, "`[realtime] lock_memory` has no effect; a swapped-out worker comes late", mend)
}

fn descriptors(limit: Option<u64>) -> Finding {
    const CHECK: &str = "open files";
    match limit {
        None => Finding::unknown(CHECK, "the system does not say how many are allowed"),
        Some(limit) if limit < 256 => Finding::new(
            CHECK,
            Level::Warning,
            format!("{limit} at most"),
            "every serial port takes seven, every worker five",
            "ulimit -n 1024   (in a unit: LimitNOFILE=1024)",
        ),
        Some(limit) => Finding::ok(CHECK, format!("{limit} at most")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_the_status() {
        let status = "Name:\tx\nCapEff:\t0000000000804000\n";
        assert_eq!(capabilities(status), Some(SYS_NICE | IPC_LOCK));
        assert_eq!(capabilities("Name: x"), None);
    }

    #[test]
    fn a_port_that_cannot_be_used_says_why() {
        assert_eq!(port_trouble("x", Path::new("/dev/not-there")).unwrap().level, Level::Warning);
        assert_eq!(port_trouble("x", Path::new("/etc/hostname")).unwrap().level, Level::Fault);
        assert_eq!(port_trouble("x", Path::new("/dev/null")), None);
        assert_eq!(descriptors(Some(100)).level, Level::Warning);
    }
}
