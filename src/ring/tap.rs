//! Looking at a ring without taking part in it.

use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::OwnedFd;

use bytemuck::Pod;

use super::lane::Lane;
use super::options::{ChannelError, Options};
use super::position::is_before;
use super::settings::Overflow;
use super::store::Store;
use super::{LaneWords, Producer, Slots};
use crate::prim::{Ordering, fence};
use crate::shm::{Access, SharedRef};

/// Looks for the newest message, each time in vain and with the producer where it was, before there is none. Only who overwrites
/// the newest message itself gets us there: in a ring of one slot, for as long as it writes, and for ever if it dies meanwhile.
const LOOKS: u32 = 1000;

/// There is no message to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TapError {
    /// Not yet.
    #[error("no message has come since the last")]
    Empty,
    /// So many messages were overwritten before this tap saw them. The next call sees the oldest that is left.
    #[error("{0} messages went by unseen")]
    Lapped(u64),
    /// The producer has closed its end, and everything was seen.
    #[error("the producer has gone and everything was seen")]
    Closed,
}

/// What a tap does, whatever holds words and values. Writes nothing.
#[derive(Debug)]
pub(super) struct TapEnd<W, S> {
    words: W,
    slots: S,
    capacity: u64,
    position: u64,
}

impl<W: Deref<Target = LaneWords>, S: Store> TapEnd<W, S> {
    /// Looks from now on.
    pub(super) fn new(words: W, slots: S, capacity: u64) -> Self {
        let position = tail(&words);
        Self { words, slots, capacity, position }
    }

    /// The next message.
    pub(super) fn next<T: Pod>(&mut self) -> Result<T, TapError> {
        // ORDER(closed): Acquire; closed first and then nothing new is the end.
        let closed = self.words.producer.0.closed.load(Ordering::Acquire) != 0;
        if !is_before(self.position, tail(&self.words)) {
            return Err(if closed { TapError::Closed } else { TapError::Empty });
        }
        let value = self.slots.get_racing(self.position);
        let oldest = self.oldest();
        if is_before(self.position, oldest) {
            let lapped = oldest.wrapping_sub(self.position);
            self.position = oldest;
            return Err(TapError::Lapped(lapped));
        }
        self.position = self.position.wrapping_add(1);
        Ok(value)
    }

    /// The newest message, if there is one to see.
    pub(super) fn newest<T: Pod>(&mut self) -> Option<T> {
        let (mut tail_before, mut looks) = (None, 0);
        while looks < LOOKS {
            let tail = tail(&self.words);
            // Whether the first message is already announced says nothing: until it is published, nobody has written one.
            // (The position comes back to 0 after 584 years of a billion messages a second, and until the next message.)
            if tail == 0 {
                return None;
            }
            let position = tail.wrapping_sub(1);
            let value = self.slots.get_racing(position);
            if !is_before(position, self.oldest()) {
                self.position = tail;
                return Some(value);
            }
            looks = if tail_before.replace(tail) == Some(tail) { looks + 1 } else { 0 };
        }
        None
    }

    /// The oldest message whose slot nobody had begun to overwrite when what we have read was read.
    fn oldest(&self) -> u64 {
        // ORDER(reserved): the copy's loads, an Acquire fence, then this load (the reader's side of a seqlock).
        fence(Ordering::Acquire);
        // ORDER(reserved): as above.
        self.words.producer.0.reserved.load(Ordering::Relaxed).wrapping_sub(self.capacity)
    }
}

fn tail(words: &LaneWords) -> u64 {
    // ORDER(tail): Acquire, the slots' content after it.
    words.producer.0.tail.load(Ordering::Acquire)
}

/// Sees the messages of a ring as they pass. Any number of taps may look; they write nothing, so neither end knows of them.
/// The ring must have been made with [`Options::taps`] or [`Overflow::DropOldest`].
///
/// ```
/// use pinring::ring::{Options, TapError};
///
/// let (mut tx, mut rx) = Options::new(4).taps().open::<u64>()?;
/// let mut tap = tx.tap()?;
/// (1..=3).try_for_each(|value| tx.push(value)).map_err(|error| error.to_string())?;
/// assert_eq!(tap.next()?, 1);
/// assert_eq!(rx.pop()?, 1);
/// assert_eq!([tap.next()?, tap.next()?], [2, 3]);
/// assert_eq!(tap.next(), Err(TapError::Empty));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tap<T> {
    end: TapEnd<SharedRef<LaneWords>, Slots>,
    values: PhantomData<fn() -> T>,
}

impl<T: Pod> Tap<T> {
    pub(super) fn new(lane: &Lane) -> Result<Self, ChannelError> {
        if !lane.is_announced() {
            return Err(ChannelError::NoTaps);
        }
        let end = TapEnd::new(lane.words(), lane.slots(), lane.regions.capacity);
        Ok(Self { end, values: PhantomData })
    }

    /// The next message.
    ///
    /// # Errors
    /// [`TapError::Lapped`] if the producer was faster: a tap has no say in its pace.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator that ends while messages are still to come misleads"
    )]
    pub fn next(&mut self) -> Result<T, TapError> {
        self.end.next()
    }

    /// The newest message of all, passing over those between; `None` if there never was one. A ring of one slot has none, either,
    /// while that is overwritten, and none ever again if its producer dies over that and has no successor.
    pub fn newest(&mut self) -> Option<T> {
        self.end.newest()
    }
}

/// A tap on the ring behind a descriptor that another process gave us. Maps it read-only.
///
/// # Errors
/// If it is no ring of messages of this size, or one without taps.
pub fn attach_tap<T: Pod>(fd: OwnedFd) -> Result<Tap<T>, ChannelError> {
    Tap::new(&Lane::attach_with::<T>(fd, Access::ReadOnly)?)
}

/// A cell that holds the latest value: one writer, any number of readers, none of which waits for another.
/// For a state (a position, a setting) of which only the present matters, beside the queue of events.
///
/// A writer that dies while it writes leaves the value before.
///
/// ```
/// let (mut writer, mut reader) = pinring::ring::latest::<[f64; 2]>()?;
/// assert_eq!(reader.get(), None);
/// writer.push([48.1, 11.5]).map_err(|error| error.to_string())?;
/// writer.push([48.2, 11.6]).map_err(|error| error.to_string())?;
/// assert_eq!(reader.get(), Some([48.2, 11.6]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the memory is not to be had.
pub fn latest<T: Pod>() -> Result<(Producer<T>, Latest<T>), ChannelError> {
    // A ring of four: a reader is disturbed only by a writer that writes three times while it copies once.
    let (writer, _) = Options::new(4).overflow(Overflow::DropOldest).open()?;
    let tap = writer.tap()?;
    Ok((writer, Latest(tap)))
}

/// The reader of [`latest`].
#[derive(Debug)]
pub struct Latest<T>(Tap<T>);

impl<T: Pod> Latest<T> {
    /// The latest value; `None` before the first.
    pub fn get(&mut self) -> Option<T> {
        self.0.newest()
    }
}

/// The reader of the cell behind a descriptor that another process gave us. Maps it read-only.
///
/// # Errors
/// As [`attach_tap`].
pub fn attach_latest<T: Pod>(fd: OwnedFd) -> Result<Latest<T>, ChannelError> {
    attach_tap(fd).map(Latest)
}
