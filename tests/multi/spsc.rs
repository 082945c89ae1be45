//! Queues from one to one: what A41 to A51 ask of queues.

use std::time::{Duration, Instant};

use pinring::multi::spsc::{Rx, Tx, queue};
use pinring::multi::{GetError, Process, PutError, Serde, Shutdown, pipe, wait};

use crate::Case;
use crate::random::Random;

pub(crate) const CASES: &[Case] = &[
    ("spsc_a_full_queue_says_so_and_gives_the_value_back", full),
    ("spsc_an_empty_queue_says_so_and_never_too_early", empty),
    ("spsc_it_is_full_when_it_is_full", exact),
    ("spsc_a_million_values_come_in_order", million),
    ("spsc_both_ends_sleep_and_wake_each_other", sleepers),
    ("spsc_who_is_left_alone_is_told", alone),
    ("spsc_shutdown_wakes_the_other", shutdown),
    ("spsc_a_loop_over_it_ends_by_itself", iteration),
    ("spsc_a_value_that_is_too_large_is_given_back", too_large),
    ("spsc_values_of_any_size", sizes),
    ("spsc_an_end_goes_on_where_it_was_in_another_process", passing),
    ("spsc_it_is_waited_for_among_others", among_others),
    ("spsc_a_queue_that_cannot_be_made_is_an_error", cannot),
    ("spsc_waiting_takes_no_time_of_a_processor", idle),
];

pub(crate) const MS: Duration = Duration::from_millis(1);

fn about(start: Instant, wanted: Duration) {
    let took = start.elapsed();
    assert!(took >= wanted, "too early: {took:?}");
}

fn full() {
    let (mut tx, mut rx) = queue::<u32>(6).unwrap();
    assert_eq!(tx.capacity(), 8, "a power of two");
    assert_eq!(tx.put_all(0..8), Ok(8));
    assert!(tx.is_full());
    assert_eq!(tx.try_put(9), Err(PutError::Full(9)));
    let start = Instant::now();
    assert_eq!(tx.put_timeout(9, 200 * MS), Err(PutError::Timeout(9)));
    about(start, 200 * MS);
    assert_eq!(rx.get(), Ok(0));
    assert_eq!(tx.put_timeout(9, 200 * MS), Ok(()));
    assert_eq!(rx.iter().take(8).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 9]);
}

fn empty() {
    let (_tx, mut rx) = queue::<u32>(4).unwrap();
    assert_eq!(rx.try_get(), Err(GetError::Empty));
    let start = Instant::now();
    assert_eq!(rx.get_timeout(200 * MS), Err(GetError::Timeout));
    about(start, 200 * MS);
    assert_eq!(rx.get_timeout(Duration::ZERO), Err(GetError::Timeout));
}

/// The consumer tells its position seldom; nobody must notice.
fn exact() {
    for capacity in [1usize, 2, 4, 64, 1024] {
        let (mut tx, mut rx) = queue::<u64>(capacity).unwrap();
        let (mut next, mut wanted) = (0, 0);
        for round in 0..5000 {
            while tx.len() < capacity {
                tx.try_put(next).unwrap();
                next += 1;
            }
            assert_eq!((tx.try_put(0), rx.len()), (Err(PutError::Full(0)), capacity));
            for _ in 0..=round % capacity {
                assert_eq!(rx.try_get(), Ok(wanted));
                wanted += 1;
            }
            assert_eq!(tx.len(), capacity - 1 - round % capacity);
        }
    }
    // Also for who waits: the consumer takes one and has other things to do.
    let (mut tx, mut rx) = queue::<u64>(1024).unwrap();
    tx.put_all(0..1024).unwrap();
    let (done, is_done) = pipe::<u8>().unwrap();
    let child = Process::spawn(move || {
        tx.put(1024).unwrap();
        done.send(1).unwrap();
        tx.put(1025).unwrap();
        done.send(2).unwrap();
    });
    std::thread::sleep(50 * MS);
    for n in 1..=2 {
        rx.get().unwrap();
        assert_eq!(is_done.recv(), Ok(n));
    }
    child.unwrap().join().unwrap();
}

fn million() {
    const COUNT: u64 = 1_000_000;
    let (mut tx, mut rx) = queue::<[u64; 8]>(256).unwrap();
    let mut random = Random::new();
    let mut theirs = Random::of(random.next());
    let child = Process::spawn(move || {
        for n in 0..COUNT {
            tx.put([n; 8]).unwrap();
            pause(&mut theirs);
        }
    });
    for n in 0..COUNT {
        assert_eq!(rx.get(), Ok([n; 8]));
        pause(&mut random);
    }
    assert_eq!(rx.get(), Err(GetError::Closed));
    child.unwrap().join().unwrap();
}

/// Now and then a little one, seldom one in which the other falls asleep.
fn pause(random: &mut Random) {
    match random.below(20_000) {
        0 => std::thread::sleep(Duration::from_micros(100)),
        1..100 => (0..random.below(1000)).for_each(|_| std::hint::spin_loop()),
        _ => {}
    }
}

