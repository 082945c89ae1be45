//! What a ring for programs is to be like, and the segment it lies in.

use std::os::fd::OwnedFd;

use bytemuck::Pod;

use super::bell::Bell;
use super::channel::{Consumer, Producer};
use super::consumer::ConsumerCursor;
use super::consumer_end::ConsumerEnd;
use super::fences::Fences;
use super::lane_regions::LaneRegions;
use super::marked::marked_size;
use super::producer::ProducerCursor;
use super::producer_end::ProducerEnd;
use super::settings::{Overflow, Settings, Wait};
use super::{LaneWords, Slots};
use crate::prim::{AtomicU64, Ordering};
use crate::shm::{
    Access, AttachError, Comfort, Layout, LayoutError, Offset, RegionKind, Segment, SegmentError, SharedRef,
};
use crate::sys::eventfd::EventFd;

/// Why there is no ring.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// So many messages cannot be addressed.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// No shared memory.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The descriptor leads to something else.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// It leads to a ring of other messages.
    #[error("the ring's messages have {found} bytes, this program's {wanted}")]
    Size {
        /// Bytes of the ring's messages.
        found: usize,
        /// Bytes of the type asked for.
        wanted: usize,
    },
    /// A message of no bytes.
    #[error("a message without bytes cannot be told from none")]
    NoBytes,
    /// A message aligned to more than a cache-line pair.
    #[error("messages aligned to {0} bytes do not fit into shared memory that is aligned to 128")]
    Alignment(usize),
    /// The options ask for something that a ring of marked slots has not.
    #[error("a ring for the lowest latency blocks when it is full, and has neither doorbell nor taps")]
    Unsuited,
    /// Nobody may look at the ring besides its ends.
    #[error("the ring was made without `Options::taps`, so its producer does not say what it overwrites")]
    NoTaps,
    /// No eventfd.
    #[error("cannot make a doorbell: {0}; look at `ulimit -n`")]
    Bell(std::io::Error),
}

/// What a ring is to be like. Build one with [`Options::new`], then [`Options::open`].
///
/// ```
/// use std::time::Duration;
///
/// use pinring::ring::{Options, Overflow, Wait};
///
/// let (mut tx, mut rx) = Options::new(4)
///     .overflow(Overflow::DropOldest)
///     .wait(Wait::SpinThenSleep(Duration::from_micros(5)))
///     .open::<[f64; 3]>()?;
/// for sample in 0..6 {
///     tx.push([f64::from(sample), 0.0, 9.81]).map_err(|error| error.to_string())?;
/// }
/// assert_eq!(rx.pop()?[0], 2.0);
/// assert_eq!(rx.skipped(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Options {
    capacity: usize,
    overflow: Overflow,
    producer_wait: Wait,
    consumer_wait: Wait,
    doorbell: bool,
    taps: bool,
    comfort: Comfort,
}

