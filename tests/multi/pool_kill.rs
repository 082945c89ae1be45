//! What becomes of a pool's tasks when their workers are killed.

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::time::Duration;

use pinring::multi::{Pool, Retry, TaskError, active_children, blocks_in_use, exit, task_attempt};

use crate::Case;
use crate::launcher::launcher;
use crate::pool::square;
use crate::sync::eventually;

pub(crate) const CASES: &[Case] = &[
    ("a60_workers_end_when_launcher_and_owner_are_killed", both_killed),
    ("a_killed_worker_fails_its_task_only", killed_worker),
    ("a_killed_worker_is_replaced_on_its_core", replaced),
    ("a_task_is_tried_again_if_so_asked", retried),
    ("a_task_is_tried_again_in_a_pool_that_was_closed", retried_though_closed),
    ("a_map_of_a_pool_that_tries_again_loses_no_value", map_tried_again),
    ("a_value_of_a_map_knows_which_attempt_at_it_this_is", map_attempts),
    ("a_map_goes_on_when_workers_die", map_and_deaths),
    ("an_init_that_fails_breaks_the_pool", broken),
    ("a_pool_with_captures_whose_foreman_is_killed_says_so", foreman_killed),
    ("how_a_worker_of_a_pool_with_captures_ended_is_told", captures_status),
    ("a_worker_comes_again_once_the_system_has_a_process_for_it", no_process_free),
];

const MS: Duration = Duration::from_millis(1);

fn map_attempts() {
    let pool = Pool::builder().processes(2).retry(Retry::UpTo(4)).build().unwrap();
    let work = |n: u32| if n % 10 == 3 && task_attempt() < 4 { std::process::abort() } else { task_attempt() };
    for chunk in [1, 5, 40] {
        let attempts = pool.map_with(work, 0..40).chunk_size(NonZeroUsize::new(chunk).unwrap()).collect().unwrap();
        let expected: Vec<u32> = (0..40).map(|n| if n % 10 == 3 { 4 } else { 1 }).collect();
        assert_eq!(attempts, expected, "in chunks of {chunk}");
    }
    assert_eq!(pool.map(|_: u8| task_attempt(), [0]).unwrap(), [1]);
    assert_eq!(task_attempt(), 0);
}

