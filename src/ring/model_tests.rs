//! Rings against a plain queue, and against a peer gone mad.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::{Options, Overflow, PopError, Producer, PushError};
use crate::prim::Ordering;
use crate::ring::LaneWords;
use crate::shm::{Access, RegionKind, Segment, SharedRef};

#[derive(Clone, Debug)]
enum Op {
    Push,
    PushSlice(usize),
    Reserve(usize, usize),
    Pop,
    PopSlice(usize),
    Peek(usize, usize),
    Acknowledge,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => Just(Op::Push),
        1 => (0..12usize).prop_map(Op::PushSlice),
        1 => (0..12usize, 0..12usize).prop_map(|(count, commit)| Op::Reserve(count, commit)),
        4 => Just(Op::Pop),
        1 => (0..12usize).prop_map(Op::PopSlice),
        1 => (1..12usize, 0..12usize).prop_map(|(count, release)| Op::Peek(count, release)),
        1 => Just(Op::Acknowledge),
    ];
    proptest::collection::vec(op, 1..200)
}

/// Has the ring begin at `start`, before anybody uses it.
fn begin_at(tx: &Producer<u64>, start: u64) -> SharedRef<LaneWords> {
    let fd = tx.descriptor().try_clone_to_owned().unwrap();
    let (segment, layout) = Segment::attach(fd, Access::Full).unwrap();
    let words: SharedRef<LaneWords> = segment.shared(layout.find(RegionKind::LaneWords, 0).unwrap().offset);
    let (producer, consumer) = (&words.producer.0, &words.consumer.0);
    for word in [&producer.tail, &producer.reserved, &consumer.head, &consumer.skip_to] {
        // ORDER(test.model): one thread.
        word.store(start, Ordering::Relaxed);
    }
    words
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// A blocking ring is a queue whose room may be told late, but never wrongly.
    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no descriptors")]
    fn a_blocking_ring_is_a_bounded_queue(
        ops in ops(),
        capacity in 1usize..10,
        start in prop_oneof![Just(0), Just(u64::MAX - 5), Just(u64::from(u32::MAX) - 5), any::<u64>()],
    ) {
        let (mut tx, mut rx) = Options::new(capacity).open::<u64>().unwrap();
        begin_at(&tx, start);
        let capacity = capacity.next_power_of_two();
        let (mut model, mut next) = (VecDeque::new(), 0u64);
        for op in ops {
            match op {
                Op::Push => match tx.push(next) {
                    Ok(()) => {
                        model.push_back(next);
                        next += 1;
                    }
                    Err(PushError::Full(value)) => prop_assert_eq!(value, next),
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                },
                Op::PushSlice(count) => {
                    let values: Vec<u64> = (next..next + count as u64).collect();
                    let taken = tx.push_slice(&values).unwrap();
                    model.extend(&values[..taken]);
                    next += taken as u64;
                }
                Op::Reserve(count, commit) => {
                    let mut reserved = tx.reserve(count).unwrap();
                    let commit = commit.min(reserved.len());
                    let (first, second) = reserved.as_mut_slices();
                    first.iter_mut().chain(second).zip(next..).for_each(|(slot, value)| *slot = value);
                    reserved.commit(commit);
                    model.extend(next..next + commit as u64);
                    next += commit as u64;
                }
                Op::Pop => match rx.pop() {
                    Ok(value) => prop_assert_eq!(Some(value), model.pop_front()),
                    Err(PopError::Empty) => prop_assert!(model.is_empty()),
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                },
                Op::PopSlice(count) => {
                    let mut values = vec![0; count];
                    let got = rx.pop_slice(&mut values).unwrap();
                    prop_assert!(got > 0 || count == 0 || model.is_empty());
                    prop_assert!(values[..got].iter().copied().eq(model.drain(..got)));
                }
                Op::Peek(count, release) => match rx.peek(count) {
                    Ok(batch) => {
                        prop_assert!(batch.len() <= count && batch.iter().eq(model.iter().take(batch.len())));
                        let release = release.min(batch.len());
                        batch.release(release);
                        model.drain(..release);
                    }
                    Err(_) => prop_assert!(model.is_empty()),
                },
                Op::Acknowledge => {
                    rx.acknowledge();
                    let room = tx.reserve(capacity).unwrap().len();
                    prop_assert_eq!(room, capacity - model.len());
                }
            }
            prop_assert!(model.len() <= capacity);
        }
    }

    /// What is dropped and what is delivered make up what was pushed.
    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no descriptors")]
    fn the_ledger_of_a_dropping_ring_is_exact(
        pops in proptest::collection::vec(0usize..7, 1..60),
        newest in any::<bool>(),
        start in prop_oneof![Just(0), Just(u64::MAX - 5), any::<u64>()],
    ) {
        let overflow = if newest { Overflow::DropNewest } else { Overflow::DropOldest };
        let (mut tx, mut rx) = Options::new(4).overflow(overflow).open::<u64>().unwrap();
        begin_at(&tx, start);
        let (mut pushed, mut seen) = (0, Vec::new());
        for pop in pops {
            for _ in 0..3 {
                tx.push(pushed).unwrap();
                pushed += 1;
            }
            seen.extend(std::iter::from_fn(|| rx.pop().ok()).take(pop));
        }
        seen.extend(std::iter::from_fn(|| rx.pop().ok()));
        prop_assert!(seen.is_sorted());
        prop_assert_eq!(seen.len() as u64 + tx.dropped() + rx.skipped(), pushed);
        prop_assert!(newest || seen.last() == Some(&(pushed - 1)));
    }
}

