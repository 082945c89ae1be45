//! Tasks that must be done in time.

use std::num::NonZeroUsize;
use std::time::Duration;

use pinring::multi::{Event, LockError, Mutex, Pool, Retry, TaskError, Value};

use crate::Case;
use crate::sync::eventually;

pub(crate) const CASES: &[Case] = &[
    ("a_task_that_is_not_done_in_time_ends_with_its_worker_which_is_replaced", ended),
    ("a_task_that_sleeps_or_is_stopped_ends_at_its_deadline", asleep),
    ("a_task_that_was_not_begun_in_time_is_not_run", not_begun),
    ("a_task_that_was_done_in_time_harms_no_later_one", in_time),
    ("a_task_that_was_late_is_not_tried_again", not_again),
    ("a_task_that_nobody_waits_for_ends_at_its_deadline", nobody_waits),
    ("a_lock_tells_that_its_owner_was_ended_at_a_deadline", locked),
    ("a_map_that_is_not_done_in_time_ends_with_its_workers", map),
    ("an_imap_ends_values_at_their_deadlines_and_goes_on", imap),
    ("a_pool_is_not_broken_by_what_ended_the_workers_of_those_before", one_after_another),
    ("a_pool_with_captures_ends_tasks_at_their_deadlines", typed),
];

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(3600);

fn endless((): ()) {
    loop {
        std::hint::spin_loop();
    }
}

fn sleep(ms: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(ms));
    ms
}

fn pid((): ()) -> u32 {
    std::process::id()
}

fn ended() {
    let pool = Pool::with_processes(1).unwrap();
    let before = pool.workers()[0];
    let begin = |begun: Event| {
        begun.set();
        endless(());
    };
    let mut rounds = 0;
    while rounds < 7 {
        let (worker, begun) = (pool.apply(pid, ()).unwrap(), Event::new().unwrap());
        assert_eq!(pool.apply_with(begin, begun.clone()).deadline(30 * MS).call(), Err(TaskError::DeadlineExceeded));
        assert_eq!(pool.apply(pid, ()).unwrap() != worker, begun.is_set());
        rounds += u32::from(begun.is_set());
        let now = pool.workers()[0];
        assert_eq!((now.core, now.restarts), (before.core, rounds));
    }
    assert_eq!((pool.stats().crashed, pool.stats().retried), (0, 0));
}

fn asleep() {
    let pool = Pool::with_processes(1).unwrap();
    assert_eq!(pool.apply_with(sleep, 3_600_000).deadline(30 * MS).call(), Err(TaskError::DeadlineExceeded));
    let stopped = |()| nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).unwrap();
    assert_eq!(pool.apply_with(stopped, ()).deadline(30 * MS).call(), Err(TaskError::DeadlineExceeded));
    assert_eq!(pool.apply(sleep, 1), Ok(1));
}

fn not_begun() {
    let pool = Pool::with_processes(1).unwrap();
    let runs = Value::new(0u64).unwrap();
    let count = |runs: Value<u64>| runs.fetch_add(1);
    let first = pool.apply_async(sleep, 400).unwrap();
    let late = pool.apply_with(count, runs.clone()).deadline(30 * MS);
    assert_eq!(late.call(), Err(TaskError::DeadlineExceeded));
    // Nobody looks at this one before the worker does.
    pool.apply_with(count, runs.clone()).deadline(30 * MS).submit().unwrap().detach();
    let seen = pool.apply_with(count, runs.clone()).deadline(30 * MS).submit().unwrap();
    assert_eq!(first.get(), Ok(400));
    assert_eq!(pool.apply(sleep, 1), Ok(1));
    assert_eq!((runs.get(), seen.get()), (0, Err(TaskError::DeadlineExceeded)));
    assert_eq!((pool.workers()[0].restarts, pool.stats().completed), (0, 2));
}

fn in_time() {
    let pool = Pool::with_processes(1).unwrap();
    for n in 0..500 {
        assert_eq!(pool.apply_with(sleep, 0).deadline(LONG).call(), Ok(0), "{n}");
    }
    assert_eq!(pool.apply_with(sleep, 1).deadline(3000 * MS).call(), Ok(1));
    assert_eq!(pool.apply(sleep, 3200), Ok(3200));
    assert_eq!(pool.workers()[0].restarts, 0);
}

