//! Ends of rings whose producer waits, or drops the newest, when they are full.

use std::time::Duration;

use pinring::ring::{Options, Overflow, Producer};

use crate::ground::{Done, Left, Message, Points, Shape, kill_everywhere, report};
use crate::kind::{Expected, Filled, Kind, Line, Plain, each_ring, go_on};

/// Waits that are over before they have begun: the way to sleep and back is walked all the same.
const AT_ONCE: Duration = Duration::from_nanos(1);

/// Goes on with both ends anew.
fn recover<K: Kind>(left: &Left<'_>, expected: &Expected) -> u64 {
    let fd = left.revive();
    let (mut tx, mut rx) = K::attach(&fd);
    go_on::<K>((&mut tx, &mut rx), expected)
}

/// Kills a producer that does `operation`, which writes as many messages as there is room for, at most `most`, by calls of at
/// most `each`. What a call that has returned wrote is there; what one under way writes is there or not, as a whole.
fn producer_is_killed<K: Kind>(
    what: &str,
    options: impl Fn(usize) -> Options,
    (most, each): (u64, u64),
    operation: impl Fn(&mut K::Tx, &Filled, &Done),
) {
    let mut points = Points::default();
    each_ring::<K>(options, |mut tx, _rx, ring| {
        let all = most.min(ring.room());
        let fd = K::fd(&tx).try_clone_to_owned().unwrap();
        points += kill_everywhere(
            std::os::fd::AsFd::as_fd(&fd),
            |done| operation(&mut tx, &ring, done),
            |left| {
                let nexts = [left.done, all.min(left.done + each)].map(|written| ring.next() + written);
                recover::<K>(left, &Expected { capacity: ring.capacity, firsts: 3..=3, nexts: nexts.into() });
            },
        );
    });
    report(what, points);
}

fn push<K: Kind>(tx: &mut K::Tx, ring: &Filled, done: &Done) {
    done.add(u64::from(K::push(tx, ring.next())));
}

/// Ends the use of an end as its owner would; the one behind the reference is never used again, since the process ends here.
fn close<E>(end: &mut E) {
    // SAFETY: read once and never used again: the child ends after the operation, without a look at what its parent gave it.
    drop(unsafe { std::ptr::read(end) });
}

pub(crate) fn a_killed_push_is_there_or_not() {
    let tapped = |capacity| Options::new(capacity).taps();
    producer_is_killed::<Plain>("push", Options::new, (1, 1), push::<Plain>);
    producer_is_killed::<Plain>("push with taps", tapped, (1, 1), push::<Plain>);
    producer_is_killed::<Line>("push into a line", Options::new, (1, 1), push::<Line>);
    producer_is_killed::<Plain<[u8; 13]>>("push of 13 bytes", Options::new, (1, 1), push::<Plain<[u8; 13]>>);
    producer_is_killed::<Plain<[u8; 13]>>("push of 13 bytes with taps", tapped, (1, 1), push::<Plain<[u8; 13]>>);
    producer_is_killed::<Plain<[u64; 40]>>("push of 320 bytes", Options::new, (1, 1), push::<Plain<[u64; 40]>>);
}

pub(crate) fn a_killed_send_is_there_or_not() {
    producer_is_killed::<Plain>("send", Options::new, (2, 1), |tx, ring, done| {
        for number in ring.next()..ring.next() + ring.room().min(2) {
            tx.send(Message::of(number)).unwrap();
            done.add(1);
        }
    });
    producer_is_killed::<Line>("send into a line", Options::new, (2, 1), |tx, ring, done| {
        for number in ring.next()..ring.next() + ring.room().min(2) {
            tx.send(Message::of(number)).unwrap();
            done.add(1);
        }
    });
    producer_is_killed::<Plain>("wait for room, then push", Options::new, (1, 1), |tx, ring, done| {
        if tx.wait_for_room(1, Some(AT_ONCE)).unwrap() {
            push::<Plain>(tx, ring, done);
        }
    });
}

