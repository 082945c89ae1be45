//! Maps whose results their workers write where they are to be.

use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pinring::multi::{Message, Pool, Process, Retry, TaskError, init};

use crate::Case;
use crate::pool::square;

pub(crate) const CASES: &[Case] = &[
    ("a_large_map_gives_what_a_loop_gives", as_a_loop),
    ("a_large_map_with_failures_has_the_other_results", failures),
    ("a_large_map_loses_one_value_with_a_worker", killed),
    ("a_large_map_that_tries_again_loses_none", killed_and_tried_again),
    ("a_large_map_that_was_given_up_leaves_the_memory_alone", given_up),
    ("a_large_map_that_was_given_up_with_a_frozen_worker_leaves_the_memory_alone", frozen),
    ("a_large_map_works_where_the_kernel_refuses", refused),
    ("large_maps_of_threads_and_of_a_child", side_by_side),
];

/// Enough that eight bytes for each are worth it.
const MANY: i64 = 200_000;

fn same<A: Message + Clone, R: Message + PartialEq + Debug, F: Fn(A) -> R + Copy + Send + 'static>(
    pool: &Pool,
    work: F,
    values: &[A],
) {
    let wanted: Vec<R> = values.iter().cloned().map(work).collect();
    assert!(pool.map(work, values.iter().cloned()).unwrap() == wanted);
    for chunk in [999, 40_000, 65_536, values.len()] {
        let chunk = NonZeroUsize::new(chunk).unwrap();
        assert!(pool.map_with(work, values.to_vec()).chunk_size(chunk).collect().unwrap() == wanted);
        let again = pool.map_with(work, values.to_vec()).chunk_size(chunk).retry(Retry::UpTo(1));
        assert!(again.collect().unwrap() == wanted);
    }
}

fn as_a_loop() {
    for processes in [1, 2, 3] {
        let pool = Pool::with_processes(processes).unwrap();
        for count in [65_535, 65_536, MANY + 1] {
            same(&pool, square, &(0..count).collect::<Vec<i64>>());
        }
        let numbers: Vec<u32> = (0..150_001).collect();
        same(&pool, |n: u32| [u64::from(n), 1, 2, 3, u64::from(n) << 20], &numbers);
        same(&pool, |n: u32| f64::from(n) / 3.0, &numbers);
        same(&pool, |n: u32| (u64::from(n), n as u8, n), &numbers);
        same(&pool, |_: u32| (), &numbers);
        same(&pool, |n: u8| n ^ 0x5a, &(0..600_000u32).map(|n| n as u8).collect::<Vec<u8>>());
    }
}

fn failures() {
    let pool = Pool::with_processes(2).unwrap();
    let picky = |n: i64| if n == 77_777 { panic!("not this one") } else { n + 1 };
    let error = pool.map(picky, 0..MANY).unwrap_err();
    assert_eq!(error.index, 77_777);
    assert!(error.completed.iter().zip(0..).all(|(result, n)| *result == (n != 77_777).then_some(n + 1)));
    assert_eq!(error.completed.len(), MANY as usize);
    let stopped = pool.map_with(picky, 0..MANY).fail_fast().collect().unwrap_err();
    assert!(stopped.completed.iter().zip(0..).all(|(result, n)| result.is_none_or(|result| result == n + 1)));
}

/// Kills the pool's first worker at some moment while `map` runs.
fn while_one_is_killed<T>(pool: &Pool, round: u64, map: impl FnOnce() -> T) -> T {
    let pid = Pid::from_raw(pool.workers()[0].pid as i32);
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_micros(150 * (round % 20)));
        let _ = kill(pid, Signal::SIGKILL);
    });
    let result = map();
    killer.join().unwrap();
    result
}

fn killed() {
    let pool = Pool::with_processes(2).unwrap();
    for round in 0..crate::repeats() {
        match while_one_is_killed(&pool, round, || pool.map(square, 0..MANY)) {
            Ok(squares) => assert!(squares.into_iter().eq((0..MANY).map(square))),
            Err(error) => {
                assert!(matches!(error.error, TaskError::WorkerDied { .. }), "{error}");
                let wanted = (0..MANY).map(|n| (n != error.index as i64).then_some(square(n)));
                assert!(error.completed.into_iter().eq(wanted));
            }
        }
    }
}

