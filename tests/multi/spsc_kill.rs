//! Queues from one to one when somebody is killed; and what is given back then, and otherwise.

use std::time::Duration;

use pinring::multi::spsc::queue;
use pinring::multi::{Blob, GetError, Process, PutError, SharedBlob, blocks_in_use};

use crate::Case;
use crate::random::Random;
use crate::spsc::MS;

pub(crate) const CASES: &[Case] = &[
    ("spsc_what_is_left_in_it_is_given_back", ledger),
    ("spsc_a_killed_producer_leaves_whole_values_only", killed_producer),
    ("spsc_a_killed_consumer_is_seen_by_the_next_put", killed_consumer),
    ("spsc_what_a_killed_consumer_left_is_given_back", killed_with_blobs),
];

fn blob(n: u64) -> SharedBlob<u64> {
    Blob::from_slice(&[n; 1000]).unwrap().share()
}

fn ledger() {
    assert_eq!(blocks_in_use(), 0);
    for consumer_first in [true, false] {
        let (mut tx, mut rx) = queue::<SharedBlob<u64>>(8).unwrap();
        tx.put_all((0..6).map(blob)).unwrap();
        assert_eq!(rx.get().unwrap()[0], 0);
        if consumer_first {
            drop(rx);
            assert!(tx.put(blob(7)).is_err());
            drop(tx);
        } else {
            drop(tx);
            drop(rx);
        }
        assert_eq!(blocks_in_use(), 0, "consumer first: {consumer_first}");
    }
    // Both go at the same time, each in a process of its own.
    for _ in 0..crate::repeats() {
        let (mut tx, mut rx) = queue::<SharedBlob<u64>>(8).unwrap();
        let putter = Process::spawn(move || while tx.put(blob(1)).is_ok() {}).unwrap();
        let getter = Process::spawn(move || (0..3).for_each(|_| drop(rx.get()))).unwrap();
        putter.join().unwrap();
        getter.join().unwrap();
        eventually_nothing();
    }
}

/// What a process held that has just ended may be counted for a moment.
fn eventually_nothing() {
    while blocks_in_use() > 0 {
        std::thread::sleep(MS);
    }
}

fn killed_producer() {
    let mut random = Random::new();
    for _ in 0..crate::repeats() {
        let (mut tx, mut rx) = queue::<[u64; 64]>(8).unwrap();
        let victim = Process::spawn(move || {
            for n in 0.. {
                tx.put([n; 64]).unwrap();
            }
        });
        let victim = victim.unwrap();
        for n in 0..random.below(200) {
            assert_eq!(rx.get().unwrap(), [n; 64]);
        }
        let pid = victim.pid();
        std::thread::sleep(Duration::from_micros(random.below(200)));
        victim.kill().unwrap();
        let mut last = None;
        for value in &mut rx {
            assert!(value.iter().all(|n| *n == value[0]), "torn");
            assert!(last.is_none_or(|last| value[0] == last + 1), "{} after {last:?}", value[0]);
            last = Some(value[0]);
        }
        assert_eq!((rx.get(), rx.dead_producer()), (Err(GetError::Closed), Some(pid)));
        drop(victim);
    }
    eventually_nothing();
}

fn killed_consumer() {
    let mut random = Random::new();
    for round in 0..crate::repeats() {
        let (mut tx, mut rx) = queue::<u64>(64).unwrap();
        let (mut report, mut said) = queue::<u64>(1 << 16).unwrap();
        let victim = Process::spawn(move || {
            while let Ok(n) = rx.get() {
                report.put(n).unwrap();
            }
            // Every other time the producer sleeps when it happens.
        });
        let victim = victim.unwrap();
        let pid = victim.pid();
        let killer = Process::spawn({
            let delay = Duration::from_micros(random.below(2000));
            move || {
                std::thread::sleep(delay);
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL)
                    .unwrap();
            }
        });
        let refused = (0..).find_map(|n| {
            if round % 2 == 0 {
                std::thread::sleep(Duration::from_micros(20));
            }
            tx.put(n).err()
        });
        let Some(PutError::Closed(refused)) = refused else { panic!("{refused:?}") };
        assert_eq!(tx.dead_consumer(), Some(pid));
        let got: Vec<u64> = said.iter().collect();
        assert_eq!(got, (0..got.len() as u64).collect::<Vec<_>>());
        // What was got, and perhaps not reported, and what was still there.
        assert!(refused <= got.len() as u64 + 1 + 64, "{refused} put, {} got", got.len());
        drop((victim, killer));
    }
    eventually_nothing();
}

fn killed_with_blobs() {
    let mut random = Random::new();
    for _ in 0..crate::repeats() {
        let (mut tx, mut rx) = queue::<SharedBlob<u64>>(8).unwrap();
        let victim = Process::spawn(move || {
            while let Ok(value) = rx.get() {
                assert!(value.iter().all(|n| *n == value[0]));
            }
        });
        let victim = victim.unwrap();
        for n in 0..random.below(50) {
            tx.put(blob(n)).unwrap();
        }
        victim.kill().unwrap();
        let refused = (0..).find_map(|n| tx.put(blob(n)).err());
        assert!(matches!(refused, Some(PutError::Closed(_))));
        drop((refused, tx, victim));
        eventually_nothing();
    }
}
