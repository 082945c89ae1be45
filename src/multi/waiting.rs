//! Those who wait for a condition: a slot each, so that who notifies picks the longest waiting, wakes exactly those, and waits for nobody.
//!
//! ```text
//! slot: FREE -> CLAIMED -> WAITING -> NOTIFIED -> FREE
//!                             |                    ^
//!                             +---- its time is over
//! ```
//! A waiter keeps its slot until it has its lock again. One that is killed before that has not done what it was woken for: the sweep
//! frees its slot and notifies another in its place.

use super::arena::Words;
use super::bell::Limit;
use super::thread;
use super::word::Word32;
use crate::prim::spin_loop;
use crate::sys::futex;

/// How many can wait at a time.
const SLOTS: usize = 1024;

const CLAIMED: u32 = 1 << 28;
const WAITING: u32 = 2 << 28;
const NOTIFIED: u32 = 3 << 28;
const STATE: u32 = 3 << 28;
const THREAD: u32 = (1 << 28) - 1;

/// How often it is looked before sleeping.
const SPINS: u32 = 100;

#[derive(Debug)]
#[repr(C)]
struct Slot {
    /// The state, and the number of the thread; what that sleeps on.
    word: Word32,
    /// Its turn.
    turn: Word32,
}

/// The words of a condition variable.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Waiting {
    /// The next turn.
    turn: Word32,
    /// No slot from here on has ever been taken.
    top: Word32,
    slots: [Slot; SLOTS],
}

// SAFETY: words only.
#[allow(unsafe_code)]
unsafe impl Words for Waiting {}

/// A waiter's slot.
#[derive(Debug)]
pub(super) struct Ticket {
    slot: &'static Slot,
    me: u32,
}

impl Waiting {
    /// Takes a slot: from now on a notification counts. `None`: more than a thousand wait.
    pub(super) fn enter(&'static self) -> Option<Ticket> {
        let me = thread::number();
        for (place, slot) in self.slots.iter().enumerate() {
            if slot.word.get() == 0 && slot.word.replace(0, me | CLAIMED).is_ok() {
                // Before it is waiting, so that who notifies looks far enough.
                self.top.raise(u32::try_from(place + 1).unwrap_or(u32::MAX));
                slot.turn.set(self.turn.add(1));
                slot.word.set(me | WAITING);
                return Some(Ticket { slot, me });
            }
        }
        None
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().take(self.top.get() as usize)
    }

    /// Wakes `most` of those who wait, longest waiting first; how many that were.
    pub(super) fn notify(&self, most: u32) -> u32 {
        let mut woken = 0;
        while woken < most {
            let now = self.turn.get();
            let waiting = self.slots().filter(|slot| slot.word.get() & STATE == WAITING);
            let Some(oldest) = waiting.max_by_key(|slot| now.wrapping_sub(slot.turn.get())) else { break };
            woken += u32::from(oldest.wake());
        }
        woken
    }

    /// Wakes all who wait.
    pub(super) fn notify_all(&self) {
        for slot in self.slots() {
            slot.wake();
        }
    }

    /// For the sweep: frees the slots of a dead member. Who was notified and cannot heed it, another is notified for.
    pub(super) fn bereave(&self, dead: usize) {
        for slot in self.slots() {
            let word = slot.word.get();
            if word != 0 && thread::place_of(word & THREAD) == dead {
                if slot.word.swap(0) & STATE == NOTIFIED {
                    self.notify(1);
                }
            } else if word & STATE == NOTIFIED {
                // It may have been the dead that notified it and did not come to wake it.
                futex::wake(slot.word.futex());
            }
        }
    }
}

impl Slot {
    /// Whether it was this call that woke it.
    fn wake(&self) -> bool {
        let word = self.word.get();
        let is_mine = word & STATE == WAITING && self.word.replace(word, word & THREAD | NOTIFIED).is_ok();
        if is_mine {
            futex::wake(self.word.futex());
        }
        is_mine
    }
}

impl Ticket {
    /// Waits for a notification; `false`: there was none in time.
    pub(super) fn wait(&self, limit: Limit) -> bool {
        let asleep = self.me | WAITING;
        for _ in 0..SPINS {
            if self.slot.word.get() != asleep {
                return true;
            }
            spin_loop();
        }
        while self.slot.word.get() == asleep {
            let Some(left) = limit.left() else {
                // No notification can be meant for us from here on, unless it was already.
                return self.slot.word.replace(asleep, self.me | CLAIMED).is_err();
            };
            // An error (there is none for a mapped word) is an early return.
            let _ = futex::wait(self.slot.word.futex(), asleep, left);
        }
        true
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.slot.word.set(0);
    }
}
