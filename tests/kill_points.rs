//! Every operation of the rings is killed after every one of its instructions, and recovered from what it left.
//!
//! The operation runs once in a traced child, one instruction at a time. At each stop the memory is copied, and on the copy a
//! successor goes on: nothing may be torn, lost, doubled or stuck. A stop that changed no memory leaves what the last one left,
//! which was looked at; it counts all the same.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; its numbers are small"
)]

mod support;

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use pinring::prim::{AtomicU64, Ordering};
use pinring::ring::{
    Consumer, LaneRegions, LaneWords, LineConsumer, LineProducer, Options, Overflow, PopError, Producer,
    ProducerCursor, Step, StepRegions, attach_consumer, attach_line_consumer, attach_line_producer, attach_producer,
    line_channel,
};
use pinring::shm::{Access, Layout, RegionKind, Segment, SharedRef};

use support::ptrace::each_instruction;

/// A message that shows when it is torn.
type Message = [u64; 4];

fn message(number: u64) -> Message {
    [number, !number, number.rotate_left(17), number ^ 0x5555]
}

fn number(seen: Message) -> u64 {
    assert_eq!(seen, message(seen[0]), "torn");
    seen[0]
}

/// Where positions begin: at the start, and just before they wrap in 32 bits, in 63 and in 64.
const STARTS: [u64; 4] = [0, u32::MAX as u64 - 2, (1 << 63) - 2, u64::MAX - 2];

/// A segment's memory, as a file.
fn memory(fd: BorrowedFd<'_>) -> Vec<u8> {
    let file = File::from(fd.try_clone_to_owned().unwrap());
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// A segment with that memory, whose users are all dead.
fn revive(bytes: &[u8]) -> OwnedFd {
    let fd = memfd_create(c"copy", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap();
    let file = File::from(fd);
    file.write_all_at(bytes, 0).unwrap();
    let fd = OwnedFd::from(file);
    fcntl(&fd, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW)).unwrap();
    each_lane(&fd, |words| {
        // ORDER(test.kill): one process looks at the copy.
        words.producer.0.owner.store(0, Ordering::Relaxed);
        // ORDER(test.kill): as above.
        words.consumer.0.owner.store(0, Ordering::Relaxed);
    });
    fd
}

fn each_lane(fd: impl AsFd, act: impl Fn(&LaneWords)) {
    let (segment, layout) = Segment::attach(fd.as_fd().try_clone_to_owned().unwrap(), Access::Full).unwrap();
    for entry in layout.entries().iter().filter(|entry| entry.kind == RegionKind::LaneWords) {
        act(&segment.shared::<LaneWords>(entry.offset));
    }
}

/// Has a fresh ring begin at `start`.
fn begin_at(fd: impl AsFd, start: u64) {
    each_lane(fd, |words| {
        let (producer, consumer) = (&words.producer.0, &words.consumer.0);
        for word in [&producer.tail, &producer.reserved, &consumer.head, &consumer.skip_to] {
            // ORDER(test.kill): nobody uses the ring yet.
            word.store(start, Ordering::Relaxed);
        }
    });
}

/// Traces `operation`, and gives every memory it leaves to `check`. Returns the number of points.
fn kill_everywhere(fd: BorrowedFd<'_>, operation: impl FnOnce(), check: impl Fn(OwnedFd)) -> u64 {
    let mut last = memory(fd);
    check(revive(&last));
    each_instruction(operation, || {
        let now = memory(fd);
        if now != last {
            check(revive(&now));
            last = now;
        }
    })
}

/// Either kind of ring, as the checks need it.
trait Kind {
    type Tx;
    type Rx;
    fn open(options: Options) -> (Self::Tx, Self::Rx);
    fn fd(tx: &Self::Tx) -> BorrowedFd<'_>;
    fn attach(fd: &OwnedFd) -> (Self::Tx, Self::Rx);
    fn push(tx: &mut Self::Tx, number: u64) -> bool;
    fn pop(rx: &mut Self::Rx) -> Option<u64>;
}

fn popped(result: Result<Message, PopError>) -> Option<u64> {
    match result {
        Ok(seen) => Some(number(seen)),
        Err(PopError::Empty | PopError::Closed) => None,
        Err(error) => panic!("{error}"),
    }
}

struct Plain;

impl Kind for Plain {
    type Tx = Producer<Message>;
    type Rx = Consumer<Message>;
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
        tx.push(message(number)).is_ok()
    }
    fn pop(rx: &mut Self::Rx) -> Option<u64> {
        popped(rx.pop())
    }
}