impl Options {
    /// A ring of `capacity` messages, rounded up to a power of two.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            overflow: Overflow::Block,
            producer_wait: Wait::default(),
            consumer_wait: Wait::default(),
            doorbell: false,
            taps: false,
            comfort: Comfort::default(),
        }
    }

    /// What happens when it is full.
    #[must_use]
    pub fn overflow(self, overflow: Overflow) -> Self {
        Self { overflow, ..self }
    }

    /// How both ends wait. An end whose peer is [`Wait::Busy`] never looks whether it sleeps.
    #[must_use]
    pub fn wait(self, wait: Wait) -> Self {
        Self { producer_wait: wait, consumer_wait: wait, ..self }
    }

    /// How the producer waits for room.
    #[must_use]
    pub fn producer_wait(self, wait: Wait) -> Self {
        Self { producer_wait: wait, ..self }
    }

    /// How the consumer waits for messages.
    #[must_use]
    pub fn consumer_wait(self, wait: Wait) -> Self {
        Self { consumer_wait: wait, ..self }
    }

    /// Wakes by eventfd instead of by futex, so that an end can wait for it together with other descriptors. Such a ring works
    /// between threads and forked processes, not by [`attach_consumer`](super::attach_consumer).
    #[must_use]
    pub fn doorbell(self) -> Self {
        Self { doorbell: true, ..self }
    }

    /// Allows [`Tap`](super::Tap)s, and with them costs the producer a little: it writes word by word, and says so before.
    #[must_use]
    pub fn taps(self) -> Self {
        Self { taps: true, ..self }
    }

    /// Prefaulted, locked or huge pages.
    #[must_use]
    pub fn comfort(self, comfort: Comfort) -> Self {
        Self { comfort, ..self }
    }

    /// The two ends of a lane that lies in a segment of yours, beside others; for the lanes of a [`Step`](super::Step). Of the
    /// options only the overflow policy, the ways to wait and [`Self::taps`] count, and every handle of a lane must have the
    /// same. A step's lanes are [`Overflow::Block`].
    ///
    /// # Errors
    /// If messages of type `T` cannot lie in the lane's slots.
    pub fn ends_in<T: Pod>(
        self,
        segment: &Segment,
        lane: LaneRegions,
    ) -> Result<(Producer<T>, Consumer<T>), ChannelError> {
        check::<T>(lane.slot_size)?;
        if lane.slot_size != self.slot_size::<T>() {
            return Err(ChannelError::Size { found: lane.slot_size, wanted: self.slot_size::<T>() });
        }
        // A step knows nothing of membarrier; with a fence at every publication its peers need not care.
        let info = self.info::<T>(lane, Fences::Both);
        let lane = Lane { segment: segment.clone(), regions: lane, info };
        let bell = || Bell::Futex;
        Ok((Producer::new(lane.clone(), bell(), bell()), Consumer::new(lane, bell(), bell())))
    }

    /// Bytes of a slot. Racing readers and writers go word by word.
    fn slot_size<T>(&self) -> usize {
        let races = self.taps || self.overflow == Overflow::DropOldest;
        if races { size_of::<T>().next_multiple_of(8) } else { size_of::<T>() }
    }

    fn info<T>(&self, lane: LaneRegions, fences: Fences) -> Info {
        Info {
            value_size: size_of::<T>() as u64,
            slot_size: lane.slot_size as u64,
            capacity: lane.capacity,
            overflow: self.overflow as u64,
            announce: if self.taps { (lane.capacity / 4).clamp(1, MOST_AHEAD) } else { 0 },
            waits: [coded(self.producer_wait), coded(self.consumer_wait)],
            asymmetric: u64::from(fences == Fences::Sleeper),
        }
    }

    /// Makes the ring.
    ///
    /// # Errors
    /// If the memory is not to be had, or messages of type `T` cannot lie in it.
    pub fn open<T: Pod>(self) -> Result<(Producer<T>, Consumer<T>), ChannelError> {
        let lane = Lane::create::<T>(self)?;
        let bells = || -> Result<[Bell; 2], ChannelError> {
            if !self.doorbell {
                return Ok([Bell::Futex, Bell::Futex]);
            }
            let bell = EventFd::new().map_err(ChannelError::Bell)?;
            let other = bell.duplicate().map_err(ChannelError::Bell)?;
            Ok([Bell::Door(bell), Bell::Door(other)])
        };
        let ([data, their_data], [space, their_space]) = (bells()?, bells()?);
        Ok((Producer::new(lane.clone(), data, space), Consumer::new(lane, their_data, their_space)))
    }
}

/// What the segment says of the lane, for who attaches. Written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Info {
    value_size: u64,
    slot_size: u64,
    capacity: u64,
    overflow: u64,
    announce: u64,
    /// For each end how it waits: [`busy`](Wait::Busy) 0, else 1 plus the nanoseconds of spinning.
    waits: [u64; 2],
    /// 1: publishers rely on the sleeper's membarrier.
    asymmetric: u64,
}

