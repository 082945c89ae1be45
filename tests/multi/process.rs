//! A01 to A20: processes.

use std::io::Write;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigHandler, Signal, signal};
use pinring::multi::{
    ExitStatus, JoinError, Process, Serde, SpawnError, active_children, at_exit, current_process, exit, init,
    parent_process,
};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("a01_main_is_called_so_and_has_no_parent", a01),
    ("a02_a_child_has_its_name_its_arguments_and_its_parent", a02),
    ("a03_a_child_is_active_only_while_it_runs", a03),
    ("a04_names_show_the_path_and_are_unique", a04),
    ("a05_a_join_that_is_too_short_gives_the_handle_back", a05),
    ("a06_terminate_kill_and_interrupt_end_a_child_by_their_signal", a06),
    ("a07_exit_codes_are_those_of_python", a07),
    ("a08_a_panic_is_told_to_the_parent_and_once_to_the_world", a08),
    ("a09_a_hundred_children_at_once", a09),
    ("a10_children_have_children", a10),
    ("a11_a_sentinel_is_readable_after_the_end", a11),
    ("a12_exit_hooks_run_once_and_are_not_inherited", a12),
    ("a13_what_was_printed_before_a_spawn_appears_once", a13),
    ("a14_stdin_is_empty_if_so_asked", a14),
    ("a15_a_signal_does_not_end_a_join", a15),
    ("a16_the_parent_drops_what_the_child_has_captured", a16),
    ("a17_a_daemon_may_not_have_children", a17),
    ("a18_the_end_of_main_ends_daemons_and_waits_for_others", a18),
    ("a19_a_thread_of_a_child_does_not_hold_it_up", a19),
    ("a20_a_value_that_is_too_large_is_an_error_at_the_join", a20),
    ("a_killed_child_is_an_exit_without_a_value", killed),
    ("work_that_never_returns_can_be_spawned", never_returns),
    ("without_a_free_descriptor_no_child_is_started", no_descriptor),
];

const MS: Duration = Duration::from_millis(1);

fn a01() {
    let me = current_process();
    assert_eq!((me.name.as_str(), me.pid, me.daemon), ("MainProcess", std::process::id(), false));
    assert!(parent_process().is_none());
}

fn a02() {
    let (text, number) = ("bob".to_owned(), 3);
    let child = Process::builder().name("job").spawn(move || {
        let me = current_process();
        (Serde(format!("{} {text} {number}", me.name)), me.pid, parent_process().unwrap().pid())
    });
    let child: Process<(Serde<String>, u32, u32)> = child.unwrap();
    let (pid, name) = (child.pid(), child.name());
    let (said, own, parent) = child.join().unwrap();
    assert_eq!((said.0.as_str(), name.as_str(), own, parent), ("job bob 3", "job", pid, std::process::id()));
}

fn a03() {
    assert!(active_children().is_empty());
    let child = Process::spawn(|| sleep(100 * MS)).unwrap();
    assert_eq!(active_children().iter().map(|child| child.pid).collect::<Vec<_>>(), [child.pid()]);
    assert_eq!((child.exitcode(), child.is_alive()), (None, true));
    sleep(200 * MS);
    assert_eq!((child.exitcode(), child.is_alive()), (Some(0), false));
    assert!(active_children().is_empty());
    child.join().unwrap();
    assert!(active_children().is_empty());
}

fn a04() {
    let name = || Serde(current_process().name);
    let nested = move || {
        let own = name();
        let first = Process::spawn(name).unwrap().join().unwrap();
        let second = Process::spawn(name).unwrap().join().unwrap();
        (own, first, second)
    };
    let (own, first, second): (Serde<String>, Serde<String>, Serde<String>) =
        Process::spawn(nested).unwrap().join().unwrap();
    assert_eq!([own.0, first.0, second.0], ["Process-1", "Process-1:1", "Process-1:2"]);
    assert_eq!(Process::spawn(name).unwrap().name(), "Process-2");
}

fn a05() {
    let child = Process::spawn(|| sleep(Duration::from_secs(100))).unwrap();
    let start = Instant::now();
    let child = child.join_timeout(Duration::ZERO).unwrap_err();
    let first = start.elapsed();
    let child = child.join_timeout(100 * MS).unwrap_err();
    let second = start.elapsed();
    assert!(first < second && second >= 100 * MS, "{first:?}, {second:?}");
    assert!(child.is_alive());
    child.kill().unwrap();
}