/// Each waits for the other at each value, long enough to sleep.
fn sleepers() {
    let (mut there, mut from_here) = queue::<u64>(1).unwrap();
    let (mut back, mut from_there) = queue::<u64>(1).unwrap();
    let child = Process::spawn(move || {
        while let Ok(n) = from_here.get() {
            std::thread::sleep(MS / 5);
            back.put(n + 1).unwrap();
        }
    });
    for n in 0..1000 {
        there.put(n).unwrap();
        assert_eq!(from_there.get(), Ok(n + 1));
        if n % 2 == 0 {
            std::thread::sleep(MS / 5);
        }
    }
    drop(there);
    child.unwrap().join().unwrap();
    // A producer that sleeps for each place.
    let (mut tx, mut rx) = queue::<u64>(1).unwrap();
    let child = Process::spawn(move || drop(tx.put_all(0..500)));
    for n in 0..500 {
        std::thread::sleep(MS / 5);
        assert_eq!(rx.get(), Ok(n));
    }
    child.unwrap().join().unwrap();
}

fn alone() {
    let (mut tx, rx) = queue::<u8>(4).unwrap();
    drop(rx);
    assert_eq!(tx.put(1), Err(PutError::Closed(1)));
    assert_eq!(tx.dead_consumer(), None);
    let (mut tx, mut rx) = queue::<u8>(4).unwrap();
    tx.put_all([1, 2]).unwrap();
    drop(tx);
    assert_eq!([rx.get(), rx.get(), rx.get()], [Ok(1), Ok(2), Err(GetError::Closed)]);
    // In another process, while one waits.
    let (tx, mut rx) = queue::<u8>(4).unwrap();
    let child = Process::spawn(move || {
        std::thread::sleep(50 * MS);
        drop(tx);
        std::thread::sleep(Duration::from_secs(100));
    });
    let child = child.unwrap();
    assert_eq!(rx.get(), Err(GetError::Closed));
    assert!(child.is_alive(), "it was told by the drop, not by the end of the process");
    child.kill().unwrap();
    let (mut tx, rx) = queue::<u8>(1).unwrap();
    tx.put(1).unwrap();
    let child = Process::spawn(move || {
        std::thread::sleep(50 * MS);
        drop(rx);
        std::thread::sleep(Duration::from_secs(100));
    });
    assert_eq!(tx.put(2), Err(PutError::Closed(2)));
    child.unwrap().kill().unwrap();
}

fn shutdown() {
    let (mut tx, mut rx) = queue::<u8>(2).unwrap();
    tx.put_all([1, 2]).unwrap();
    let putter = Process::spawn(move || u8::from(tx.put(3) == Err(PutError::Closed(3)))).unwrap();
    std::thread::sleep(50 * MS);
    rx.shutdown(Shutdown::Drain);
    assert_eq!(putter.join(), Ok(1));
    assert_eq!([rx.get(), rx.get(), rx.get()], [Ok(1), Ok(2), Err(GetError::Closed)]);
    let (mut tx, mut rx) = queue::<u8>(4).unwrap();
    let getter = Process::spawn(move || u8::from(rx.get() == Err(GetError::Closed))).unwrap();
    std::thread::sleep(50 * MS);
    tx.shutdown(Shutdown::Immediate);
    assert_eq!(getter.join(), Ok(1));
    assert_eq!(tx.try_put(1), Err(PutError::Closed(1)));
    let (mut tx, mut rx) = queue::<u8>(4).unwrap();
    tx.put(1).unwrap();
    rx.shutdown(Shutdown::Immediate);
    assert_eq!(rx.get(), Err(GetError::Closed));
}

fn iteration() {
    let (mut tx, mut rx) = queue::<u64>(8).unwrap();
    let child = Process::spawn(move || drop(tx.put_all(0..300))).unwrap();
    let mut sum = 0;
    for n in &mut rx {
        sum += n;
    }
    assert_eq!(sum, (0..300).sum::<u64>());
    assert_eq!(rx.iter().count(), 0);
    drop(child);
}

fn too_large() {
    let (mut tx, mut rx) = queue::<Serde<String, 16>>(4).unwrap();
    let long = Serde("x".repeat(100));
    for _ in 0..20 {
        assert!(matches!(tx.put(long.clone()), Err(PutError::TooLarge(value, _)) if value == long));
    }
    assert_eq!((tx.len(), tx.is_full(), tx.is_empty()), (0, false, true));
    tx.put(Serde("short".into())).unwrap();
    assert_eq!(rx.get().unwrap().0, "short");
}

