//! The lock in shared memory that all others are made of: one word, which names the thread that holds it, and a flag of who sleeps.
//!
//! ```text
//! bits 0 to 27   number of the thread that holds it, or, of a place that is nobody's, of the parts of what it guards; 0: free
//! bit 30         POISON: whoever held it last did not come to the end
//! ```
//!
//! Taking a free lock is one compare-and-exchange. Giving it back is a store, as nobody but the thread that holds it changes the word
//! meanwhile, and a look at the flag: the fence between the two is paid for by who goes to sleep, if the kernel can do that ([`Fences`]).
//! (What parts hold is given back by a compare-and-exchange: several may be at it.)
//!
//! Who gives the lock back takes the flag down and wakes one. That one raises it again, because others may sleep still: when it has taken
//! the lock, when it sleeps again, or before it gives up. If it is killed before, those would be stranded: the sweep wakes all of them.
//!
//! [`Fences`]: crate::ring::Fences

use std::time::Duration;

use super::arena::Words;
use super::bell::Limit;
use super::error::Death;
use super::family;
use super::thread;
use super::word::{Word32, Word64};
use crate::prim::{Ordering, spin_loop};
use crate::sys::futex;

const POISON: u32 = 1 << 30;
const OWNER: u32 = (1 << 28) - 1;

/// Whether, in the place of a thread, the lock is held by the parts of what it guards, wherever they are. No thread has such a number, as
/// the process's place in it is nobody's; the rest tells these parts from those before.
fn is_of_parts(word: u32) -> bool {
    word & OWNER != 0 && thread::place_of(word & OWNER) == 0
}

/// Most divisions that are told apart.
const DIVISIONS: u32 = (1 << 20) - 1;

/// How often it is looked before sleeping. Each time twice as long passes as before, so that who has the lock also has its cache line; in
/// all it is some short critical sections.
const LOOKS: u32 = 8;

/// How long to wait for a lock.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    /// Not at all.
    None,
    /// Until then.
    Until(Limit),
}

impl Patience {
    pub(super) const FOR_EVER: Self = Self::Until(Limit::NEVER);

    pub(super) fn of(time: Duration) -> Self {
        Self::Until(Limit::after(time))
    }
}

/// Why a lock was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// This thread holds it.
    Mine,
    /// Another held it all the time.
    Busy,
}

/// The words of a lock.
#[derive(Debug)]
#[repr(C)]
pub(super) struct RawLock {
    word: Word32,
    /// How often the thread that holds it has taken it; for reentrant ones.
    depth: Word32,
    /// Who left it poisoned.
    death: Word64,
    /// A flag: somebody sleeps, or is about to. It is also what they sleep on, and so counts how often it was raised: who has looked while
    /// it was up the last time does not sleep.
    sleepers: Word32,
    reserved: Word32,
}

// SAFETY: words only.
#[allow(unsafe_code)]
unsafe impl Words for RawLock {}