const INFO_WORDS: usize = 8;

impl Info {
    fn words(self) -> [u64; INFO_WORDS] {
        let Self { value_size, slot_size, capacity, overflow, announce, waits: [one, other], asymmetric } = self;
        [value_size, slot_size, capacity, overflow, announce, one, other, asymmetric]
    }

    fn from_words(
        [value_size, slot_size, capacity, overflow, announce, one, other, asymmetric]: [u64; INFO_WORDS],
    ) -> Self {
        Self { value_size, slot_size, capacity, overflow, announce, waits: [one, other], asymmetric }
    }
}

fn coded(wait: Wait) -> u64 {
    match wait {
        Wait::Busy => 0,
        Wait::SpinThenSleep(spin) => u64::try_from(spin.as_nanos()).unwrap_or(u64::MAX).saturating_add(1),
        Wait::Sleep => 1,
    }
}

fn decoded(wait: u64) -> Wait {
    match wait {
        0 => Wait::Busy,
        1 => Wait::Sleep,
        more => Wait::SpinThenSleep(std::time::Duration::from_nanos(more - 1)),
    }
}

/// A lane in a segment of its own.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) segment: Segment,
    pub(super) regions: LaneRegions,
    info: Info,
}

/// The most that a tapped lane's producer announces ahead.
const MOST_AHEAD: u64 = 32;

impl Lane {
    fn create<T: Pod>(options: Options) -> Result<Self, ChannelError> {
        let slot_size = options.slot_size::<T>();
        check::<T>(slot_size)?;
        Self::lay_out::<T>(options, slot_size)
    }

    fn lay_out<T: Pod>(options: Options, slot_size: usize) -> Result<Self, ChannelError> {
        let mut layout = Layout::default();
        let info_at = layout.reserve(RegionKind::LaneInfo, 0, INFO_WORDS * 8)?;
        let regions = LaneRegions::reserve(&mut layout, 0, options.capacity as u64, slot_size)?;
        let segment = Segment::create_with(&layout, options.comfort)?;
        let info = options.info::<T>(regions, Fences::cheapest());
        let words: SharedRef<[AtomicU64; INFO_WORDS]> = segment.shared(info_at);
        for (word, value) in words.iter().zip(info.words()) {
            // ORDER(info): Relaxed; whoever attaches gets the descriptor after this.
            word.store(value, Ordering::Relaxed);
        }
        Ok(Self { segment, regions, info })
    }

    pub(super) fn attach<T: Pod>(fd: OwnedFd) -> Result<Self, ChannelError> {
        Self::attach_with::<T>(fd, Access::Full)
    }

    pub(super) fn attach_with<T: Pod>(fd: OwnedFd, access: Access) -> Result<Self, ChannelError> {
        let (segment, layout) = Segment::attach(fd, access)?;
        let foreign = || ChannelError::Attach(AttachError::Foreign("it holds no ring of a channel"));
        let at = |kind: RegionKind, size: usize| -> Result<Offset, ChannelError> {
            let entry = layout.find(kind, 0).filter(|entry| entry.size >= size);
            Ok(entry.ok_or_else(foreign)?.offset)
        };
        let words: SharedRef<[AtomicU64; INFO_WORDS]> = segment.shared(at(RegionKind::LaneInfo, INFO_WORDS * 8)?);
        // ORDER(info): Relaxed; written before the descriptor came here.
        let info = Info::from_words(std::array::from_fn(|index| words[index].load(Ordering::Relaxed)));
        let size = |bytes: u64| usize::try_from(bytes).ok().filter(|bytes| *bytes > 0);
        let (slot_size, capacity) = (size(info.slot_size).ok_or_else(foreign)?, info.capacity);
        let bytes =
            size(capacity).filter(|count| count.is_power_of_two()).and_then(|count| count.checked_mul(slot_size));
        let regions = LaneRegions {
            words: at(RegionKind::LaneWords, size_of::<LaneWords>())?,
            slots: at(RegionKind::LaneSlots, bytes.ok_or_else(foreign)?)?,
            capacity,
            slot_size,
        };
        if info.value_size != size_of::<T>() as u64 {
            let found = usize::try_from(info.value_size).unwrap_or(usize::MAX);
            return Err(ChannelError::Size { found, wanted: size_of::<T>() });
        }
        if info.overflow > Overflow::DropNewest as u64 || info.value_size > info.slot_size {
            return Err(foreign());
        }
        check::<T>(slot_size)?;
        if info.asymmetric == 1 && access == Access::Full {
            // We must take part before we publish without a fence or rely on others who do.
            crate::sys::membarrier::register().map_err(|error| ChannelError::Attach(error.into()))?;
        }
        Ok(Self { segment, regions, info })
    }

