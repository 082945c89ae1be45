//! The demo's verdict: every frame accounted for, and how long the recoveries took.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::dash::{bytes, closing_json, count, hops, nanos};
use crate::demo::{Account, Checked, unexplained};
use crate::pipeline::{Plan, Report, Written};

/// The faults that the demo has caused, and when each was mended.
#[derive(Debug, Default)]
pub(super) struct Faults {
    plugged_at: Option<u64>,
    kills: Vec<Kill>,
    reconnect_ns: Vec<u64>,
    restart_ns: Vec<u64>,
}

#[derive(Debug)]
struct Kill {
    pid: i32,
    at_ns: u64,
    worker: Option<usize>,
    mended: bool,
}

impl Faults {
    pub(super) fn plugged(&mut self, at_ns: u64) {
        self.plugged_at = Some(at_ns);
    }

    pub(super) fn reconnected(&mut self, at_ns: u64) {
        self.reconnect_ns.extend(self.plugged_at.take().map(|plugged| at_ns.saturating_sub(plugged)));
    }

    pub(super) fn killed(&mut self, pid: i32, at_ns: u64) {
        self.kills.push(Kill { pid, at_ns, worker: None, mended: false });
    }

    pub(super) fn died(&mut self, worker: usize, pid: i32) {
        if let Some(kill) = self.kills.iter_mut().find(|kill| kill.pid == pid && kill.worker.is_none()) {
            kill.worker = Some(worker);
        }
    }

    /// Looks whether the killed workers are ready again.
    pub(super) fn restarted(&mut self, ready_at: impl Fn(usize) -> Option<u64>) {
        for kill in self.kills.iter_mut().filter(|kill| !kill.mended) {
            let ready = kill.worker.and_then(&ready_at).filter(|ready| *ready > kill.at_ns);
            if let Some(ready) = ready {
                self.restart_ns.push(ready - kill.at_ns);
                kill.mended = true;
            }
        }
    }
}

/// All that the demo found.
pub(super) struct Verdict<'r> {
    pub(super) accounts: Vec<Account>,
    pub(super) files: Vec<Checked>,
    pub(super) remarks: Vec<String>,
    pub(super) faults: Faults,
    pub(super) report: &'r Report,
    pub(super) plan: &'r Plan,
}

impl Verdict<'_> {
    fn unexplained(&self) -> u64 {
        unexplained(&self.accounts, self.report, &self.files)
    }

    /// Whether nothing was lost without an explanation and everything ended by itself.
    pub(super) fn is_good(&self) -> bool {
        self.unexplained() == 0 && self.report.outcome.killed == 0 && self.accounts.len() == 3
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("\nwhat became of every frame\n");
        // Writing to a String cannot fail; so throughout.
        let _ = writeln!(
            text,
            "  {:<9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>6} {:>12}",
            "source", "sent", "received", "rejected", "in cable", "recorded", "dropped", "left", "unexplained"
        );
        for account in &self.accounts {
            let numbers =
                [account.sent, account.received, account.rejected, account.in_cable, account.recorded, account.dropped];
            let _ = write!(text, "  {:<9}", account.instrument.name());
            for number in numbers.map(count) {
                let _ = write!(text, " {number:>9}");
            }
            let _ = writeln!(text, " {:>6} {:>12}", count(account.left), count(account.unexplained));
        }
        text += "  rejected: their checksum was wrong (bits flipped on purpose); in cable: unread when it was pulled\n";
        text += "\nage of messages since they arrived at the port (p50 / p99), and time of the last hop (p50 / p99)\n";
        for hop in hops(&self.report.status) {
            let [age50, age99, _] = hop.age.map(nanos);
            let [hop50, hop99, _] = hop.hop.map(nanos);
            let _ = writeln!(text, "  {:<9} {age50:>8} / {age99:<10} hop {hop50:>8} / {hop99}", hop.node);
        }
        text += "  files: rows gather for 20 ms before they are written together (`flush`)\n";
        self.recoveries(&mut text);
        text += "\nfiles\n";
        for file in &self.files {
            let name = file.path.display().to_string();
            let _ = writeln!(text, "  {name:<44} {:>9}   {}", bytes(file.bytes), file.remark());
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "  {remark}");
        }
        self.last_words(&mut text);
        text
    }

    fn recoveries(&self, text: &mut String) {
        let list = |times: &[u64]| times.iter().map(|time| nanos(*time)).collect::<Vec<_>>().join(", ");
        if !self.faults.reconnect_ns.is_empty() {
            let _ = writeln!(text, "\nplugged in again to port open: {}", list(&self.faults.reconnect_ns));
        }
        if !self.faults.restart_ns.is_empty() {
            let _ = writeln!(text, "kill -9 to worker ready again: {}", list(&self.faults.restart_ns));
        }
    }

    fn last_words(&self, text: &mut String) {
        let restarts: u64 = self.report.status.workers.iter().map(|worker| worker.restarts).sum();
        let killed = self.report.outcome.killed;
        let verdict = match (self.unexplained(), killed) {
            (0, 0) => format!("\nverdict: good. Unexplained loss: 0 (workers restarted: {restarts})\n"),
            (0, killed) => format!("\nverdict: BAD. {killed} workers did not end in time and were killed\n"),
            (lost, _) => format!("\nverdict: BAD. Unexplained loss: {lost}\n"),
        };
        *text += &verdict;
        *text += "\nnext: pinring demo --print-config > my.toml    # then name your own ports (`pinring ports`) and\n";
        *text += "      pinring check my.toml && pinring run my.toml\n";
    }

    /// For machines.
    pub(super) fn json(&self) -> Value {
        let files = self.files.iter().map(|file| (file.path.clone(), file.bytes)).collect();
        let mut all = closing_json(self.plan, self.report, &Written { files, remarks: self.remarks.clone() });
        let source = |account: &Account| {
            json!({
                "name": account.instrument.name(), "sent": account.sent, "received": account.received,
                "rejected": account.rejected, "in_cable": account.in_cable, "recorded": account.recorded,
                "dropped": account.dropped, "left": account.left, "unexplained": account.unexplained,
            })
        };
        all["sources"] = self.accounts.iter().map(source).collect();
        all["unexplained_loss"] = self.unexplained().into();
        all["reconnect_ns"] = self.faults.reconnect_ns.clone().into();
        all["restart_ns"] = self.faults.restart_ns.clone().into();
        all["files_checked"] =
            self.files.iter().map(|file| json!({ "path": file.path, "remark": file.remark() })).collect();
        all
    }
}
