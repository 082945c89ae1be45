//! All checks, one after another.

use std::path::{Path, PathBuf};

use super::boot::{Boot, firmware_settings};
use super::finding::{Finding, Level};
use super::wishes::Wishes;
use super::{
    bus, console, disk, governor, heat, isolation, limits, mini_uart, port, preemption, realtime_share, rights,
};
use super::{throttle, time, usb_timer};
use crate::serial::ports;
use crate::sys::user;
use crate::topology::{Advice, Board, Topology};

/// Examines this machine for what `wishes` ask (`None`: for any pipeline that may come); worst first. `program` is how a
/// shell calls pinring's own file.
///
/// Changes nothing, and opens no port.
pub fn examine(wishes: Option<&Wishes>, program: &str) -> Vec<Finding> {
    let root = Path::new("/");
    let boot = Boot::look(root);
    let mut findings = of_ports(root, wishes, boot);
    findings.extend(bus::judge(&bus::look(root)));
    findings.extend(of_disks(root, wishes));
    findings.extend(of_cores(root, boot));
    findings.extend(of_rights(root, wishes, program));
    let clock = time::look(root);
    findings.extend([time::judge_clock(&clock), time::judge_rtc(&clock)]);
    findings.extend([
        limits::judge_files(&limits::look_files(), wishes.map_or(0, |wishes| wishes.nodes)),
        limits::judge_memory(&limits::look_memory()),
        limits::judge_pty(&limits::look_pty()),
    ]);
    sort(&mut findings);
    findings
}

/// Worst first; equally bad ones stay in their order.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
}

/// The worst of all; that of none is [`Level::Ok`].
pub fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}

fn of_ports(root: &Path, wishes: Option<&Wishes>, boot: Boot) -> Vec<Finding> {
    let found = ports(root).ports;
    let named = wishes.map(|wishes| wishes.ports.as_slice());
    // A pipeline without serial ports does not care about them.
    if named.is_some_and(<[PathBuf]>::is_empty) {
        return Vec::new();
    }
    let devices: Vec<PathBuf> = match named {
        Some(named) => named.iter().map(|name| name.canonicalize().unwrap_or_else(|_| name.clone())).collect(),
        None => found.iter().map(|info| info.device.clone()).collect(),
    };
    let mut findings = port::judge(&port::look(root, named, &found));
    findings.extend(console::judge(&console::look(root), &devices, named.is_some(), boot));
    findings.extend(usb_timer::judge(&usb_timer::look(root, &devices)));
    findings.push(mini_uart::judge(&mini_uart::look(root, &devices, &found), firmware_settings(root)));
    findings
}

fn of_disks(root: &Path, wishes: Option<&Wishes>) -> Vec<Finding> {
    let here = [PathBuf::from(".")];
    let folders = wishes.map_or(&here[..], |wishes| &wishes.folders);
    folders.iter().map(|folder| disk::judge(&disk::look(root, folder), &user::name())).collect()
}

fn of_cores(root: &Path, boot: Boot) -> Vec<Finding> {
    let mut findings = vec![governor::judge(&governor::look(root)), heat::judge_heat(&heat::look_heat(root))];
    findings.extend(heat::judge_clock(&heat::look_clock(root)));
    findings.extend(throttle::judge(&throttle::look(root)));
    let architecture = std::env::consts::ARCH;
    let command_line = std::fs::read_to_string("/proc/cmdline");
    let facts = match (Topology::detect(), Board::detect(root, architecture), command_line) {
        (Ok(topology), Ok(Some(found)), Ok(line)) => {
            Ok(isolation::IsolationFacts::new(&topology, Advice::new(&found.board, &topology, &line)))
        }
        (Err(error), _, _) => Err(error.to_string()),
        (_, Ok(None), _) => Err(format!("there is no profile for the architecture {architecture}")),
        (_, Err(error), _) => Err(error.to_string()),
        (_, _, Err(error)) => Err(format!("/proc/cmdline cannot be read: {error}")),
    };
    findings.push(isolation::judge(&facts, boot));
    findings.push(preemption::judge(&preemption::look(root), architecture, boot));
    findings
}

fn of_rights(root: &Path, wishes: Option<&Wishes>, program: &str) -> Vec<Finding> {
    let rights = rights::look(root);
    let priority = wishes.and_then(|wishes| wishes.priority);
    vec![
        rights::judge_fifo(&rights, priority, program),
        rights::judge_lock(&rights, wishes.is_some_and(|wishes| wishes.lock_memory), program),
        realtime_share::judge(realtime_share::look(root), wishes.is_some_and(|wishes| wishes.never_sleeps)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_examined_and_whatever_is_bad_can_be_mended() {
        let wishes = Wishes { ports: vec!["/dev/no-such-port".into()], nodes: 2, ..Wishes::default() };
        for findings in [examine(None, "pinring"), examine(Some(&wishes), "pinring")] {
            assert!(findings.iter().map(|finding| finding.level).rev().is_sorted(), "worst first");
            for finding in &findings {
                let texts = [finding.check, &finding.found, finding.why];
                assert!(texts.iter().all(|text| !text.is_empty()), "{finding:?}");
                assert!(finding.level < Level::Warning || !finding.mend.is_empty(), "{finding:?}");
            }
        }
        assert_eq!(worst(&examine(Some(&wishes), "pinring")), Level::Fault);
        assert_eq!(worst(&[]), Level::Ok);
    }
}
