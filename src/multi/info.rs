//! Who one is, who one's parent and children are.

use std::time::Duration;

use super::bell::Limit;
use super::family;
use super::member::{DAEMON, Member, State};
use crate::process::{Doing, look};
use crate::sys::fork::own_pid;

/// A process, as it is seen by others.
///
/// ```
/// use pinring::multi::{Process, active_children, current_process, pipe};
///
/// let (go, wait) = pipe::<()>()?;
/// let child = Process::builder().name("reader").spawn(move || drop(wait.recv()))?;
/// assert_eq!(active_children()[0].name, "reader");
/// drop(go);
/// child.join()?;
/// assert_eq!(current_process().name, "MainProcess");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Whether it is ended with its parent.
    pub daemon: bool,
}

impl ProcessInfo {
    fn of(member: &Member) -> Self {
        Self { pid: member.pid(), name: member.name(), daemon: member.is(DAEMON) }
    }
}

/// The process that started this one.
///
/// ```
/// use pinring::multi::{Process, parent_process};
///
/// assert!(parent_process().is_none());
/// let child = Process::spawn(|| parent_process().is_some_and(|parent| parent.is_alive()))?;
/// assert!(child.join()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ParentProcess {
    /// This process's place.
    child: usize,
    pid: u32,
}

/// This process.
pub fn current_process() -> ProcessInfo {
    match family::join() {
        Ok(_) => ProcessInfo::of(family::member(family::me())),
        Err(_) => ProcessInfo { pid: own_pid().unsigned_abs(), name: "MainProcess".into(), daemon: false },
    }
}

/// The process that started this one with this module; `None` in the first.
pub fn parent_process() -> Option<ParentProcess> {
    family::join().ok()?;
    let own = family::member(family::me());
    (own.parent() != 0).then(|| ParentProcess { child: family::me(), pid: own.parent_pid.get() })
}

/// The children of this process that run.
pub fn active_children() -> Vec<ProcessInfo> {
    if family::join().is_err() {
        return Vec::new();
    }
    let me = family::me();
    let children =
        family::members().skip(family::LAUNCHER).filter(|(_, member)| member.is_child_of(me, family::member(me)));
    children.filter(|(_, member)| runs(member)).map(|(_, member)| ProcessInfo::of(member)).collect()
}

/// One that has ended may not have been buried yet.
fn runs(member: &Member) -> bool {
    let pid = i32::try_from(member.pid()).unwrap_or(0);
    member.state() == State::Running && !matches!(look(pid), None | Some(Doing::Ended))
}

impl ParentProcess {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it runs.
    pub fn is_alive(&self) -> bool {
        let own = family::member(self.child);
        let parent = family::member(own.parent());
        own.has_parent(parent) && parent.state() == State::Running
    }

    /// Waits until it has ended, at most so long; whether it has.
    pub fn join_timeout(&self, time: Duration) -> bool {
        let parent = family::member(family::member(self.child).parent());
        parent.news.wait(Limit::after(time), || (!self.is_alive()).then_some(())).is_some()
    }
}