fn a06() {
    // Of a shell's background job it is ignored, and of its children.
    // SAFETY: no function is named.
    unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }.unwrap();
    let ways: [(fn(&Process) -> std::io::Result<()>, i32); 3] =
        [(Process::terminate, -15), (Process::kill, -9), (Process::interrupt, -2)];
    for (end, code) in ways {
        let child = Process::spawn(|| sleep(Duration::from_secs(100))).unwrap();
        sleep(20 * MS);
        end(&child).unwrap();
        while child.is_alive() {
            sleep(MS);
        }
        assert_eq!(child.exitcode(), Some(code));
        assert_eq!(child.join(), Err(JoinError::Exited(ExitStatus::Signal { signal: -code, core_dumped: false })));
    }
    let child = Process::spawn(|| {}).unwrap();
    sleep(50 * MS);
    child.terminate().unwrap();
    assert_eq!(child.join(), Ok(()));
}

fn a07() {
    let code = |work: fn()| {
        let child = Process::spawn(work).unwrap();
        while child.is_alive() {
            sleep(MS);
        }
        child.exitcode().unwrap()
    };
    assert_eq!(code(|| {}), 0);
    assert_eq!(code(|| exit(7)), 7);
    assert_eq!(code(|| std::process::exit(7)), 7);
    assert_eq!(code(|| exit(-1)), 255);
    assert_eq!(code(|| exit(300)), 44);
    assert_eq!(code(|| std::process::abort()), -6);
}

fn a08() {
    if std::env::var_os("PINRING_INNER").is_some() {
        let child = Process::builder().name("clumsy").spawn(|| -> u8 { panic!("{} things went wrong", 3) }).unwrap();
        let Err(JoinError::Panicked(info)) = child.join() else { panic!("no panic") };
        assert_eq!(info.message, "3 things went wrong");
        assert!(info.location.unwrap().contains("tests/multi/process.rs:"));
        return;
    }
    let child = Process::spawn(|| -> () { panic!("once") }).unwrap();
    while child.is_alive() {
        sleep(MS);
    }
    assert_eq!(child.exitcode(), Some(101));
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--case", "a08_a_panic_is_told_to_the_parent_and_once_to_the_world"])
        .env("PINRING_INNER", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("3 things went wrong").count(), 1, "{text}");
    assert!(text.lines().any(|line| line.starts_with("[clumsy] panicked at tests/multi/process.rs:")), "{text}");
}

fn a09() {
    let children: Vec<Process<u64>> = (0..100).map(|n| Process::spawn(move || n * n).unwrap()).collect();
    for (n, child) in children.into_iter().enumerate() {
        assert_eq!(child.join(), Ok((n * n) as u64));
    }
    let children: Vec<Process> =
        (0..100).map(|_| Process::spawn(|| sleep(Duration::from_secs(100))).unwrap()).collect();
    for child in &children {
        child.terminate().unwrap();
    }
    for child in children {
        let result = child.join();
        assert_eq!(result, Err(JoinError::Exited(ExitStatus::Signal { signal: 15, core_dumped: false })));
    }
    assert!(active_children().is_empty());
}

/// The paths of all descendants, each before its own.
fn descend(path: Vec<u8>) -> Serde<Vec<Vec<u8>>> {
    let mut all = vec![path.clone()];
    if path.len() < 2 {
        let children: Vec<Process<Serde<Vec<Vec<u8>>>>> = (0..2)
            .map(|number| {
                let path = [path.as_slice(), &[number]].concat();
                Process::spawn(move || descend(path)).unwrap()
            })
            .collect();
        all.extend(children.into_iter().flat_map(|child| child.join().unwrap().0));
    }
    Serde(all)
}

fn a10() {
    let all: [&[u8]; 7] = [&[], &[0], &[0, 0], &[0, 1], &[1], &[1, 0], &[1, 1]];
    assert_eq!(Process::spawn(|| descend(Vec::new())).unwrap().join().unwrap().0, all);
}

