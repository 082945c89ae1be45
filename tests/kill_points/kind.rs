//! The two kinds of rings behind one face, and rings filled to each level.

use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::os::fd::{BorrowedFd, OwnedFd};

use pinring::ring::{
    Consumer, LineConsumer, LineProducer, Options, Producer, attach_consumer, attach_line_consumer,
    attach_line_producer, attach_producer, line_channel,
};

use crate::ground::{Message, STARTS, Shape, begin_at, popped};

/// Either kind of ring, as the checks need it.
pub(crate) trait Kind {
    type Tx;
    type Rx;
    fn open(options: Options) -> (Self::Tx, Self::Rx);
    fn fd(tx: &Self::Tx) -> BorrowedFd<'_>;
    fn attach(fd: &OwnedFd) -> (Self::Tx, Self::Rx);
    fn push(tx: &mut Self::Tx, number: u64) -> bool;
    fn pop(rx: &mut Self::Rx) -> Option<u64>;
    /// Messages that the producer counted instead of storing them.
    fn dropped(tx: &Self::Tx) -> u64;
}

/// [`Producer`] and [`Consumer`] of messages of that shape.
pub(crate) struct Plain<M = Message>(PhantomData<M>);

impl<M: Shape> Kind for Plain<M> {
    type Tx = Producer<M>;
    type Rx = Consumer<M>;
    fn open(options: Options) -> (Self::Tx, Self::Rx) {
        options.open().unwrap()
    }
    fn fd(tx: &Self::Tx) -> BorrowedFd<'_> {
        tx.descriptor()
    }
    fn attach(fd: &OwnedFd) -> (Self::Tx, Self::Rx) {
        (attach_producer(fd.try_clone().unwrap()).unwrap(), attach_consumer(fd.try_clone().unwrap()).unwrap())
    }
    fn push(tx: &mut Self::Tx, number: u64) -> bool {
        tx.push(M::of(number)).is_ok()
    }
    fn pop(rx: &mut Self::Rx) -> Option<u64> {
        popped(rx.pop())
    }
    fn dropped(tx: &Self::Tx) -> u64 {
        tx.dropped()
    }
}

/// [`LineProducer`] and [`LineConsumer`].
pub(crate) struct Line;

impl Kind for Line {
    type Tx = LineProducer<Message>;
    type Rx = LineConsumer<Message>;
    fn open(options: Options) -> (Self::Tx, Self::Rx) {
        line_channel(options).unwrap()
    }
    fn fd(tx: &Self::Tx) -> BorrowedFd<'_> {
        tx.descriptor()
    }
    fn attach(fd: &OwnedFd) -> (Self::Tx, Self::Rx) {
        (attach_line_producer(fd.try_clone().unwrap()).unwrap(), attach_line_consumer(fd.try_clone().unwrap()).unwrap())
    }
    fn push(tx: &mut Self::Tx, number: u64) -> bool {
        tx.push(Message::of(number)).is_ok()
    }
    fn pop(rx: &mut Self::Rx) -> Option<u64> {
        popped(rx.pop())
    }
    fn dropped(_: &Self::Tx) -> u64 {
        0
    }
}

/// All that can be popped.
pub(crate) fn drained<K: Kind>(rx: &mut K::Rx) -> Vec<u64> {
    std::iter::from_fn(|| K::pop(rx)).collect()
}

/// A ring of `capacity` messages, of which those from 3 to `3 + level` are waiting.
pub(crate) struct Filled {
    pub(crate) capacity: u64,
    pub(crate) level: u64,
}

impl Filled {
    /// Number of the next message.
    pub(crate) fn next(&self) -> u64 {
        3 + self.level
    }

    /// How many fit.
    pub(crate) fn room(&self) -> u64 {
        self.capacity - self.level
    }
}

/// Without optimization an operation has several times the instructions, so that fewer rings make as many points.
const CAPACITIES: &[u64] = if cfg!(debug_assertions) { &[1, 2, 4] } else { &[1, 2, 4, 8, 16] };

/// Rings of each capacity and start, filled to each level, with some messages read before.
pub(crate) fn each_ring<K: Kind>(options: impl Fn(usize) -> Options, mut act: impl FnMut(K::Tx, K::Rx, Filled)) {
    for &capacity in CAPACITIES {
        for start in STARTS {
            for level in 0..=capacity {
                let (mut tx, mut rx) = K::open(options(capacity as usize));
                begin_at(K::fd(&tx), start);
                for number in 0..3 {
                    assert!(K::push(&mut tx, number));
                    assert_eq!(K::pop(&mut rx), Some(number));
                }
                assert_eq!(K::pop(&mut rx), None);
                (3..3 + level).for_each(|number| assert!(K::push(&mut tx, number)));
                act(tx, rx, Filled { capacity, level });
            }
        }
    }
}

/// What must be found after a kill.
pub(crate) struct Expected {
    pub(crate) capacity: u64,
    /// Which message may be the first.
    pub(crate) firsts: RangeInclusive<u64>,
    /// Which number may be the next to be written.
    pub(crate) nexts: Vec<u64>,
}

/// Goes on where the dead left off: the messages from one of `firsts` to one of `nexts` are there, in order, and the ring takes and
/// gives as many as ever. Returns the number that was the next.
pub(crate) fn go_on<K: Kind>((tx, rx): (&mut K::Tx, &mut K::Rx), expected: &Expected) -> u64 {
    let Expected { capacity, firsts, nexts } = expected;
    let found = drained::<K>(rx);
    let first = found.first().copied().unwrap_or(*firsts.end());
    assert!(firsts.contains(&first), "the first is {first}, not one of {firsts:?}");
    assert!(found.iter().copied().eq(first..first + found.len() as u64), "a gap or a double: {found:?}");
    let next = first + found.len() as u64;
    assert!(nexts.contains(&next), "the next would be {next}, not one of {nexts:?}");
    work_on::<K>((tx, rx), *capacity, next);
    next
}

/// An empty ring fills up to its capacity and runs dry, twice.
pub(crate) fn work_on<K: Kind>((tx, rx): (&mut K::Tx, &mut K::Rx), capacity: u64, next: u64) {
    for start in [next, next + capacity] {
        let dropped = K::dropped(tx);
        let round = start..start + capacity;
        round.clone().for_each(|number| assert!(K::push(tx, number), "stuck: there is room, but it refuses"));
        let refused = !K::push(tx, round.end);
        assert!(refused || K::dropped(tx) == dropped + 1, "a full ring takes more");
        assert_eq!(K::dropped(tx), dropped + u64::from(!refused), "dropped though there was room");
        assert!(drained::<K>(rx).into_iter().eq(round), "lost, doubled or out of order");
    }
}
