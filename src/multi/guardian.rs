//! The guardian: the parent of the launcher, which does nothing but wait, and goes on in its place when it is killed.
//!
//! What the launcher had started are its own children then: the kernel gives them to it, as it has asked for the orphans among its
//! descendants. All else that the launcher knew stands in shared memory, or the processes tell it; what it was in the middle of can be done
//! twice. It has no parent of that kind itself: a second kill is one too many.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use super::family::{self, LAUNCHER, MAIN};
use super::launcher::Launcher;
use super::member::{DOOMED, LAUNCHED, Member, REVIVE, State};
use super::{recount, sweep};
use crate::sys::fork::{Side, fork, parent_pid};
use crate::sys::pidfd::PidFd;
use crate::sys::signal::SignalInput;
use crate::sys::socket::Channel;
use crate::sys::wait::Ended;
use crate::sys::{fd, prctl, signal, stderr, wait};

/// In the guardian's process, and the launcher's, until nobody is left; the exit code.
pub(super) fn run(requests: &Channel) -> i32 {
    match found(requests) {
        Ok(()) => 0,
        Err(error) => {
            stderr::say(&format!("pinring: the launcher of this program cannot go on: {error}"));
            1
        }
    }
}

fn found(requests: &Channel) -> io::Result<()> {
    let dead = prepare(requests)?;
    let (launcher, main) = (Launcher::new(requests, &dead)?, main_process());
    // SAFETY: neither of them ever starts a thread.
    #[allow(unsafe_code)]
    match unsafe { fork() } {
        Ok(Side::Parent(pid)) => {
            drop((launcher, main));
            guard(requests, &dead, pid)
        }
        Ok(Side::Child) => launcher.launch(main),
        // Without a process for it there is no guardian.
        Err(_) => {
            prctl::adopt_orphans(false)?;
            launcher.launch(main)
        }
    }
}

/// What is to be done before the fork; the numbers of the descriptors that are not ours to use.
fn prepare(requests: &Channel) -> io::Result<Vec<RawFd>> {
    // What ends the program ends it by its own hand: we stay until the last member has gone.
    signal::ignore_stop_signals()?;
    signal::heed_children()?;
    // What the program had open when it began: the other ends must see it closed when the program closes it.
    let [line, memory, reader, writer] = family::descriptors();
    let keep = [line, memory, reader, writer, requests.as_fd().as_raw_fd()];
    // SAFETY: the owners of all other descriptors are in frames that we never return to: we leave through `_exit`.
    #[allow(unsafe_code)]
    let dead = unsafe { fd::deaden_all_but(&keep) }?;
    prctl::adopt_orphans(true)?;
    Ok(dead)
}

/// The main process; `None`: it has ended.
fn main_process() -> io::Result<Option<PidFd>> {
    let main = PidFd::open(family::pid_of(MAIN));
    // By now that may be another's pid.
    if parent_pid() == family::pid_of(MAIN) { main.map(Some) } else { Ok(None) }
}

fn guard(requests: &Channel, dead: &[RawFd], launcher: i32) -> io::Result<()> {
    prctl::set_name("pinring-guard")?;
    if outlive(launcher)? == Some(Ended::Code(0)) {
        return Ok(());
    }
    prctl::adopt_orphans(false)?;
    let mut launcher = Launcher::new(requests, dead)?;
    launcher.adopt(SignalInput::of_children()?)?;
    launcher.inherit();
    // Of those that ended before there was news of it.
    launcher.reap_orphans();
    launcher.serve()
}

/// Waits until the launcher has ended; how. Reaps the orphans that end meanwhile.
fn outlive(launcher: i32) -> io::Result<Option<Ended>> {
    loop {
        let pid = wait::peek_at_any()?;
        // One of its children can be ours only when it has ended; how that one did is to be known.
        let is_its = |(place, page): (usize, &Member)| {
            page.is(LAUNCHED) && page.state() == State::Running && family::pid_of(place) == pid
        };
        if pid == launcher || family::members().any(is_its) {
            return wait::until_end(launcher);
        }
        wait::reap(pid)?;
    }
}

impl Launcher<'_> {
    /// Goes on where the one before was killed.
    fn inherit(&mut self) {
        sweep::resume(LAUNCHER, &mut self.suspects);
        self.suspects.extend(recount::all_on_board());
        let mut dead = Vec::new();
        for (place, page) in family::members().filter(|(place, _)| *place != LAUNCHER) {
            // It ended with the one before; unless somebody has just engaged it, whose it is then.
            if page.state() == State::StandingBy && page.recall() {
                page.set_state(State::Free);
                continue;
            }
            match page.state() {
                State::Running if !self.find(place, page) => dead.push(place),
                State::Reserved if page.parent() == LAUNCHER => family::vacate(place),
                State::Reserved if page.is(LAUNCHED) => self.find_begun(place, page),
                State::Ended if page.is(REVIVE) && page.seek(is_ours).is_none() => self.unborn.push(place),
                State::Ended if page.is(REVIVE) => self.begin(place, page),
                State::Ended => family::vacate_if_detached(place),
                _ => {}
            }
        }
        // Children first: what their parents hold is given back when they have ended.
        dead.sort_by_key(|place| std::cmp::Reverse(depth(*place)));
        for place in dead {
            self.bury(place);
        }
        for (place, page) in family::members().filter(|(_, page)| page.is(DOOMED)) {
            if page.state() == State::Running {
                self.kill(place);
            }
        }
        // Who has asked for something asks again, and who was not woken looks again.
        family::member(LAUNCHER).restarts.add(1);
        for (_, page) in family::members() {
            page.news.ring_all();
            page.bell.ring_all();
        }
    }

    /// Observes the process of a member that runs; false: it is not there any more.
    fn find(&mut self, place: usize, page: &Member) -> bool {
        // Its pid can be another's, if it was reaped.
        match place {
            MAIN => parent_pid() == family::pid_of(place) && self.try_to_observe(place),
            _ if page.is(LAUNCHED) => page.seek(is_ours).is_some() && self.try_to_observe(place),
            _ => self.try_to_observe(place),
        }
    }

    /// Where a start was asked for: it may have been done, as far as the fork.
    fn find_begun(&mut self, place: usize, page: &Member) {
        // Another pid is that of a place that is not to be launched: what is known of it is just being written.
        if is_ours(family::pid_of(place)) || page.pid() == 0 && page.seek(is_ours).is_some() {
            self.begin(place, page);
        }
    }

    /// It was forked, and that was not yet written down.
    fn begin(&mut self, place: usize, page: &Member) {
        page.set_state(State::Running);
        self.watch(place);
    }
}

/// Whether one that the launcher forked is there, or has ended and was not reaped.
fn is_ours(pid: i32) -> bool {
    wait::peek(pid).is_ok()
}

/// How many parents a member has, one above the other.
fn depth(place: usize) -> usize {
    let parent = |place: &usize| Some(family::member(*place).parent()).filter(|parent| *parent != 0);
    std::iter::successors(Some(place), parent).take(super::arena::MEMBERS).count()
}