fn push_slice(tx: &mut Producer<Message>, ring: &Filled, done: &Done) {
    let messages = [0, 1, 2].map(|offset| Message::of(ring.next() + offset));
    done.add(tx.push_slice(&messages).unwrap() as u64);
}

pub(crate) fn a_killed_batch_is_there_as_a_whole_or_not() {
    producer_is_killed::<Plain>("push_slice", Options::new, (3, 3), push_slice);
    producer_is_killed::<Plain>("reserve and commit", Options::new, (2, 2), |tx, ring, done| {
        let mut reserved = tx.reserve(2).unwrap();
        let count = reserved.len();
        let (first, second) = reserved.as_mut_slices();
        first.iter_mut().chain(second).zip(ring.next()..).for_each(|(slot, number)| *slot = Message::of(number));
        reserved.commit(count);
        done.add(count as u64);
    });
}

pub(crate) fn a_killed_close_takes_nothing_with_it() {
    producer_is_killed::<Plain>("close of a producer", Options::new, (0, 0), |tx, _, _| close(tx));
    producer_is_killed::<Line>("close of a line's producer", Options::new, (0, 0), |tx, _, _| close(tx));
    producer_is_killed::<Plain>("push twice, close", Options::new, (2, 1), |tx, ring, done| {
        for number in ring.next()..ring.next() + 2 {
            // Full at some levels.
            done.add(u64::from(Plain::<Message>::push(tx, number)));
        }
        close(tx);
    });
    consumer_is_killed::<Plain>("close of a consumer", Options::new, (0, 0), |rx, _, _| close(rx));
    consumer_is_killed::<Plain>("pop until empty, close", Options::new, (16, 1), |rx, _, done| {
        while rx.pop().is_ok() {
            done.add(1);
        }
        close(rx);
    });
}

/// Kills a consumer that takes as many messages as there are, at most `most`, by calls of at most `each`. What was not yet read is
/// there; what was read may come again, as far as it need not have been given back.
fn consumer_is_killed<K: Kind>(
    what: &str,
    options: impl Fn(usize) -> Options,
    (most, each): (u64, u64),
    operation: impl Fn(&mut K::Rx, &Filled, &Done),
) {
    let mut points = Points::default();
    each_ring::<K>(options, |tx, mut rx, ring| {
        let all = most.min(ring.level);
        points += kill_everywhere(
            K::fd(&tx),
            |done| operation(&mut rx, &ring, done),
            |left| {
                // Promised: no more than a quarter of the ring comes again.
                let firsts = 3 + left.done.saturating_sub(ring.capacity / 4)..=3 + all.min(left.done + each);
                recover::<K>(left, &Expected { capacity: ring.capacity, firsts, nexts: vec![ring.next()] });
            },
        );
    });
    report(what, points);
}

fn pop<K: Kind>(rx: &mut K::Rx, _: &Filled, done: &Done) {
    done.add(u64::from(K::pop(rx).is_some()));
}

pub(crate) fn a_killed_pop_loses_nothing() {
    let tapped = |capacity| Options::new(capacity).taps();
    let newest = |capacity| Options::new(capacity).overflow(Overflow::DropNewest);
    consumer_is_killed::<Plain>("pop", Options::new, (1, 1), pop::<Plain>);
    consumer_is_killed::<Plain>("pop with taps", tapped, (1, 1), pop::<Plain>);
    consumer_is_killed::<Plain>("pop, drop-newest", newest, (1, 1), pop::<Plain>);
    consumer_is_killed::<Line>("pop from a line", Options::new, (1, 1), pop::<Line>);
    consumer_is_killed::<Plain<[u8; 13]>>("pop of 13 bytes", Options::new, (1, 1), pop::<Plain<[u8; 13]>>);
    consumer_is_killed::<Plain<[u64; 40]>>("pop of 320 bytes", Options::new, (1, 1), pop::<Plain<[u64; 40]>>);
    consumer_is_killed::<Plain>("recv", Options::new, (2, 1), |rx, ring, done| {
        for _ in 0..ring.level.min(2) {
            rx.recv().unwrap().number();
            done.add(1);
        }
    });
    consumer_is_killed::<Plain>("recv with a timeout", Options::new, (1, 1), |rx, _, done| {
        done.add(u64::from(rx.recv_timeout(AT_ONCE).is_ok()));
    });
    consumer_is_killed::<Line>("recv from a line with a timeout", Options::new, (1, 1), |rx, _, done| {
        done.add(u64::from(rx.recv_timeout(AT_ONCE).is_ok()));
    });
}

