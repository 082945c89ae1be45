//! A family for unit tests, which cannot fork: its members are threads, nobody starts any, and nobody buries them.

use std::cell::Cell;
use std::sync::Once;

use super::arena::Arena;
use super::family;
use crate::prim::Ordering;
use crate::sys::lifeline::Lifeline;
use crate::sys::socket::Channel;

thread_local! {
    static ME: Cell<usize> = const { Cell::new(family::MAIN) };
}

/// What is a word of the process elsewhere.
pub(super) struct PerThread;

impl PerThread {
    pub(super) fn load(&self, _: Ordering) -> u32 {
        u32::try_from(ME.get()).unwrap()
    }

    pub(super) fn store(&self, place: u32, _: Ordering) {
        ME.set(place as usize);
    }
}

/// Makes the family, once.
pub(super) fn family() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| family::found(Arena::small().unwrap(), Channel::to_nowhere().unwrap(), Lifeline::new().unwrap()));
}

#[cfg(not(miri))]
pub(super) use explored::{be, be_first, explore, place};

/// For explorations.
#[cfg(not(miri))]
mod explored {
    use crate::multi::family;
    use crate::prim::explore::{self, Threads};

    /// The place of the member of this number.
    pub(in crate::multi) fn place(number: usize) -> usize {
        family::LAUNCHER + 1 + number
    }

    /// This thread is that member from now on.
    pub(in crate::multi) fn be(number: usize) {
        family::become_member(place(number));
    }

    /// This thread is the family's first member, as each thread is that is not another.
    pub(in crate::multi) fn be_first() {
        family::become_member(family::MAIN);
    }

    /// All schedules of a scene, with so many threads cut short; `PINRING_EXPLORE` more of them are.
    pub(in crate::multi) fn explore(preemptions: usize, scene: impl Fn(&mut Threads)) {
        super::family();
        let more: usize = std::env::var("PINRING_EXPLORE").ok().and_then(|more| more.parse().ok()).unwrap_or(0);
        println!("{} schedules", explore::all(preemptions + more, scene));
    }
}