fn killed_worker() {
    let pool = Pool::with_processes(2).unwrap();
    for code in 0..30 {
        let result = pool
            .apply_async(|code: i32| -> i32 { if code % 2 == 0 { std::process::abort() } else { exit(code) } }, code)
            .unwrap();
        let good = pool.apply_async(square, 6).unwrap();
        match result.get() {
            Err(TaskError::WorkerDied { status, attempt: 1, started: true, .. }) => {
                assert_eq!(status.exitcode(), if code % 2 == 0 { -6 } else { code });
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(good.get(), Ok(36));
    }
    assert_eq!(pool.stats().crashed, 30);
}

fn replaced() {
    let pool = Pool::with_processes(2).unwrap();
    for _ in 0..20 {
        let worker = pool.workers()[1];
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(worker.pid as i32), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
        assert_eq!(pool.map(square, 0..10).unwrap().len(), 10);
        while pool.workers()[1].pid == worker.pid {
            std::thread::sleep(MS);
        }
        assert_eq!(pool.workers()[1].core, worker.core);
        // One that has run a task is not idle.
        while pool.workers()[1].tasks == worker.tasks {
            pool.map_with(|_: i64| std::thread::sleep(MS), 0..4).chunk_size(NonZeroUsize::MIN).collect().unwrap();
        }
    }
}

fn retried() {
    let pool = Pool::builder().processes(2).retry(Retry::UpTo(2)).build().unwrap();
    let third_time = |n: i64| if task_attempt() < 3 { std::process::abort() } else { n };
    assert_eq!(pool.apply(third_time, 5), Ok(5));
    assert_eq!(pool.stats().retried, 2);
    assert_eq!(pool.apply(|_: i64| -> i64 { std::process::abort() }, 5), Err(TaskError::Quarantined { crashes: 3 }));
    assert_eq!(pool.apply(square, 5), Ok(25));
}

fn retried_though_closed() {
    for processes in [1, 2] {
        let pool = Pool::builder().processes(processes).retry(Retry::UpTo(1)).build().unwrap();
        let second_time = |()| {
            if task_attempt() == 1 {
                std::thread::sleep(100 * MS);
                std::process::abort()
            }
            7u8
        };
        let result = pool.apply_async(second_time, ()).unwrap();
        while pool.workers().iter().all(|worker| worker.tasks == 0) {
            std::thread::sleep(MS);
        }
        pool.close();
        assert_eq!(result.get(), Ok(7));
    }
}

fn map_tried_again() {
    let pool = Pool::builder().processes(2).retry(Retry::UpTo(2)).build().unwrap();
    let once = |(n, dir): (u32, u32)| {
        // Each of these kills its first worker.
        let mark = format!("/tmp/pinring-test-{dir}-{n}");
        if n % 25 == 13 && std::fs::File::create_new(mark).is_ok() {
            std::process::abort();
        }
        n
    };
    let own = std::process::id();
    let each = pool.map_with(once, (0..100).map(|n| (n, own))).chunk_size(NonZeroUsize::new(7).unwrap()).collect_each();
    for n in (13..100).step_by(25) {
        std::fs::remove_file(format!("/tmp/pinring-test-{own}-{n}")).unwrap();
    }
    for (n, result) in each.into_iter().enumerate() {
        assert_eq!(result, Ok(n as u32));
    }
}

fn map_and_deaths() {
    let pool = Pool::with_processes(2).unwrap();
    for chunk in [1, 7, 50] {
        let deadly = |n: i64| if n % 25 == 13 { std::process::abort() } else { n };
        let each = pool.map_with(deadly, 0..100).chunk_size(NonZeroUsize::new(chunk).unwrap()).collect_each();
        for (n, result) in each.into_iter().enumerate() {
            match result {
                Ok(found) => assert_eq!(found, n as i64),
                Err(TaskError::WorkerDied { started: true, .. }) => assert_eq!(n % 25, 13),
                other => panic!("{n}: {other:?}"),
            }
        }
    }
    // Killed from outside, at any moment.
    for round in 0..crate::repeats() {
        let pids: Vec<u32> = pool.workers().iter().map(|worker| worker.pid).collect();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(300 * (round % 20)));
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pids[0] as i32), nix::sys::signal::Signal::SIGKILL);
        });
        let each =
            pool.map_with(|n: u64| (0..2000).fold(n, |sum, n| std::hint::black_box(sum ^ n)), 0..2000).collect_each();
        let died = each.iter().filter(|result| matches!(result, Err(TaskError::WorkerDied { .. }))).count();
        assert!(died <= 1 && each.iter().filter(|result| result.is_err()).count() == died, "{died} died");
        killer.join().unwrap();
    }
}

fn broken() {
    let pool = Pool::builder().processes(2).init(|_| Err("there is no table".into())).build().unwrap();
    assert_eq!(pool.apply(square, 5), Err(TaskError::Broken));
    assert_eq!(pool.apply(square, 5), Err(TaskError::Broken));
}

fn foreman_killed() {
    for round in 0..crate::repeats().min(20) {
        let pool = Pool::builder().processes(2).build_with(
            |_| (),
            |(), n: u64| {
                std::thread::sleep(5 * MS);
                n
            },
        );
        let pool = pool.unwrap();
        let results: Vec<_> = (0..20).map(|n| pool.submit(n).unwrap()).collect();
        let foreman = active_children().into_iter().find(|child| child.name == "PoolForeman").unwrap();
        // At once, while it starts the workers, and later.
        std::thread::sleep(Duration::from_micros(500 * round));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(foreman.pid as i32), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
        let results: Vec<_> = results.into_iter().map(pinring::multi::AsyncResult::get).collect();
        for (result, n) in results.iter().zip(0..) {
            assert!(
                *result == Ok(n) || matches!(result, Err(TaskError::WorkerDied { .. } | TaskError::Broken)),
                "{result:?}"
            );
        }
        assert_eq!(results.last(), Some(&Err(TaskError::Broken)));
        assert_eq!(pool.apply(1), Err(TaskError::Broken));
        drop(pool);
        eventually("all is given back", || blocks_in_use() == 0);
    }
}

