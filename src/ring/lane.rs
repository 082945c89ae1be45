//! A lane of a channel: its segment, what the segment says of it, and the ends laid over it.

use std::os::fd::OwnedFd;

use bytemuck::{Pod, Zeroable};

use super::bell::Bell;
use super::consumer::ConsumerCursor;
use super::consumer_end::ConsumerEnd;
use super::fences::Fences;
use super::lane_regions::LaneRegions;
use super::marked::marked_size;
use super::options::{ChannelError, Options};
use super::producer::ProducerCursor;
use super::producer_end::ProducerEnd;
use super::settings::{Overflow, Settings, Wait};
use super::{LaneWords, Slots};
use crate::prim::{AtomicU64, Ordering};
use crate::shm::{Access, AttachError, Layout, Offset, RegionKind, Segment, SharedRef};

/// What the segment says of the lane, for who attaches. Written once.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
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
    /// 1: slots carry marks.
    marked: u64,
}

const INFO_WORDS: usize = size_of::<Info>() / 8;

impl Info {
    fn new<T>(options: &Options, lane: LaneRegions, fences: Fences) -> Self {
        Self {
            value_size: size_of::<T>() as u64,
            slot_size: lane.slot_size as u64,
            capacity: lane.capacity,
            overflow: options.overflow as u64,
            announce: if options.taps { (lane.capacity / 4).clamp(1, MOST_AHEAD) } else { 0 },
            waits: [coded(options.producer_wait), coded(options.consumer_wait)],
            asymmetric: u64::from(fences == Fences::Sleeper),
            marked: 0,
        }
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
    /// A lane in somebody's segment.
    pub(super) fn over<T: Pod>(options: &Options, segment: &Segment, regions: LaneRegions, fences: Fences) -> Self {
        Self { segment: segment.clone(), regions, info: Info::new::<T>(options, regions, fences) }
    }

    pub(super) fn create<T: Pod>(options: Options) -> Result<Self, ChannelError> {
        let slot_size = options.slot_size::<T>();
        check::<T>(slot_size)?;
        Self::lay_out::<T>(options, slot_size, false)
    }

    fn lay_out<T: Pod>(options: Options, slot_size: usize, marked: bool) -> Result<Self, ChannelError> {
        let mut layout = Layout::default();
        let info_at = layout.reserve(RegionKind::LaneInfo, 0, INFO_WORDS * 8)?;
        let regions = LaneRegions::reserve(&mut layout, 0, options.capacity as u64, slot_size)?;
        let segment = Segment::create_with(&layout, options.comfort)?;
        let info = Info { marked: u64::from(marked), ..Info::new::<T>(&options, regions, Fences::cheapest()) };
        let words: SharedRef<[AtomicU64; INFO_WORDS]> = segment.shared(info_at);
        for (word, value) in words.iter().zip(bytemuck::cast::<Info, [u64; INFO_WORDS]>(info)) {
            // ORDER(info): Relaxed; whoever attaches gets the descriptor after this.
            word.store(value, Ordering::Relaxed);
        }
        Ok(Self { segment, regions, info })
    }

    pub(super) fn attach<T: Pod>(fd: OwnedFd) -> Result<Self, ChannelError> {
        Self::attach_with::<T>(fd, Access::Full)
    }

    pub(super) fn attach_marked<T: Pod>(fd: OwnedFd) -> Result<Self, ChannelError> {
        Self::take_up::<T>(fd, Access::Full, true)
    }

    pub(super) fn attach_with<T: Pod>(fd: OwnedFd, access: Access) -> Result<Self, ChannelError> {
        Self::take_up::<T>(fd, access, false)
    }

    fn take_up<T: Pod>(fd: OwnedFd, access: Access, marked: bool) -> Result<Self, ChannelError> {
        let (segment, layout) = Segment::attach(fd, access)?;
        let foreign = || ChannelError::Attach(AttachError::Foreign("it holds no ring of a channel"));
        let at = |kind: RegionKind, size: usize| -> Result<Offset, ChannelError> {
            let entry = layout.find(kind, 0).filter(|entry| entry.size >= size);
            Ok(entry.ok_or_else(foreign)?.offset)
        };
        let words: SharedRef<[AtomicU64; INFO_WORDS]> = segment.shared(at(RegionKind::LaneInfo, INFO_WORDS * 8)?);
        // ORDER(info): Relaxed; written before the descriptor came here.
        let info: [u64; INFO_WORDS] = std::array::from_fn(|index| words[index].load(Ordering::Relaxed));
        let info: Info = bytemuck::cast(info);
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
        // In marked slots the mark comes before the value.
        if info.marked != u64::from(marked) || (marked && slot_size != marked_size(size_of::<T>())) {
            return Err(foreign());
        }
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

    /// Of end `own`, which wakes the other by `bell`.
    fn settings(&self, own: usize, bell: &Bell) -> Settings {
        Settings {
            overflow: self.overflow(),
            wait: decoded(self.info.waits[own]),
            // Whoever has a doorbell may wait for it by himself, however he waits otherwise.
            peer_sleeps: decoded(self.info.waits[1 - own]) != Wait::Busy || matches!(bell, Bell::Door(_)),
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
        Self::lay_out::<T>(options, marked_size(size_of::<T>()), true)
    }

    pub(super) fn slots(&self) -> Slots {
        self.regions.slots(&self.segment)
    }

    pub(super) fn producer_end<S>(&self, slots: S, data: Bell, space: Bell) -> ProducerEnd<SharedRef<LaneWords>, S> {
        ProducerEnd {
            cursor: ProducerCursor::attach(self.words(), self.regions.capacity),
            slots,
            settings: self.settings(0, &data),
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
            settings: self.settings(1, &space),
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

pub(super) fn check<T: Pod>(slot_size: usize) -> Result<(), ChannelError> {
    if size_of::<T>() == 0 {
        return Err(ChannelError::NoBytes);
    }
    // Regions are aligned to 128, and a type's size is a multiple of its alignment.
    if align_of::<T>() > 128 || slot_size % align_of::<T>() != 0 {
        return Err(ChannelError::Alignment(align_of::<T>()));
    }
    Ok(())
}
