//! Sleeping until something in shared memory changes, and waking those who do.
//!
//! Who wants to sleep says so, looks once more, and sleeps; who changes something looks afterwards whether anybody said so. While nobody
//! sleeps a ring is one look at a word. A sleeper that is killed leaves nothing behind but a look in vain: the kernel forgets it.

use std::thread::yield_now;
use std::time::Duration;

use super::arena::{MEMBERS, Words};
use super::family;
use super::word::{Word32, Word64};
use crate::prim::{Ordering, fence, spin_loop};
use crate::sys::clock::monotonic_ns;
use crate::sys::futex;

/// How long it is looked for what is waited for before sleeping, at least: about what a sleep and a wake-up cost.
const SPIN_NS: u64 = 20_000;
/// How often, at least: who does it may be running on this core most of that time.
const LOOKS: u32 = 40;
/// So many of the looks come after a few pauses of the processor. Before the others the core is yielded: with more processes than cores
/// that made a queue three times as fast, and where nobody else is to run it costs about as much as the pauses.
const PAUSED_LOOKS: u32 = 5;
const PAUSES: u32 = 8;

/// Longest piece of a wait.
const SLICE: Duration = Duration::from_millis(200);

/// Until when to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit(Option<u64>);

impl Limit {
    /// For ever.
    pub(super) const NEVER: Self = Self(None);

    /// So long from now on; a time that cannot be reckoned with is for ever.
    pub(super) fn after(time: Duration) -> Self {
        Self(u64::try_from(time.as_nanos()).ok().and_then(|time| monotonic_ns().checked_add(time)))
    }

    /// When CLOCK_MONOTONIC in ns is there; `None`: never.
    pub(super) fn at(at_ns: Option<u64>) -> Self {
        Self(at_ns)
    }

    /// CLOCK_MONOTONIC in ns when it is over; `None`: never.
    pub(super) fn at_ns(self) -> Option<u64> {
        self.0
    }

    /// The one of the two that is over first.
    pub(super) fn or_sooner(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(two)) => Self(Some(one.min(two))),
            (one, two) => Self(one.or(two)),
        }
    }

    /// Whether it is over.
    pub(super) fn is_over(self) -> bool {
        self.left().is_none()
    }

    /// The same, in pieces, for who must look at something else now and then.
    pub(super) fn slices(self) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let left = self.left()?;
            Some(Self::after(left.unwrap_or(SLICE).min(SLICE)))
        })
    }

    /// What is left of it; `None` once it is over.
    pub(super) fn left(self) -> Option<Option<Duration>> {
        let Some(until) = self.0 else { return Some(None) };
        let left = until.saturating_sub(monotonic_ns());
        (left > 0).then(|| Some(Duration::from_nanos(left)))
    }
}

/// A place to sleep.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Bell {
    /// What one sleeps on: another number after each ring that somebody heard.
    rings: Word32,
    /// A flag: somebody may sleep.
    sleepers: Word32,
    /// Members that wait for this among other things, a bit each.
    watchers: [Word64; MEMBERS / 64],
}

// SAFETY: words only.
#[allow(unsafe_code)]
unsafe impl Words for Bell {}

impl Bell {
    /// Something has changed that `most` sleepers may be waiting for.
    pub(super) fn ring(&self, most: u32) {
        // ORDER(multi.bell): SeqCst fence between the change, made before, and our look; who sleeps fences between what it says and its
        // look, so one of the two sees the other.
        fence(Ordering::SeqCst);
        self.ring_fenced(most);
    }

    /// As [`Self::ring`], after one of another bell since the change: that had the fence.
    pub(super) fn ring_fenced(&self, most: u32) {
        let Some(sleepers) = self.sleepers.raised_flag() else { return };
        self.rings.add(1);
        let woken = futex::wake_some(self.rings.futex(), most);
        self.tell_watchers();
        if woken == 0 {
            // Last of all: should this be killed before, the sweep's ring goes the whole way again.
            self.sleepers.lower_flag(sleepers);
        }
    }

    /// Something has changed that all sleepers must see.
    pub(super) fn ring_all(&self) {
        self.ring(u32::MAX);
    }

    fn tell_watchers(&self) {
        for (place, word) in self.watchers.iter().enumerate() {
            let mut bits = word.get();
            while bits != 0 {
                family::member(place * 64 + bits.trailing_zeros() as usize).bell.ring_all();
                bits &= bits - 1;
            }
        }
    }

