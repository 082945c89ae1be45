//! What both ends of a queue, or of a pipe, have: putting and getting by the queue's places.

use std::io;
use std::marker::PhantomData;

use super::Shutdown;
use super::claim::Claim;
use super::slots::{self, NO_CONSUMER, NO_PRODUCER, Slots};
use super::state::Phase;
use crate::multi::arena::Kind;
use crate::multi::bell::{Bell, Limit};
use crate::multi::error::{DecodeError, GetError, PutError};
use crate::multi::message::{Message, Writer, hand_over, look_at};
use crate::multi::object::{Handle, Object, Role};
use crate::multi::waybill::Waybill;

pub(super) const PRODUCER: Role = Role::First;
pub(super) const CONSUMER: Role = Role::Second;

/// How many places a queue of so many values has, and how many bytes each.
pub(in crate::multi) fn measures(capacity: usize, size: usize) -> io::Result<(u32, u32)> {
    let places = u32::try_from(capacity).ok().and_then(u32::checked_next_power_of_two).filter(|_| capacity > 0);
    places.zip(u32::try_from(size).ok()).ok_or_else(|| cannot_be_made(capacity))
}

pub(in crate::multi) fn cannot_be_made(capacity: usize) -> io::Error {
    let text =
        format!("a queue of {capacity} values cannot be made: it has 1 to {} places of at most 4 GiB each", 1u32 << 31);
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// What both ends of a queue (or of a pipe) have.
pub(in crate::multi) struct Core<T> {
    handle: Handle,
    pub(super) slots: Slots,
    value: PhantomData<fn(T) -> T>,
}

impl<T> std::fmt::Debug for Core<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("block", &self.handle.object().block.0).finish_non_exhaustive()
    }
}

impl<T: Message> Core<T> {
    /// The ends of a new queue: a producer's and a consumer's.
    pub(in crate::multi) fn create(kind: Kind, capacity: usize) -> io::Result<(Self, Self)> {
        let (places, size) = measures(capacity, T::SLOT)?;
        let goods = u32::try_from(T::OBJECTS).map_err(|_| cannot_be_made(capacity))?;
        let bytes = Slots::bytes(places as usize, T::SLOT, T::OBJECTS).ok_or_else(|| cannot_be_made(capacity))?;
        // Held as both from the beginning: never shall the sweep see it without one.
        let handle = Handle::create(kind, bytes, PRODUCER, |object| {
            object.hold(CONSUMER);
            Slots::set_up(object, places, size, goods);
        })?;
        let slots = Slots::of(handle.object());
        let consumer = Handle::assume(handle.object(), CONSUMER);
        Ok((Self { slots, handle, value: PhantomData }, Self { slots, handle: consumer, value: PhantomData }))
    }

    /// An end of a queue that somebody else is known to hold as long as this call takes.
    pub(super) fn join(object: Object, role: Role) -> Self {
        let handle = Handle::join(object, role);
        Self { slots: Slots::of(object), handle, value: PhantomData }
    }

    /// An end that does not count as one: it must not be dropped.
    pub(super) fn assume(object: Object) -> Self {
        Self { slots: Slots::of(object), handle: Handle::assume(object, PRODUCER), value: PhantomData }
    }