struct Line;

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
        tx.push(message(number)).is_ok()
    }
    fn pop(rx: &mut Self::Rx) -> Option<u64> {
        popped(rx.pop())
    }
}

/// Goes on where the dead left off: the messages from one of `firsts` to one of `lasts` must be there, in order, and the ring must
/// take and give as many as twice its capacity afterwards.
fn go_on<K: Kind>(fd: &OwnedFd, firsts: std::ops::RangeInclusive<u64>, lasts: &[u64]) {
    let (mut tx, mut rx) = K::attach(fd);
    let found: Vec<u64> = std::iter::from_fn(|| K::pop(&mut rx)).collect();
    let first = found.first().copied().unwrap_or(*firsts.end());
    assert!(firsts.contains(&first), "the first is {first}, not one of {firsts:?}");
    assert!(found.iter().copied().eq(first..first + found.len() as u64), "a gap or a double: {found:?}");
    let next = first + found.len() as u64;
    assert!(lasts.contains(&next), "the next would be {next}, not one of {lasts:?}");
    for number in next..next + 16 {
        assert!(K::push(&mut tx, number), "stuck: an empty ring refuses");
        assert_eq!(K::pop(&mut rx), Some(number));
    }
}

/// Rings of each capacity and start, filled to each level, with some messages read before.
fn each_ring<K: Kind>(options: impl Fn(usize) -> Options, mut act: impl FnMut(K::Tx, K::Rx, u64, u64)) {
    for capacity in [1, 2, 4, 8] {
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
                act(tx, rx, capacity, level);
            }
        }
    }
}

fn report(what: &str, points: u64) {
    println!("\n    {what}: {points} points");
}

/// Kills a producer that does `operation` (the next message is `next`, of which it writes at most `most` at once).
fn producer_is_killed<K: Kind>(
    what: &str,
    options: impl Fn(usize) -> Options,
    whole: bool,
    most: u64,
    operation: impl Fn(&mut K::Tx, u64),
) {
    let mut points = 0;
    each_ring::<K>(options, |mut tx, _rx, capacity, level| {
        let next = 3 + level;
        let room = most.min(capacity - level);
        let lasts: Vec<u64> = if whole { vec![next, next + room] } else { (next..=next + room).collect() };
        let fd = K::fd(&tx).try_clone_to_owned().unwrap();
        points += kill_everywhere(fd.as_fd(), || operation(&mut tx, next), |copy| go_on::<K>(&copy, 3..=3, &lasts));
    });
    report(what, points);
}

/// Kills a consumer that takes at most `most` messages.
fn consumer_is_killed<K: Kind>(what: &str, most: u64, operation: impl Fn(&mut K::Rx)) {
    let mut points = 0;
    each_ring::<K>(Options::new, |tx, mut rx, _, level| {
        let firsts = 3..=3 + most.min(level);
        points +=
            kill_everywhere(K::fd(&tx), || operation(&mut rx), |copy| go_on::<K>(&copy, firsts.clone(), &[3 + level]));
    });
    report(what, points);
}

