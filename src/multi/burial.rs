//! What the launcher does when a process has ended: gives back what it held, ends those that end with it, and starts another in the place
//! of a pool's worker.

use super::arena::BlockId;
use super::family::{self, LAUNCHER};
use super::launcher::Launcher;
use super::member::{Answer, BOUND, DETACHED, LAUNCHED, Member, NAMES, REVIVE, State};
use super::object::Object;
use super::recount::recount;
use super::{pool, shared_memory, sweep};
use crate::sys::clock::monotonic_ns;
use crate::sys::wait;

/// How often in a row a pool's workers may end soon without having begun a task.
const IDLE_DEATHS: u32 = 5;
/// A worker that ends within this time, in ns, has ended soon.
const SOON_NS: u64 = 1_000_000_000;

/// What is known of the workers that had a place one after another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Life {
    /// When the last was started, CLOCK_MONOTONIC in ns.
    since_ns: u64,
    /// Tasks that had been begun when the one before ended.
    tasks: u64,
    /// How many in a row ended soon, and had not begun any.
    idle: u32,
}

impl Launcher<'_> {
    /// It has ended.
    pub(super) fn reap(&mut self, place: usize) {
        let member = family::member(place);
        if member.is(LAUNCHED) {
            let pid = family::pid_of(place);
            // Before its pid can be another's: who has just engaged it observes it by that.
            if let Ok(Some(ended)) = wait::peek(pid) {
                member.set_status(ended.into());
            }
            let _ = wait::reap(pid);
        }
        self.bury(place);
    }

    /// Starts another in the place of a pool's worker that has ended; false: not again.
    fn revive(&mut self, place: usize, member: &Member) -> bool {
        let parent = family::member(member.parent());
        if self.outlived[member.parent()] || !member.has_parent(parent) || parent.state() != State::Running {
            return false;
        }
        let (now, tasks, life) = (monotonic_ns(), member.tasks.get(), &mut self.lives[place]);
        let soon = now.saturating_sub(life.since_ns) < SOON_NS;
        life.idle = if soon && life.tasks == tasks { life.idle + 1 } else { 0 };
        (life.since_ns, life.tasks) = (now, tasks);
        if life.idle > IDLE_DEATHS {
            let block = BlockId(u32::try_from(member.job[1].get()).unwrap_or(0));
            pool::gave_up(Object { block, generation: member.job[3].get() });
            return false;
        }
        member.revive();
        self.start_worker(place);
        true
    }

    /// Starts a pool's worker, or tries again in a while: else whoever has given it a task would wait for ever.
    pub(super) fn start_worker(&mut self, place: usize) {
        self.start(place);
        if family::member(place).state() == State::Ended {
            self.unborn.push(place);
        }
    }

    /// Those that were started by the process there.
    fn children(place: usize) -> impl Iterator<Item = (usize, &'static Member)> {
        let parent = family::member(place);
        family::members().filter(move |(_, page)| page.is_child_of(place, parent))
    }

    /// Ends those that must not outlive the process there; whether any of them still lives.
    fn end_bound(&mut self, place: usize) -> bool {
        let is_bound = |page: &Member| page.is(BOUND) && page.state() == State::Running;
        let bound = Self::children(place).filter(|(_, page)| is_bound(page));
        let living = bound.filter(|(child, _)| self.kill(*child) || self.outlived[*child]);
        living.count() > 0
    }

    pub(super) fn bury(&mut self, place: usize) {
        // They may be at what only it holds, as a pool's workers are: that is given back when they have ended, too.
        self.outlived[place] = self.end_bound(place);
        if self.outlived[place] {
            return;
        }
        sweep::sweep(LAUNCHER, place, &mut self.suspects);
        // Before anybody is told: what was the dead one's alone is given back by then.
        recount(&mut self.suspects);
        if family::member(place).answer() != Answer::Value {
            // Its argument, which it had not read, or an answer that it has not given.
            family::waybill(place).settle();
        }
        for (child, page) in Self::children(place) {
            match page.state() {
                State::Running => {
                    page.set_flag(DETACHED);
                    if self.is_known(child) {
                        // Without what its parent was about to give it, it cannot live.
                        if page.released.get() == 0 {
                            let _ = self.kill(child);
                        }
                        // Its parent may have ended before it could wake it.
                        page.news.ring_all();
                    } else if !self.outlived[child] {
                        // Its parent ended before it could ask us to watch it; it sees that itself.
                        family::vacate(child);
                    }
                }
                // Its parent was about to start it, or to ask how it ended.
                State::Reserved | State::Ended => family::vacate(child),
                State::Free | State::StandingBy => {}
            }
        }
        let member = family::member(place);
        let parent = member.parent();
        if member.is(NAMES) {
            shared_memory::remove_names_of(member.pid());
            member.clear_flag(NAMES);
        }
        if member.is(REVIVE) {
            if self.revive(place, member) {
                return;
            }
            member.clear_flag(REVIVE);
        }
        // Last of all: whoever sees it may give the place to another.
        member.set_state(State::Ended);
        family::vacate_if_detached(place);
        if self.outlived[parent] {
            self.bury(parent);
        }
    }
}
