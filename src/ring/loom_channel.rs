//! Loom models of the two ends of a ring, of taps, the latest value and lines. The ends are those that ship; only the
//! memory is the model checker's.

use loom::sync::Arc;
use loom::thread;

use super::bell::Bell;
use super::consumer_end::ConsumerEnd;
use super::fault::PopError;
use super::fences::Fences;
use super::loom_lane::{model, words};
use super::loom_store::{LoomStore, Message};
use super::marked::Marked;
use super::producer_end::ProducerEnd;
use super::settings::{Overflow, Settings, Wait};
use super::store::Store;
use super::tap::{TapEnd, TapError};
use super::{ConsumerCursor, LaneWords, ProducerCursor};

type Tx<S> = ProducerEnd<Arc<LaneWords>, S>;
type Rx<S> = ConsumerEnd<Arc<LaneWords>, S>;

const CAPACITY: u64 = 2;

fn settings(overflow: Overflow, announce: u64) -> Settings {
    Settings { overflow, wait: Wait::Sleep, peer_sleeps: true, announce, fences: Fences::Both }
}

fn tx<S: Store>(words: &Arc<LaneWords>, slots: S, settings: Settings, capacity: u64) -> Tx<S> {
    let cursor = ProducerCursor::attach(Arc::clone(words), capacity);
    let is_plain = !settings.races();
    ProducerEnd { cursor, slots, settings, data: Bell::Futex, space: Bell::Futex, capacity, is_owner: true, is_plain }
}

fn rx<S: Store>(words: &Arc<LaneWords>, slots: S, settings: Settings, capacity: u64) -> Rx<S> {
    let cursor = ConsumerCursor::attach(Arc::clone(words), capacity);
    let is_plain = settings.overflow != Overflow::DropOldest;
    ConsumerEnd { cursor, slots, settings, data: Bell::Futex, space: Bell::Futex, capacity, is_owner: true, is_plain }
}

fn ends(settings: Settings, capacity: u64) -> (Tx<LoomStore>, Rx<LoomStore>, Arc<LaneWords>, LoomStore) {
    let (words, slots) = (words(), LoomStore::new(capacity as usize));
    (tx(&words, slots.clone(), settings, capacity), rx(&words, slots.clone(), settings, capacity), words, slots)
}