fn a_killed_push_is_there_or_not() {
    producer_is_killed::<Plain>("push", Options::new, true, 1, |tx, next| drop(tx.push(message(next))));
    let tapped = |capacity| Options::new(capacity).taps();
    producer_is_killed::<Plain>("push with taps", tapped, true, 1, |tx, next| drop(tx.push(message(next))));
    let newest = |capacity| Options::new(capacity).overflow(Overflow::DropNewest);
    producer_is_killed::<Plain>("push, drop-newest", newest, true, 1, |tx, next| drop(tx.push(message(next))));
    producer_is_killed::<Line>("push into a line", Options::new, true, 1, |tx, next| drop(tx.push(message(next))));
}

fn a_killed_batch_is_there_as_a_whole_or_not() {
    let messages = |next: u64| [0, 1, 2].map(|offset| message(next + offset));
    producer_is_killed::<Plain>("push_slice", Options::new, true, 3, |tx, next| {
        tx.push_slice(&messages(next)).unwrap();
    });
    producer_is_killed::<Plain>("reserve and commit", Options::new, true, 2, |tx, next| {
        let mut reserved = tx.reserve(2).unwrap();
        let count = reserved.len();
        let (first, second) = reserved.as_mut_slices();
        first.iter_mut().chain(second).zip(next..).for_each(|(slot, number)| *slot = message(number));
        reserved.commit(count);
    });
    producer_is_killed::<Plain>("push twice, close", Options::new, false, 2, |tx, next| {
        // Full at some levels.
        let _ = tx.push(message(next)).and_then(|()| tx.push(message(next + 1)));
        // SAFETY: read once and never used again: the child ends here.
        drop(unsafe { std::ptr::read(tx) });
    });
}

fn a_killed_consumer_loses_nothing() {
    consumer_is_killed::<Plain>("pop", 1, |rx| drop(rx.pop()));
    consumer_is_killed::<Plain>("pop and acknowledge", 1, |rx| {
        let _ = rx.pop();
        rx.acknowledge();
    });
    consumer_is_killed::<Plain>("pop_slice", 3, |rx| drop(rx.pop_slice(&mut [[0; 4]; 3])));
    consumer_is_killed::<Plain>("peek and release", 2, |rx| {
        if let Ok(batch) = rx.peek(3) {
            let count = batch.len().min(2);
            batch.release(count);
        }
    });
    consumer_is_killed::<Plain>("pop until empty, close", 8, |rx| {
        while rx.pop().is_ok() {}
        // SAFETY: read once and never used again: the child ends here.
        drop(unsafe { std::ptr::read(rx) });
    });
    consumer_is_killed::<Line>("pop from a line", 1, |rx| drop(rx.pop()));
}

/// What a consumer of a drop-oldest ring finds: whole messages in order up to the newest, all others counted.
fn go_on_lapped(fd: &OwnedFd, written: &[u64]) {
    let (mut tx, mut rx) = Plain::attach(fd);
    let found: Vec<u64> = std::iter::from_fn(|| Plain::pop(&mut rx)).collect();
    let next = found.last().map_or_else(|| rx.skipped(), |last| last + 1);
    assert!(written.contains(&next), "{found:?}, not up to one of {written:?}");
    assert_eq!(rx.skipped() + found.len() as u64, next, "unaccounted");
    assert!(found.is_sorted());
    for number in next..next + 16 {
        assert!(Plain::push(&mut tx, number));
        assert_eq!(Plain::pop(&mut rx), Some(number));
    }
}

fn a_killed_overwriter_tears_nothing() {
    let mut points = 0;
    for capacity in [1, 2, 4] {
        for start in STARTS {
            for level in 0..12 {
                let (mut tx, _rx) = Plain::open(Options::new(capacity).overflow(Overflow::DropOldest));
                begin_at(tx.descriptor(), start);
                (0..level).for_each(|number| assert!(Plain::push(&mut tx, number)));
                let fd = tx.descriptor().try_clone_to_owned().unwrap();
                let operation = || (level..level + 2).for_each(|number| drop(tx.push(message(number))));
                let written = [level, level + 1, level + 2];
                points += kill_everywhere(fd.as_fd(), operation, |copy| go_on_lapped(&copy, &written));
            }
        }
    }
    report("push, drop-oldest", points);
}