fn captures_status() {
    let work = |(): &mut (), how: u32| match how {
        0 => exit(3),
        1 => std::process::abort(),
        _ => how,
    };
    let pool = Pool::builder().processes(1).build_with(|_| (), work).unwrap();
    for (how, expected) in [(0, 3), (1, -6)] {
        match pool.apply(how) {
            Err(TaskError::WorkerDied { status, .. }) => assert_eq!(status.exitcode(), expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pool.apply(2), Ok(2));
}

/// The launcher may have so many processes, as far as it is asked.
fn limit_processes(most: u64, ever: u64) {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: ever };
    // SAFETY: the limit outlives the call, and nothing is to be written.
    let result =
        unsafe { libc::prlimit(launcher().as_raw(), libc::RLIMIT_NPROC, &raw const limit, std::ptr::null_mut()) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

fn no_process_free() {
    if nix::unistd::getuid().is_root() {
        // Root has no limit.
        nix::unistd::setgid(65534.into()).unwrap();
        nix::unistd::setuid(65534.into()).unwrap();
        nix::sys::prctl::set_dumpable(true).unwrap();
    }
    let (most, ever) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NPROC).unwrap();
    let pool = Pool::with_processes(1).unwrap();
    let before = pool.workers()[0].pid;
    limit_processes(0, ever);
    assert!(matches!(pool.apply(|()| -> i32 { std::process::abort() }, ()), Err(TaskError::WorkerDied { .. })));
    let result = pool.apply_async(square, 6).unwrap();
    let result = result.get_timeout(100 * MS).expect_err("there is no worker");
    limit_processes(most, ever);
    assert_eq!(result.get(), Ok(36));
    assert_ne!(pool.workers()[0].pid, before);
}

/// Also one that is at a task, and one that waits for a task: neither asks now and then who is still there.
fn both_killed() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::{ForkResult, Pid, fork, getpid};
    let pid_of = |pid: u32| Pid::from_raw(pid as i32);
    for launcher_first in [true, false] {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let (mut reader, mut writer) = (std::fs::File::from(reader), std::fs::File::from(writer));
        // SAFETY: this process has one thread.
        let owner = match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                let pool = Pool::with_processes(2).unwrap();
                let _busy = pool.apply_async(|()| std::thread::sleep(Duration::from_secs(1000)), ()).unwrap();
                let pids: Vec<u8> = pool.workers().iter().flat_map(|worker| worker.pid.to_ne_bytes()).collect();
                writer.write_all(&pids).unwrap();
                std::thread::sleep(Duration::from_secs(1000));
                std::process::abort();
            }
            ForkResult::Parent { child } => child,
        };
        drop(writer);
        let mut bytes = [0; 8];
        reader.read_exact(&mut bytes).unwrap();
        drop(reader);
        let workers = [0, 4].map(|at| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()));
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", workers[0])).unwrap();
        let launcher: u32 = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert_ne!(pid_of(launcher), getpid());
        let victims = if launcher_first { [pid_of(launcher), owner] } else { [owner, pid_of(launcher)] };
        // Stopped first, so that neither does anything about the other's end.
        victims.iter().for_each(|victim| kill(*victim, Signal::SIGSTOP).unwrap());
        victims.iter().for_each(|victim| kill(*victim, Signal::SIGKILL).unwrap());
        nix::sys::wait::waitpid(owner, None).unwrap();
        // Gone, or a zombie of whoever adopts orphans here.
        let lives =
            |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        while workers.iter().any(lives) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