fn sizes() {
    fn round<T: pinring::multi::Message + Copy + PartialEq + std::fmt::Debug>(value: T) {
        let (mut tx, mut rx) = queue::<T>(4).unwrap();
        for _ in 0..100 {
            assert_eq!(tx.put_all([value; 3]), Ok(3));
            assert!((0..3).all(|_| rx.get() == Ok(value)));
        }
    }
    round(());
    round(7u8);
    round([7u8; 13]);
    round((1u8, 2u64, [3u16; 3]));
    round(Some([9u64; 4]));
    round([5u64; 32]);
    round([5u64; 1000]);
}

fn passing() {
    let (ends, theirs) = pipe::<(u64, Rx<u64>, Tx<u64>)>().unwrap();
    let child = Process::spawn(move || {
        while let Ok((base, mut rx, mut tx)) = theirs.recv() {
            for n in base..base + 10 {
                assert_eq!(rx.get(), Ok(n));
                tx.put(n + 1000).unwrap();
            }
            let (back, mine) = pipe::<(Rx<u64>, Tx<u64>)>().unwrap();
            tx.put(u64::MAX).unwrap();
            back.send((rx, tx)).unwrap();
            // They are still used by somebody: neither has gone.
            let (mut rx, mut tx) = mine.recv().unwrap();
            assert_eq!(rx.get(), Ok(base + 10));
            tx.put(base + 1010).unwrap();
            // The consumer before the producer, whose end is waited for.
            drop(rx);
        }
    });
    for round in 0..20 {
        let (mut tx, their_rx) = queue::<u64>(16).unwrap();
        let (their_tx, mut rx) = queue::<u64>(16).unwrap();
        let base = round * 100;
        tx.put_all(base..base + 5).unwrap();
        ends.send((base, their_rx, their_tx)).unwrap();
        tx.put_all(base + 5..base + 11).unwrap();
        for n in base..base + 10 {
            assert_eq!(rx.get(), Ok(n + 1000));
        }
        assert_eq!([rx.get(), rx.get(), rx.get()], [Ok(u64::MAX), Ok(base + 1010), Err(GetError::Closed)]);
        assert!(matches!(tx.put(0), Err(PutError::Closed(0))));
    }
    drop(ends);
    child.unwrap().join().unwrap();
    // Captured in the middle of its work, and what nobody has received is gone with the pipe.
    let (mut tx, mut rx) = queue::<u64>(64).unwrap();
    tx.put_all(0..40).unwrap();
    assert_eq!((0..17).map(|_| rx.get().unwrap()).collect::<Vec<_>>(), (0..17).collect::<Vec<_>>());
    let child = Process::spawn(move || rx.iter().sum::<u64>()).unwrap();
    tx.put_all(40..100).unwrap();
    drop(tx);
    assert_eq!(child.join(), Ok((17..100).sum::<u64>()));
    let (mut tx, rx) = queue::<u64>(64).unwrap();
    let (ends, theirs) = pipe::<Rx<u64>>().unwrap();
    ends.send(rx).unwrap();
    tx.put(1).unwrap();
    drop((ends, theirs));
    assert_eq!(tx.put(2), Err(PutError::Closed(2)));
}

fn among_others() {
    let (mut tx, mut rx) = queue::<u64>(4).unwrap();
    let (sender, receiver) = pipe::<u64>().unwrap();
    let child = Process::spawn(move || {
        for n in 0..100 {
            std::thread::sleep(MS / 2);
            if n % 3 == 0 { sender.send(n).unwrap() } else { tx.put(n).unwrap() }
        }
    });
    assert!(wait(&[&rx], Some(Duration::ZERO)).is_empty());
    let (mut got, mut open) = (Vec::new(), [true; 2]);
    while open != [false; 2] {
        let items: Vec<(usize, &dyn pinring::multi::Waitable)> =
            [(0, &rx as _), (1, &receiver as _)].into_iter().filter(|(index, _)| open[*index]).collect();
        let ready = wait(&items.iter().map(|(_, item)| *item).collect::<Vec<_>>(), None);
        let first = items[ready[0]].0;
        let value = if first == 0 { rx.get().ok() } else { receiver.recv().ok() };
        open[first] = value.is_some();
        got.extend(value);
    }
    got.sort_unstable();
    assert_eq!(got, (0..100).collect::<Vec<_>>());
    child.unwrap().join().unwrap();
}

fn cannot() {
    assert_eq!(queue::<u8>(0).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(queue::<u8>(usize::MAX).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(queue::<[u64; 1 << 20]>(1 << 20).unwrap_err().kind(), std::io::ErrorKind::OutOfMemory);
    queue::<u8>(1).unwrap();
}

/// The time on a processor that this process has had, all of its threads together.
pub(crate) fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn idle() {
    let (mut tx, mut rx) = queue::<u8>(1).unwrap();
    let before = processor_time();
    assert_eq!(rx.get_timeout(500 * MS), Err(GetError::Timeout));
    tx.put(1).unwrap();
    assert_eq!(tx.put_timeout(2, 500 * MS), Err(PutError::Timeout(2)));
    let took = processor_time().checked_sub(before).unwrap();
    assert!(took < 20 * MS, "{took:?} of a second");
}