    fn overflow(&self) -> Overflow {
        match self.info.overflow {
            1 => Overflow::DropOldest,
            2 => Overflow::DropNewest,
            _ => Overflow::Block,
        }
    }

    /// Whether taps may read it: what is written is announced.
    pub(super) fn is_announced(&self) -> bool {
        self.info.announce > 0 || self.overflow() == Overflow::DropOldest
    }

    fn settings(&self, own: usize) -> Settings {
        Settings {
            overflow: self.overflow(),
            wait: decoded(self.info.waits[own]),
            peer_sleeps: decoded(self.info.waits[1 - own]) != Wait::Busy,
            announce: self.info.announce,
            fences: if self.info.asymmetric == 1 { Fences::Sleeper } else { Fences::Both },
        }
    }

    /// A lane whose slots carry marks.
    pub(super) fn create_marked<T: Pod>(options: Options) -> Result<Self, ChannelError> {
        if options.overflow != Overflow::Block || options.doorbell || options.taps {
            return Err(ChannelError::Unsuited);
        }
        check::<T>(size_of::<T>())?;
        if align_of::<T>() > 8 {
            return Err(ChannelError::Alignment(align_of::<T>()));
        }
        Self::lay_out::<T>(options, marked_size(size_of::<T>()))
    }

    pub(super) fn slots(&self) -> Slots {
        self.regions.slots(&self.segment)
    }

    pub(super) fn producer_end<S>(&self, slots: S, data: Bell, space: Bell) -> ProducerEnd<SharedRef<LaneWords>, S> {
        ProducerEnd {
            cursor: ProducerCursor::attach(self.words(), self.regions.capacity),
            slots,
            settings: self.settings(0),
            data,
            space,
            capacity: self.regions.capacity,
            is_owner: false,
            is_plain: false,
        }
    }

    pub(super) fn consumer_end<S>(&self, slots: S, data: Bell, space: Bell) -> ConsumerEnd<SharedRef<LaneWords>, S> {
        ConsumerEnd {
            cursor: ConsumerCursor::attach(self.words(), self.regions.capacity),
            slots,
            settings: self.settings(1),
            data,
            space,
            capacity: self.regions.capacity,
            is_owner: false,
            is_plain: false,
        }
    }

    pub(super) fn words(&self) -> SharedRef<LaneWords> {
        self.regions.words(&self.segment)
    }

    pub(super) fn dropped(&self) -> u64 {
        // ORDER(counts): Relaxed; a counter.
        self.words().producer.0.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn skipped(&self) -> u64 {
        // ORDER(counts): Relaxed; a counter.
        self.words().consumer.0.skipped.load(Ordering::Relaxed)
    }
}

fn check<T: Pod>(slot_size: usize) -> Result<(), ChannelError> {
    if size_of::<T>() == 0 {
        return Err(ChannelError::NoBytes);
    }
    // Regions are aligned to 128, and a type's size is a multiple of its alignment.
    if align_of::<T>() > 128 || slot_size % align_of::<T>() != 0 {
        return Err(ChannelError::Alignment(align_of::<T>()));
    }
    Ok(())
}
