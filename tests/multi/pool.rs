//! A74 to A83: pools.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pinring::multi::{Event, Pool, Process, Serde, TaskError, TooLarge, blocks_in_use, init};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("a74_apply_and_map_give_what_a_loop_gives", a74),
    ("a75_nothing_gives_nothing_at_once", a75),
    ("a76_a_callback_is_called_once_for_each_task", a76),
    ("a77_values_that_end_in_a_panic_leave_the_pool_usable", a77),
    ("a78_a_slow_result_is_given_back_and_comes_later", a78),
    ("a79_imap_keeps_the_order_and_unordered_the_places", a79),
    ("a80_terminate_does_not_wait_for_what_is_queued", a80),
    ("a81_a_panic_is_told_with_its_place_and_the_worker_lives", a81),
    ("a82_workers_are_replaced_after_their_tasks", a82),
    ("a83_init_runs_once_in_each_worker", a83),
    ("a_task_that_was_detached_is_run_and_keeps_nothing", detached),
    ("a_result_that_a_child_has_captured_is_the_childs", captured),
    ("a_pool_in_a_child", in_a_child),
    ("a_pool_of_two_hundred_workers", two_hundred),
    ("a_task_can_be_cancelled_before_it_begins", cancelled),
    ("a_map_has_a_deadline", deadline),
    ("an_argument_or_a_result_that_is_too_large_is_an_error", too_large),
    ("a_pool_is_used_by_many_threads", threads),
    ("more_values_than_a_pool_can_have_tasks_take_turns", in_turns),
    ("a_pool_with_captures_keeps_its_state_and_replaces_its_dead", typed),
];

const MS: Duration = Duration::from_millis(1);

pub(crate) fn square(n: i64) -> i64 {
    n * n
}

fn a74() {
    let pool = Pool::with_processes(2).unwrap();
    assert_eq!(pool.apply(square, 7), Ok(49));
    assert_eq!(pool.apply(|(a, b): (f64, f64)| a / b, (1.0, 4.0)), Ok(0.25));
    for count in [0i64, 1, 10, 1000] {
        let wanted: Vec<i64> = (0..count).map(square).collect();
        assert_eq!(pool.map(square, 0..count).unwrap(), wanted);
        for chunk in [1, 3, count as usize + 1] {
            let chunk = NonZeroUsize::new(chunk).unwrap();
            assert_eq!(pool.map_with(square, 0..count).chunk_size(chunk).collect().unwrap(), wanted);
        }
    }
    let pairs = (0..10u32).map(|n| (n, 2 * n));
    assert_eq!(pool.map(|(a, b): (u32, u32)| a + b, pairs).unwrap(), (0..10).map(|n| 3 * n).collect::<Vec<_>>());
    let words = ["a", "bc", ""].map(|word| Serde(word.to_owned()));
    assert_eq!(pool.map(|word: Serde<String>| word.0.len() as u64, words).unwrap(), [1, 2, 0]);
    let stats = pool.join();
    assert_eq!((stats.crashed, stats.cancelled), (0, 0));
}

fn a75() {
    let pool = Pool::with_processes(2).unwrap();
    assert!(pool.map(square, []).unwrap().is_empty());
    assert_eq!(pool.imap(square, []).count(), 0);
    assert_eq!(pool.imap_unordered(square, []).count(), 0);
}

fn a76() {
    init().unwrap();
    let pool = Pool::with_processes(2).unwrap();
    let (good, bad) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for n in 0..20 {
        let (good, bad) = (Arc::clone(&good), Arc::clone(&bad));
        let result = pool.apply_async(|n: i64| if n % 4 == 0 { panic!("four") } else { n }, n).unwrap();
        result.then(move |result| {
            let counter = if result.is_ok() { good } else { bad };
            // ORDER(test.pool): counters of the test, all of these.
            counter.fetch_add(1, Ordering::SeqCst);
        });
    }
    // ORDER(test.pool): as above.
    while good.load(Ordering::SeqCst) + bad.load(Ordering::SeqCst) < 20 {
        std::thread::sleep(MS);
    }
    // ORDER(test.pool): as above.
    assert_eq!((good.load(Ordering::SeqCst), bad.load(Ordering::SeqCst)), (15, 5));
}

