//! The places of a queue, and the protocol by which any number of processes fill and empty them.
//!
//! Each place has one word that says everything: which lap it is in, what is being done there, and by whom. Whoever does something to a
//! place takes it by one compare-and-exchange of that word, so a claim is never held by nobody: if its owner dies, the sweep finds it and
//! undoes it. Where the next free and the next full place are is only a hint; the words decide. (Laps per place as in Vyukov's bounded
//! queue, <https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue>; owners and hints are ours.)
//!
//! ```text
//!          put                   publish             get                 free
//! Free ----------> Writing(me) ----------> Full ----------> Taken(me) ----------> Free, next lap
//!                      | death              ^                   | death, or given back
//!                      v                    |                   v
//!                  Void (skipped)           +------ get ---- Returned (taken before all others)
//! ```

use std::ptr::NonNull;

use super::state::{Phase, State};
use crate::multi::arena::{BlockId, Words};
use crate::multi::bell::Bell;
use crate::multi::family;
use crate::multi::object::{BODY, Object};
use crate::multi::waybill::{self, Waybill};
use crate::multi::word::Word32;
use crate::prim::{AtomicU32, AtomicU64, CachePadded, Ordering, fence};

/// Bits of [`Head::gone`].
pub(super) const NO_PRODUCER: u32 = 1;
pub(super) const NO_CONSUMER: u32 = 2;

/// First words of a queue.
#[repr(C)]
pub(super) struct Head {
    /// Places; a power of two.
    capacity: Word32,
    /// Bytes of a place's value.
    size: Word32,
    /// Most objects that a value has on board.
    goods: Word32,
    /// 1: nobody puts any more; 2: nobody gets any more, either.
    pub(super) shut: Word32,
    /// Who has gone for good, a bit each.
    pub(super) gone: Word32,
    /// The pid of the process whose death took the last of the producers, or of the consumers.
    pub(super) dead: [Word32; 2],
    /// Not zero: there may be values that were returned.
    returned: Word32,
    /// Rung when a value is there.
    pub(super) filled: Bell,
    /// Rung when a place is free.
    pub(super) emptied: Bell,
    /// Rung when a value has been done with.
    pub(super) done: Bell,
    /// Not before this is the next free place.
    tail: CachePadded<AtomicU64>,
    /// Not before this is the next full place.
    head: CachePadded<AtomicU64>,
}

// SAFETY: words only.
unsafe impl Words for Head {}

/// First words of a place; its value follows. The other words belong, as the value, to whoever has claimed the place by the first.
#[repr(C)]
struct Place {
    state: AtomicU64,
    len: AtomicU32,
    /// How often it was taken and not done with.
    attempts: AtomicU32,
}

// SAFETY: words only.
unsafe impl Words for Place {}

/// Where the first place is.
const FIRST: usize = BODY + size_of::<Head>().next_multiple_of(128);

/// Bytes of a cache line.
const LINE: usize = 64;

/// The places of one queue, as this process sees them.
#[derive(Clone, Copy)]
pub(super) struct Slots {
    pub(super) head: &'static Head,
    /// The first place. The others follow, one each `stride` bytes.
    first: NonNull<u8>,
    stride: usize,
    /// Bytes of a place's value.
    size: usize,
    /// Most objects that a value has on board.
    goods: usize,
    block: BlockId,
    mask: u64,
    /// Binary digits of the capacity.
    shift: u32,
}

// SAFETY: words, and bytes that belong to whoever has claimed their place; neither to a thread.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

/// A place that this process fills or empties. Forgotten, it stays so until the process ends.
pub(super) struct Claim {
    place: &'static Place,
    bytes: NonNull<u8>,
    size: usize,
    position: u64,
    lap: u64,
}

// SAFETY: a claim is held by one owner, and its bytes belong to no thread.
unsafe impl Send for Claim {}

/// Bytes from place to place: at least a cache line, so that who fills one does not take the line of who empties its neighbour. Larger
/// ones share a line with each neighbour, and no more, until a third line more or less is little (measured: with 56 to 96 bytes a value
/// 1.1 to 1.8 x as fast as with two lines each; with 8 bytes a line each is 1.6 x as fast as less).
fn stride(size: usize, goods: usize) -> usize {
    let bytes = (waybill_at(size) + waybill::bytes(goods)).max(LINE);
    bytes.next_multiple_of(if bytes < 2 * LINE { size_of::<Place>() } else { LINE })
}

/// Where in a place the bill of what its value has on board is.
fn waybill_at(size: usize) -> usize {
    (size_of::<Place>() + size).next_multiple_of(8)
}

impl Slots {
    /// Bytes that a queue needs behind its object's header; `None` if they cannot be counted.
    pub(super) fn bytes(capacity: usize, size: usize, goods: usize) -> Option<usize> {
        stride(size, goods).checked_mul(capacity)?.checked_add(FIRST - BODY)
    }

