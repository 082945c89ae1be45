//! A41 to A51: queues.

use std::time::{Duration, Instant};

use pinring::multi::{
    Blob, Consumer, DecodeError, GetError, Message, Process, PutError, Reader, Serde, Shutdown, TooLarge, Writer,
    blocks_in_use, pipe, queue,
};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("a41_a_full_queue_says_so_and_gives_the_value_back", a41),
    ("a42_an_empty_queue_says_so_and_never_too_early", a42),
    ("a43_parent_and_child_put_into_one_queue", a43),
    ("a44_the_length_is_what_waits", a44),
    ("a45_join_waits_for_the_last_acknowledgement", a45),
    ("a46_a_value_that_is_too_large_is_given_back", a46),
    ("a47_who_is_left_alone_is_told", a47),
    ("a48_shutdown_wakes_everybody", a48),
    ("a49_a_million_values_of_four_producers_for_four_consumers", a49),
    ("a50_what_was_put_is_there", a50),
    ("a51_a_loop_over_a_queue_ends_by_itself", a51),
    ("a_returned_lease_goes_to_another_and_says_so", leases),
    ("a_lease_moved_to_a_child_has_gone_back", lease_moved),
    ("a_queue_that_cannot_be_made_is_an_error", too_large),
    ("places_are_used_again_and_again", laps),
    ("a_value_that_panics_when_it_is_written_or_read_leaves_no_trace", moody),
    ("what_a_queue_still_holds_at_its_end_is_freed", left_over),
];

const MS: Duration = Duration::from_millis(1);

fn about(start: Instant, wanted: Duration) {
    let took = start.elapsed();
    assert!(took >= wanted, "too early: {took:?}");
}

fn a41() {
    let (producer, consumer) = queue::<u32>(6).unwrap();
    assert_eq!(producer.capacity(), 8, "a power of two");
    assert_eq!(producer.put_all(0..8), Ok(8));
    assert!(producer.is_full());
    assert_eq!(producer.try_put(9), Err(PutError::Full(9)));
    let start = Instant::now();
    assert_eq!(producer.put_timeout(9, 200 * MS), Err(PutError::Timeout(9)));
    about(start, 200 * MS);
    assert_eq!(consumer.get(), Ok(0));
    assert_eq!(producer.put_timeout(9, 200 * MS), Ok(()));
}

fn a42() {
    let (_producer, consumer) = queue::<u32>(4).unwrap();
    assert_eq!(consumer.try_get(), Err(GetError::Empty));
    let start = Instant::now();
    assert_eq!(consumer.get_timeout(200 * MS), Err(GetError::Timeout));
    about(start, 200 * MS);
    assert_eq!(consumer.get_timeout(Duration::ZERO), Err(GetError::Timeout));
}