    /// Asks that member's own bell to be rung with the next ring, and perhaps with others until [`Self::unwatch`]. Then one must look once
    /// more.
    pub(super) fn watch(&self, member: usize) {
        self.watchers[member / 64].include(1 << (member % 64));
        self.announce();
    }

    /// Ends that, for all threads of the member.
    pub(super) fn unwatch(&self, member: usize) {
        self.watchers[member / 64].exclude(1 << (member % 64));
    }

    /// Says that somebody is about to sleep; what [`Self::sleep`] needs. Then one must look once more.
    pub(super) fn announce(&self) -> u32 {
        let rings = self.rings.get();
        self.sleepers.raise_flag();
        // ORDER(multi.bell): SeqCst fence, see `ring`.
        fence(Ordering::SeqCst);
        rings
    }

    /// Sleeps unless it has rung since [`Self::announce`]. Returns also early.
    pub(super) fn sleep(&self, announced: u32, time: Option<Duration>) {
        // An error (there is none for a mapped word) is an early return.
        let _ = futex::wait(self.rings.futex(), announced, time);
    }

    /// Looks for a little while, without sleeping, and not beyond the limit: to yield the core may take long.
    pub(super) fn spin<T>(limit: Limit, look: &mut impl FnMut() -> Option<T>) -> Option<T> {
        #[cfg(all(test, not(miri)))]
        if crate::prim::explore::is_on() {
            return None;
        }
        let (since, mut looks) = (monotonic_ns(), 0);
        while !limit.is_over() && (looks < LOOKS || monotonic_ns() - since < SPIN_NS) {
            looks += 1;
            if looks <= PAUSED_LOOKS {
                (0..PAUSES).for_each(|_| spin_loop());
            } else {
                yield_now();
            }
            if let Some(found) = look() {
                return Some(found);
            }
        }
        None
    }

    /// Waits until `look` finds something: looks for a little while, then sleeps between looks. `None`: the time is over.
    pub(super) fn wait<T>(&self, limit: Limit, look: impl FnMut() -> Option<T>) -> Option<T> {
        self.wait_with(limit, || {}, look)
    }

    /// As [`Self::wait`]; before each sleep `ask` has other bells ring this one.
    pub(super) fn wait_with<T>(&self, limit: Limit, ask: impl Fn(), mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if let Some(found) = look() {
            return Some(found);
        }
        if let Some(found) = Self::spin(limit, &mut look) {
            return Some(found);
        }
        self.rest_with(limit, ask, look)
    }

    /// As [`Self::wait`], but sleeps at once: for who knows that it takes longer.
    pub(super) fn rest<T>(&self, limit: Limit, look: impl FnMut() -> Option<T>) -> Option<T> {
        self.rest_with(limit, || {}, look)
    }

    fn rest_with<T>(&self, limit: Limit, ask: impl Fn(), mut look: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            let announced = self.announce();
            ask();
            if let Some(found) = look() {
                return Some(found);
            }
            self.sleep(announced, limit.left()?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::multi::alone;

    #[test]
    fn who_has_no_time_does_not_look_for_a_while() {
        alone::family();
        let mut looks = 0;
        let never = || {
            looks += 1;
            None::<()>
        };
        assert_eq!(Bell::default().wait(Limit::after(Duration::ZERO), never), None);
        // At once, and after it was said that somebody is about to sleep.
        assert_eq!(looks, 2);
    }
}

#[cfg(test)]
#[cfg(not(miri))]
mod schedules {
    use std::sync::Arc;

    use super::*;
    use crate::multi::alone;

    #[test]
    fn no_ring_is_lost() {
        alone::explore(2, |threads| {
            let (bell, count) = (Arc::new(Bell::default()), Arc::new(Word32::default()));
            for _ in 0..2 {
                let (bell, count) = (Arc::clone(&bell), Arc::clone(&count));
                threads.thread(move || {
                    for _ in 0..2 {
                        count.add(1);
                        bell.ring(1);
                    }
                });
            }
            threads.thread(move || {
                for least in 1..=4 {
                    bell.wait(Limit::NEVER, || (count.get() >= least).then_some(()));
                }
            });
        });
    }
}