fn a_killed_reader_of_a_drop_oldest_ring_counts_exactly() {
    let mut points = 0;
    for start in STARTS {
        for level in 0..12 {
            let (mut tx, mut rx) = Plain::open(Options::new(4).overflow(Overflow::DropOldest));
            begin_at(tx.descriptor(), start);
            (0..level).for_each(|number| assert!(Plain::push(&mut tx, number)));
            let fd = tx.descriptor().try_clone_to_owned().unwrap();
            points += kill_everywhere(
                fd.as_fd(),
                || (0..2).for_each(|_| drop(rx.pop())),
                |copy| {
                    let (_, mut rx) = Plain::attach(&copy);
                    let found: Vec<u64> = std::iter::from_fn(|| Plain::pop(&mut rx)).collect();
                    let oldest = level.saturating_sub(4);
                    let first = found.first().copied().unwrap_or(level);
                    assert!(
                        (oldest..=oldest + 2).contains(&first) && found.iter().copied().eq(first..level),
                        "{found:?}"
                    );
                    assert_eq!(rx.skipped(), oldest, "what was skipped is counted once");
                },
            );
        }
    }
    report("pop, drop-oldest", points);
}

/// A step with two inputs, two outputs and a state.
struct Bench {
    segment: Segment,
    regions: StepRegions,
    lanes: [LaneRegions; 4],
}

/// Numbers taken of both inputs, and a sum.
type State = [u64; 3];

impl Bench {
    fn new(start: u64) -> Self {
        let mut layout = Layout::default();
        let size = size_of::<Message>();
        let lanes = [0, 1, 2, 3].map(|index| LaneRegions::reserve(&mut layout, index, 4, size).unwrap());
        let regions = StepRegions::reserve::<State>(&mut layout, 0).unwrap();
        let segment = Segment::create(&layout).unwrap();
        begin_at(&segment, start);
        let bench = Self { segment, regions, lanes };
        for input in 0..2 {
            let (mut tx, _) = bench.ends(input);
            (0..4).for_each(|number| assert!(Plain::push(&mut tx, number)));
        }
        bench
    }

    fn on(&self, fd: OwnedFd) -> Self {
        let (segment, _) = Segment::attach(fd, Access::Full).unwrap();
        Self { segment, regions: self.regions, lanes: self.lanes }
    }

    fn ends(&self, lane: usize) -> (Producer<Message>, Consumer<Message>) {
        Options::new(4).ends_in(&self.segment, self.lanes[lane]).unwrap()
    }

    /// Steps until the inputs are empty: two of the first, one of the second, their sum to both outputs.
    fn step(&self, most: usize) {
        let mut builder = Step::<State>::builder(&self.segment, self.regions);
        let inputs = [0, 1].map(|lane| builder.input::<Message>(self.lanes[lane]));
        let outputs = [2, 3].map(|lane| builder.output::<Message>(self.lanes[lane]));
        let mut step = builder.recover().unwrap();
        for _ in 0..most {
            let mut taken = 0;
            for index in [0, 0, 1] {
                if let Some(seen) = step.take(inputs[index]).unwrap() {
                    step.state()[index] += 1;
                    step.state()[2] += number(seen);
                    taken += 1;
                }
            }
            if taken == 0 {
                return;
            }
            let sum = step.state()[2];
            outputs.iter().for_each(|output| step.give(*output, message(sum)).unwrap());
            step.commit();
        }
    }
}

/// What becomes of everything, whoever does it and however often it is killed.
fn outcome(bench: &Bench) -> ([Vec<u64>; 4], State) {
    let rest = [0, 1, 2, 3].map(|lane| {
        let (_, mut rx) = bench.ends(lane);
        std::iter::from_fn(|| Plain::pop(&mut rx)).collect()
    });
    let mut step = Step::<State>::builder(&bench.segment, bench.regions).recover().unwrap();
    (rest, *step.state())
}

