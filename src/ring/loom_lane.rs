//! Loom models of the lane's protocols, run over the source that ships:
//! `RUSTFLAGS="--cfg loom" cargo test --release --lib loom`.
//!
//! Slots are loom cells here (an mmap cannot hold them); the words and cursors are the real ones.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread;

use super::{AWAKE, ConsumerCursor, IntentWords, LaneWords, ProducerCursor, Transaction};
use crate::prim::{AtomicU64, Ordering, fence};

pub(super) fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(run);
}

pub(super) fn words() -> Arc<LaneWords> {
    let words = LaneWords::default();
    // ORDER(test.loom): before any thread.
    words.data_at.0.store(AWAKE, Ordering::Relaxed);
    // ORDER(test.loom): before any thread.
    words.space_at.0.store(AWAKE, Ordering::Relaxed);
    Arc::new(words)
}

struct Slots([UnsafeCell<u64>; 2]);

impl Slots {
    fn new() -> Arc<Self> {
        Arc::new(Self([UnsafeCell::new(0), UnsafeCell::new(0)]))
    }

    #[allow(unsafe_code)]
    fn put(&self, position: u64, value: u64) {
        // SAFETY: loom checks that nobody else is at the cell: that is what the model is for.
        self.0[(position & 1) as usize].with_mut(|cell| unsafe { *cell = value });
    }

    #[allow(unsafe_code)]
    fn get(&self, position: u64) -> u64 {
        // SAFETY: as in `put`.
        self.0[(position & 1) as usize].with(|cell| unsafe { *cell })
    }
}

#[test]
fn loom_what_is_pushed_is_popped_and_slots_are_never_shared() {
    model(|| {
        let (words, slots) = (words(), Slots::new());
        let (their_words, their_slots) = (Arc::clone(&words), Arc::clone(&slots));
        let producer = thread::spawn(move || {
            let mut cursor = ProducerCursor::attach(their_words, 2);
            for value in 1..=3 {
                while cursor.room(1).unwrap() == 0 {
                    thread::yield_now();
                }
                their_slots.put(cursor.position(), value);
                cursor.publish(1);
            }
        });
        let mut cursor = ConsumerCursor::attach(words, 2);
        for value in 1..=3 {
            while cursor.available(1).unwrap() == 0 {
                thread::yield_now();
            }
            assert_eq!(slots.get(cursor.position()), value);
            cursor.release(1);
        }
        producer.join().unwrap();
    });
}

/// The consumer gives back each slot at once, and says so elsewhere only now and then: there the producer looks first.
#[test]
fn loom_a_position_learned_elsewhere_is_as_good_as_the_consumers_own() {
    model(|| {
        let (words, slots, told) = (words(), Slots::new(), Arc::new(AtomicU64::new(0)));
        let (their_words, their_slots, their_told) = (Arc::clone(&words), Arc::clone(&slots), Arc::clone(&told));
        let producer = thread::spawn(move || {
            let mut cursor = ProducerCursor::attach(their_words, 2);
            for value in 1..=4 {
                // ORDER(test.loom): Acquire, as the queue's `told`.
                while cursor.learn(their_told.load(Ordering::Acquire)).unwrap() == 0 && cursor.room(1).unwrap() == 0 {
                    thread::yield_now();
                }
                their_slots.put(cursor.position(), value);
                cursor.publish(1);
            }
        });
        let mut cursor = ConsumerCursor::attach(words, 2);
        for value in 1..=4 {
            while cursor.available(1).unwrap() == 0 {
                thread::yield_now();
            }
            assert_eq!(slots.get(cursor.position()), value);
            cursor.release(1);
            cursor.acknowledge();
            if value % 2 == 1 {
                // ORDER(test.loom): Release, as the queue's `told`.
                told.store(cursor.position(), Ordering::Release);
            }
        }
        producer.join().unwrap();
    });
}

#[test]
fn loom_closed_and_empty_is_the_end() {
    model(|| {
        let words = words();
        let theirs = Arc::clone(&words);
        let producer = thread::spawn(move || {
            let mut cursor = ProducerCursor::attach(theirs, 2);
            cursor.publish(1);
            cursor.close();
        });
        let mut cursor = ConsumerCursor::attach(words, 2);
        while !cursor.is_closed() {
            thread::yield_now();
        }
        assert_eq!(cursor.available(1).unwrap(), 1, "the last message was published before the end");
        producer.join().unwrap();
    });
}

/// A bell: whether it was rung.
type Bell = Arc<AtomicBool>;

