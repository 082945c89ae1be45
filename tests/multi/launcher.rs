//! The launcher: what it starts for a program with threads, and what becomes of that when it is killed.

use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pinring::multi::{ExitStatus, JoinError, Process, SpawnError, exit, init};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("spawn_fn_works_from_a_program_with_threads", spawn_fn_with_threads),
    ("a_fork_with_threads_is_refused", fork_with_threads),
    ("a_launcher_that_is_killed_during_a_start_is_an_error_and_no_hang", killed_during_a_start),
    ("the_launcher_keeps_nothing_open", nothing_open),
    ("a_killed_launcher_is_an_error_and_no_hang", without_launcher),
];

const MS: Duration = Duration::from_millis(1);

fn square(n: i64) -> i64 {
    n * n
}

fn spawn_fn_with_threads() {
    init().unwrap();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            std::thread::spawn(move || {
                for n in 0..20 {
                    let n = n + 100 * thread;
                    assert_eq!(Process::spawn_fn(square, n).unwrap().join(), Ok(n * n));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(Process::spawn_fn(|(a, b): (u8, u8)| a + b, (1, 2)).unwrap().join(), Ok(3));
    let child = Process::builder().name("far").spawn_fn(|code: i32| -> () { exit(code) }, 9).unwrap();
    assert_eq!((child.name().as_str(), child.join()), ("far", Err(JoinError::Exited(ExitStatus::Code(9)))));
    let child = Process::spawn_fn(|(): ()| -> () { panic!("away") }, ()).unwrap();
    assert!(matches!(child.join(), Err(JoinError::Panicked(info)) if info.message == "away"));
}

fn fork_with_threads() {
    init().unwrap();
    let thread = std::thread::spawn(|| sleep(Duration::from_millis(300)));
    assert!(matches!(Process::spawn(|| {}), Err(SpawnError::MultiThreaded { threads: 2 })));
    thread.join().unwrap();
    Process::spawn(|| {}).unwrap().join().unwrap();
}

fn killed_during_a_start() {
    init().unwrap();
    for is_guarded in [true, false] {
        // It was the guardian before.
        let launcher = if is_guarded { launcher() } else { child_named("pinring-launch", Pid::this()) };
        kill(launcher, Signal::SIGSTOP).unwrap();
        let killer = std::thread::spawn(move || {
            sleep(100 * MS);
            kill(launcher, Signal::SIGKILL).unwrap();
        });
        match Process::spawn_fn(square, 2).map(Process::join) {
            Ok(square) => assert!(is_guarded && square == Ok(4)),
            Err(error) => assert!(!is_guarded && matches!(error, SpawnError::LauncherGone)),
        }
        killer.join().unwrap();
    }
}

/// Pid of the launcher.
pub(crate) fn launcher() -> Pid {
    child_named("pinring-launch", guardian())
}

/// Pid of the launcher's parent.
pub(crate) fn guardian() -> Pid {
    child_named("pinring-guard", Pid::this())
}

/// Kills the launcher and who would take its place.
pub(crate) fn kill_both() {
    let launcher = launcher();
    kill(guardian(), Signal::SIGKILL).unwrap();
    kill(launcher, Signal::SIGKILL).unwrap();
}

/// A child of that process; it may not have its name yet.
fn child_named(wanted: &str, parent: Pid) -> Pid {
    let parent = format!(" {parent} ");
    let child = || {
        std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let (name, rest) = stat.rsplit_once(')')?;
            let is_it = name.ends_with(wanted) && rest[2..].starts_with(&parent);
            is_it.then(|| entry.file_name().into_string().unwrap())
        })
    };
    Pid::from_raw(std::iter::repeat_with(child).flatten().next().unwrap().parse().unwrap())
}

fn nothing_open() {
    let (read, write) = nix::unistd::pipe().unwrap();
    // The launcher is forked now.
    Process::spawn(|| {}).unwrap().join().unwrap();
    drop(write);
    assert_eq!(nix::unistd::read(&read, &mut [0; 1]), Ok(0), "the end is seen");
}

fn without_launcher() {
    init().unwrap();
    kill_both();
    sleep(20 * MS);
    assert!(matches!(Process::spawn_fn(square, 1), Err(SpawnError::LauncherGone)));
    assert_eq!(Process::spawn(|| 1u8).unwrap().join(), Ok(1));
}