fn pop<S: Store>(rx: &mut Rx<S>) -> Option<u64> {
    match rx.pop::<Message>() {
        Ok([one, other]) => {
            assert_eq!(one, other, "torn");
            Some(one)
        }
        Err(PopError::Empty | PopError::Closed) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Both ends sleep whenever they can, and every wake-up is needed: a ring of one slot.
#[test]
fn loom_sleeping_ends_wake_each_other() {
    model(|| {
        let (mut tx, mut rx, ..) = ends(settings(Overflow::Block, 0), 1);
        let producer = thread::spawn(move || {
            (1..=2u64).for_each(|value| tx.send([value; 2]).unwrap());
            tx
        });
        (1..=2).for_each(|value| assert_eq!(rx.recv::<Message>(None).unwrap(), [value; 2]));
        drop(producer.join().unwrap());
    });
}

#[test]
fn loom_a_closed_end_wakes_the_sleeper() {
    model(|| {
        let (mut tx, mut rx, ..) = ends(settings(Overflow::Block, 0), 1);
        let producer = thread::spawn(move || {
            tx.push([1u64; 2]).unwrap();
            tx.cursor.close();
            tx.settings.fences.published();
            tx.data.ring(&tx.cursor.words().producer.0.rings);
        });
        assert_eq!(rx.recv::<Message>(None).unwrap(), [1; 2]);
        assert!(matches!(rx.recv::<Message>(None), Err(PopError::Closed)));
        producer.join().unwrap();
    });
}

/// Four slots, so that positions are acknowledged two at a time; the ring goes round.
#[test]
fn loom_slots_given_back_late_are_never_shared() {
    model(|| {
        let (mut tx, mut rx, ..) = ends(settings(Overflow::Block, 0), 4);
        let producer = thread::spawn(move || {
            let mut value = 1u64;
            while value <= 5 {
                if tx.push([value; 2]).unwrap() {
                    value += 1;
                } else {
                    thread::yield_now();
                }
            }
        });
        let mut next = 1;
        while next <= 5 {
            match pop(&mut rx) {
                Some(value) => {
                    assert_eq!(value, next);
                    next += 1;
                }
                None => thread::yield_now(),
            }
        }
        producer.join().unwrap();
    });
}

/// Two messages published by one store, and read before either is given back.
#[test]
fn loom_a_batch_is_seen_whole_or_as_a_prefix() {
    model(|| {
        let (mut tx, mut rx, ..) = ends(settings(Overflow::Block, 0), CAPACITY);
        let producer = thread::spawn(move || {
            for round in 0..2u64 {
                while tx.cursor.room(2).unwrap() < 2 {
                    thread::yield_now();
                }
                let position = tx.cursor.position();
                tx.slots.put(position, [2 * round + 1; 2]);
                tx.slots.put(position + 1, [2 * round + 2; 2]);
                tx.publish(2);
            }
        });
        let mut next = 1;
        while next <= 4 {
            let count = rx.waiting(2).unwrap();
            if count == 0 {
                thread::yield_now();
                continue;
            }
            for offset in 0..count {
                let message: Message = rx.slots.get(rx.cursor.position() + offset);
                assert_eq!(message, [next; 2]);
                next += 1;
            }
            rx.release(count);
            rx.acknowledge();
        }
        producer.join().unwrap();
    });
}

#[test]
fn loom_drop_newest_counts_what_it_refuses() {
    model(|| {
        let (mut tx, mut rx, words, _) = ends(settings(Overflow::DropNewest, 0), 1);
        let producer = thread::spawn(move || (1..=3u64).for_each(|value| assert!(tx.push([value; 2]).unwrap())));
        let mut seen: Vec<u64> = pop(&mut rx).into_iter().collect();
        producer.join().unwrap();
        seen.extend(pop(&mut rx));
        assert!(seen.is_sorted());
        // ORDER(test.loom): the writer has ended.
        let dropped = words.producer.0.dropped.load(crate::prim::Ordering::Relaxed);
        assert_eq!(seen.len() as u64 + dropped, 3);
    });
}

#[test]
fn loom_drop_oldest_tears_nothing_and_counts_what_it_overwrote() {
    model(|| {
        let (mut tx, mut rx, words, _) = ends(settings(Overflow::DropOldest, 0), CAPACITY);
        let producer = thread::spawn(move || (1..=4u64).for_each(|value| assert!(tx.push([value; 2]).unwrap())));
        let mut seen: Vec<u64> = pop(&mut rx).into_iter().collect();
        producer.join().unwrap();
        seen.extend(std::iter::from_fn(|| pop(&mut rx)));
        assert!(seen.is_sorted() && seen.last() == Some(&4), "{seen:?}");
        // ORDER(test.loom): our own word.
        let skipped = words.consumer.0.skipped.load(crate::prim::Ordering::Relaxed);
        assert_eq!(seen.len() as u64 + skipped, 4);
    });
}

#[test]
fn loom_a_tap_sees_no_torn_message_and_counts_what_it_missed() {
    model(|| {
        let (mut tx, _rx, words, slots) = ends(settings(Overflow::DropOldest, 0), CAPACITY);
        let mut tap = TapEnd::new(words, slots, CAPACITY);
        let producer = thread::spawn(move || {
            (1..=3u64).for_each(|value| assert!(tx.push([value; 2]).unwrap()));
            tx.cursor.close();
        });
        assert_eq!(watch(&mut tap), 3);
        producer.join().unwrap();
    });
}

/// Looks until the end; how many messages there were, seen or missed.
fn watch(tap: &mut TapEnd<Arc<LaneWords>, LoomStore>) -> u64 {
    let mut count = 0;
    loop {
        match tap.next::<Message>() {
            Ok(value) => {
                count += 1;
                assert_eq!(value, [count; 2]);
            }
            Err(TapError::Lapped(missed)) => count += missed,
            Err(TapError::Empty) => thread::yield_now(),
            Err(TapError::Closed) => return count,
        }
    }
}

/// A ring whose producer waits for its consumer, and announces several slots at once for the tap's sake.
#[test]
fn loom_a_tap_beside_a_consumer_sees_no_torn_message() {
    model(|| {
        let (mut tx, mut rx, words, slots) = ends(settings(Overflow::Block, 2), CAPACITY);
        rx.slots = slots.clone();
        let mut tap = TapEnd::new(words, slots.clone(), CAPACITY);
        let producer = thread::spawn(move || {
            for value in 1..=3u64 {
                // The consumer's part, done here so that the model stays small: everything but the newest is given back.
                while !tx.push([value; 2]).unwrap() {
                    rx.waiting(2).unwrap();
                    rx.release(1);
                    rx.acknowledge();
                }
            }
            tx.cursor.close();
        });
        assert_eq!(watch(&mut tap), 3);
        producer.join().unwrap();
    });
}

#[test]
fn loom_the_latest_value_is_whole_and_no_older_than_one_seen() {
    model(|| {
        let (mut tx, _rx, words, slots) = ends(settings(Overflow::DropOldest, 0), 4);
        let mut tap = TapEnd::new(words, slots, 4);
        let writer = thread::spawn(move || (1..=2u64).for_each(|value| assert!(tx.push([value; 2]).unwrap())));
        let mut last = 0;
        for _ in 0..2 {
            if let Some([one, other]) = tap.newest::<Message>() {
                assert!(one == other && one >= last);
                last = one;
            }
        }
        writer.join().unwrap();
        assert_eq!(tap.newest::<Message>(), Some([2; 2]));
    });
}

fn line(capacity: u64) -> (Tx<Marked<LoomStore>>, Rx<Marked<LoomStore>>) {
    let (words, slots, settings) = (words(), LoomStore::new(capacity as usize), settings(Overflow::Block, 0));
    (tx(&words, Marked(slots.clone()), settings, capacity), rx(&words, Marked(slots), settings, capacity))
}

#[test]
fn loom_a_line_carries_its_message_with_its_mark() {
    model(|| {
        let (mut tx, mut rx) = line(1);
        let producer = thread::spawn(move || {
            (1..=2u64).for_each(|value| tx.send([value; 2]).unwrap());
            tx
        });
        (1..=2).for_each(|value| assert_eq!(rx.recv::<Message>(None).unwrap(), [value; 2]));
        drop(producer.join().unwrap());
    });
}

/// The producer has died between its publication and its bell; the consumer sleeps. Its successor rings.
#[test]
fn loom_a_successor_rings_for_the_dead() {
    model(|| {
        let (mut dead, mut rx, words, slots) = ends(settings(Overflow::Block, 0), 1);
        let producer = thread::spawn(move || {
            dead.slots.put(0, [1u64; 2]);
            dead.cursor.publish(1);
            let mut next = tx(&words, slots, settings(Overflow::Block, 0), 1);
            next.is_owner = false;
            next.claim().unwrap();
            assert_eq!(next.cursor.position(), 1);
        });
        assert_eq!(rx.recv::<Message>(None).unwrap(), [1; 2]);
        producer.join().unwrap();
    });
}

/// The same on the other side: the consumer has died between giving a slot back and its bell.
#[test]
fn loom_a_consumers_successor_rings_for_the_dead() {
    model(|| {
        let (mut tx, mut dead, words, slots) = ends(settings(Overflow::Block, 0), 1);
        tx.push([1u64; 2]).unwrap();
        let consumer = thread::spawn(move || {
            assert_eq!(dead.cursor.available(1).unwrap(), 1);
            dead.cursor.release(1);
            dead.cursor.acknowledge();
            let mut next = rx(&words, slots, settings(Overflow::Block, 0), 1);
            next.is_owner = false;
            next.claim().unwrap();
        });
        tx.send([2u64; 2]).unwrap();
        consumer.join().unwrap();
    });
}

/// A consumer that runs dry and then does something else has given back all that it read, and said so.
#[test]
fn loom_whoever_waits_for_an_empty_ring_is_woken_by_the_last_read() {
    model(|| {
        let (mut tx, mut rx, ..) = ends(settings(Overflow::Block, 0), 4);
        (1..=3u64).for_each(|value| assert!(tx.push([value; 2]).unwrap()));
        let consumer = thread::spawn(move || {
            (1..=3).for_each(|value| assert_eq!(pop(&mut rx), Some(value)));
            assert_eq!(pop(&mut rx), None);
        });
        assert!(tx.wait_for_room(4, None).unwrap());
        consumer.join().unwrap();
    });
}
