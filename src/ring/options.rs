//! What a ring for programs is to be like, and the segment it lies in.

use bytemuck::Pod;

use super::bell::Bell;
use super::channel::{Consumer, Producer};
use super::fences::Fences;
use super::lane::{Lane, check};
use super::lane_regions::LaneRegions;
use super::settings::{Overflow, Wait};
use crate::shm::{AttachError, Comfort, LayoutError, Segment, SegmentError};
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
    /// The options ask for something that a line, or a lane in a segment of your own, has not.
    #[error("this kind of ring blocks when it is full, and has neither doorbell nor taps")]
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
    pub(super) capacity: usize,
    pub(super) overflow: Overflow,
    pub(super) producer_wait: Wait,
    pub(super) consumer_wait: Wait,
    pub(super) doorbell: bool,
    pub(super) taps: bool,
    pub(super) comfort: Comfort,
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

    /// The two ends of a lane that lies in a segment of yours, beside others; for the lanes of a [`Step`](super::Step). Such a lane
    /// blocks when it is full, and of the options only the ways to wait count: capacity and memory are the segment's.
    ///
    /// # Errors
    /// If messages of type `T` cannot lie in the lane's slots, or the options ask for another overflow policy, doorbells or taps.
    pub fn ends_in<T: Pod>(
        self,
        segment: &Segment,
        lane: LaneRegions,
    ) -> Result<(Producer<T>, Consumer<T>), ChannelError> {
        // Every handle of a lane must go by the same protocol, and nothing in the segment says which: so there is one only.
        if self.overflow != Overflow::Block || self.taps || self.doorbell {
            return Err(ChannelError::Unsuited);
        }
        check::<T>(lane.slot_size)?;
        if lane.slot_size != self.slot_size::<T>() {
            return Err(ChannelError::Size { found: lane.slot_size, wanted: self.slot_size::<T>() });
        }
        // A step knows nothing of membarrier; with a fence at every publication its peers need not care.
        let lane = Lane::over::<T>(&self, segment, lane, Fences::Both);
        let bell = || Bell::Futex;
        Ok((Producer::new(lane.clone(), bell(), bell()), Consumer::new(lane, bell(), bell())))
    }

    /// Bytes of a slot. Racing readers and writers go word by word.
    pub(super) fn slot_size<T>(&self) -> usize {
        let races = self.taps || self.overflow == Overflow::DropOldest;
        if races { size_of::<T>().next_multiple_of(8) } else { size_of::<T>() }
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
