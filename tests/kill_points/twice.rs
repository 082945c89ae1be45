//! Whoever recovers is killed, too: at every instruction from its first use of the end on.

use std::cell::RefCell;
use std::os::fd::AsFd;

use pinring::ring::{Options, Overflow};

use crate::ground::{Done, Left, Message, Points, STARTS, begin_at, kill_everywhere, report, revive};
use crate::kind::{Expected, Kind, Line, Plain, drained, go_on};

/// All that `operation` leaves when it is killed, each once.
pub(crate) fn all_left(fd: std::os::fd::BorrowedFd<'_>, operation: impl FnOnce(&Done)) -> Vec<Vec<u8>> {
    let all = RefCell::new(Vec::new());
    kill_everywhere(fd, operation, |left| all.borrow_mut().push(left.bytes.to_vec()));
    let mut all = all.into_inner();
    all.sort();
    all.dedup();
    all
}

const CAPACITY: u64 = 4;

/// A ring after `level` messages, at each start and level.
fn each_ring<K: Kind>(overflow: Overflow, levels: u64, mut act: impl FnMut(K::Tx, K::Rx, u64)) {
    for start in STARTS {
        for level in 0..=levels {
            let (mut tx, mut rx) = K::open(Options::new(CAPACITY as usize).overflow(overflow));
            if start > 0 {
                // Once around before: a line's slots must not be fresh, or their zeros would be the mark of position u64::MAX.
                begin_at(K::fd(&tx), start.wrapping_sub(CAPACITY));
                (0..CAPACITY).for_each(|_| assert!(K::push(&mut tx, 0) && K::pop(&mut rx) == Some(0)));
                // What was read is given back.
                assert_eq!(K::pop(&mut rx), None);
            }
            (0..level).for_each(|number| assert!(K::push(&mut tx, number)));
            act(tx, rx, level);
        }
    }
}

fn pushes<K: Kind>(what: &str) {
    let mut points = Points::default();
    each_ring::<K>(Overflow::Block, CAPACITY, |mut tx, _rx, level| {
        let fd = K::fd(&tx).try_clone_to_owned().unwrap();
        for left in all_left(fd.as_fd(), |_| assert!(K::push(&mut tx, level) || level == CAPACITY)) {
            let next = drained::<K>(&mut K::attach(&revive(&left)).1).len() as u64;
            let copy = revive(&left);
            let (mut tx, _) = K::attach(&copy);
            let check = |again: &Left<'_>| {
                let nexts = vec![next + again.done, CAPACITY.min(next + 1)];
                let (mut tx, mut rx) = K::attach(&again.revive());
                go_on::<K>((&mut tx, &mut rx), &Expected { capacity: CAPACITY, firsts: 0..=0, nexts });
            };
            let operation = |done: &Done| done.add(u64::from(K::push(&mut tx, next)));
            points += kill_everywhere(copy.as_fd(), operation, check);
        }
    });
    report(what, points);
}

fn pops<K: Kind>(what: &str) {
    let mut points = Points::default();
    each_ring::<K>(Overflow::Block, CAPACITY, |tx, mut rx, level| {
        for left in all_left(K::fd(&tx), |_| while K::pop(&mut rx).is_some() {}) {
            let first = drained::<K>(&mut K::attach(&revive(&left)).1).first().copied().unwrap_or(level);
            let copy = revive(&left);
            let (_, mut rx) = K::attach(&copy);
            let check = |again: &Left<'_>| {
                let firsts = first + again.done.saturating_sub(CAPACITY / 4)..=level.min(first + again.done + 1);
                let (mut tx, mut rx) = K::attach(&again.revive());
                go_on::<K>((&mut tx, &mut rx), &Expected { capacity: CAPACITY, firsts, nexts: vec![level] });
            };
            let operation = |done: &Done| {
                while K::pop(&mut rx).is_some() {
                    done.add(1);
                }
            };
            points += kill_everywhere(copy.as_fd(), operation, check);
        }
    });
    report(what, points);
}

/// Skipped messages are counted once, however often the one who counts them is killed.
fn skips() {
    let mut points = Points::default();
    each_ring::<Plain>(Overflow::DropOldest, 2 * CAPACITY, |tx, mut rx, level| {
        let oldest = level.saturating_sub(CAPACITY);
        for left in all_left(tx.descriptor(), |_| drop(rx.pop())) {
            let copy = revive(&left);
            let (_, mut rx) = Plain::<Message>::attach(&copy);
            let check = |again: &Left<'_>| {
                let (_, mut rx) = Plain::<Message>::attach(&again.revive());
                let found = drained::<Plain>(&mut rx);
                let first = found.first().copied().unwrap_or(level);
                assert!((oldest..=level.min(oldest + 2)).contains(&first), "{found:?} of {oldest}..{level}");
                assert!(found.iter().copied().eq(first..level), "a gap or a double: {found:?}");
                assert_eq!(rx.skipped(), oldest, "what was skipped is counted once");
            };
            points += kill_everywhere(copy.as_fd(), |_| drop(rx.pop()), check);
        }
    });
    report("pop, drop-oldest, by the successor of a killed one", points);
}

pub(crate) fn a_successor_may_be_killed_as_well() {
    pushes::<Plain>("push by the successor of a killed one");
    pushes::<Line>("push into a line by the successor of a killed one");
    pops::<Plain>("pop by the successor of a killed one");
    pops::<Line>("pop from a line by the successor of a killed one");
    skips();
}