    /// Writes the first words of a new queue.
    pub(super) fn set_up(object: Object, capacity: u32, size: u32, goods: u32) {
        let head: &Head = object.body();
        head.capacity.set(capacity);
        head.size.set(size);
        head.goods.set(goods);
    }

    pub(super) fn of(object: Object) -> Self {
        let head: &'static Head = object.body();
        let capacity = u64::from(head.capacity.get()).max(1);
        let size = head.size.get() as usize;
        let goods = head.goods.get() as usize;
        let stride = stride(size, goods);
        // Checked once for all places.
        let all = stride * head.capacity.get().max(1) as usize;
        let first = family::get().arena.place(object.block, FIRST, all);
        let (block, mask, shift) = (object.block, capacity - 1, capacity.trailing_zeros());
        Self { head, first, stride, size, goods, block, mask, shift }
    }

    /// Bytes of a place's value.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Most objects that a value has on board.
    pub(super) fn goods(&self) -> usize {
        self.goods
    }

    pub(super) fn capacity(&self) -> usize {
        self.head.capacity.get() as usize
    }

    /// First byte of the place of `position`.
    fn at(&self, position: u64) -> NonNull<u8> {
        let index = usize::try_from(position & self.mask).unwrap_or(0);
        // SAFETY: one of the places that `of` has checked.
        unsafe { self.first.add(index * self.stride) }
    }

