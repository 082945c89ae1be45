//! How many permits a semaphore has, and how many each process holds of it, so that at any moment it is known exactly what a process that
//! is killed has held.
//!
//! Two numbers change with each permit: that of the semaphore and that of the process. One compare-and-exchange changes the first and
//! says with it who changed it, and how that one's own number changes; whoever comes next brings that one's number up to date before it
//! changes the first again. Each change of a process has a number, so it is not brought up to date twice.

use super::arena::{MEMBERS, Words};
use super::bell::Bell;
use super::word::{Word32, Word64};

/// Most permits of a semaphore: what is left in the word.
pub(super) const MOST: u32 = (1 << 26) - 1;
const NUMBER: u64 = (1 << 28) - 1;

/// How a process's own number changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    More,
    Less,
    /// It has ended: to zero.
    Clear,
}

/// The word that all change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// Permits there are: 26 bits.
    count: u32,
    /// The member that changed it last: 8 bits.
    last: usize,
    /// What becomes of that one's own number: 2 bits.
    change: Change,
    /// Which of its changes that was, of the last 28 bits' worth.
    number: u64,
}

impl State {
    fn pack(self) -> u64 {
        u64::from(self.count) | (self.last as u64) << 26 | (self.change as u64) << 34 | self.number << 36
    }

    fn unpack(word: u64) -> Self {
        let change = match (word >> 34) & 3 {
            1 => Change::More,
            2 => Change::Less,
            3 => Change::Clear,
            _ => Change::None,
        };
        let count = u32::try_from(word & u64::from(MOST)).unwrap_or(0);
        Self { count, last: (word >> 26) as usize & (MEMBERS - 1), change, number: word >> 36 }
    }
}

/// The words of a semaphore.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Permits {
    state: Word64,
    max: Word32,
    reserved: Word32,
    pub(super) bell: Bell,
    /// By member, how many it holds, below the number of its last change that is counted here.
    held: [Word64; MEMBERS],
}

// SAFETY: words only.
#[allow(unsafe_code)]
unsafe impl Words for Permits {}

fn split(record: u64) -> (u32, u64) {
    (u32::try_from(record & u64::from(u32::MAX)).unwrap_or(0), record >> 32)
}

impl Permits {
    /// Before anybody can see it.
    pub(super) fn set_up(&self, permits: u32, max: u32) {
        self.state.set(State { count: permits, last: 0, change: Change::None, number: 0 }.pack());
        self.max.set(max);
    }

    pub(super) fn max(&self) -> u32 {
        self.max.get()
    }

    pub(super) fn count(&self) -> u32 {
        State::unpack(self.state.get()).count
    }

    /// Brings the own number of the member that made this state up to date, if it is the state still.
    fn settle(&self, word: u64) {
        let state = State::unpack(word);
        let record = &self.held[state.last];
        let found = record.get();
        let (held, number) = split(found);
        if number.wrapping_add(1) & NUMBER != state.number || self.state.get() != word {
            return;
        }
        let held = match state.change {
            Change::None => held,
            Change::More => held + 1,
            Change::Less => held.saturating_sub(1),
            Change::Clear => 0,
        };
        let next = number.wrapping_add(1) & u64::from(u32::MAX);
        // If it is another already, somebody else was quicker.
        let _ = record.replace(found, u64::from(held) | next << 32);
    }

    /// Changes the permits by what `to` makes of how many there are and how many `member` holds; `false` if it makes nothing of them.
    pub(super) fn change(&self, member: usize, mut to: impl FnMut(u32, u32) -> Option<(u32, Change)>) -> bool {
        loop {
            let word = self.state.get();
            self.settle(word);
            let (held, number) = split(self.held[member].get());
            let Some((count, change)) = to(State::unpack(word).count, held) else { return false };
            let next = State { count, last: member, change, number: number.wrapping_add(1) & NUMBER };
            if self.state.replace(word, next.pack()).is_ok() {
                return true;
            }
        }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&self, member: usize) -> bool {
        self.change(member, |count, _| count.checked_sub(1).map(|rest| (rest, Change::More)))
    }

    /// Gives back one that it has taken. If others have given back in its place so many that there is no room, it is lost.
    pub(super) fn put_back(&self, member: usize) {
        let max = self.max();
        self.change(member, |count, _| Some(((count + 1).min(max), Change::Less)));
        self.bell.ring(1);
    }

    /// For the sweep: what the dead member held comes back.
    pub(super) fn bereave(&self, dead: usize) {
        let max = self.max();
        self.change(dead, |count, held| (held > 0).then(|| ((count + held).min(max), Change::Clear)));
        // A permit may have been meant for the dead.
        self.bell.ring_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(count: u32, max: u32) -> Permits {
        // SAFETY: words, of which all zero are valid.
        #[allow(unsafe_code)]
        let permits: Permits = unsafe { std::mem::zeroed() };
        permits.set_up(count, max);
        permits
    }

    #[test]
    fn what_the_dead_held_is_known_at_every_step() {
        let permits = permits(5, 5);
        assert!(permits.take(3) && permits.take(3) && permits.take(4));
        // The last change is only in the state, not yet in the member's own number.
        permits.bereave(4);
        assert_eq!(permits.count(), 3);
        permits.bereave(4);
        permits.bereave(3);
        permits.bereave(3);
        assert_eq!(permits.count(), 5);
    }

    #[test]
    fn a_permit_handed_on_does_not_come_back() {
        let permits = permits(1, 1);
        assert!(permits.take(3) && !permits.take(3));
        permits.change(3, |count, _| Some((count, Change::Less)));
        permits.bereave(3);
        assert_eq!(permits.count(), 0);
    }

    #[test]
    fn the_numbers_of_changes_wrap() {
        let permits = permits(1, 1);
        for record in &permits.held {
            record.set(((1 << 28) - 2) << 32);
        }
        permits.set_up(1, 1);
        permits.state.set(permits.state.get() | ((1 << 28) - 3) << 36);
        for _ in 0..6 {
            assert!(permits.take(3));
            permits.bereave(3);
            assert_eq!(permits.count(), 1);
        }
    }
}
