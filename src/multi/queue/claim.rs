//! What is done at the places of a queue, by those who fill and empty them, and after their death.

use super::slots::{NO_CONSUMER, Place, Slots};
use super::state::{Phase, State, owner};
use crate::prim::{Ordering, fence};

/// A place that this process fills or empties. Forgotten, it stays so until the process ends. Two words: it goes through registers.
pub(super) struct Claim {
    place: &'static Place,
    position: u64,
}

impl Claim {
    fn store(&self, state: State) {
        // ORDER(multi.queue.place): Release; with the Acquire of who takes the place next. The look at who sleeps has a fence of its own.
        self.place.state.store(state.pack(), Ordering::Release);
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the value.
    pub(super) fn len(&self) -> usize {
        // ORDER(multi.queue.place): Relaxed; the Acquire was when it was taken.
        self.place.len.load(Ordering::Relaxed) as usize
    }

    /// How often it was taken before.
    pub(super) fn attempts(&self) -> u32 {
        // ORDER(multi.queue.place): Relaxed; the Acquire was when it was taken.
        self.place.attempts.load(Ordering::Relaxed)
    }
}

impl Slots {
    /// The lap of a claim.
    fn lap(&self, claim: &Claim) -> u64 {
        claim.position() >> self.shift
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
                return Some(Claim { place, position });
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
        if let Some(claim) = self.head.returned.raised_flag().and_then(|seen| self.try_take_returned(seen)) {
            return Some(claim);
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
            let found = State::unpack(word);
            if found.phase == Phase::Returned {
                if let Some(claim) = self.take(self.position(found.lap, position), place, word) {
                    return Some(claim);
                }
            }
        }
        self.head.returned.lower_flag(seen);
        None
    }

    fn take(&self, position: u64, place: &'static Place, word: u64) -> Option<Claim> {
        let lap = State::unpack(word).lap;
        let mine = State { lap, phase: Phase::Taken, owner: owner() }.pack();
        // ORDER(multi.queue.place): Acquire; with the Release of who published it.
        place.state.compare_exchange(word, mine, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(Claim { place, position })
    }

    fn free(&self, place: &Place, word: u64) {
        let free = State { lap: State::unpack(word).lap + 1, phase: Phase::Free, owner: 0 }.pack();
        // ORDER(multi.queue.place): Release; nothing of it is read any more. A failure means that another did it.
        let _ = place.state.compare_exchange(word, free, Ordering::Release, Ordering::Relaxed);
    }

    /// A value is there.
    pub(super) fn publish(&self, claim: &Claim, len: usize) {
        // ORDER(multi.queue.place): Relaxed, both; they are the value's, and what is stored next is its Release.
        claim.place.len.store(u32::try_from(len).unwrap_or(u32::MAX), Ordering::Relaxed);
        claim.place.attempts.store(0, Ordering::Relaxed);
        claim.store(State { lap: self.lap(claim), phase: Phase::Full, owner: 0 });
        self.head.filled.ring(1);
    }

    /// A place that was claimed stays without a value.
    pub(super) fn give_up(&self, claim: &Claim) {
        claim.store(State { lap: self.lap(claim), phase: Phase::Void, owner: 0 });
        // Who puts next frees it, or who takes next.
        self.head.emptied.ring(1);
        self.head.done.ring_fenced(u32::MAX);
        self.tell_if_over();
    }

    /// A value has been done with.
    pub(super) fn finish(&self, claim: &Claim) {
        if self.goods() > 0 {
            self.waybill_of(claim.position).settle();
        }
        claim.store(State { lap: self.lap(claim) + 1, phase: Phase::Free, owner: 0 });
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
        claim.store(State { lap: self.lap(claim), phase: Phase::Returned, owner: 0 });
        self.head.returned.raise_flag();
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
                Phase::Taken if self.goods() > 0 && self.waybill_of(position).is_empty() => Phase::Void,
                Phase::Taken => Phase::Returned,
                // Who returned it may have been killed before it said so.
                Phase::Returned => {
                    returned = true;
                    continue;
                }
                _ => continue,
            };
            if usize::from(found.owner) == dead {
                if self.goods() > 0 && found.phase == Phase::Writing {
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
            self.head.returned.raise_flag();
        }
        self.ring_all();
        self.discard_if_unwanted();
    }
}
