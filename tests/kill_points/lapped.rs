//! Rings that overwrite the oldest message, and those who look at them.

use std::os::fd::AsFd;

use pinring::ring::{Options, Overflow, TapError, attach_latest, attach_tap, latest};

use crate::ground::{
    Done, Left, Message, Points, STARTS, Shape, begin_at, happen, kill_everywhere, memory, report, revive,
};
use crate::kind::{Kind, Plain, drained};

fn options(capacity: usize, taps: bool) -> Options {
    let options = Options::new(capacity).overflow(Overflow::DropOldest);
    if taps { options.taps() } else { options }
}

/// Rings of each capacity and start, after 0 to 11 messages.
fn each_ring(taps: bool, mut act: impl FnMut(<Plain as Kind>::Tx, <Plain as Kind>::Rx, u64, u64)) {
    for capacity in [1, 2, 4] {
        for start in STARTS {
            for level in 0..12 {
                let (mut tx, rx) = Plain::<Message>::open(options(capacity as usize, taps));
                begin_at(tx.descriptor(), start);
                (0..level).for_each(|number| assert!(Plain::<Message>::push(&mut tx, number)));
                act(tx, rx, capacity, level);
            }
        }
    }
}

/// A drop-oldest ring goes on: it takes more than it holds, and what is left of that is the newest.
fn work_on((tx, rx): (&mut <Plain as Kind>::Tx, &mut <Plain as Kind>::Rx), capacity: u64, next: u64) {
    let before = rx.skipped();
    (next..next + 2 * capacity).for_each(|number| assert!(Plain::<Message>::push(tx, number)));
    let found = drained::<Plain>(rx);
    assert!(found.into_iter().eq(next + capacity..next + 2 * capacity), "not the newest");
    assert_eq!(rx.skipped() - before, capacity);
}

/// What a consumer finds: whole messages in order up to the newest, all others counted.
fn go_on((tx, rx): (&mut <Plain as Kind>::Tx, &mut <Plain as Kind>::Rx), capacity: u64, nexts: [u64; 2]) {
    let found = drained::<Plain>(rx);
    let next = found.last().map_or_else(|| rx.skipped(), |last| last + 1);
    assert!(nexts.contains(&next), "{found:?}, not up to one of {nexts:?}");
    assert_eq!(rx.skipped() + found.len() as u64, next, "unaccounted");
    assert!(found.iter().copied().eq(next - found.len() as u64..next), "a gap or a double: {found:?}");
    // The one slot whose overwriting was announced may have been spoilt; no other.
    assert!(found.len() as u64 + 1 >= capacity.min(next), "more is lost than was overwritten: {found:?}");
    work_on((tx, rx), capacity, next);
}

fn push_twice(tx: &mut <Plain as Kind>::Tx, level: u64, done: &Done) {
    for number in level..level + 2 {
        assert!(Plain::<Message>::push(tx, number));
        done.add(1);
    }
}

/// After a producer was killed.
pub(crate) fn check_overwriter(left: &Left<'_>, capacity: u64, nexts: [u64; 2]) {
    let (mut tx, mut rx) = Plain::<Message>::attach(&left.revive());
    go_on((&mut tx, &mut rx), capacity, nexts);
}

pub(crate) fn a_killed_overwriter_tears_nothing() {
    for taps in [false, true] {
        let mut points = Points::default();
        each_ring(taps, |mut tx, _rx, capacity, level| {
            let fd = tx.descriptor().try_clone_to_owned().unwrap();
            points += kill_everywhere(
                fd.as_fd(),
                |done| push_twice(&mut tx, level, done),
                |left| {
                    let nexts = [left.done, 2.min(left.done + 1)].map(|written| level + written);
                    check_overwriter(left, capacity, nexts);
                },
            );
        });
        report(if taps { "push, drop-oldest with taps" } else { "push, drop-oldest" }, points);
    }
}

/// What is left after a consumer was killed that popped `done` messages or was about to pop one more.
pub(crate) fn check_reader(left: &Left<'_>, capacity: u64, level: u64) {
    let (mut tx, mut rx) = Plain::<Message>::attach(&left.revive());
    let oldest = level.saturating_sub(capacity);
    let found = drained::<Plain>(&mut rx);
    let first = found.first().copied().unwrap_or(level);
    let firsts = [left.done, left.done + 1].map(|taken| level.min(oldest + taken));
    assert!(firsts.contains(&first), "the first is {first}, not one of {firsts:?}");
    assert!(found.iter().copied().eq(first..level), "a gap or a double: {found:?}");
    assert_eq!(rx.skipped(), oldest, "what was skipped is counted once");
    work_on((&mut tx, &mut rx), capacity, level);
}

