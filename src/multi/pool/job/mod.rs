//! One function over many values: the values lie side by side in one block, the results beside them, and the workers take them by chunks.
//!
//! A job is carried by *tickets*, ordinary tasks of the pool, one per worker: a ticket takes chunks until none is left. If its worker
//! dies, whoever waits for the job frees the chunk that it had in hand (each value says whether it had been begun) and sends another.

mod panics;
mod room;

use std::ptr::NonNull;

use panics::{PANIC, PANICS};
pub(super) use room::Room;

use super::chunk::{self, Chunk};
use super::item;
use super::landing::Landings;
use super::layout::Layout;
use super::ticket::Ticket;
use crate::multi::arena::Words;
use crate::multi::error::TooLarge;
use crate::multi::family;
use crate::multi::message::Message;
use crate::multi::object::{BODY, Object};
use crate::multi::waybill::{self, Waybill};
use crate::multi::word::Word32;
use crate::prim::{AtomicU32, CachePadded, Ordering};

/// Most chunks that a ticket takes from the common counter at a time.
const BATCH: u32 = 32;

/// Where the chunks' words are, behind the panics' texts.
const CHUNKS: usize = BODY + size_of::<Head>() + PANICS * PANIC;

/// First words of a job.
#[repr(C)]
struct Head {
    /// Values for which there is room, and how many there are.
    room: Word32,
    items: Word32,
    chunk: Word32,
    /// 1: values are kept, to be run again.
    again: Word32,
    /// 1: no further chunk is to be taken.
    stop: Word32,
    /// 1: the first failure is to stop it.
    fail_fast: Word32,
    /// 1: chunks that were passed may be free again.
    dirty: Word32,
    /// How many values have a state that was written.
    special: Word32,
    panics: Word32,
    /// Where the bills are of what values and results have on board, of how many, and how much each has at most.
    bills: Word32,
    billed: Word32,
    goods: [Word32; 2],
    landings: Landings,
    /// Item number and length of each panic's text.
    panicked: [[Word32; 3]; PANICS],
    /// The next chunk that nobody has taken.
    next: CachePadded<AtomicU32>,
}

// SAFETY: words only.
unsafe impl Words for Head {}

/// A job, as this process sees it.
#[derive(Clone, Copy)]
pub(super) struct Job {
    object: Object,
    head: &'static Head,
    items: usize,
    chunk: usize,
    layout: Layout,
    /// First byte of the block; all of the layout is known to lie in the arena.
    base: NonNull<u8>,
}

// SAFETY: it names memory of the arena, which belongs to no thread.
unsafe impl Send for Job {}

impl Job {
    /// The parts of a job of so many values, which may be run `again`; `None` if they cannot be counted.
    pub(super) fn layout<A: Message, R: Message>(items: usize, chunk: usize, again: bool) -> Option<Layout> {
        u32::try_from(items).ok()?;
        Layout::new::<A, R>(CHUNKS, items, chunk, again)
    }

    /// Makes a job in `room`, which was made for its [layout](Self::layout).
    pub(super) fn create<A: Message, R: Message>(room: &Room, items: usize, chunk: usize, again: bool) -> Option<Self> {
        let object = room.handle.object();
        let head: &'static Head = object.body();
        head.room.set(u32::try_from(items).ok()?);
        head.items.set(u32::try_from(items).ok()?);
        head.chunk.set(u32::try_from(chunk).unwrap_or(u32::MAX));
        head.again.set(u32::from(again));
        for word in [&head.stop, &head.fail_fast, &head.dirty, &head.special, &head.panics] {
            word.set(0);
        }
        head.landings.clear();
        // ORDER(multi.job.next): Relaxed; the tickets are sent afterwards.
        head.next.0.store(0, Ordering::Relaxed);
        let job = Self::of::<A, R>(object)?;
        let (chunks, len) = (job.layout.chunks, job.layout.inputs - job.layout.chunks);
        // SAFETY: nobody else knows the job yet, and its chunks and states lie in its block.
        unsafe { job.at(chunks).as_ptr().write_bytes(0, len) };
        Some(job)
    }

    pub(super) fn of<A: Message, R: Message>(object: Object) -> Option<Self> {
        let head: &'static Head = object.body();
        let (items, chunk) = (head.items.get() as usize, (head.chunk.get() as usize).max(1));
        let layout = Layout::new::<A, R>(CHUNKS, head.room.get() as usize, chunk, head.again.get() != 0)?;
        let base = family::get().arena.place(object.block, 0, layout.end);
        Some(Self { object, head, items, chunk, layout, base })
    }

    pub(super) fn ticket(&self, number: u32) -> Ticket {
        Ticket { generation: self.object.generation, block: self.object.block.0, number }
    }

    pub(super) fn items(&self) -> usize {
        self.items
    }

    /// There are no more values than these.
    pub(super) fn shorten(&mut self, items: usize) {
        self.items = items;
        self.head.items.set(u32::try_from(items).unwrap_or(0));
    }

