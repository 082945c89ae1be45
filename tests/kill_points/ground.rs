//! What all kill points stand on: messages that show when they are torn, copies of a ring's memory, and the tracing of an
//! operation with a check at every stop.

use std::cell::Cell;
use std::fs::File;
use std::ops::AddAssign;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use bytemuck::Pod;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use pinring::prim::{AtomicU64, Ordering};
use pinring::ring::{LaneWords, PopError};
use pinring::shm::{Access, Layout, RegionKind, Segment, SharedRef};

use crate::support::ptrace::each_instruction;

/// A message that shows when it is torn: all of it follows from its number.
pub(crate) trait Shape: Pod + PartialEq + std::fmt::Debug {
    /// The message of that number.
    fn of(number: u64) -> Self;

    /// Its first part, which is the number if the rest agrees.
    fn first(&self) -> u64;

    /// Its number.
    fn number(&self) -> u64 {
        assert_eq!(*self, Self::of(self.first()), "torn, or never written");
        self.first()
    }
}

/// Four words are stored one by one; forty are copied as bytes.
impl<const N: usize> Shape for [u64; N] {
    fn of(number: u64) -> Self {
        // Not zeros for any number: a slot that nobody ever wrote is no message.
        std::array::from_fn(|word| {
            number.rotate_left(7 * word as u32) ^ (word as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        })
    }

    fn first(&self) -> u64 {
        self[0]
    }
}

/// No whole words.
impl Shape for [u8; 13] {
    fn of(number: u64) -> Self {
        std::array::from_fn(|byte| (number as u8).rotate_left(byte as u32) ^ (byte as u8).wrapping_mul(29))
    }

    fn first(&self) -> u64 {
        u64::from(self[0])
    }
}

/// What most operations carry.
pub(crate) type Message = [u64; 4];

/// The number of what was popped, if anything.
pub(crate) fn popped<M: Shape>(result: Result<M, PopError>) -> Option<u64> {
    match result {
        Ok(seen) => Some(seen.number()),
        Err(PopError::Empty | PopError::Closed) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Where positions begin: at the start, and just before they wrap in 32 bits, in 63 and in 64.
pub(crate) const STARTS: [u64; 4] = [0, u32::MAX as u64 - 2, (1 << 63) - 2, u64::MAX - 2];

/// A segment's memory, as a file.
pub(crate) fn memory(fd: BorrowedFd<'_>) -> Vec<u8> {
    let file = File::from(fd.try_clone_to_owned().unwrap());
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// A segment with that memory, whose users are all dead.
pub(crate) fn revive(bytes: &[u8]) -> OwnedFd {
    let fd = memfd_create(c"copy", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap();
    let file = File::from(fd);
    file.write_all_at(bytes, 0).unwrap();
    let fd = OwnedFd::from(file);
    fcntl(&fd, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW)).unwrap();
    each_lane(&fd, |words| set_owners(words, [0, 0]));
    fd
}

/// The copy `fd`, in whose ring this process already uses an end or both, gets that memory, as if it had all happened while these
/// users looked on.
pub(crate) fn happen(fd: &OwnedFd, bytes: &[u8]) {
    let words = lane_words(fd);
    let owners = owners(&words);
    File::from(fd.try_clone().unwrap()).write_all_at(bytes, 0).unwrap();
    set_owners(&words, owners);
}

/// Of the producer and the consumer.
fn owners(words: &LaneWords) -> [u64; 2] {
    // ORDER(test.kill): one process looks at the copy.
    [&words.producer.0.owner, &words.consumer.0.owner].map(|owner| owner.load(Ordering::Relaxed))
}

fn set_owners(words: &LaneWords, [producer, consumer]: [u64; 2]) {
    // ORDER(test.kill): one process looks at the copy.
    words.producer.0.owner.store(producer, Ordering::Relaxed);
    // ORDER(test.kill): as above.
    words.consumer.0.owner.store(consumer, Ordering::Relaxed);
}

fn attached(fd: impl AsFd) -> (Segment, Layout) {
    Segment::attach(fd.as_fd().try_clone_to_owned().unwrap(), Access::Full).unwrap()
}

fn each_lane(fd: impl AsFd, act: impl Fn(&LaneWords)) {
    let (segment, layout) = attached(fd);
    for entry in layout.entries().iter().filter(|entry| entry.kind == RegionKind::LaneWords) {
        act(&segment.shared::<LaneWords>(entry.offset));
    }
}

/// The words of a segment's first ring.
pub(crate) fn lane_words(fd: impl AsFd) -> SharedRef<LaneWords> {
    let (segment, layout) = attached(fd);
    segment.shared(layout.find(RegionKind::LaneWords, 0).unwrap().offset)
}

/// The first words of its slots.
pub(crate) fn slot_words<const N: usize>(fd: impl AsFd) -> SharedRef<[AtomicU64; N]> {
    let (segment, layout) = attached(fd);
    segment.shared(layout.find(RegionKind::LaneSlots, 0).unwrap().offset)
}

/// Has a fresh ring begin at `start`.
pub(crate) fn begin_at(fd: impl AsFd, start: u64) {
    each_lane(fd, |words| {
        let (producer, consumer) = (&words.producer.0, &words.consumer.0);
        for word in [&producer.tail, &producer.reserved, &consumer.head, &consumer.skip_to] {
            // ORDER(test.kill): nobody uses the ring yet.
            word.store(start, Ordering::Relaxed);
        }
    });
}

/// How many of the operation's messages belong to calls that have returned. The one who is killed counts.
pub(crate) struct Done(SharedRef<AtomicU64>);

impl Done {
    fn new() -> Self {
        let mut layout = Layout::default();
        let at = layout.reserve(RegionKind::Words, 0, 8).unwrap();
        Self(Segment::create(&layout).unwrap().shared(at))
    }

    /// A call with `count` messages has returned.
    pub(crate) fn add(&self, count: u64) {
        // ORDER(test.kill): one writer, and the reader looks only while it is stopped.
        self.0.store(self.get() + count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        // ORDER(test.kill): as above.
        self.0.load(Ordering::Relaxed)
    }
}

/// What a killed process left.
pub(crate) struct Left<'a> {
    /// The memory.
    pub(crate) bytes: &'a [u8],
    /// The messages of calls that had returned.
    pub(crate) done: u64,
}

impl Left<'_> {
    /// A copy to go on with.
    pub(crate) fn revive(&self) -> OwnedFd {
        revive(self.bytes)
    }
}

/// Says where a check failed.
struct Place(u64);

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("\n    killed after instruction {}", self.0);
        }
    }
}

