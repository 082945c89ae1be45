//! The end that was not killed: it has positions of its own in mind, and may be asleep.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use pinring::prim::Ordering;
use pinring::ring::{Consumer, LaneWords, Options, Producer};

use crate::ground::{Done, Left, Message, Points, happen, kill_everywhere, lane_words, memory, report, revive};
use crate::kind::{Expected, Filled, Kind, Plain, each_ring, go_on};

type Tx = Producer<Message>;
type Rx = Consumer<Message>;

/// Begins to use an end, and nothing else.
fn claim_tx(tx: &mut Tx) {
    assert!(tx.wait_for_room(0, Some(Duration::ZERO)).unwrap());
}

/// As above; `looks`: and knows what is waiting.
fn claim_rx(rx: &mut Rx, looks: bool) {
    assert!(rx.wait_for_data(0, Some(Duration::ZERO)).unwrap());
    if looks {
        // Not released: nothing is taken.
        drop(rx.peek(16));
    }
}

/// Two messages, one by one.
fn push(tx: &mut Tx, ring: &Filled, done: &Done) {
    for number in ring.next()..ring.next() + 2 {
        done.add(u64::from(Plain::<Message>::push(tx, number)));
    }
}

fn pop(rx: &mut Rx, done: &Done) {
    for _ in 0..3 {
        done.add(u64::from(rx.pop().is_ok()));
    }
    rx.acknowledge();
}

/// The consumer lives while producers come and go.
pub(crate) fn a_surviving_consumer_goes_on_with_the_next_producer() {
    let mut points = Points::default();
    each_ring::<Plain>(Options::new, |mut tx, _rx, ring| {
        let fd = tx.descriptor().try_clone_to_owned().unwrap();
        let before = memory(fd.as_fd());
        let all = ring.room().min(2);
        points += kill_everywhere(
            fd.as_fd(),
            |done| push(&mut tx, &ring, done),
            |left| {
                for looks in [false, true] {
                    let copy = revive(&before);
                    let (mut tx, mut rx) = Plain::<Message>::attach(&copy);
                    claim_rx(&mut rx, looks);
                    happen(&copy, left.bytes);
                    let nexts = [left.done, all.min(left.done + 1)].map(|count| ring.next() + count);
                    let expected = Expected { capacity: ring.capacity, firsts: 3..=3, nexts: nexts.into() };
                    go_on::<Plain>((&mut tx, &mut rx), &expected);
                }
            },
        );
    });
    report("push, and the consumer lives", points);
}

/// The producer lives while consumers come and go.
pub(crate) fn a_surviving_producer_goes_on_with_the_next_consumer() {
    let mut points = Points::default();
    each_ring::<Plain>(Options::new, |tx, mut rx, ring| {
        let before = memory(tx.descriptor());
        let all = ring.level.min(3);
        let check = |left: &Left<'_>| {
            let copy = revive(&before);
            let (mut tx, mut rx) = Plain::<Message>::attach(&copy);
            claim_tx(&mut tx);
            happen(&copy, left.bytes);
            let firsts = 3 + left.done.saturating_sub(ring.capacity / 4)..=3 + all.min(left.done + 1);
            let expected = Expected { capacity: ring.capacity, firsts, nexts: vec![ring.next()] };
            go_on::<Plain>((&mut tx, &mut rx), &expected);
        };
        points += kill_everywhere(tx.descriptor(), |done| pop(&mut rx, done), check);
    });
    report("pop, and the producer lives", points);
}

/// What the ends say of themselves.
struct Words {
    tail: u64,
    head: u64,
    /// How often the producer and the consumer have rung.
    rings: [u32; 2],
}

fn look(copy: &OwnedFd) -> Words {
    let words = lane_words(copy);
    let (producer, consumer) = (&words.producer.0, &words.consumer.0);
    // ORDER(test.kill): one process looks at the copy.
    let [tail, head] = [&producer.tail, &consumer.head].map(|word| word.load(Ordering::Relaxed));
    // ORDER(test.kill): as above.
    let rings = [&producer.rings, &consumer.rings].map(|word| word.load(Ordering::Relaxed));
    Words { tail, head, rings }
}

/// The consumer asleep until the next message, or the producer until the next free slot.
fn fall_asleep(words: &LaneWords, consumer: bool) {
    let (word, position) =
        if consumer { (&words.data_at.0, &words.producer.0.tail) } else { (&words.space_at.0, &words.consumer.0.head) };
    // ORDER(test.kill): nobody else uses the ring.
    let asked = position.load(Ordering::Relaxed).wrapping_add(1);
    // ORDER(test.kill): as above. The one position that a sleeper may not ask for means that it is awake.
    word.store(if asked == u64::MAX { asked - 1 } else { asked }, Ordering::Relaxed);
}

/// Whoever sleeps through the death hears of what the dead had done from the successor's first use of the end, since the dead may
/// have died before it rang, or after it had counted the ring and before it woke anybody.
pub(crate) fn check_bell_of_producer(left: &Left<'_>, tail_before: u64, first_use: impl Fn(&mut Tx)) {
    let copy = left.revive();
    let (mut tx, _) = Plain::<Message>::attach(&copy);
    let before = look(&copy);
    first_use(&mut tx);
    let rung = look(&copy).rings[0] != before.rings[0];
    assert!(rung || before.tail == tail_before, "the consumer sleeps on, with messages waiting");
}

pub(crate) fn a_sleeping_consumer_is_woken_by_the_next_producer() {
    let mut points = Points::default();
    each_ring::<Plain>(Options::new, |mut tx, _rx, ring| {
        let fd = tx.descriptor().try_clone_to_owned().unwrap();
        fall_asleep(&lane_words(&fd), true);
        let tail = look(&fd).tail;
        points += kill_everywhere(
            fd.as_fd(),
            |done| push(&mut tx, &ring, done),
            |left| check_bell_of_producer(left, tail, claim_tx),
        );
    });
    report("push, and the consumer sleeps", points);
}

pub(crate) fn a_sleeping_producer_is_woken_by_the_next_consumer() {
    let mut points = Points::default();
    each_ring::<Plain>(Options::new, |tx, mut rx, _| {
        let fd = tx.descriptor().try_clone_to_owned().unwrap();
        fall_asleep(&lane_words(&fd), false);
        let head = look(&fd).head;
        let check = |left: &Left<'_>| {
            let copy = left.revive();
            let (_, mut rx) = Plain::<Message>::attach(&copy);
            let before = look(&copy);
            claim_rx(&mut rx, false);
            let rung = look(&copy).rings[1] != before.rings[1];
            assert!(rung || before.head == head, "the producer sleeps on, with room waiting");
        };
        points += kill_everywhere(fd.as_fd(), |done| pop(&mut rx, done), check);
    });
    report("pop, and the producer sleeps", points);
}
