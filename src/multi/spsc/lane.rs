//! What both ends have: where their queue lies in the family's memory, and what became of the other.

use std::io;
use std::marker::PhantomData;

use crate::multi::arena::{Kind, Words};
use crate::multi::bell::Bell;
use crate::multi::family;
use crate::multi::message::{Message, receive};
use crate::multi::object::{BODY, Handle, Object, Role, is_bequeathing};
use crate::multi::queue::{Shutdown, cannot_be_made, measures};
use crate::multi::waybill::{self, Waybill};
use crate::multi::word::Word32;
use crate::prim::{AtomicU64, CachePadded, Ordering};
use crate::ring::{ConsumerCursor, Fences, LaneWords, Slots};

pub(super) const PRODUCER: Role = Role::First;
pub(super) const CONSUMER: Role = Role::Second;

/// Bits of [`Head::state`].
const NO_PRODUCER: u32 = 1;
const NO_CONSUMER: u32 = 2;
const DRAIN: u32 = 4;
const IMMEDIATE: u32 = 8;

/// First words of a queue. Those that each put and get looks at are written once in its life.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Head {
    /// Places; a power of two.
    capacity: Word32,
    /// Bytes of a value.
    size: Word32,
    /// Most objects that a value has on board. The bills of what they have follow the places.
    goods: Word32,
    /// Who has gone for good, and whether it was shut down.
    state: Word32,
    /// The pid of the process whose death took the producer, or the consumer.
    dead: [Word32; 2],
    /// Rung when a value is there.
    pub(super) filled: CachePadded<Bell>,
    /// Rung when a place is free.
    pub(super) emptied: CachePadded<Bell>,
    /// The consumer's position, told now and then.
    pub(super) told: CachePadded<AtomicU64>,
    pub(super) words: LaneWords,
}

// SAFETY: words only.
unsafe impl Words for Head {}

/// Where the first place is.
const FIRST: usize = BODY + size_of::<Head>();
const _: () = assert!(FIRST % 128 == 0, "places begin with a pair of lines");

/// Bytes of a place for values of that size: whole words, and never none.
const fn stride(size: usize) -> usize {
    if size == 0 { 8 } else { size.next_multiple_of(8) }
}

/// One end's view.
pub(super) struct Lane<T> {
    pub(super) handle: Handle,
    pub(super) head: &'static Head,
    pub(super) slots: Slots,
    pub(super) fences: Fences,
    value: PhantomData<fn(T) -> T>,
}

impl<T> std::fmt::Debug for Lane<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("block", &self.handle.object().block.0).finish_non_exhaustive()
    }
}

impl<T: Message> Lane<T> {
    /// Bytes of a place.
    pub(super) const STRIDE: usize = stride(T::SLOT);

    /// The ends of a new queue: a producer's and a consumer's.
    pub(super) fn create(capacity: usize) -> io::Result<(Self, Self)> {
        let (places, size) = measures(capacity, T::SLOT)?;
        let goods = u32::try_from(T::OBJECTS).map_err(|_| cannot_be_made(capacity))?;
        let each = Self::STRIDE + waybill::bytes(T::OBJECTS);
        let bytes = each.checked_mul(places as usize).and_then(|bytes| bytes.checked_add(FIRST - BODY));
        // Held as both from the beginning: never shall the sweep see it without one.
        let bytes = bytes.ok_or_else(|| cannot_be_made(capacity))?;
        let handle = Handle::create(Kind::Spsc, bytes, PRODUCER, |object| {
            object.hold(CONSUMER);
            let head: &Head = object.body();
            head.capacity.set(places);
            head.size.set(size);
            head.goods.set(goods);
        })?;
        let consumer = Handle::assume(handle.object(), CONSUMER);
        Ok((Self::view(handle), Self::view(consumer)))
    }

    /// An end of a queue for values of this size, by its handle.
    pub(super) fn adopt(handle: Handle) -> Option<Self> {
        let head: &Head = handle.object().body();
        let is_of_this_type = (head.size.get() as usize, head.goods.get() as usize) == (T::SLOT, T::OBJECTS);
        is_of_this_type.then(|| Self::view(handle))
    }

    fn view(handle: Handle) -> Self {
        let object = handle.object();
        let head: &'static Head = object.body();
        let places = head.capacity.get() as usize;
        let slots = Slots::over(object.words(FIRST, places * (Self::STRIDE / 8)), Self::STRIDE);
        Self { handle, head, slots, fences: family::get().fences, value: PhantomData }
    }

    pub(super) fn capacity(&self) -> u64 {
        self.slots.capacity()
    }

    /// Whether this goes for good when it is dropped now: neither lives it on in a child, nor is it on its way to somebody.
    fn is_last(&self, role: Role) -> bool {
        !is_bequeathing() && self.handle.object().holders(role) == 1
    }