fn a77() {
    let pool = Pool::with_processes(2).unwrap();
    for at in [0, 3, 9] {
        let values = (0..10i64).map(move |n| if n == at { panic!("no more values") } else { n });
        let mapped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.map(square, values.clone())));
        assert!(mapped.is_err());
        let mut got = Vec::new();
        let one = NonZeroUsize::MIN;
        let mut results = pool.imap(square, values).buffer(one);
        while let Ok(Some(result)) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| results.next())) {
            got.push(result.unwrap());
        }
        assert_eq!(got, (0..at).map(square).collect::<Vec<_>>());
        assert_eq!(pool.map(square, 0..5).unwrap(), [0, 1, 4, 9, 16]);
    }
}

fn slow(n: i64) -> i64 {
    std::thread::sleep(200 * MS);
    n
}

fn a78() {
    let pool = Pool::with_processes(1).unwrap();
    let result = pool.apply_async(slow, 5).unwrap();
    assert_eq!((result.ready(), result.successful()), (false, None));
    let start = Instant::now();
    let result = result.get_timeout(50 * MS).unwrap_err();
    assert!(start.elapsed() >= 50 * MS);
    assert!(result.wait(None));
    assert_eq!((result.ready(), result.successful()), (true, Some(true)));
    assert_eq!(result.get(), Ok(5));
}

fn a79() {
    let pool = Pool::with_processes(3).unwrap();
    let wanted: Vec<i64> = (0..1000).map(square).collect();
    assert_eq!(pool.imap(square, 0..1000).map(Result::unwrap).collect::<Vec<_>>(), wanted);
    let mut places: Vec<usize> = pool
        .imap_unordered(square, 0..1000)
        .map(|(place, result)| {
            assert_eq!(result, Ok(wanted[place]));
            place
        })
        .collect();
    places.sort_unstable();
    assert_eq!(places, (0..1000).collect::<Vec<_>>());
    // Endless values are taken as they are needed.
    assert_eq!(pool.imap(square, 0..).take(5).map(Result::unwrap).collect::<Vec<_>>(), [0, 1, 4, 9, 16]);
}

fn a80() {
    let pool = Pool::with_processes(2).unwrap();
    let mut results: Vec<_> = (0..10_000).map(|n| pool.apply_async(slow, n).unwrap()).collect();
    let last = results.pop().unwrap();
    // They would take a quarter of an hour.
    pool.terminate();
    assert_eq!(last.get(), Err(TaskError::PoolClosed));
    drop(results);
    let pool = Pool::with_processes(2).unwrap();
    let result = pool.apply_async(slow, 1).unwrap();
    pool.close();
    assert_eq!(pool.apply(slow, 1), Err(TaskError::PoolClosed));
    assert_eq!(result.get(), Ok(1));
}

fn a81() {
    let pool = Pool::with_processes(1).unwrap();
    let before = pool.workers()[0].pid;
    let Err(TaskError::Panicked(info)) = pool.apply(|n: i64| -> i64 { panic!("{n} is too much") }, 3) else { panic!() };
    assert_eq!((info.message.as_str(), info.pid), ("3 is too much", before));
    assert!(info.location.unwrap().contains("tests/multi/pool.rs:"));
    let Err(TaskError::Panicked(info)) = pool.apply(|(): ()| -> () { panic!("{}", "x".repeat(1 << 20)) }, ()) else {
        panic!()
    };
    assert!(info.message.starts_with("xxx"));
    assert_eq!((pool.apply(square, 4), pool.workers()[0].pid), (Ok(16), before));
    let error = pool.map(|n: i64| if n == 3 || n == 7 { panic!("{n}") } else { n }, 0..10).unwrap_err();
    assert_eq!(error.index, 3);
    assert!(matches!(&error.error, TaskError::Panicked(info) if info.message == "3"));
    assert_eq!(error.completed.iter().filter(|result| result.is_some()).count(), 8);
    let each = pool.map_with(|n: i64| if n == 3 { panic!("{n}") } else { n }, 0..5).collect_each();
    assert_eq!(each.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false, true]);
}

fn own_pid(_: u32) -> u32 {
    std::process::id()
}

