//! Operations as they must not be. If one of these passed, nothing else here would mean anything.

use std::os::fd::AsFd;

use pinring::prim::{AtomicU64, Ordering};
use pinring::ring::{Options, Overflow, ProducerCursor};

use crate::ground::{Left, Message, Shape, kill_everywhere, lane_words, slot_words};
use crate::kind::{Expected, Kind, Plain, go_on};
use crate::lapped;
use crate::step::Bench;
use crate::survivor::check_bell_of_producer;

/// Whether the harness finds that a broken operation is broken, and says so in these words.
fn is_caught(words: &str, broken: impl FnOnce()) -> bool {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(broken));
    std::panic::set_hook(hook);
    let Err(panic) = result else { return false };
    let said = panic.downcast_ref::<String>().cloned();
    let said = said.or_else(|| panic.downcast_ref::<&str>().map(|&said| said.to_owned())).unwrap_or_default();
    println!("    caught: {said}");
    said.contains(words)
}

fn write(slot: &[AtomicU64], number: u64) {
    for (word, value) in slot.iter().zip(Message::of(number)) {
        // ORDER(test.kill): one process writes, and is killed.
        word.store(value, Ordering::Relaxed);
    }
}

fn check(left: &Left<'_>, nexts: &[u64]) {
    let (mut tx, mut rx) = Plain::<Message>::attach(&left.revive());
    go_on::<Plain>((&mut tx, &mut rx), &Expected { capacity: 4, firsts: 0..=0, nexts: nexts.into() });
}

fn published_before_it_is_written() {
    let (tx, _rx) = Plain::<Message>::open(Options::new(4));
    let (words, slot) = (lane_words(tx.descriptor()), slot_words::<4>(tx.descriptor()));
    let operation = |_: &_| {
        ProducerCursor::attach(words, 4).publish(1);
        write(&*slot, 0);
    };
    kill_everywhere(tx.descriptor(), operation, |left| check(left, &[0, 1]));
}

fn published_one_by_one() {
    let (mut tx, _rx) = Plain::<Message>::open(Options::new(4));
    let fd = tx.descriptor().try_clone_to_owned().unwrap();
    let operation = |_: &_| (0..2).for_each(|number| assert!(Plain::<Message>::push(&mut tx, number)));
    kill_everywhere(fd.as_fd(), operation, |left| check(left, &[0, 2]));
}

fn said_but_not_done() {
    let (tx, _rx) = Plain::<Message>::open(Options::new(4));
    kill_everywhere(tx.descriptor(), |done| done.add(1), |left| check(left, &[left.done, 1]));
}

fn overwritten_without_a_word() {
    let (mut tx, _rx) = Plain::<Message>::open(Options::new(4).overflow(Overflow::DropOldest));
    (0..4).for_each(|number| assert!(Plain::<Message>::push(&mut tx, number)));
    let (words, slot) = (lane_words(tx.descriptor()), slot_words::<4>(tx.descriptor()));
    let operation = |_: &_| {
        write(&*slot, 4);
        let mut cursor = ProducerCursor::attach(words, 4);
        cursor.announce(1);
        cursor.publish(1);
    };
    kill_everywhere(tx.descriptor(), operation, |left| lapped::check_overwriter(left, 4, [4, 5]));
}

fn skipped_without_a_log() {
    let (mut tx, _rx) = Plain::<Message>::open(Options::new(4).overflow(Overflow::DropOldest));
    (0..6).for_each(|number| assert!(Plain::<Message>::push(&mut tx, number)));
    let words = lane_words(tx.descriptor());
    let operation = |_: &_| {
        for word in [&words.consumer.0.skipped, &words.consumer.0.head] {
            // ORDER(test.kill): one process writes, and is killed.
            word.store(2, Ordering::Relaxed);
        }
    };
    kill_everywhere(tx.descriptor(), operation, |left| lapped::check_reader(left, 4, 6));
}

fn recovered_without_a_bell() {
    let (mut tx, _rx) = Plain::<Message>::open(Options::new(4));
    let fd = tx.descriptor().try_clone_to_owned().unwrap();
    let operation = |_: &_| assert!(Plain::<Message>::push(&mut tx, 0));
    kill_everywhere(fd.as_fd(), operation, |left| check_bell_of_producer(left, 0, |_| {}));
}

fn taken_and_given_without_a_transaction() {
    let bench = Bench::new(0);
    let operation = |_: &_| {
        let (_, mut rx) = bench.ends(0);
        let (mut tx, _) = bench.ends(2);
        while let Some(number) = Plain::<Message>::pop(&mut rx) {
            rx.acknowledge();
            assert!(Plain::<Message>::push(&mut tx, number));
        }
    };
    kill_everywhere(bench.segment.as_fd(), operation, |left| {
        let copy = bench.on(left.revive());
        assert_eq!(copy.drained(0).len() + copy.drained(2).len(), 4, "lost or doubled");
    });
}

pub(crate) fn broken_operations_are_caught() {
    println!();
    let all: [(&str, fn()); 7] = [
        ("torn, or never written", published_before_it_is_written),
        ("the next would be 1", published_one_by_one),
        ("the next would be 0", said_but_not_done),
        ("torn, or never written", overwritten_without_a_word),
        ("counted once", skipped_without_a_log),
        ("sleeps on", recovered_without_a_bell),
        ("lost or doubled", taken_and_given_without_a_transaction),
    ];
    for (index, (words, broken)) in all.into_iter().enumerate() {
        assert!(is_caught(words, broken), "broken operation {index} was not caught, or not for {words:?}");
    }
}
