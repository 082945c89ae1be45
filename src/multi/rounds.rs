//! The rounds of a barrier: who has come, and what became of it.
//!
//! All is decided by one word: the round, how many have come, who came last, and whether the round is open, in its action, or broken.
//! Whoever comes next writes down for the last one who it was, so that it is known at any moment who waits, also if one was killed right
//! after it came.

use super::arena::{MEMBERS, Words};
use super::bell::Bell;
use super::family;
use super::object::{BODY, Object};
use super::word::{Word32, Word64};

/// Most parties of a barrier: what is left in the word.
pub(super) const MOST: usize = (1 << 16) - 1;
/// How many broken rounds are remembered: one who has waited in a round must look before so many later ones were broken and repaired.
const REMEMBERED: usize = 64;

/// How far a round is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Parties come.
    Open,
    /// All are there, and the last one is in the action.
    Acting,
    /// It came to no good end, and the barrier needs a reset.
    Broken,
}

/// The word that all change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) round: u32,
    pub(super) phase: Phase,
    /// How many have come.
    pub(super) count: usize,
    /// The member that came last.
    last: usize,
}

impl State {
    fn pack(self) -> u64 {
        u64::from(self.round) | (self.count as u64) << 32 | (self.last as u64) << 48 | (self.phase as u64) << 56
    }

    fn unpack(word: u64) -> Self {
        let phase = match word >> 56 {
            0 => Phase::Open,
            1 => Phase::Acting,
            _ => Phase::Broken,
        };
        let round = u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0);
        Self { round, phase, count: (word >> 32) as usize & MOST, last: (word >> 48) as usize & (MEMBERS - 1) }
    }

    fn next_round(self) -> Self {
        Self { round: self.round.wrapping_add(1), phase: Phase::Open, count: 0, last: 0 }
    }
}

/// What became of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Opened,
    Broken,
}

/// The words of a barrier; the parties' are behind them: by the order in which they came, the round and the member.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Rounds {
    state: Word64,
    pub(super) parties: Word64,
    /// Nanoseconds that a wait takes at most, if it does not say; 0: for ever.
    pub(super) time: Word64,
    /// Address of the action; 0: none.
    pub(super) action: Word64,
    /// The round whose party died, above the pid of that.
    death: Word64,
    /// Rounds that were broken, by the lowest bits of their number, plus one.
    broken: [Word64; REMEMBERED],
    pub(super) bell: Bell,
    reserved: Word32,
    reserved_too: Word32,
}

// SAFETY: words only.
#[allow(unsafe_code)]
unsafe impl Words for Rounds {}

/// The words behind those of the rounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comers {
    object: Object,
    len: usize,
}

impl Comers {
    pub(super) fn of(object: Object) -> Self {
        let rounds: &Rounds = object.body();
        Self { object, len: usize::try_from(rounds.parties.get()).unwrap_or(0).min(MOST) }
    }

    fn at(self, index: usize) -> &'static Word64 {
        let offset = BODY + size_of::<Rounds>() + index * size_of::<Word64>();
        family::get().arena.view(self.object.block, offset)
    }
}

impl Rounds {
    pub(super) fn state(&self) -> State {
        State::unpack(self.state.get())
    }

    fn replace(&self, old: State, new: State) -> bool {
        self.state.replace(old.pack(), new.pack()).is_ok()
    }

    /// Writes down who came last, if that is so still.
    fn settle(&self, state: State, comers: Comers) {
        let Some(place) = state.count.checked_sub(1).map(|index| comers.at(index)) else { return };
        let found = place.get();
        let comer = u64::from(state.round) << 32 | state.last as u64;
        if found != comer && self.state() == state {
            let _ = place.replace(found, comer);
        }
    }

    /// A party comes, to a round that is open; its number among those. `None`: the state was another.
    pub(super) fn come(&self, state: State, member: usize, comers: Comers) -> Option<usize> {
        self.settle(state, comers);
        let parties = comers.len;
        let count = state.count + 1;
        let phase = if count == parties { Phase::Acting } else { Phase::Open };
        self.replace(state, State { count, phase, last: member, ..state }).then_some(state.count)
    }

    /// Ends a round whose parties are all there; `false`: it was broken meanwhile.
    pub(super) fn open(&self, round: u32) -> bool {
        let state = self.state();
        let opened = state.round == round && state.phase == Phase::Acting && self.replace(state, state.next_round());
        self.bell.ring_all();
        opened
    }

    /// Breaks that round, or the present one; in the action only if `anyway`. Whether this call did it.
    pub(super) fn break_round(&self, round: Option<u32>, anyway: bool) -> bool {
        loop {
            let state = self.state();
            let is_other = round.is_some_and(|round| state.round != round);
            if is_other || state.phase == Phase::Broken || (state.phase == Phase::Acting && !anyway) {
                return false;
            }
            if self.replace(state, State { phase: Phase::Broken, ..state }) {
                self.bell.ring_all();
                return true;
            }
        }
    }

    /// Begins a new round; who waits in the present one finds it broken.
    pub(super) fn reset(&self) {
        loop {
            let state = self.state();
            let place = &self.broken[state.round as usize % REMEMBERED];
            if state.phase != Phase::Broken && state.count == 0 {
                return;
            }
            if state.phase != Phase::Broken {
                self.break_round(Some(state.round), true);
                continue;
            }
            // Before the round ends: who looks then must find it.
            place.set(u64::from(state.round) + 1);
            if self.replace(state, state.next_round()) {
                self.bell.ring_all();
                return;
            }
        }
    }

    /// What became of a round that somebody waits in; `None`: nothing yet.
    pub(super) fn outcome(&self, round: u32) -> Option<Outcome> {
        let state = self.state();
        if state.round == round {
            return (state.phase == Phase::Broken).then_some(Outcome::Broken);
        }
        let was_broken = self.broken[round as usize % REMEMBERED].get() == u64::from(round) + 1;
        Some(if was_broken { Outcome::Broken } else { Outcome::Opened })
    }

    /// Pid of the party whose death broke that round.
    pub(super) fn dead_party(&self, round: u32) -> Option<u32> {
        let word = self.death.get();
        let pid = u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0);
        (pid != 0 && word >> 32 == u64::from(round)).then_some(pid)
    }

    /// For the sweep: a round that the dead member waits in is broken.
    pub(super) fn bereave(&self, dead: usize, pid: u32, comers: Comers) {
        let state = self.state();
        self.settle(state, comers);
        let is_its = |index: usize| comers.at(index).get() == u64::from(state.round) << 32 | dead as u64;
        if state.phase != Phase::Broken && (0..state.count.min(comers.len)).any(is_its) {
            self.death.set(u64::from(state.round) << 32 | u64::from(pid));
            self.break_round(Some(state.round), true);
        }
        // The dead may have opened a round and not have rung.
        self.bell.ring_all();
    }
}