fn a82() {
    let pool = Pool::builder().processes(3).max_tasks_per_child(NonZeroUsize::new(10).unwrap()).build().unwrap();
    let mut pids: Vec<u32> =
        (0..100).map(|n| pool.apply_async(own_pid, n).unwrap()).map(|result| result.get().unwrap()).collect();
    pids.sort_unstable();
    for run in pids.chunk_by(|one, next| one == next) {
        assert!(run.len() <= 10, "{run:?}");
    }
    let pool = Pool::builder().processes(2).max_tasks_per_child(NonZeroUsize::MIN).build().unwrap();
    let results: Vec<_> = (0..6).map(|n| pool.apply_async(square, n).unwrap()).collect();
    pool.close();
    assert_eq!(results.into_iter().map(|result| result.get().unwrap()).collect::<Vec<_>>(), [0, 1, 4, 9, 16, 25]);
    assert_eq!(pool.join().completed, 6);
}

static STARTED: AtomicUsize = AtomicUsize::new(0);

fn a83() {
    let pool = Pool::builder().processes(2).init(|context| {
        // ORDER(test.pool): a counter of the test.
        STARTED.fetch_add(1 + 10 * context.incarnation as usize, Ordering::SeqCst);
        Ok(())
    });
    let pool = pool.build().unwrap();
    // ORDER(test.pool): as above.
    let started = |_: u32| STARTED.load(Ordering::SeqCst) as u64;
    assert_eq!(pool.map_with(started, 0..20).chunk_size(NonZeroUsize::MIN).collect().unwrap(), [11; 20]);
    let pid = pool.workers()[0].pid;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL).unwrap();
    while pool.workers()[0].pid == pid {
        std::thread::sleep(MS);
    }
    let seen = pool.map_with(started, 0..200).chunk_size(NonZeroUsize::MIN).collect().unwrap();
    assert!(seen.iter().all(|seen| [11, 21].contains(seen)), "{seen:?}");
}

fn in_turns() {
    let most = 65_536;
    let pool = Pool::with_processes(1).unwrap();
    let wide = pool.imap(square, 0..most + 1000).buffer(NonZeroUsize::MAX);
    assert!(wide.map(Result::unwrap).eq((0..most + 1000).map(square)));
    let typed = Pool::builder().processes(1).build_with(|_| (), |(), n: i64| square(n)).unwrap();
    assert!(typed.map(0..most + 1000).unwrap().into_iter().eq((0..most + 1000).map(square)));
}

fn detached() {
    let counter = pinring::multi::Value::new(0u32).unwrap();
    let pool = Pool::with_processes(1).unwrap();
    let before = blocks_in_use();
    let count = |counter: pinring::multi::Value<u32>| {
        std::thread::sleep(Duration::from_millis(20));
        counter.fetch_add(1);
    };
    for _ in 0..3 {
        pool.apply_async(count, counter.clone()).unwrap().detach();
    }
    pool.join();
    assert_eq!(counter.get(), 3);
    assert!(blocks_in_use() < before, "the pool is still there");
}

fn captured() {
    let pool = Pool::with_processes(1).unwrap();
    let result = pool.apply_async(slow, 5).unwrap();
    assert_eq!(Process::spawn(move || result.get().ok()).unwrap().join(), Ok(Some(5)));
    pool.join();
}

fn in_a_child() {
    let child = Process::spawn(|| {
        let pool = Pool::with_processes(2).unwrap();
        pool.map(square, 0..4).unwrap().iter().sum::<i64>()
    });
    assert_eq!(child.unwrap().join(), Ok(14));
}

fn two_hundred() {
    let pool = Pool::with_processes(200).unwrap();
    assert_eq!(pool.map(square, 0..1000).unwrap().len(), 1000);
    assert_eq!(pool.workers().len(), 200);
    assert!(Pool::with_processes(100).is_err(), "there is no room for so many more");
    assert_eq!(pool.apply(square, 2), Ok(4));
    drop(pool);
    assert_eq!(Pool::with_processes(200).unwrap().apply(square, 3), Ok(9));
}

fn cancelled() {
    let pool = Pool::with_processes(1).unwrap();
    let begun = Event::new().unwrap();
    let say_and_wait = |(begun, n): (Event, i64)| {
        begun.set();
        slow(n)
    };
    let first = pool.apply_async(say_and_wait, (begun.clone(), 1)).unwrap();
    let second = pool.apply_async(slow, 2).unwrap();
    begun.wait();
    assert!(second.cancel() && !first.cancel());
    assert_eq!(second.get(), Err(TaskError::Cancelled));
    drop(pool.apply_async(slow, 3));
    assert_eq!(first.get(), Ok(1));
    assert_eq!(pool.apply(square, 4), Ok(16));
    assert_eq!((pool.stats().cancelled, pool.stats().completed), (1, 2), "what was dropped was not run");
}