fn is_readable(child: &Process) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    poll(&mut [PollFd::new(child.sentinel(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() == 1
}

fn a11() {
    let child = Process::spawn(|| sleep(100 * MS)).unwrap();
    assert!(!is_readable(&child));
    sleep(200 * MS);
    assert!(is_readable(&child));
}

fn a12() {
    let dir = tempfile::tempdir().unwrap();
    let note = |name: &str| {
        let path = dir.path().join(name);
        move || std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(b"x").unwrap()
    };
    let (parents, childs) = (note("parent"), note("child"));
    at_exit(parents);
    Process::spawn(move || at_exit(childs)).unwrap().join().unwrap();
    let text = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    assert_eq!((text("parent"), text("child")), (String::new(), "x".into()));
    pinring::multi::run_exit_hooks();
    assert_eq!((text("parent"), text("child")), ("x".into(), "x".into()));
}

fn a13() {
    if std::env::var_os("PINRING_INNER").is_some() {
        print!("once");
        Process::spawn(|| print!("twice")).unwrap().join().unwrap();
        Process::spawn_fn(|()| print!("thrice"), ()).unwrap().join().unwrap();
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--case", "a13_what_was_printed_before_a_spawn_appears_once"])
        .env("PINRING_INNER", "1")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "oncetwicethrice");
}

fn a14() {
    let child =
        Process::builder().stdin_null().spawn(|| std::io::read_to_string(std::io::stdin()).unwrap().len() as u64);
    assert_eq!(child.unwrap().join(), Ok(0));
}

extern "C" fn nothing(_: i32) {}

fn a15() {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let me = std::process::id() as i32;
    let child = Process::spawn(move || {
        for _ in 0..20 {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(me), Signal::SIGUSR1).unwrap();
            sleep(10 * MS);
        }
        7u8
    });
    assert_eq!(child.unwrap().join(), Ok(7));
}

fn a16() {
    let shared = Arc::new(5u64);
    let copy = Arc::clone(&shared);
    let child = Process::spawn(move || *copy).unwrap();
    assert_eq!(Arc::strong_count(&shared), 1);
    assert_eq!(child.join(), Ok(5));
}

fn a17() {
    let child = Process::builder().name("servant").daemon(true);
    let refused = child.spawn(|| match Process::spawn(|| {}) {
        Err(SpawnError::DaemonMayNotHaveChildren(name)) => name == "servant",
        _ => false,
    } as u8);
    assert_eq!(refused.unwrap().join(), Ok(1));
}

fn a18() {
    let start = Instant::now();
    let daemon = Process::builder().daemon(true).spawn(|| sleep(Duration::from_secs(100))).unwrap();
    let (pid, other) = (daemon.pid(), Process::spawn(|| sleep(200 * MS)).unwrap());
    drop(daemon);
    assert!(other.is_alive() && !std::path::Path::new(&format!("/proc/{pid}")).exists());
    drop(other);
    assert!(start.elapsed() >= 200 * MS);
}

fn a19() {
    let child = Process::spawn(|| drop(std::thread::spawn(|| sleep(Duration::from_secs(100)))));
    child.unwrap().join().unwrap();
}

fn a20() {
    let child = Process::spawn(|| [1u8; 10_000]).unwrap();
    assert!(matches!(child.join(), Err(JoinError::TooLarge(_, ExitStatus::Code(0)))));
    let child = Process::spawn(|| [7u8; 3000]).unwrap();
    assert_eq!(child.join(), Ok([7; 3000]));
}

fn never_returns() {
    let child = Process::spawn(|| -> () {
        loop {
            sleep(MS);
        }
    });
    let child = child.unwrap();
    child.kill().unwrap();
    assert_eq!(child.join().unwrap_err(), JoinError::Exited(ExitStatus::Signal { signal: 9, core_dumped: false }));
}

fn killed() {
    let child = Process::spawn(|| {
        sleep(Duration::from_secs(100));
        5u8
    });
    let child = child.unwrap();
    child.kill().unwrap();
    assert_eq!(child.join(), Err(JoinError::Exited(ExitStatus::Signal { signal: 9, core_dumped: false })));
}

fn no_descriptor() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    init().unwrap();
    let marker = pinring::multi::Value::new(0u32).unwrap();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let highest = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    for limit in 3..highest + 2 {
        let theirs = marker.clone();
        setrlimit(Resource::RLIMIT_NOFILE, limit, hard).unwrap();
        let started = Process::spawn(move || theirs.fetch_add(1));
        let theirs = marker.clone();
        let launched = Process::spawn_fn(|marker: pinring::multi::Value<u32>| marker.fetch_add(1), theirs);
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        let begun = u32::from(started.is_ok()) + u32::from(launched.is_ok());
        drop((started, launched));
        assert_eq!(marker.get(), begun, "who runs has a handle");
        marker.set(0);
    }
}