    fn place(&self, position: u64) -> &'static Place {
        // SAFETY: in the arena, which is never unmapped, and aligned, as `FIRST` and the stride are; words are valid whatever they hold,
        // and nobody writes them but by their operations.
        unsafe { self.at(position).cast().as_ref() }
    }

    /// The position in that lap at the place of `position`.
    fn position(&self, lap: u64, position: u64) -> u64 {
        lap << self.shift | (position & self.mask)
    }

    fn claim(&self, position: u64, lap: u64) -> Claim {
        // SAFETY: the value of a place follows its words.
        let bytes = unsafe { self.at(position).add(size_of::<Place>()) };
        Claim { place: self.place(position), bytes, size: self.size, position, lap }
    }

    /// What the value of that position has on board, where values may have something.
    pub(super) fn waybill_of(&self, position: u64) -> Waybill {
        let index = usize::try_from(position & self.mask).unwrap_or(0);
        Waybill::at(self.block, FIRST + index * self.stride + waybill_at(self.size), self.goods)
    }

    /// All bills.
    pub(super) fn waybills(&self) -> impl Iterator<Item = Waybill> + '_ {
        (0..=self.mask).filter(|_| self.goods > 0).map(|position| self.waybill_of(position))
    }

    /// Takes the next free place; `None`: all are full.
    pub(super) fn try_claim(&self) -> Option<Claim> {
        let me = State { lap: 0, phase: Phase::Writing, owner: owner() };
        // ORDER(multi.queue.hint): Relaxed; a hint, the places' words decide.
        let mut position = self.head.tail.0.load(Ordering::Relaxed);
        loop {
            let (place, lap) = (self.place(position), position >> self.shift);
            // ORDER(multi.queue.place): Acquire; with the Release of who freed it: it has read its value.
            let word = place.state.load(Ordering::Acquire);
            let found = State::unpack(word);
            if found.phase == Phase::Void {
                // Not to be filled as it is: what was put after it would come out after what is put now.
                self.free(place, word);
            } else if found.lap < lap {
                return None;
            } else if found.lap > lap {
                // The hint is old. Places are claimed in order, so all up to the one that was here before are.
                position = (position + 1).max(self.position(found.lap - 1, position) + 1);
            } else if found.phase != Phase::Free {
                position += 1;
            // ORDER(multi.queue.place): Acquire on success, as above.
            } else if place
                .state
                .compare_exchange(word, State { lap, ..me }.pack(), Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
            {
                // ORDER(multi.queue.hint): Relaxed, as above. Never past a place that nobody has claimed.
                self.head.tail.0.store(position + 1, Ordering::Relaxed);
                return Some(self.claim(position, lap));
            }
        }
    }

    /// Whether an eighth of the places is free.
    pub(super) fn has_much_room(&self) -> bool {
        // ORDER(multi.queue.hint): Relaxed; a hint, as what is found by it is.
        let position = self.head.tail.0.load(Ordering::Relaxed) + self.mask / 8;
        // ORDER(multi.queue.place): Relaxed; nothing is done with that place.
        State::unpack(self.place(position).state.load(Ordering::Relaxed)).lap >= position >> self.shift
    }

    /// Takes the next value; `None`: there is none.
    pub(super) fn try_take(&self) -> Option<Claim> {
        let returned = self.head.returned.get();
        if returned != 0 {
            if let Some(claim) = self.try_take_returned(returned) {
                return Some(claim);
            }
        }
        // ORDER(multi.queue.hint): Relaxed; a hint, the places' words decide.
        let start = self.head.head.0.load(Ordering::Relaxed);
        let (mut position, mut first_left) = (start, None);
        loop {
            let (place, lap) = (self.place(position), position >> self.shift);
            // ORDER(multi.queue.place): Acquire; with the Release of who published it.
            let word = place.state.load(Ordering::Acquire);
            let found = State::unpack(word);
            match found.phase {
                // The hint is old. What was here before has been claimed, so nothing that is a lap older than that can be left.
                _ if found.lap > lap => {
                    position = (position + 1).max(self.position(found.lap.saturating_sub(2), position) + 1);
                }
                Phase::Free => return None,
                _ if found.lap < lap => return None,
                Phase::Full => {
                    // What is still being put before it is another thread's; else it comes first.
                    if let Some(before) = first_left.and_then(|first| self.first_full(first, position)) {
                        (position, first_left) = (before, first_left.filter(|first| *first < before));
                        continue;
                    }
                    if let Some(claim) = self.take(position, place, word) {
                        // ORDER(multi.queue.hint): Relaxed, as above. Never past a value that is there or will be.
                        self.head.head.0.store(first_left.unwrap_or(position + 1), Ordering::Relaxed);
                        return Some(claim);
                    }
                }
                Phase::Writing => {
                    first_left = first_left.or(Some(position));
                    position += 1;
                }
                Phase::Void => self.free(place, word),
                Phase::Taken | Phase::Returned => position += 1,
            }
        }
    }

    /// The first position from `from` on, before `to`, with a value.
    fn first_full(&self, from: u64, to: u64) -> Option<u64> {
        (from..to).find(|position| {
            // ORDER(multi.queue.place): Acquire; with the Release of who published it.
            let state = State::unpack(self.place(*position).state.load(Ordering::Acquire));
            state.phase == Phase::Full && state.lap == position >> self.shift
        })
    }

    /// Values that were taken once, and not done with.
    fn try_take_returned(&self, seen: u32) -> Option<Claim> {
        for position in 0..=self.mask {
            let place = self.place(position);
            // ORDER(multi.queue.place): Acquire; with the Release of who returned it.
            let word = place.state.load(Ordering::Acquire);
            if State::unpack(word).phase == Phase::Returned {
                if let Some(claim) = self.take(position, place, word) {
                    return Some(claim);
                }
            }
        }
        // Unless another has come meanwhile.
        let _ = self.head.returned.replace(seen, 0);
        None
    }

    fn take(&self, position: u64, place: &'static Place, word: u64) -> Option<Claim> {
        let lap = State::unpack(word).lap;
        let mine = State { lap, phase: Phase::Taken, owner: owner() }.pack();
        // ORDER(multi.queue.place): Acquire; with the Release of who published it.
        place.state.compare_exchange(word, mine, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(self.claim(position, lap))
    }

    fn free(&self, place: &Place, word: u64) {
        let free = State { lap: State::unpack(word).lap + 1, phase: Phase::Free, owner: 0 }.pack();
        // ORDER(multi.queue.place): Release; nothing of it is read any more. A failure means that another did it.
        let _ = place.state.compare_exchange(word, free, Ordering::Release, Ordering::Relaxed);
    }

    /// What is done at each place.
    pub(super) fn states(&self) -> impl Iterator<Item = State> + '_ {
        (0..=self.mask).map(|position| {
            // ORDER(multi.queue.place): Acquire, for the counts' sake: what was put before is seen.
            State::unpack(self.place(position).state.load(Ordering::Acquire))
        })
    }

    /// How many places are in one of these phases.
    pub(super) fn count(&self, phases: &[Phase]) -> usize {
        self.states().filter(|state| phases.contains(&state.phase)).count()
    }

    /// Whether nobody puts any more: the queue was shut down, or all producers have gone.
    pub(super) fn is_over(&self) -> bool {
        self.head.shut.get() != 0 || self.head.gone.get() & NO_PRODUCER != 0
    }

    /// Whether a value is there, is being put, or may come back from another process that has it.
    pub(super) fn may_have(&self) -> bool {
        self.states().any(|state| match state.phase {
            Phase::Writing | Phase::Full | Phase::Returned => true,
            Phase::Taken => state.owner != owner(),
            Phase::Free | Phase::Void => false,
        })
    }

    /// A value is there.
    pub(super) fn publish(&self, claim: &Claim, len: usize) {
        // ORDER(multi.queue.place): Relaxed, both; they are the value's, and what is stored next is its Release.
        claim.place.len.store(u32::try_from(len).unwrap_or(u32::MAX), Ordering::Relaxed);
        claim.place.attempts.store(0, Ordering::Relaxed);
        claim.store(State { lap: claim.lap, phase: Phase::Full, owner: 0 });
        self.head.filled.ring(1);
    }

    /// A place that was claimed stays without a value.
    pub(super) fn give_up(&self, claim: &Claim) {
        claim.store(State { lap: claim.lap, phase: Phase::Void, owner: 0 });
        // Who puts next frees it, or who takes next.
        self.head.emptied.ring(1);
        self.tell_if_over();
    }

    /// A value has been done with.
    pub(super) fn finish(&self, claim: &Claim) {
        if self.goods > 0 {
            self.waybill_of(claim.position).settle();
        }
        claim.store(State { lap: claim.lap + 1, phase: Phase::Free, owner: 0 });
        self.head.emptied.ring(1);
        self.head.done.ring_fenced(u32::MAX);
        self.tell_if_over();
    }

    /// What a place had was perhaps what the last consumers were waiting for.
    fn tell_if_over(&self) {
        if self.is_over() {
            self.head.filled.ring_all();
        }
    }

    /// A value is to be taken again.
    pub(super) fn give_back(&self, claim: &Claim) {
        // ORDER(multi.queue.place): Relaxed; as in `publish`.
        claim.place.attempts.fetch_add(1, Ordering::Relaxed);
        claim.store(State { lap: claim.lap, phase: Phase::Returned, owner: 0 });
        self.head.returned.add(1);
        self.head.filled.ring(1);
    }

    /// If nobody is left who gets what was put just now it goes: they may not have seen it when they went.
    pub(super) fn discard_if_late(&self) {
        // ORDER(multi.queue.unwanted): SeqCst; we have published. With Release alone neither might see what the other has said.
        fence(Ordering::SeqCst);
        self.discard_if_unwanted();
    }

    /// If nobody is left who gets what is there it goes.
    pub(super) fn discard_if_unwanted(&self) {
        if self.head.gone.get() & NO_CONSUMER == 0 {
            return;
        }
        // ORDER(multi.queue.unwanted): SeqCst; it was said that no consumer is left, before the look at what was published.
        fence(Ordering::SeqCst);
        while let Some(claim) = self.try_take() {
            self.finish(&claim);
        }
    }

    /// What a member that has died had begun: what it was putting was never there, what it was getting is there again.
    pub(super) fn bereave(&self, dead: usize) {
        let mut returned = false;
        for position in 0..=self.mask {
            let place = self.place(position);
            // ORDER(multi.queue.place): Acquire; with the dead one's own claim.
            let word = place.state.load(Ordering::Acquire);
            let found = State::unpack(word);
            let phase = match found.phase {
                Phase::Writing => Phase::Void,
                // It was received, and only its place not freed.
                Phase::Taken if self.goods > 0 && self.waybill_of(position).is_empty() => Phase::Void,
                Phase::Taken => Phase::Returned,
                _ => continue,
            };
            if usize::from(found.owner) == dead {
                if self.goods > 0 && found.phase == Phase::Writing {
                    self.waybill_of(position).settle();
                }
                // ORDER(multi.queue.place): Relaxed; the place is ours, as its owner is dead.
                place.attempts.fetch_add(1, Ordering::Relaxed);
                let new = State { lap: found.lap, phase, owner: 0 };
                // ORDER(multi.queue.place): Release; the attempts are counted.
                let _ = place.state.compare_exchange(word, new.pack(), Ordering::Release, Ordering::Relaxed);
                returned |= phase == Phase::Returned;
            }
        }
        if returned {
            self.head.returned.add(1);
        }
        self.ring_all();
        self.discard_if_unwanted();
    }

    pub(super) fn ring_all(&self) {
        self.head.filled.ring_all();
        self.head.emptied.ring_all();
        self.head.done.ring_all();
    }
}

fn owner() -> u8 {
    u8::try_from(family::me()).unwrap_or(0)
}

impl Claim {
    fn store(&self, state: State) {
        // ORDER(multi.queue.place): Release; with the Acquire of who takes the place next. The look at who sleeps has a fence of its own.
        self.place.state.store(state.pack(), Ordering::Release);
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The place's bytes, to be filled.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the place is claimed by this, so nobody else touches its bytes, and `Slots::of` has checked that they lie in the arena.
        unsafe { std::slice::from_raw_parts_mut(self.bytes.as_ptr(), self.size) }
    }

    /// The value's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        // ORDER(multi.queue.place): Relaxed; the Acquire was when it was taken.
        let len = (self.place.len.load(Ordering::Relaxed) as usize).min(self.size);
        // SAFETY: as above; bytes of any content are bytes.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr(), len) }
    }

    /// How often it was taken before.
    pub(super) fn attempts(&self) -> u32 {
        // ORDER(multi.queue.place): Relaxed; the Acquire was when it was taken.
        self.place.attempts.load(Ordering::Relaxed)
    }
}
