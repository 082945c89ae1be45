//! Processes that stand by: forked by the launcher before anybody wants them, where starts follow one another fast.
//!
//! A fork of the launcher is the same whenever it is made, so it need not be waited for. One that stands by has a place as a member has,
//! which nobody's child is at, and sleeps there until it is released, as every child does; who wants to start one makes the place its own
//! by a single compare-and-exchange, and then it is its child like any other. The launcher observes it all the while. A program that
//! starts a process now and then has none that stand by: they are forked after two starts within a second, and dismissed after a second
//! in which nothing happened.

use std::time::Duration;

use super::family;
use super::launcher::Launcher;
use super::member::{LAUNCHED, State};
use super::word::Word32;
use crate::sys::clock::monotonic_ns;
use crate::sys::wait;

/// Starts follow one another fast that come within this time, in ns; and how long processes stand by in vain.
const READY_NS: u64 = 1_000_000_000;

/// Whether processes are to stand by.
#[derive(Debug, Default)]
pub(super) struct Hurry {
    /// When a process was last to be forked, CLOCK_MONOTONIC in ns.
    asked_ns: u64,
    is_on: bool,
}

impl Hurry {
    /// Somebody waits for a fork.
    pub(super) fn asked(&mut self) {
        let now = monotonic_ns();
        self.is_on = now.saturating_sub(self.asked_ns) < READY_NS;
        self.asked_ns = now;
    }
}

/// How long the launcher sleeps before it dismisses those that stand by.
pub(super) fn patience() -> Option<Duration> {
    family::standing_by().next().map(|_| Duration::from_nanos(READY_NS))
}

impl Launcher<'_> {
    /// Whether anybody lives but those that stand by.
    pub(super) fn anybody_lives(&self) -> bool {
        let mut watched = self.watched.iter().enumerate().filter(|(_, pidfd)| pidfd.is_some());
        watched.any(|(place, _)| family::stands_by(place).is_none()) || !self.unseen.is_empty()
    }

    /// Whether another is to stand by.
    pub(super) fn is_short(&self) -> bool {
        self.vacancy().is_some()
    }

    /// Where nobody is noted who stands by, if there is need of one.
    fn vacancy(&self) -> Option<&'static Word32> {
        let mut places = family::get().arena.standby().iter().filter(|_| self.hurry.is_on);
        places.find(|word| family::stands_by(word.get() as usize).is_none())
    }

    /// Has one more process stand by, if there is need of one. Last of all that is to be done, and one at a time: it takes its time, and
    /// meanwhile somebody may have ended.
    pub(super) fn stand_by(&mut self) {
        if let Some(word) = self.vacancy() {
            // Without a place, a descriptor or a process for it there is none.
            let place = self.fork_ahead();
            self.hurry.is_on = place.is_some();
            word.set(place.and_then(|place| u32::try_from(place).ok()).unwrap_or(0));
        }
    }

    /// Forks a process that stands by; its place.
    fn fork_ahead(&mut self) -> Option<usize> {
        let (place, member) = family::reserve(LAUNCHED, Some("standby")).ok()?;
        let forked = self.fork(place, true);
        // Nobody knows of it yet.
        let observed = forked.and_then(|pid| self.observe(place, pid).inspect_err(|_| drop(wait::end(pid))));
        member.set_state(if observed.is_ok() { State::StandingBy } else { State::Free });
        observed.ok().map(|()| place)
    }

    /// Ends those that stand by.
    pub(super) fn dismiss(&mut self) {
        self.hurry = Hurry::default();
        for place in family::standing_by() {
            let member = family::member(place);
            if member.recall() {
                self.look_away(place);
                let _ = wait::end(family::pid_of(place));
                member.set_state(State::Free);
            }
        }
    }
}
