//! Processes that stand by for the next start.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pinring::multi::{
    ExitStatus, JoinError, Process, Serde, SpawnError, active_children, current_process, init, parent_process,
};

use crate::launcher::kill_both;
use crate::random::Random;
use crate::{Case, repeats};

pub(crate) const CASES: &[Case] = &[
    ("who_starts_now_and_then_has_none_that_stands_by", now_and_then),
    ("who_stood_by_is_a_child_like_any_other", like_any_other),
    ("those_that_stand_by_go_when_they_are_not_needed", not_needed),
    ("those_that_stand_by_end_with_a_launcher_that_is_killed", with_the_launcher),
    ("a_kill_of_one_that_stands_by_is_no_matter", killed),
    ("a_kill_of_a_parent_that_starts_others_leaves_nobody_behind", parent_killed),
];

/// Those that stand by.
fn standing_by() -> Vec<Pid> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let (name, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // All that a case starts is in a group of its own.
        let is_one = name.ends_with("(pinring-standby") && fields[0] != "Z" && fields[2] == group();
        is_one.then(|| Pid::from_raw(name.split(' ').next().unwrap().parse().unwrap()))
    });
    processes.collect()
}

fn group() -> String {
    nix::unistd::getpgrp().to_string()
}

fn square(n: i64) -> i64 {
    n * n
}

fn start(n: i64) {
    assert_eq!(Process::spawn_fn(square, n).unwrap().join(), Ok(n * n));
}

/// Starts processes until some stand by.
fn have_some() -> Vec<Pid> {
    (0..)
        .find_map(|n| {
            start(n);
            Some(standing_by()).filter(|found| !found.is_empty())
        })
        .unwrap()
}

fn now_and_then() {
    for n in 0..3 {
        start(n);
        assert_eq!(standing_by(), []);
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(standing_by(), []);
    }
}

fn like_any_other() {
    have_some();
    let tell = |(): ()| {
        let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
        let parent = parent_process().unwrap();
        assert!(parent.is_alive());
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
        let names: Serde<(String, String)> = Serde((current_process().name, comm));
        (names, current_process().pid, parent.pid(), open as u64)
    };
    assert!(active_children().is_empty());
    let mut open = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let child = Process::builder().name("job").spawn_fn(tell, ()).unwrap();
        let pid = child.pid();
        let (names, own, parent, fds) = child.join().unwrap();
        assert_eq!((names.0.0.as_str(), names.0.1.as_str()), ("job", "job\n"));
        assert_eq!((own, parent), (pid, std::process::id()));
        open.insert(fds);
    }
    assert_eq!(open.len(), 1, "some have descriptors that others have not: {open:?}");
    let child = Process::spawn_fn(|()| std::thread::sleep(Duration::from_secs(1000)), ()).unwrap();
    assert_eq!(active_children().iter().map(|child| child.pid).collect::<Vec<_>>(), [child.pid()]);
    // It heeds this, which the launcher does not, once it has begun.
    while child.is_alive() {
        child.terminate().unwrap();
    }
    assert_eq!(child.join(), Err(JoinError::Exited(ExitStatus::Signal { signal: 15, core_dumped: false })));
}

fn not_needed() {
    have_some();
    while !standing_by().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    start(7);
}

fn with_the_launcher() {
    let found = have_some();
    kill_both();
    while standing_by().iter().any(|pid| found.contains(pid)) {
        std::thread::sleep(Duration::from_millis(1));
    }
    // One that was just being forked may be engaged still: it ends without having begun.
    loop {
        match Process::spawn_fn(square, 1).map(Process::join) {
            Ok(Err(JoinError::Exited(_))) => {}
            Err(SpawnError::LauncherGone) => break,
            other => panic!("{other:?} without a launcher"),
        }
    }
    assert_eq!(Process::spawn(|| 1u8).unwrap().join(), Ok(1));
}

fn killed() {
    init().unwrap();
    for n in 0..repeats() as i64 {
        let killed = have_some();
        for pid in &killed {
            // It may have gone, or be somebody's child by now.
            let _ = kill(*pid, Signal::SIGKILL);
        }
        for n in n..n + 4 {
            match Process::spawn_fn(square, n).unwrap().join() {
                Ok(square) => assert_eq!(square, n * n),
                Err(error) => {
                    assert_eq!(error, JoinError::Exited(ExitStatus::Signal { signal: 9, core_dumped: false }));
                }
            }
        }
        // On a busy machine one that is killed may stand by for a while.
        while killed.iter().any(|pid| kill(*pid, None).is_ok()) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn parent_killed() {
    init().unwrap();
    let mut random = Random::new();
    for _ in 0..repeats() {
        let parent = Process::spawn(|| (0..1_000_000).for_each(start)).unwrap();
        std::thread::sleep(Duration::from_micros(random.below(5000)));
        parent.kill().unwrap();
        assert!(parent.join().is_err());
    }
    start(3);
    assert!(active_children().is_empty());
}