fn killed_and_tried_again() {
    let pool = Pool::builder().processes(2).retry(Retry::UpTo(3)).build().unwrap();
    for round in 0..crate::repeats() {
        let squares = while_one_is_killed(&pool, round, || pool.map(square, 0..MANY)).unwrap();
        assert!(squares.into_iter().eq((0..MANY).map(square)));
    }
}

/// Takes memory of the size that the results of [`MANY`] have, as long as `busy`, and looks whether it stays as it was written.
fn is_left_alone(mut busy: impl FnMut() -> bool) {
    let taken: Vec<Vec<i64>> = (0..3).map(|_| vec![-7; MANY as usize]).collect();
    while busy() {
        std::thread::yield_now();
    }
    assert!(taken.iter().flatten().all(|n| *n == -7));
}

fn given_up() {
    let pool = Pool::with_processes(2).unwrap();
    for round in 0..crate::repeats() {
        let map = pool.map_with(|n: i64| n + 1, 0..MANY).deadline(Duration::from_micros(20 * (round % 40)));
        match map.collect() {
            Ok(all) => assert!(all.into_iter().eq(1..=MANY)),
            Err(error) => {
                assert_eq!(error.error, TaskError::DeadlineExceeded);
                assert!(error.completed.iter().zip(1..).all(|(result, n)| result.is_none_or(|result| result == n)));
            }
        }
        // As many tasks as there are workers are over when both have left the map.
        is_left_alone(|| pool.map_with(|n: i64| n, 0..2).chunk_size(NonZeroUsize::MIN).collect().is_err());
    }
    assert!(pool.map(square, 0..MANY).unwrap().into_iter().eq((0..MANY).map(square)));
}

/// Sends a signal to a worker that the deadline may have ended meanwhile.
fn tell(worker: Pid, signal: Signal) {
    assert!(matches!(kill(worker, signal), Ok(()) | Err(Errno::ESRCH)));
}

fn frozen() {
    let pool = Pool::with_processes(2).unwrap();
    for round in 0..crate::repeats().min(20) {
        let pid = Pid::from_raw(pool.workers()[0].pid as i32);
        let freezer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(100 * (round % 20)));
            tell(pid, Signal::SIGSTOP);
        });
        let map = pool.map_with(square, 0..MANY).deadline(Duration::from_millis(15)).collect();
        freezer.join().unwrap();
        let all = map.is_ok();
        let mut looks = 0;
        is_left_alone(|| {
            tell(pid, Signal::SIGCONT);
            looks += 1;
            looks < 50
        });
        drop(map);
        assert!(pool.map(square, 0..MANY).unwrap().into_iter().eq((0..MANY).map(square)), "{all}");
    }
}

/// A worker that is another user, and may not look into this process.
fn refused() {
    if !nix::unistd::getuid().is_root() {
        nix::sys::prctl::set_dumpable(false).unwrap();
    }
    let strange = |_| {
        if nix::unistd::getuid().is_root() {
            nix::unistd::setuid(65534.into()).map_err(|errno| errno.to_string())?;
        }
        Ok(())
    };
    let pool = Pool::builder().processes(2).init(strange).build().unwrap();
    let looks = |pid: i32| std::fs::read(format!("/proc/{pid}/environ")).is_ok();
    assert!(!pool.apply(looks, std::process::id() as i32).unwrap(), "the kernel does not refuse");
    for _ in 0..3 {
        assert!(pool.map(square, 0..MANY).unwrap().into_iter().eq((0..MANY).map(square)));
    }
}

fn side_by_side() {
    init().unwrap();
    let pool = Pool::with_processes(2).unwrap();
    let all = |pool: &Pool| {
        (0..10).all(|more| {
            let sums = pool.map(|(n, more): (i64, i64)| n + more, (0..MANY).map(|n| (n, more))).unwrap();
            sums.into_iter().eq(more..MANY + more)
        })
    };
    std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(|| assert!(all(&pool))))));
    let child = Process::spawn(move || all(&pool)).unwrap();
    assert!(child.join().unwrap());
}