#[test]
fn loom_a_consumer_that_sleeps_is_woken() {
    model(|| {
        let (words, bell): (_, Bell) = (words(), Arc::new(AtomicBool::new(false)));
        let (theirs, rope) = (Arc::clone(&words), Arc::clone(&bell));
        let producer = thread::spawn(move || {
            let mut cursor = ProducerCursor::attach(theirs, 2);
            cursor.publish(1);
            // ORDER(data_at): as in the worker's loop.
            fence(Ordering::SeqCst);
            if cursor.consumer_wants_bell() {
                // ORDER(test.loom): the kernel orders an eventfd.
                rope.store(true, Ordering::SeqCst);
            }
        });
        let mut cursor = ConsumerCursor::attach(words, 2);
        cursor.sleep_until(1);
        // ORDER(data_at): as in the worker's loop.
        fence(Ordering::SeqCst);
        let sleeps = cursor.available(1).unwrap() == 0;
        producer.join().unwrap();
        // ORDER(test.loom): the kernel orders an eventfd.
        assert!(!sleeps || bell.load(Ordering::SeqCst), "asleep for ever");
    });
}

#[test]
fn loom_a_producer_that_sleeps_is_woken() {
    model(|| {
        let (words, bell): (_, Bell) = (words(), Arc::new(AtomicBool::new(false)));
        let mut producer = ProducerCursor::attach(Arc::clone(&words), 2);
        producer.publish(2);
        let (theirs, rope) = (words, Arc::clone(&bell));
        let consumer = thread::spawn(move || {
            let mut cursor = ConsumerCursor::attach(theirs, 2);
            cursor.release(1);
            // ORDER(space_at): as in the worker's loop.
            fence(Ordering::SeqCst);
            if cursor.producer_wants_bell() {
                // ORDER(test.loom): the kernel orders an eventfd.
                rope.store(true, Ordering::SeqCst);
            }
        });
        producer.sleep_until(1);
        // ORDER(space_at): as in the worker's loop.
        fence(Ordering::SeqCst);
        let sleeps = producer.room(1).unwrap() == 0;
        consumer.join().unwrap();
        // ORDER(test.loom): the kernel orders an eventfd.
        assert!(!sleeps || bell.load(Ordering::SeqCst), "asleep for ever");
    });
}

#[test]
fn loom_an_overwritten_copy_is_never_taken_for_valid() {
    model(|| {
        // One slot of two words, overwritten while it is read.
        let words = words();
        let slot = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let write = |slot: &[AtomicU64; 2], value| {
            // ORDER(reserved): Relaxed, behind the announcement, as in `write_racing`.
            slot[0].store(value, Ordering::Relaxed);
            // ORDER(reserved): as above.
            slot[1].store(value, Ordering::Relaxed);
        };
        let mut producer = ProducerCursor::attach(Arc::clone(&words), 1);
        producer.announce(1);
        write(&slot, 1);
        producer.publish(1);
        let theirs = Arc::clone(&slot);
        let overwriter = thread::spawn(move || {
            producer.announce(1);
            write(&theirs, 2);
            producer.publish(1);
        });
        let mut cursor = ConsumerCursor::attach(words, 1);
        let (first, count) = cursor.available_or_lapped();
        // ORDER(reserved): Relaxed, before the check's fence, as in `copy_racing`.
        let copy = [slot[0].load(Ordering::Relaxed), slot[1].load(Ordering::Relaxed)];
        if count > 0 && cursor.still_valid(first) {
            assert_eq!(copy, [first + 1; 2], "torn or of another position");
        }
        overwriter.join().unwrap();
    });
}

#[test]
fn loom_a_commit_is_seen_payload_first() {
    model(|| {
        let (words, slots) = (words(), Slots::new());
        let (their_words, their_slots) = (Arc::clone(&words), Arc::clone(&slots));
        let producer = thread::spawn(move || {
            struct Tail(Arc<LaneWords>);
            impl std::ops::Deref for Tail {
                type Target = AtomicU64;
                fn deref(&self) -> &AtomicU64 {
                    &self.0.producer.0.tail
                }
            }
            let intent = Arc::new(IntentWords::default());
            let (mut step, _) = Transaction::recover(intent, vec![Tail(their_words)]);
            their_slots.put(0, 7);
            step.set(0, 1);
            step.commit();
        });
        let mut cursor = ConsumerCursor::attach(words, 2);
        // Looking once is not enough: loom does not come back to a look that nothing depends on.
        while cursor.available(1).unwrap() == 0 {
            thread::yield_now();
        }
        assert_eq!(slots.get(0), 7);
        producer.join().unwrap();
    });
}

/// A producer has announced a batch, spoilt some of it, and died; its successor writes less at once.
#[test]
fn loom_an_announcement_outlives_its_author() {
    model(|| {
        let words = words();
        ProducerCursor::attach(Arc::clone(&words), 4).announce(3);
        let mut next = ProducerCursor::attach(Arc::clone(&words), 4);
        next.announce(1);
        // ORDER(test.loom): one thread.
        assert_eq!(words.producer.0.reserved.load(Ordering::Relaxed), 3, "spoilt slots look whole");
    });
}
