//! Queues when somebody is killed who puts, gets or has leased.

use std::time::Duration;

use pinring::multi::{Process, queue};

use crate::Case;
use crate::random::Random;

pub(crate) const CASES: &[Case] = &[
    ("a_killed_consumer_loses_nothing", killed_consumer),
    ("a_killed_lease_is_delivered_again", killed_lease),
    ("a_killed_producer_leaves_whole_values_only", killed_producer),
];

const MS: Duration = Duration::from_millis(1);

/// Consumers that are killed while they get lose at most what they got: what they said they had, everybody else gets the rest once.
fn killed_consumer() {
    let mut random = Random::new();
    for _ in 0..crate::repeats() {
        let (producer, consumer) = queue::<u64>(64).unwrap();
        let (report, said) = queue::<u64>(1 << 16).unwrap();
        let theirs = consumer.clone();
        let victim = Process::spawn(move || {
            while let Ok(n) = theirs.get() {
                report.put(n).unwrap();
            }
        });
        let victim = victim.unwrap();
        let feeder = Process::spawn(move || drop(producer.put_all(1..=5000))).unwrap();
        std::thread::sleep(Duration::from_micros(random.below(2000)));
        victim.kill().unwrap();
        let mut all: Vec<u64> = consumer.iter().collect();
        drop(victim);
        drop(feeder);
        all.extend(said.iter());
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "doubled");
        // One that was got and not yet reported died with its getter.
        assert!(all.len() >= 4999, "{} of 5000", all.len());
    }
}

fn killed_lease() {
    let mut random = Random::new();
    for _ in 0..crate::repeats() {
        let (producer, consumer) = queue::<u64>(16).unwrap();
        let (report, said) = queue::<u64>(1 << 12).unwrap();
        let worker = |time: Duration| {
            let (consumer, report) = (consumer.clone(), report.clone());
            Process::spawn(move || {
                while let Ok(item) = consumer.lease() {
                    std::thread::sleep(time);
                    report.put(*item).unwrap();
                    item.ack();
                }
            })
            .unwrap()
        };
        let (victim, other) = (worker(MS / 2), worker(MS / 10));
        drop(report);
        producer.put_all(0..50).unwrap();
        std::thread::sleep(Duration::from_micros(random.below(3000)));
        victim.kill().unwrap();
        drop(producer);
        drop(consumer);
        let mut all: Vec<u64> = said.iter().collect();
        drop((victim, other));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all, (0..50).collect::<Vec<u64>>());
    }
}

fn killed_producer() {
    let mut random = Random::new();
    for _ in 0..crate::repeats() {
        let (producer, consumer) = queue::<[u64; 64]>(8).unwrap();
        let theirs = producer.clone();
        let victim = Process::spawn(move || {
            for n in 0.. {
                theirs.put([n; 64]).unwrap();
            }
        });
        let victim = victim.unwrap();
        for n in 0..random.below(200) {
            assert_eq!(consumer.get().unwrap(), [n; 64]);
        }
        victim.kill().unwrap();
        // Ours is alive: the queue is not closed, and usable.
        drop(victim);
        while let Ok(value) = consumer.try_get() {
            assert!(value.iter().all(|n| *n == value[0]), "torn");
        }
        assert_eq!(producer.put_all([[7; 64]; 8]), Ok(8), "a place is lost");
        assert_eq!(consumer.len(), 8);
        drop(producer);
        assert_eq!(consumer.iter().count(), 8);
    }
}
