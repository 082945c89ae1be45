//! What a machine needs for undisturbed recording, looked at piece by piece; for everything that is not as it should be, the command that
//! mends it.
//!
//! Checks read files below a root (`/` on a real machine), so that each can be tried on files of other machines.

mod clock;
mod cores;
mod finding;
pub mod latency;
mod power;
mod rights;
mod storage;
mod wires;

use std::path::{Path, PathBuf};

pub use finding::{Finding, Level};

/// What is to be looked at.
#[derive(Clone, Debug)]
pub struct Patient {
    /// Below it are /proc, /sys, /dev.
    pub root: PathBuf,
    /// Serial ports to be used; empty: all there are.
    pub ports: Vec<PathBuf>,
    /// Directories that data go to.
    pub directories: Vec<PathBuf>,
    /// Whether real-time priorities or locked memory are asked for.
    pub wants_realtime: bool,
}

impl Patient {
    /// A file's text, without blanks around it; `None` if it is not there or not for us.
    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok().map(|text| text.trim().to_owned())
    }

    fn list(&self, path: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.root.join(path)).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Looks at everything; the gravest first.
pub fn examine(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(rights::examine(patient));
    findings.extend(wires::examine(patient));
    findings.extend(cores::examine(patient));
    findings.extend(power::examine(patient));
    findings.extend(storage::examine(patient));
    findings.extend(clock::examine(patient));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    findings
}