    /// An end of a queue for values of this size, by its handle.
    pub(super) fn adopt(handle: Handle) -> Option<Self> {
        let slots = Slots::of(handle.object());
        ((slots.size(), slots.goods()) == (T::SLOT, T::OBJECTS)).then_some(Self { slots, handle, value: PhantomData })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Another end of it.
    pub(in crate::multi) fn other(&self, role: Role) -> Self {
        Self { handle: self.handle.another(role), slots: self.slots, value: PhantomData }
    }

    #[inline]
    pub(super) fn refuses(&self) -> bool {
        self.slots.head.shut.get() != 0 || self.slots.head.gone.get() & NO_CONSUMER != 0
    }

    #[inline]
    pub(in crate::multi) fn try_put(&self, value: T) -> Result<(), PutError<T>> {
        if self.refuses() {
            return Err(PutError::Closed(value));
        }
        match self.slots.try_claim() {
            Some(claim) => self.fill(claim, value),
            None => Err(PutError::Full(value)),
        }
    }

    /// Puts a value, also if nobody puts any more; whether there was room.
    pub(super) fn put_again(&self, value: T) -> bool {
        self.slots.try_claim().is_some_and(|claim| self.fill(claim, value).is_ok())
    }

    #[inline]
    pub(super) fn fill(&self, mut claim: Claim, value: T) -> Result<(), PutError<T>> {
        let position = claim.position();
        let mut begun = Begun { slots: &self.slots, claim: &mut claim, end: Some(Slots::give_up) };
        let mut out = Writer::new(self.slots.value_mut(begun.claim));
        match hand_over(&value, &mut out, || self.slots.waybill_of(position)) {
            Ok(()) => {
                let len = out.len();
                begun.end = None;
                self.slots.publish(begun.claim, len);
                if T::OBJECTS > 0 {
                    self.slots.discard_if_late();
                }
                Ok(())
            }
            Err(too_large) => Err(PutError::TooLarge(value, too_large)),
        }
    }

    #[inline]
    pub(in crate::multi) fn put(&self, value: T, limit: Limit) -> Result<(), PutError<T>> {
        match self.try_put(value) {
            Err(PutError::Full(value)) => self.put_slowly(value, limit),
            other => other,
        }
    }

    #[cold]
    fn put_slowly(&self, value: T, limit: Limit) -> Result<(), PutError<T>> {
        // Who fills each place as soon as it is empty does so beside who empties the next, and each waits for the other's cache line.
        Bell::spin(limit, &mut || (self.refuses() || self.slots.has_much_room()).then_some(()));
        let mut value = match self.try_put(value) {
            Err(PutError::Full(value)) => Some(value),
            other => return other,
        };
        let put = self.slots.head.emptied.rest(limit, || match value.take().map(|value| self.try_put(value))? {
            Err(PutError::Full(back)) => {
                value = Some(back);
                None
            }
            other => Some(other),
        });
        match (put, value) {
            (Some(put), _) => put,
            (None, Some(value)) => Err(PutError::Timeout(value)),
            (None, None) => Ok(()),
        }
    }

    /// Takes a value, or says why there is none.
    #[inline]
    pub(super) fn try_take(&self) -> Result<Claim, GetError> {
        if self.slots.head.shut.get() == 2 {
            return Err(GetError::Closed);
        }
        // Before the look: what was put before the last producer went is there.
        let over = self.slots.is_over();
        match self.slots.try_take() {
            Some(claim) => Ok(claim),
            None if over && !self.slots.may_have() => Err(GetError::Closed),
            None => Err(GetError::Empty),
        }
    }

    #[inline]
    pub(super) fn take(&self, limit: Limit) -> Result<Claim, GetError> {
        match self.try_take() {
            Err(GetError::Empty) => self.take_slowly(limit),
            other => other,
        }
    }

    #[cold]
    fn take_slowly(&self, limit: Limit) -> Result<Claim, GetError> {
        let taken = self.slots.head.filled.wait(limit, || match self.try_take() {
            Err(GetError::Empty) => None,
            other => Some(other),
        });
        taken.unwrap_or(Err(GetError::Timeout))
    }

    /// The value of a claim; without one the claim is done with.
    #[inline]
    pub(super) fn decode(&self, claim: &mut Claim) -> Result<T, DecodeError> {
        let mut begun = Begun { slots: &self.slots, claim, end: Some(Slots::finish) };
        // It keeps what it has on board until it is done with: it may come again.
        let value = look_at(self.slots.value(begun.claim), || self.slots.waybill_of(begun.claim.position()))?;
        begun.end = None;
        Ok(value)
    }

    #[inline]
    fn read(&self, mut claim: Claim) -> Result<T, GetError> {
        let value = self.decode(&mut claim)?;
        self.slots.finish(&claim);
        Ok(value)
    }

    #[inline]
    pub(in crate::multi) fn try_get(&self) -> Result<T, GetError> {
        self.try_take().and_then(|claim| self.read(claim))
    }

    #[inline]
    pub(in crate::multi) fn get(&self, limit: Limit) -> Result<T, GetError> {
        self.take(limit).and_then(|claim| self.read(claim))
    }

    pub(in crate::multi) fn len(&self) -> usize {
        self.slots.count(&[Phase::Full, Phase::Returned])
    }

    /// Whether a get would not have to wait.
    pub(in crate::multi) fn is_ready(&self) -> bool {
        self.len() > 0 || (self.slots.is_over() && !self.slots.may_have())
    }

    /// Rung when that may have changed.
    pub(in crate::multi) fn bell(&self) -> &'static Bell {
        &self.slots.head.filled
    }

    /// The pid of the process whose death took the last producer.
    pub(in crate::multi) fn dead_producer(&self) -> Option<u32> {
        Some(self.slots.head.dead[0].get()).filter(|pid| *pid != 0)
    }

    pub(super) fn shut(&self, how: Shutdown) {
        // One that ends all is not taken back by one that drains.
        self.slots.head.shut.raise(if how == Shutdown::Drain { 1 } else { 2 });
        self.slots.ring_all();
    }
}

/// A claim whose value is being written or read, by code of the program's own: if that panics the place must not stay claimed.
struct Begun<'c> {
    slots: &'c Slots,
    claim: &'c mut Claim,
    /// What becomes of it then.
    end: Option<fn(&Slots, &Claim)>,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some(end) = self.end {
            end(self.slots, self.claim);
        }
    }
}

/// The sweep's part: what a dead member had begun.
pub(in crate::multi) fn bereave(object: Object, dead: usize) {
    Slots::of(object).bereave(dead);
}

/// What the values there have on board.
pub(in crate::multi) fn waybills(object: Object) -> impl Iterator<Item = Waybill> {
    Slots::of(object).waybills()
}

/// The last holder of a role has gone; `pid` of who died with it, or 0.
pub(in crate::multi) fn role_is_gone(object: Object, pid: u32) {
    let head: &slots::Head = object.body();
    for (role, bit, place) in [(PRODUCER, NO_PRODUCER, 0), (CONSUMER, NO_CONSUMER, 1)] {
        if object.holders(role) == 0 && head.gone.get() & bit == 0 {
            head.dead[place].set(pid);
            head.gone.include(bit);
        }
    }
    let slots = Slots::of(object);
    // What is left goes with the last consumer: it may have on board what is shared.
    slots.discard_if_unwanted();
    slots.ring_all();
}