fn a_killed_step_has_happened_or_not() {
    let mut points = 0;
    for start in STARTS {
        let expected = {
            let whole = Bench::new(start);
            whole.step(9);
            outcome(&whole)
        };
        assert_eq!((expected.0[2].len(), expected.1[2]), (4, 12));
        let bench = Bench::new(start);
        points += kill_everywhere(
            bench.segment.as_fd(),
            || bench.step(3),
            |copy| {
                let copy = bench.on(copy);
                copy.step(9);
                assert_eq!(outcome(&copy), expected, "not exactly once");
            },
        );
    }
    report("a step with two inputs, two outputs and a state", points);
}

/// Whether the harness finds that a broken operation is broken.
fn is_caught(broken: impl FnOnce()) -> bool {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(broken));
    std::panic::set_hook(hook);
    result.is_err()
}

/// The words of a ring, and of its first slots.
fn insides(fd: impl AsFd) -> (SharedRef<LaneWords>, SharedRef<[AtomicU64; 4]>) {
    let (segment, layout) = Segment::attach(fd.as_fd().try_clone_to_owned().unwrap(), Access::Full).unwrap();
    let at = |kind| layout.find(kind, 0).unwrap().offset;
    (segment.shared(at(RegionKind::LaneWords)), segment.shared(at(RegionKind::LaneSlots)))
}

/// Operations as they must not be. If one of these passed, nothing above would mean anything.
fn broken_operations_are_caught() {
    let publish_first = || {
        let (tx, _rx) = Plain::open(Options::new(4));
        let (words, slot) = insides(tx.descriptor());
        let operation = || {
            ProducerCursor::attach(words, 4).publish(1);
            for (word, value) in slot.iter().zip(message(0)) {
                // ORDER(test.kill): one process writes, and is killed.
                word.store(value, Ordering::Relaxed);
            }
        };
        kill_everywhere(tx.descriptor(), operation, |copy| go_on::<Plain>(&copy, 0..=0, &[0, 1]));
    };
    assert!(is_caught(publish_first), "published before it was written");
    let one_by_one = || {
        let bench = Bench::new(0);
        let operation = || {
            let (_, mut rx) = bench.ends(0);
            let (mut tx, _) = bench.ends(2);
            while let Some(number) = Plain::pop(&mut rx) {
                rx.acknowledge();
                assert!(Plain::push(&mut tx, number));
            }
        };
        kill_everywhere(bench.segment.as_fd(), operation, |copy| {
            let copy = bench.on(copy);
            let (_, mut left) = copy.ends(0);
            let left = std::iter::from_fn(|| Plain::pop(&mut left)).count();
            let (_, mut out) = copy.ends(2);
            let out = std::iter::from_fn(|| Plain::pop(&mut out)).count();
            assert_eq!(left + out, 4, "lost or doubled");
        });
    };
    assert!(is_caught(one_by_one), "taken and given without a transaction");
}

fn main() -> std::process::ExitCode {
    let tests: [support::Test; 7] = [
        ("a_killed_push_is_there_or_not", a_killed_push_is_there_or_not),
        ("a_killed_batch_is_there_as_a_whole_or_not", a_killed_batch_is_there_as_a_whole_or_not),
        ("a_killed_consumer_loses_nothing", a_killed_consumer_loses_nothing),
        ("a_killed_overwriter_tears_nothing", a_killed_overwriter_tears_nothing),
        ("a_killed_reader_of_a_drop_oldest_ring_counts_exactly", a_killed_reader_of_a_drop_oldest_ring_counts_exactly),
        ("a_killed_step_has_happened_or_not", a_killed_step_has_happened_or_not),
        ("broken_operations_are_caught", broken_operations_are_caught),
    ];
    support::run(&tests, 300)
}