fn deadline() {
    let pool = Pool::with_processes(2).unwrap();
    let sleepy = |n: u64| {
        std::thread::sleep(Duration::from_millis(n));
        n
    };
    let each = pool
        .map_with(sleepy, [1, 1, 1, 1, 700, 700, 1, 1])
        .chunk_size(NonZeroUsize::MIN)
        .deadline(200 * MS)
        .collect_each();
    assert_eq!(each.iter().filter(|result| result.is_ok()).count(), 4);
    assert!(each.iter().skip(4).all(|result| *result == Err(TaskError::DeadlineExceeded)));
    assert_eq!(pool.map(square, 0..5).unwrap(), [0, 1, 4, 9, 16]);
    let failed = pool
        .map_with(|n: i64| if n == 0 { panic!("first") } else { n }, 0..1000)
        .chunk_size(NonZeroUsize::MIN)
        .fail_fast();
    let each = failed.collect_each();
    assert!(each.contains(&Err(TaskError::Cancelled)));
}

fn too_large() {
    let pool = Pool::with_processes(1).unwrap();
    assert!(matches!(pool.apply(|a: [u8; 1000]| a[0], [1; 1000]), Err(TaskError::TooLarge(_))));
    assert_eq!(pool.apply(|n: u8| [n; 1000], 1), Err(TaskError::ResultTooLarge(TooLarge { needed: 1000, slot: 256 })));
    let long = |n: usize| Serde::<_, 100>("x".repeat(n));
    let of_its_type = TaskError::ResultTooLarge(TooLarge { needed: 202, slot: 100 });
    assert_eq!(pool.apply(long, 200), Err(of_its_type.clone()));
    let lost = pool.map(long, [1, 200, 2]).unwrap_err();
    assert_eq!((lost.index, &lost.error), (1, &of_its_type));
    let (text, words) = (lost.to_string(), ["value 1", "result", "202", "100", "Serde<_, N>", "slot_bytes", "Blob"]);
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    let lost = pool.map(|text: Serde<String, 100>| text.0.len(), [Serde("x".repeat(200))]).unwrap_err();
    assert_eq!(lost.error, TaskError::TooLarge(TooLarge { needed: 202, slot: 100 }));
    assert_eq!(pool.map(|n: u8| n, [1]).unwrap(), [1]);
    assert_eq!(pool.map(|n: u8| [n; 1000], [1, 2]).unwrap()[1], [2; 1000], "a map has places of their own size");
    let pool = Pool::builder().processes(1).slot_bytes(2000).build().unwrap();
    assert_eq!(pool.apply(|a: [u8; 1000]| a, [7; 1000]), Ok([7; 1000]));
}

fn threads() {
    init().unwrap();
    let pool = Pool::with_processes(2).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4i64 {
            let pool = &pool;
            scope.spawn(move || {
                for n in 0..200 {
                    assert_eq!(pool.apply(square, n + thread), Ok((n + thread) * (n + thread)));
                }
                assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
            });
        }
    });
}

fn typed() {
    let table: Vec<u64> = (0..100).map(|n| n * n).collect();
    let start = move |context: pinring::multi::WorkerContext| (0u64, context.incarnation, table.clone());
    let pool = Pool::builder().processes(2).build_with(start, |(calls, incarnation, table), n: u32| {
        *calls += 1;
        if n == 77 {
            std::process::abort();
        }
        if n == 78 {
            panic!("seventy-eight");
        }
        (table[n as usize], *calls, *incarnation)
    });
    let pool = pool.unwrap();
    let results = pool.map(0..50).unwrap();
    assert_eq!(
        results.iter().map(|(square, ..)| *square).collect::<Vec<_>>(),
        (0..50).map(|n| n * n).collect::<Vec<u64>>()
    );
    assert!(results.iter().any(|(_, calls, _)| *calls > 1), "the state is kept");
    for _ in 0..5 {
        assert!(matches!(pool.apply(77), Err(TaskError::WorkerDied { .. })));
        assert!(matches!(pool.apply(78), Err(TaskError::Panicked(info)) if info.message == "seventy-eight"));
        assert_eq!(pool.apply(9).unwrap().0, 81);
    }
    let last = pool.submit(5).unwrap();
    pool.join();
    assert_eq!(last.get().unwrap().0, 25);
}