fn a43() {
    let (producer, consumer) = queue(64).unwrap();
    producer.put_all(0..10u64).unwrap();
    let theirs = producer.clone();
    Process::spawn(move || drop(theirs.put_all(10..20))).unwrap().join().unwrap();
    drop(producer);
    assert_eq!(consumer.iter().collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
}

fn a44() {
    let (producer, consumer) = queue(4).unwrap();
    let mut seen = Vec::new();
    for step in 0..4u8 {
        if step < 2 {
            producer.put(step).unwrap();
        } else {
            drop(consumer.get());
        }
        seen.push(consumer.len());
    }
    assert_eq!(seen, [1, 2, 1, 0]);
}

fn a45() {
    let (producer, consumer) = queue::<u64>(16).unwrap();
    let workers: Vec<Process> = (0..4)
        .map(|_| {
            let consumer = consumer.clone();
            Process::spawn(move || {
                while let Ok(item) = consumer.lease() {
                    std::thread::sleep(20 * MS);
                    item.ack();
                }
            })
            .unwrap()
        })
        .collect();
    producer.put_all(0..10).unwrap();
    let start = Instant::now();
    assert!(!consumer.join_timeout(MS));
    consumer.join();
    // Ten of 20 ms by four.
    about(start, 40 * MS);
    drop((producer, consumer));
    for worker in workers {
        worker.join().unwrap();
    }
}

fn a46() {
    let (producer, consumer) = queue::<Serde<String, 16>>(4).unwrap();
    let long = Serde("x".repeat(100));
    assert!(matches!(producer.put(long.clone()), Err(PutError::TooLarge(value, _)) if value == long));
    assert_eq!((producer.len(), producer.is_full()), (0, false));
    producer.put(Serde("short".into())).unwrap();
    assert_eq!(consumer.get().unwrap().0, "short");
    for _ in 0..20 {
        assert!(producer.put(long.clone()).is_err());
    }
    producer.put_all((0..4).map(|_| Serde("s".into()))).unwrap();
    assert_eq!(consumer.len(), 4);
}

fn a47() {
    let (producer, consumer) = queue::<u8>(4).unwrap();
    drop(consumer);
    assert_eq!(producer.put(1), Err(PutError::Closed(1)));
    let (producer, consumer) = queue::<u8>(4).unwrap();
    producer.put_all([1, 2]).unwrap();
    drop(producer);
    assert_eq!([consumer.get(), consumer.get(), consumer.get()], [Ok(1), Ok(2), Err(GetError::Closed)]);
    // In another process, while one waits.
    let (producer, consumer) = queue::<u8>(4).unwrap();
    let child = Process::spawn(move || {
        std::thread::sleep(50 * MS);
        drop(producer);
        std::thread::sleep(Duration::from_secs(100));
    });
    let child = child.unwrap();
    assert_eq!(consumer.get(), Err(GetError::Closed));
    assert!(child.is_alive(), "it was told by the drop, not by the end of the process");
    child.kill().unwrap();
}

fn a48() {
    let (producer, consumer) = queue::<u8>(2).unwrap();
    producer.put_all([1, 2]).unwrap();
    let (put, got) = (producer.clone(), consumer.clone());
    let putter = Process::spawn(move || u8::from(put.put(3) == Err(PutError::Closed(3)))).unwrap();
    std::thread::sleep(50 * MS);
    producer.shutdown(Shutdown::Drain);
    assert_eq!(putter.join(), Ok(1));
    assert_eq!([consumer.get(), consumer.get(), consumer.get()], [Ok(1), Ok(2), Err(GetError::Closed)]);
    drop(got);
    let (producer, consumer) = queue::<u8>(4).unwrap();
    let theirs = consumer.clone();
    let getter = Process::spawn(move || u8::from(theirs.get() == Err(GetError::Closed))).unwrap();
    std::thread::sleep(50 * MS);
    producer.shutdown(Shutdown::Immediate);
    assert_eq!(getter.join(), Ok(1));
    let (producer, consumer) = queue::<u8>(4).unwrap();
    producer.put(1).unwrap();
    consumer.shutdown(Shutdown::Immediate);
    assert_eq!(consumer.get(), Err(GetError::Closed));
    consumer.join();
}

fn a49() {
    const EACH: u64 = 250_000;
    let (producer, consumer) = queue::<(u64, u64)>(1024).unwrap();
    let consumers: Vec<Process<(u64, u64)>> = (0..4)
        .map(|_| {
            let consumer = consumer.clone();
            Process::spawn(move || {
                let (mut count, mut sum, mut last) = (0, 0u64, [0u64; 4]);
                for (who, n) in &consumer {
                    assert!(n > last[who as usize], "{n} of {who} after {}", last[who as usize]);
                    last[who as usize] = n;
                    (count, sum) = (count + 1, sum + n * (who + 1));
                }
                (count, sum)
            })
            .unwrap()
        })
        .collect();
    let producers: Vec<Process<u64>> = (0..4)
        .map(|who| {
            let producer = producer.clone();
            Process::spawn(move || producer.put_all((1..=EACH).map(|n| (who, n))).unwrap() as u64).unwrap()
        })
        .collect();
    drop((producer, consumer));
    assert_eq!(producers.into_iter().map(|child| child.join().unwrap()).sum::<u64>(), 4 * EACH);
    let all: Vec<(u64, u64)> = consumers.into_iter().map(|child| child.join().unwrap()).collect();
    assert_eq!(all.iter().map(|(count, _)| count).sum::<u64>(), 4 * EACH);
    assert_eq!(all.iter().map(|(_, sum)| sum).sum::<u64>(), EACH * (EACH + 1) / 2 * (1 + 2 + 3 + 4));
}

fn a50() {
    let (producer, consumer) = queue::<u8>(4).unwrap();
    for n in 0..100 {
        producer.put(n).unwrap();
        assert!(!consumer.is_empty());
        assert_eq!(consumer.try_get(), Ok(n));
    }
    producer.put(1).unwrap();
    assert_eq!(Process::spawn(move || u8::from(consumer.is_empty())).unwrap().join(), Ok(0));
}

fn a51() {
    let (producer, consumer) = queue::<u64>(8).unwrap();
    let children: Vec<Process> = (0..3)
        .map(|who| {
            let producer = producer.clone();
            Process::spawn(move || drop(producer.put_all(who * 100..who * 100 + 100))).unwrap()
        })
        .collect();
    drop(producer);
    assert_eq!((&consumer).into_iter().sum::<u64>(), (0..300).sum::<u64>());
    drop(children);
}

fn leases() {
    let (producer, consumer) = queue::<u8>(4).unwrap();
    producer.put_all([1, 2]).unwrap();
    let lease = consumer.lease().unwrap();
    assert_eq!((*lease, lease.attempt()), (1, 1));
    lease.nack();
    let lease = consumer.lease().unwrap();
    assert_eq!((*lease, lease.attempt()), (1, 2), "before the others");
    assert!(!consumer.join_timeout(MS));
    lease.ack();
    let lease = consumer.lease().unwrap();
    assert_eq!((*lease, lease.attempt()), (2, 1));
    drop(lease);
    assert_eq!(consumer.get(), Ok(2));
    consumer.join();
    drop(producer);
    assert!(matches!(consumer.lease(), Err(GetError::Closed)));
}

fn lease_moved() {
    let (producer, consumer) = queue::<u8>(4).unwrap();
    producer.put(1).unwrap();
    let forever: &'static Consumer<u8> = Box::leak(Box::new(consumer.clone()));
    let lease = forever.lease().unwrap();
    let (go, wait) = pipe::<()>().unwrap();
    let child = Process::spawn(move || {
        wait.recv().unwrap();
        lease.ack();
    });
    let again = consumer.lease().unwrap();
    assert_eq!((*again, again.attempt()), (1, 2));
    go.send(()).unwrap();
    child.unwrap().join().unwrap();
    assert!(!consumer.join_timeout(MS), "it is ours now, and not done");
    again.ack();
    consumer.join();
}

fn too_large() {
    assert_eq!(queue::<u8>(0).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(queue::<u8>(usize::MAX).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(queue::<[u64; 1 << 20]>(1 << 20).unwrap_err().kind(), std::io::ErrorKind::OutOfMemory);
    queue::<u8>(1).unwrap();
}

fn laps() {
    let (producer, consumer) = queue::<u32>(1).unwrap();
    for n in 0..10_000 {
        producer.put(n).unwrap();
        assert_eq!(producer.try_put(n), Err(PutError::Full(n)));
        assert_eq!(consumer.get(), Ok(n));
    }
}

/// Panics when it is written if it is 13, and when it is read if it is 14.
#[derive(Debug, PartialEq)]
struct Moody(u32);

impl Message for Moody {
    const SLOT: usize = 4;

    fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
        assert_ne!(self.0, 13, "not to be written");
        self.0.encode(out)
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = u32::decode(from)?;
        assert_ne!(number, 14, "not to be read");
        if number == 99 { Err(DecodeError("not to be understood".into())) } else { Ok(Self(number)) }
    }
}

fn moody() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let (producer, consumer) = queue::<Moody>(2).unwrap();
    for n in 0..6 {
        catch_unwind(AssertUnwindSafe(|| producer.put(Moody(13)))).unwrap_err();
        producer.put(Moody(14)).unwrap();
        producer.put(Moody(n)).unwrap();
        if n % 2 == 0 {
            catch_unwind(AssertUnwindSafe(|| consumer.get())).unwrap_err();
        } else {
            catch_unwind(AssertUnwindSafe(|| consumer.lease().map(drop))).unwrap_err();
        }
        assert_eq!(consumer.get(), Ok(Moody(n)));
        consumer.join();
    }
    drop(producer);
    assert_eq!(consumer.get(), Err(GetError::Closed));
}

fn left_over() {
    for shut in [false, true] {
        let (producer, consumer) = queue::<(Blob<u64>, Moody)>(4).unwrap();
        for n in [1, 99, 2] {
            producer.put((Blob::zeroed(1000).unwrap(), Moody(n))).unwrap();
        }
        if shut {
            producer.shutdown(Shutdown::Immediate);
        }
        drop((producer, consumer));
        assert_eq!(blocks_in_use(), 0, "{shut}");
    }
}