/// A small generator (xorshift64*, Vigna 2016): the run is the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A word as a madman would choose it: anything, or near to what is there.
    fn word(&mut self, near: u64) -> u64 {
        match self.next() % 4 {
            0 => self.next(),
            1 => near.wrapping_add(self.next() % 8),
            2 => near.wrapping_sub(self.next() % 8),
            _ => [0, 1, u64::MAX, 1 << 63][(self.next() % 4) as usize],
        }
    }
}

const ROUNDS: u32 = 1_000_000;

/// The producer writes garbage over all that is its own; the consumer must never touch what is outside of the ring, nor hang.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no descriptors")]
fn a_mad_producer_spoils_only_its_own_payload() {
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        let mut random = Random(7);
        let (tx, mut rx) = Options::new(4).overflow(overflow).open::<u64>().unwrap();
        let words = begin_at(&tx, 0);
        let (mut corrupt, mut taken) = (0, 0);
        for _ in 0..ROUNDS / 2 {
            let producer = &words.producer.0;
            for word in [&producer.tail, &producer.reserved, &producer.dropped, &producer.closed] {
                // ORDER(test.model): one thread.
                let near = words.consumer.0.head.load(Ordering::Relaxed);
                // ORDER(test.model): one thread.
                word.store(random.word(near), Ordering::Relaxed);
            }
            match rx.pop() {
                Ok(_) => taken += 1,
                Err(PopError::Fault(_)) => corrupt += 1,
                Err(_) => {}
            }
            if overflow == Overflow::Block {
                assert!(rx.peek(3).map_or(0, |batch| batch.iter().count()) <= 3);
            }
        }
        assert!(taken > 0 && (corrupt > 0 || overflow == Overflow::DropOldest), "{overflow:?}: {taken} {corrupt}");
    }
}

/// The same from the other side.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no descriptors")]
fn a_mad_consumer_cannot_make_its_producer_leave_the_ring() {
    for overflow in [Overflow::Block, Overflow::DropNewest] {
        let mut random = Random(9);
        let (mut tx, _rx) = Options::new(4).overflow(overflow).open::<u64>().unwrap();
        let words = begin_at(&tx, 0);
        let (mut corrupt, mut given) = (0, 0);
        for _ in 0..ROUNDS / 2 {
            let consumer = &words.consumer.0;
            for word in [&consumer.head, &consumer.skipped, &consumer.closed, &words.data_at.0] {
                // ORDER(test.model): one thread.
                let near = words.producer.0.tail.load(Ordering::Relaxed);
                // ORDER(test.model): one thread.
                word.store(random.word(near), Ordering::Relaxed);
            }
            match tx.push(1) {
                Ok(()) => given += 1,
                Err(PushError::Fault(..)) => corrupt += 1,
                Err(_) => {}
            }
            if let Ok(reserved) = tx.reserve(3) {
                assert!(reserved.len() <= 3);
            }
        }
        assert!(given > 0 && corrupt > 0, "{overflow:?}: {given} {corrupt}");
    }
}