    pub(super) fn chunks(&self) -> usize {
        self.items.div_ceil(self.chunk)
    }

    #[inline]
    fn at(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.layout.end);
        // SAFETY: every offset comes from the layout, which lies in the arena, as `of` has checked.
        unsafe { self.base.add(offset) }
    }

    pub(super) fn of_chunk(&self, chunk: usize) -> &'static Chunk {
        family::get().arena.view(self.object.block, self.layout.chunks + size_of::<Chunk>() * chunk)
    }

    pub(super) fn written(&self, item: usize) -> u8 {
        assert!(item < self.items);
        // SAFETY: within the block; written by whoever has the chunk in hand, and read by others when it has ended.
        unsafe { self.at(self.layout.states + item).as_ptr().read_volatile() }
    }

    /// What is the matter with a value.
    pub(super) fn state(&self, item: usize) -> u8 {
        let (words, place) = (self.of_chunk(item / self.chunk), item % self.chunk);
        // ORDER(multi.job.begun): Acquire; with the Release of the next value's begin: this one's result is there.
        let begun = words.begun.load(Ordering::Acquire) as usize;
        // The last that was begun may be under way.
        let under_way = usize::from(!matches!(words.owner.get(), chunk::FREE | chunk::LANDED | chunk::DONE));
        match self.written(item) {
            item::NEW if begun > place + under_way => item::DONE,
            written => written,
        }
    }

    pub(super) fn set_state(&self, item: usize, state: u8) {
        assert!(item < self.items);
        self.head.special.add(1);
        // SAFETY: as above.
        unsafe { self.at(self.layout.states + item).as_ptr().write_volatile(state) };
    }

    /// Whether all values have results.
    pub(super) fn is_perfect(&self) -> bool {
        let is_done = |chunk| matches!(self.of_chunk(chunk).owner.get(), chunk::LANDED | chunk::DONE);
        !self.has_special() && (0..self.chunks()).all(is_done)
    }

    /// The bytes of a value, of the type that the job was made for.
    ///
    /// # Safety
    /// There is a value of that number, and nobody else may have it in hand.
    #[inline]
    pub(super) unsafe fn input<A: Message>(&self, item: usize) -> &'static mut [u8] {
        debug_assert!(item < self.items);
        let place = self.at(self.layout.inputs + item * A::SLOT);
        // SAFETY: within the block; ours for now by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(place.as_ptr(), A::SLOT) }
    }

    /// The bytes of a result, of the type that the job was made for.
    ///
    /// # Safety
    /// As [`Self::input`].
    #[inline]
    pub(super) unsafe fn output<R: Message>(&self, item: usize) -> &'static mut [u8] {
        debug_assert!(item < self.items);
        let place = self.at(self.layout.outputs + item * R::SLOT);
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(place.as_ptr(), R::SLOT) }
    }

    /// How large a result is that does not fit: that is written in its place.
    ///
    /// # Safety
    /// As [`Self::input`].
    pub(super) unsafe fn note_size<R: Message>(&self, item: usize, too_large: TooLarge) {
        // SAFETY: by the caller's promise.
        too_large.note(unsafe { self.output::<R>(item) });
    }

    /// What [`Self::note_size`] wrote.
    ///
    /// # Safety
    /// As [`Self::input`].
    pub(super) unsafe fn size_noted<R: Message>(&self, item: usize) -> TooLarge {
        if R::SLOT < TooLarge::NOTE {
            return TooLarge { needed: R::SLOT + 1, slot: R::SLOT };
        }
        // SAFETY: by the caller's promise.
        TooLarge::noted(unsafe { self.output::<R>(item) })
    }

    /// What a value has on board, where values may have something.
    pub(super) fn input_bill(&self, item: usize) -> Waybill {
        bills_of(self.object, item)[0]
    }

    /// What a result has on board, where results may have something.
    pub(super) fn output_bill(&self, item: usize) -> Waybill {
        bills_of(self.object, item)[1]
    }

    /// The bytes of results, of the type that the job was made for.
    ///
    /// # Safety
    /// As [`Self::input`].
    pub(super) unsafe fn outputs<R: Message>(&self, items: std::ops::Range<usize>) -> &'static [u8] {
        assert!(items.start <= items.end && items.end <= self.items);
        let place = self.at(self.layout.outputs + items.start * R::SLOT);
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(place.as_ptr(), items.len() * R::SLOT) }
    }

    pub(super) fn landings(&self) -> &'static Landings {
        &self.head.landings
    }

    /// Whether the results of a chunk are in their owner's buffer.
    pub(super) fn has_landed(&self, chunk: usize) -> bool {
        self.of_chunk(chunk).owner.get() == chunk::LANDED
    }

    /// The first failure stops it.
    pub(super) fn stop_at_failure(&self) {
        self.head.fail_fast.set(1);
    }

    pub(super) fn stop(&self) {
        self.head.stop.set(1);
    }

    /// Whether no further value is to be begun.
    pub(super) fn is_stopped(&self) -> bool {
        self.head.stop.get() != 0
    }

    /// Whether any value's state was written.
    pub(super) fn has_special(&self) -> bool {
        self.head.special.get() != 0
    }

    /// A ticket's worker has died: the values that it had not begun are to be taken again. The one that it had, if any.
    pub(super) fn repair(&self, ticket: u32) -> Option<usize> {
        // It may have died just before it wrote down which chunk it took.
        self.head.dirty.set(1);
        let chunk = (0..self.chunks()).find(|chunk| self.of_chunk(*chunk).owner.get() == ticket)?;
        let words = self.of_chunk(chunk);
        // ORDER(multi.job.begun): Acquire, see `state`.
        let begun = words.begun.load(Ordering::Acquire) as usize;
        // What was tried again is marked; else it is the last that was begun.
        let again = self.range(chunk).find(|item| self.written(*item) >= item::AGAIN);
        let last = begun.checked_sub(1).map(|last| chunk * self.chunk + last);
        let item = again.or(last.filter(|item| self.written(*item) == item::NEW));
        if let Some(item) = item {
            self.set_state(item, item::DIED);
            if self.head.goods[1].get() > 0 && self.head.billed.get() > 0 {
                self.output_bill(item).settle();
            }
        }
        words.owner.set(chunk::FREE);
        item
    }

    /// A value is to be run again, with which so many workers have died.
    pub(super) fn renew(&self, item: usize, deaths: u32) {
        let more = u8::try_from(deaths.saturating_sub(1)).unwrap_or(u8::MAX);
        self.set_state(item, item::AGAIN.saturating_add(more));
        self.of_chunk(item / self.chunk).owner.set(chunk::FREE);
    }

    pub(super) fn range(&self, chunk: usize) -> std::ops::Range<usize> {
        chunk * self.chunk..((chunk + 1) * self.chunk).min(self.items)
    }

    /// Takes the next chunk; `batch` is what was taken from the common counter before.
    pub(super) fn take(&self, ticket: u32, batch: &mut std::ops::Range<u32>) -> Option<usize> {
        if self.is_stopped() {
            return None;
        }
        let chunks = u32::try_from(self.chunks()).unwrap_or(u32::MAX);
        loop {
            if let Some(next) = batch.next().map(|next| self.turn(next as usize)) {
                if self.of_chunk(next).owner.replace(chunk::FREE, ticket).is_ok() {
                    return Some(next);
                }
                continue;
            }
            // ORDER(multi.job.next): Relaxed; a hint, the chunk's own word decides.
            let seen = self.head.next.0.load(Ordering::Relaxed);
            if seen >= chunks {
                break;
            }
            // Few at the end, so that nobody is left with much.
            let count = ((chunks - seen) / 64).clamp(1, BATCH);
            // ORDER(multi.job.next): Relaxed, as above.
            let first = self.head.next.0.fetch_add(count, Ordering::Relaxed);
            *batch = first.min(chunks)..first.saturating_add(count).min(chunks);
        }
        let left = || (0..self.chunks()).find(|chunk| self.of_chunk(*chunk).owner.replace(chunk::FREE, ticket).is_ok());
        if self.head.dirty.get() != 0 { left() } else { None }
    }

    /// The chunk whose turn it is when so many have been taken. In a job with a landing each worker has chunks that lie together: what
    /// lies beside each other would be pages that the kernel makes under one lock.
    fn turn(&self, taken: usize) -> usize {
        let workers = self.head.landings.workers.get() as usize;
        if workers == 0 {
            return taken;
        }
        let each = self.chunks() / workers;
        if taken < each * workers { taken % workers * each + taken / workers } else { taken }
    }

    /// A value has no result.
    pub(super) fn fail(&self, item: usize, state: u8) {
        self.set_state(item, state);
        if self.head.fail_fast.get() != 0 {
            self.stop();
        }
    }
}

/// The bills of a value and of its result.
fn bills_of(object: Object, item: usize) -> [Waybill; 2] {
    let head: &Head = object.body();
    let goods = head.goods.each_ref().map(|most| most.get() as usize);
    let [value, result] = goods.map(waybill::bytes);
    let at = head.bills.get() as usize * 8 + item * (value + result);
    [Waybill::at(object.block, at, goods[0]), Waybill::at(object.block, at + value, goods[1])]
}

/// What the values of a job have on board, and its results.
pub(in crate::multi) fn waybills(object: Object) -> impl Iterator<Item = Waybill> {
    let head: &Head = object.body();
    let has_some = head.goods.each_ref().map(|most| most.get() > 0);
    (0..head.billed.get() as usize).flat_map(move |item| {
        let bills = bills_of(object, item).into_iter().zip(has_some);
        bills.filter_map(|(bill, has_some)| has_some.then_some(bill))
    })
}