    /// The producer goes. What the consumer has left, if it went before, goes with it: a value may hold something that is shared.
    pub(super) fn producer_goes(&self) {
        if self.is_last(PRODUCER) && self.head.state.include(NO_PRODUCER) & NO_CONSUMER != 0 {
            self.drop_values(&mut ConsumerCursor::attach(&self.head.words, self.capacity()));
        }
    }

    /// The consumer goes, and what is left with it. What is put meanwhile is dropped by whoever sees that it is the last.
    pub(super) fn consumer_goes(&self, cursor: &mut ConsumerCursor<&'static LaneWords>) {
        if self.is_last(CONSUMER) {
            self.drop_values(cursor);
            if self.head.state.include(NO_CONSUMER) & NO_PRODUCER != 0 {
                self.drop_values(cursor);
            }
        }
    }

    fn drop_values(&self, cursor: &mut ConsumerCursor<&'static LaneWords>) {
        if T::OBJECTS == 0 {
            return;
        }
        while cursor.available(1).is_ok_and(|count| count > 0) {
            waybill_of(self.handle.object(), cursor.position()).settle();
            cursor.release(1);
            cursor.acknowledge();
        }
    }

    /// The value of that position, which the consumer may read.
    #[inline(always)]
    pub(super) fn value_at(&self, position: u64) -> Result<T, crate::multi::DecodeError> {
        receive(&self.slots.read(position)[..T::SLOT], || waybill_of(self.handle.object(), position))
    }
}

impl Head {
    /// Nobody gets any more.
    #[inline]
    pub(super) fn is_shut(&self) -> bool {
        self.state.get() & IMMEDIATE != 0
    }

    /// Nobody will get what is put.
    #[inline]
    pub(super) fn refuses(&self) -> bool {
        self.state.get() & (NO_CONSUMER | DRAIN | IMMEDIATE) != 0
    }

    /// Nobody puts any more.
    pub(super) fn is_over(&self) -> bool {
        self.state.get() & (NO_PRODUCER | DRAIN | IMMEDIATE) != 0
    }

    pub(super) fn shut(&self, how: Shutdown) {
        self.state.include(if how == Shutdown::Drain { DRAIN } else { IMMEDIATE });
        self.ring_all();
    }

    /// The pid of the process whose death took the end of that role.
    pub(super) fn dead(&self, role: Role) -> Option<u32> {
        Some(self.dead[usize::from(role == CONSUMER)].get()).filter(|pid| *pid != 0)
    }

    fn ring_all(&self) {
        self.filled.0.ring_all();
        self.emptied.0.ring_all();
    }
}

/// What the value of that position has on board, where values may have something.
pub(super) fn waybill_of(object: Object, position: u64) -> Waybill {
    let head: &Head = object.body();
    let (places, goods) = (u64::from(head.capacity.get()).max(1), head.goods.get() as usize);
    let stride = stride(head.size.get() as usize);
    let index = usize::try_from(position & (places - 1)).unwrap_or(0);
    let at = FIRST + stride * head.capacity.get() as usize + index * waybill::bytes(goods);
    Waybill::at(object.block, at, goods)
}

/// What the values there have on board.
pub(in crate::multi) fn waybills(object: Object) -> impl Iterator<Item = Waybill> {
    let head: &Head = object.body();
    let places = if head.goods.get() == 0 { 0 } else { head.capacity.get() };
    (0..u64::from(places)).map(move |position| waybill_of(object, position))
}

/// What was taken on board of a value that its producer, who has gone, has not published.
fn unload_unpublished(object: Object, head: &Head) {
    // ORDER(tail): Acquire; the producer has gone, its last word stays.
    let tail = head.words.producer.0.tail.load(Ordering::Acquire);
    // ORDER(head): Acquire; what was given back is settled. An old one only says that there is no place.
    let room = tail.wrapping_sub(head.words.consumer.0.head.load(Ordering::Acquire)) < u64::from(head.capacity.get());
    if head.goods.get() > 0 && room {
        waybill_of(object, tail).settle();
    }
}

/// The holder of an end has gone; `pid` of who died with it, or 0.
pub(in crate::multi) fn role_is_gone(object: Object, pid: u32) {
    let head: &Head = object.body();
    for (place, (role, bit)) in [(PRODUCER, NO_PRODUCER), (CONSUMER, NO_CONSUMER)].into_iter().enumerate() {
        if object.holders(role) == 0 && head.state.get() & bit == 0 {
            head.dead[place].set(pid);
            head.state.include(bit);
        }
    }
    if head.state.get() & NO_PRODUCER != 0 {
        unload_unpublished(object, head);
    }
    head.ring_all();
}
