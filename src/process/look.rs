//! What the kernel says of a process that does not answer: /proc and the cgroup it is in.

use std::fs;
use std::path::PathBuf;

/// What a process is doing, as far as the kernel tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It runs, or would if it had a core.
    Running,
    /// It sleeps in a system call.
    Sleeping,
    /// It waits in the kernel for a device and cannot be woken, not even by a signal.
    Uninterruptible,
    /// A signal has stopped it.
    Stopped,
    /// A debugger holds it.
    Traced,
    /// Its cgroup is frozen.
    Frozen,
    /// It has ended and waits to be reaped.
    Ended,
}

/// Looks at `pid`; `None` if there is no such process (or no /proc).
pub fn look(pid: i32) -> Option<Doing> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let doing = state(&stat)?;
    let may_be_frozen = !matches!(doing, Doing::Stopped | Doing::Traced | Doing::Ended);
    Some(if may_be_frozen && is_frozen(pid) { Doing::Frozen } else { doing })
}

/// The state in a line of /proc/PID/stat (proc_pid_stat(5)): the letter after the name, which may hold anything.
fn state(stat: &str) -> Option<Doing> {
    let (_, after) = stat.rsplit_once(')')?;
    Some(match after.trim_start().chars().next()? {
        'R' => Doing::Running,
        'D' => Doing::Uninterruptible,
        'T' => Doing::Stopped,
        't' => Doing::Traced,
        'Z' | 'X' => Doing::Ended,
        _ => Doing::Sleeping,
    })
}

/// Whether one of its cgroups is frozen: that of version 2, or of version 1's freezer.
fn is_frozen(pid: i32) -> bool {
    let Ok(groups) = fs::read_to_string(format!("/proc/{pid}/cgroup")) else { return false };
    freezers(&groups).iter().any(|(file, word)| fs::read_to_string(file).is_ok_and(|text| text.contains(word)))
}

/// Files that would tell, and what they would say, from /proc/PID/cgroup (cgroups(7)).
fn freezers(groups: &str) -> Vec<(PathBuf, &'static str)> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        // The root cannot be frozen.
        if path == "/" {
            continue;
        }
        if controllers.is_empty() {
            files.push((format!("/sys/fs/cgroup{path}/cgroup.events").into(), "frozen 1"));
            files.push((format!("/sys/fs/cgroup/unified{path}/cgroup.events").into(), "frozen 1"));
        } else if controllers.split(',').any(|name| name == "freezer") {
            files.push((format!("/sys/fs/cgroup/freezer{path}/freezer.state").into(), "FR"));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_the_letter_after_the_last_bracket() {
        assert_eq!(state("12 (a) R (b)) T 1 2"), Some(Doing::Stopped));
        assert_eq!(state("12 (x) D 1"), Some(Doing::Uninterruptible));
        assert_eq!(state("nonsense"), None);
    }

    #[test]
    fn both_kinds_of_cgroup_are_asked() {
        let files = freezers("6:freezer:/a\n3:cpu:/c\n0::/b\n");
        let paths: Vec<_> = files.iter().map(|(path, _)| path.display().to_string()).collect();
        assert_eq!(paths[0], "/sys/fs/cgroup/freezer/a/freezer.state");
        assert_eq!(paths[1], "/sys/fs/cgroup/b/cgroup.events");
        assert_eq!(freezers("0::/\n6:freezer:/\n"), []);
    }

    #[test]
    fn this_process_runs() {
        let pid = crate::sys::fork::own_pid();
        assert!(matches!(look(pid), Some(Doing::Running | Doing::Sleeping)));
        assert_eq!(look(i32::MAX), None);
    }
}