fn not_again() {
    let pool = Pool::builder().processes(1).retry(Retry::UpTo(3)).build().unwrap();
    let runs = Value::new(0u64).unwrap();
    let late = |runs: Value<u64>| {
        runs.fetch_add(1);
        sleep(3_600_000)
    };
    assert_eq!(pool.apply_with(late, runs.clone()).deadline(50 * MS).call(), Err(TaskError::DeadlineExceeded));
    assert_eq!(pool.apply(sleep, 1), Ok(1));
    assert!(runs.get() <= 1);
    // One that dies in time is.
    let dies = |(): ()| if pinring::multi::task_attempt() < 3 { std::process::abort() } else { 7u8 };
    assert_eq!(pool.apply_with(dies, ()).deadline(LONG).call(), Ok(7));
}

fn nobody_waits() {
    let pool = Pool::with_processes(1).unwrap();
    let looked_at_later = pool.apply_with(endless, ()).deadline(300 * MS).submit().unwrap();
    assert_eq!((looked_at_later.ready(), looked_at_later.successful()), (false, None));
    pool.apply_with(endless, ()).deadline(100 * MS).submit().unwrap().detach();
    assert_eq!(pool.apply(sleep, 1), Ok(1), "the worker is free");
    assert_eq!((looked_at_later.ready(), looked_at_later.successful()), (true, Some(false)));
    assert!(looked_at_later.wait(None));
    assert_eq!(looked_at_later.get_timeout(LONG).unwrap(), Err(TaskError::DeadlineExceeded));
    let begun = pool.apply_with(endless, ()).deadline(1000 * MS).submit().unwrap();
    let begun = begun.get_timeout(20 * MS).unwrap_err();
    drop(begun);
    assert_eq!(pool.apply(sleep, 1), Ok(1));
}

fn locked() {
    let pool = Pool::with_processes(1).unwrap();
    let mutex = Mutex::new(0u32).unwrap();
    let hold = |mutex: Mutex<u32>| {
        let _guard = mutex.lock().unwrap();
        endless(());
    };
    loop {
        assert_eq!(pool.apply_with(hold, mutex.clone()).deadline(100 * MS).call(), Err(TaskError::DeadlineExceeded));
        match mutex.lock() {
            Err(LockError::OwnerDied { .. }) => return,
            // It had not come so far.
            other => drop(other.unwrap()),
        }
    }
}

fn map() {
    let pool = Pool::with_processes(2).unwrap();
    let work = |n: u64| if n == 2 { sleep(3_600_000) } else { n };
    for _ in 0..2 {
        let map = pool.map_with(work, 0..4).chunk_size(NonZeroUsize::MIN).deadline(1000 * MS);
        let late = Err(TaskError::DeadlineExceeded);
        assert_eq!(map.collect_each(), [Ok(0), Ok(1), late, Ok(3)]);
    }
    let all: Vec<u64> = (10..200).collect();
    assert_eq!(pool.map(work, 10..200).unwrap(), all);
    // Who was not at it was not ended.
    eventually("they are replaced", || pool.workers().iter().map(|worker| worker.restarts).sum::<u32>() == 2);
}

fn imap() {
    let pool = Pool::with_processes(1).unwrap();
    let work = |n: u64| if n % 3 == 2 { sleep(3_600_000) } else { n };
    let each: Vec<_> = pool.imap(work, 0..6).buffer(NonZeroUsize::MIN).deadline(1000 * MS).collect();
    let late = || Err(TaskError::DeadlineExceeded);
    assert_eq!(each, [Ok(0), Ok(1), late(), Ok(3), Ok(4), late()]);
    let unordered = pool.imap_unordered(work, 2..4).buffer(NonZeroUsize::MIN).deadline(1000 * MS);
    assert_eq!(unordered.collect::<Vec<_>>(), [(0, late()), (1, Ok(3))]);
}

fn one_after_another() {
    // More often than a worker may end without a task.
    for _ in 0..10 {
        let pool = Pool::with_processes(1).unwrap();
        let begun = Event::new().unwrap();
        let begin = |begun: Event| {
            begun.set();
            endless(());
        };
        let late = pool.apply_with(begin, begun.clone()).deadline(100 * MS);
        assert_eq!(late.call(), Err(TaskError::DeadlineExceeded));
        assert_eq!(pool.apply(sleep, 0), Ok(0));
    }
}

fn typed() {
    let pool = Pool::builder().processes(1).build_with(|context| context.incarnation, |own, ms| (sleep(ms), *own));
    let pool = pool.unwrap();
    while pool.apply(1).unwrap().1 < 9 {
        assert_eq!(pool.apply_with(3_600_000).deadline(20 * MS).call(), Err(TaskError::DeadlineExceeded));
    }
}