pub(crate) fn a_killed_reader_of_a_drop_oldest_ring_counts_exactly() {
    for taps in [false, true] {
        let mut points = Points::default();
        each_ring(taps, |tx, mut rx, capacity, level| {
            let operation = |done: &Done| (0..2).for_each(|_| done.add(u64::from(rx.pop().is_ok())));
            points += kill_everywhere(tx.descriptor(), operation, |left| check_reader(left, capacity, level));
        });
        report(if taps { "pop, drop-oldest with taps" } else { "pop, drop-oldest" }, points);
    }
}

/// A tap that has looked on since the ring was empty sees whole messages in order, and counts the others.
fn check_old_tap(fresh: &[u8], left: &Left<'_>, capacity: u64, nexts: [u64; 2]) {
    let copy = revive(fresh);
    let mut tap = attach_tap::<Message>(copy.try_clone().unwrap()).unwrap();
    happen(&copy, left.bytes);
    let (mut next, mut seen) = (0, 0);
    loop {
        match tap.next() {
            Ok(message) => {
                assert_eq!(message.number(), next, "out of order");
                (next, seen) = (next + 1, seen + 1);
            }
            Err(TapError::Lapped(count)) => next += count,
            Err(TapError::Empty) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(nexts.contains(&next), "seen up to {next}, not one of {nexts:?}");
    assert!(seen + announced(capacity) >= capacity.min(next), "only {seen} seen");
}

/// How many slots a producer may have announced beyond what it wrote.
fn announced(capacity: u64) -> u64 {
    (capacity / 4).max(1)
}

/// A tap that begins now sees the newest, once there is one; and of a single slot nothing while that is overwritten.
fn check_new_tap(left: &Left<'_>, capacity: u64, nexts: [u64; 2]) {
    let newest = attach_tap::<Message>(left.revive()).unwrap().newest();
    match newest.map(|message| message.number()) {
        Some(number) => assert!(nexts.contains(&(number + 1)), "the newest is {number}, not before one of {nexts:?}"),
        None => assert!(nexts[0] == 0 || capacity == 1, "nothing to see"),
    }
}

pub(crate) fn a_tap_on_a_killed_producer_sees_whole_messages() {
    for (what, overflow) in [("a tap", Overflow::Block), ("a tap, drop-oldest", Overflow::DropOldest)] {
        let mut points = Points::default();
        for capacity in [1, 2, 4, 8] {
            for level in 0..12 {
                let (mut tx, mut rx) = Options::new(capacity).overflow(overflow).taps().open::<Message>().unwrap();
                let fd = tx.descriptor().try_clone_to_owned().unwrap();
                let fresh = memory(fd.as_fd());
                for number in 0..level {
                    assert!(Plain::<Message>::push(&mut tx, number));
                    assert!(overflow == Overflow::DropOldest || rx.pop().is_ok());
                }
                rx.acknowledge();
                // A ring of one slot that blocks takes one message only.
                let most = if overflow == Overflow::Block { 2.min(capacity as u64) } else { 2 };
                let operation = |done: &Done| {
                    for number in level..level + most {
                        assert!(Plain::<Message>::push(&mut tx, number));
                        done.add(1);
                    }
                };
                points += kill_everywhere(fd.as_fd(), operation, |left| {
                    let nexts = [left.done, most.min(left.done + 1)].map(|written| level + written);
                    check_old_tap(&fresh, left, capacity as u64, nexts);
                    check_new_tap(left, capacity as u64, nexts);
                });
            }
        }
        report(what, points);
    }
}

pub(crate) fn the_latest_value_outlives_its_writer() {
    let mut points = Points::default();
    for level in 0..32 {
        let (mut writer, _reader) = latest::<Message>().unwrap();
        (0..level).for_each(|number| assert!(Plain::<Message>::push(&mut writer, number)));
        let fd = writer.descriptor().try_clone_to_owned().unwrap();
        let operation = |done: &Done| {
            for number in level..level + 4 {
                assert!(Plain::<Message>::push(&mut writer, number));
                done.add(1);
            }
        };
        points += kill_everywhere(fd.as_fd(), operation, |left| {
            let written = [left.done, 4.min(left.done + 1)].map(|count| level + count);
            let value = attach_latest::<Message>(left.revive()).unwrap().get();
            let next = value.map_or(0, |value| value.number() + 1);
            assert!(written.contains(&next), "the value is that before {next}, not before one of {written:?}");
        });
    }
    report("the latest value", points);
}