pub(crate) fn a_killed_reader_of_many_loses_nothing() {
    consumer_is_killed::<Plain>("pop_slice", Options::new, (3, 3), |rx, _, done| {
        done.add(rx.pop_slice(&mut [[0; 4]; 3]).unwrap() as u64);
    });
    consumer_is_killed::<Plain>("peek and release", Options::new, (2, 2), |rx, _, done| {
        if let Ok(batch) = rx.peek(3) {
            let count = batch.len().min(2);
            batch.release(count);
            done.add(count as u64);
        }
    });
    acknowledged_stays_acknowledged();
}

/// Of what was acknowledged nothing comes again.
fn acknowledged_stays_acknowledged() {
    let mut points = Points::default();
    each_ring::<Plain>(Options::new, |tx, mut rx, ring| {
        let all = ring.level.min(2);
        (0..all).for_each(|_| drop(rx.pop()));
        let operation = |done: &Done| {
            rx.acknowledge();
            done.add(all);
        };
        points += kill_everywhere(tx.descriptor(), operation, |left| {
            let firsts = 3 + left.done..=3 + all;
            recover::<Plain>(left, &Expected { capacity: ring.capacity, firsts, nexts: vec![ring.next()] });
        });
    });
    report("acknowledge", points);
}

/// Every message is stored or counted as dropped, in its turn.
pub(crate) fn what_a_killed_producer_drops_is_counted() {
    drops_are_counted("push, drop-newest", (3, 1), false, |tx, ring, done| {
        for number in ring.next()..ring.next() + 3 {
            assert!(Plain::<Message>::push(tx, number));
            done.add(1);
        }
    });
    drops_are_counted("push, drop-newest with taps", (3, 1), true, |tx, ring, done| {
        for number in ring.next()..ring.next() + 3 {
            assert!(Plain::<Message>::push(tx, number));
            done.add(1);
        }
    });
    drops_are_counted("push_slice, drop-newest", (3, 3), false, push_slice);
}

fn drops_are_counted(
    what: &str,
    (most, each): (u64, u64),
    taps: bool,
    operation: impl Fn(&mut Producer<Message>, &Filled, &Done),
) {
    let options = |capacity| {
        let options = Options::new(capacity).overflow(Overflow::DropNewest);
        if taps { options.taps() } else { options }
    };
    let mut points = Points::default();
    each_ring::<Plain>(options, |mut tx, _rx, ring| {
        let stored = most.min(ring.room());
        let fd = tx.descriptor().try_clone_to_owned().unwrap();
        let check = |left: &Left<'_>| {
            let copy = left.revive();
            let (mut tx, mut rx) = Plain::<Message>::attach(&copy);
            let dropped = tx.dropped();
            let nexts = (ring.next()..=ring.next() + stored).collect();
            let expected = Expected { capacity: ring.capacity, firsts: 3..=3, nexts };
            let written = go_on::<Plain>((&mut tx, &mut rx), &expected) - ring.next();
            assert!(dropped == 0 || written == stored, "dropped while there was room");
            let range = left.done..=(left.done + each).min(most);
            assert!(range.contains(&(written + dropped)), "{written} stored and {dropped} dropped, not {range:?}");
        };
        points += kill_everywhere(std::os::fd::AsFd::as_fd(&fd), |done| operation(&mut tx, &ring, done), check);
    });
    report(what, points);
}