impl RawLock {
    /// Takes it. Some death: it is held, and poisoned by that.
    ///
    /// # Errors
    /// If this thread holds it, or others do for too long.
    #[inline]
    pub(super) fn take(&self, patience: Patience) -> Result<Option<Death>, Refusal> {
        let me = thread::number();
        // ORDER(multi.lock): Acquire; with the Release of who gave it back: what that did is seen. Nothing else is said by this word, so
        // no order of it with others is needed.
        match self.word.futex().compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(None),
            Err(found) => self.take_slowly(me, found, patience),
        }
    }

    #[cold]
    fn take_slowly(&self, me: u32, mut found: u32, patience: Patience) -> Result<Option<Death>, Refusal> {
        let (mut looks, mut slept) = (0, false);
        loop {
            let owner = found & OWNER;
            if owner == 0 {
                match self.word.replace(found, found | me) {
                    Ok(()) => break,
                    Err(other) => found = other,
                }
                continue;
            }
            if owner == me {
                return Err(Refusal::Mine);
            }
            let Patience::Until(limit) = patience else { return Err(Refusal::Busy) };
            if looks < LOOKS && self.sleepers.raised_flag().is_none() {
                (0..1 << looks).for_each(|_| spin_loop());
                looks += 1;
                found = self.word.get();
                continue;
            }
            if !slept && limit.is_over() {
                return Err(Refusal::Busy);
            }
            // Before the time is looked at: who has slept may have been woken in the place of one who sleeps still. Others' flag is left
            // alone: they would not sleep, but raise it again, and each of us keep the other awake.
            let announced = self.sleepers.keep_flag_up();
            // ORDER(multi.lock.sleepers): SeqCst fence between what we said and our look; with `put_down`.
            family::get().fences.before_sleep();
            found = self.word.get();
            if found & OWNER != 0 {
                let left = limit.left().ok_or(Refusal::Busy)?;
                // An error (there is none for a mapped word) is an early return.
                let _ = futex::wait(self.sleepers.futex(), announced, left);
                (slept, looks) = (true, 0);
                found = self.word.get();
            }
        }
        if slept {
            self.sleepers.keep_flag_up();
        }
        Ok(self.death())
    }

    /// Gives it back; by who holds it, and knows whether it is poisoned: the word is not read, as that would have to wait for the
    /// compare-and-exchange that took it (measured: two fifths of the pair's time).
    #[inline]
    pub(super) fn release(&self, poisoned: bool) {
        self.put_down(if poisoned { POISON } else { 0 });
    }

    /// Gives it back poisoned, because this thread panics.
    #[cold]
    pub(super) fn release_poisoned(&self) {
        self.set_death(Death::Panicked { pid: family::member(family::me()).pid() });
        self.put_down(POISON);
    }

    #[inline]
    fn put_down(&self, poison: u32) {
        // ORDER(multi.lock): Release, see `take`.
        self.word.futex().store(poison, Ordering::Release);
        // ORDER(multi.lock.sleepers): SeqCst fence between the store and our look, or the sleeper's; with `take_slowly`.
        family::get().fences.published();
        // ORDER(multi.lock.sleepers): Relaxed; by that fence.
        if self.sleepers.futex().load(Ordering::Relaxed) & 1 != 0 {
            self.wake(1);
        }
    }

    /// Wakes some of those who sleep; who was about to looks again.
    #[cold]
    fn wake(&self, most: u32) {
        self.sleepers.exclude(1);
        futex::wake_some(self.sleepers.futex(), most);
    }

    /// What is guarded is whole again; by who holds it.
    pub(super) fn clear_poison(&self) {
        self.change(|word| Some(word & !POISON));
    }

    fn change(&self, to: impl Fn(u32) -> Option<u32>) -> bool {
        let mut found = self.word.get();
        while let Some(new) = to(found) {
            match self.word.replace(found, new) {
                Ok(()) => return true,
                Err(other) => found = other,
            }
        }
        false
    }

    fn death(&self) -> Option<Death> {
        if self.word.get() & POISON == 0 {
            return None;
        }
        let word = self.death.get();
        let pid = u32::try_from(word >> 1).unwrap_or(0);
        Some(if word & 1 == 1 { Death::Died { pid } } else { Death::Panicked { pid } })
    }

    fn set_death(&self, death: Death) {
        self.death.set(match death {
            Death::Panicked { pid } => u64::from(pid) << 1,
            Death::Died { pid } => u64::from(pid) << 1 | 1,
        });
    }

    /// Whether anybody holds it.
    pub(super) fn is_held(&self) -> bool {
        self.word.get() & OWNER != 0
    }

    /// Pid of the process that holds it.
    pub(super) fn owner(&self) -> Option<u32> {
        let owner = self.word.get() & OWNER;
        (owner != 0 && !is_of_parts(owner)).then(|| family::member(thread::place_of(owner)).pid())
    }

    /// As [`Self::take`], but a thread that holds it takes it once more.
    ///
    /// # Errors
    /// If others hold it for too long.
    pub(super) fn take_again(&self, patience: Patience) -> Result<Option<Death>, Refusal> {
        match self.take(patience) {
            Err(Refusal::Mine) => {
                // Only the thread that holds it is here.
                self.depth.set(self.depth.get() + 1);
                Ok(self.death())
            }
            Ok(death) => {
                self.depth.set(1);
                Ok(death)
            }
            busy => busy,
        }
    }

    /// Gives back one of the times that [`Self::take_again`] has taken it.
    pub(super) fn release_once(&self, poisoned: bool) {
        let depth = self.depth.get().saturating_sub(1);
        self.depth.set(depth);
        if poisoned {
            self.set_death(Death::Panicked { pid: family::member(family::me()).pid() });
            self.change(|word| Some(word | POISON));
        }
        if depth == 0 {
            self.release(self.word.get() & POISON != 0);
        }
    }

    /// This thread holds it and gives it to the parts.
    pub(super) fn give_to_parts(&self) {
        // Only the thread that holds it is here.
        let division = self.depth.get() % DIVISIONS + 1;
        self.depth.set(division);
        self.change(|word| Some(word & !OWNER | division));
    }

    /// It is free again if parts hold it and there are none. (Parts are there before they hold it. If there are none, it may be that those
    /// of this division are gone; the lock can have been given to those of another meanwhile.)
    pub(super) fn free_from_parts(&self, are_gone: impl FnOnce() -> bool) {
        let held = self.word.get() & OWNER;
        if is_of_parts(held) && are_gone() && self.change(|word| (word & OWNER == held).then_some(word & POISON)) {
            self.wake(u32::MAX);
        }
    }

    /// A part was lost with a process.
    pub(super) fn part_died(&self, dead: usize) {
        self.set_death(Death::Died { pid: family::member(dead).pid() });
        self.change(|word| (is_of_parts(word) && word & POISON == 0).then_some(word | POISON));
    }

    /// For the sweep: frees it from a dead member, and wakes all who wait for it.
    pub(super) fn bereave(&self, dead: usize) {
        let by = Death::Died { pid: family::member(dead).pid() };
        self.change(|word| {
            let is_its = thread::place_of(word & OWNER) == dead;
            is_its.then(|| self.set_death(by)).map(|()| POISON)
        });
        self.wake(u32::MAX);
    }
}