/// Stops after instructions of operations.
#[derive(Clone, Copy, Default)]
pub(crate) struct Points {
    all: u64,
    /// Those that left something else than the stop before.
    new: u64,
}

impl AddAssign for Points {
    fn add_assign(&mut self, other: Self) {
        *self = Self { all: self.all + other.all, new: self.new + other.new };
    }
}

/// Traces `operation`, and gives all it leaves to `check`. A stop that changed nothing leaves what the last one left, which was
/// looked at; it counts all the same.
pub(crate) fn kill_everywhere(fd: BorrowedFd<'_>, operation: impl FnOnce(&Done), check: impl Fn(&Left<'_>)) -> Points {
    let counter = Done::new();
    let mut last = (memory(fd), 0);
    let mut place = Place(0);
    let mut new = 0;
    check(&Left { bytes: &last.0, done: 0 });
    let all = each_instruction(
        || operation(&counter),
        || {
            place.0 += 1;
            let now = (memory(fd), counter.get());
            if now != last {
                check(&Left { bytes: &now.0, done: now.1 });
                (last, new) = (now, new + 1);
            }
        },
    );
    Points { all: all.saturating_sub(nothing()), new }
}

/// Instructions of an operation that does nothing: the way from one marker to the other, which is no operation's.
fn nothing() -> u64 {
    static NOTHING: OnceLock<u64> = OnceLock::new();
    *NOTHING.get_or_init(|| each_instruction(|| {}, || {}))
}

/// What a family of operations must have at least, for its name to be worth anything.
const ENOUGH: u64 = 10_000;

thread_local! {
    /// All points of the family under way.
    static FAMILY: Cell<u64> = const { Cell::new(0) };
}

/// Says how many points an operation had.
pub(crate) fn report(what: &str, points: Points) {
    println!("\n    {what}: {} points, {} of them with something new", points.all, points.new);
    FAMILY.set(FAMILY.get() + points.all);
}

/// Tries a family of operations, which must be large enough.
pub(crate) fn family(operations: fn()) {
    FAMILY.set(0);
    operations();
    println!("    together: {} points", FAMILY.get());
    assert!(FAMILY.get() >= ENOUGH, "too few");
}
