//! The launcher: a process without threads, forked first of all, that starts others where a fork would not be safe, sees every member of
//! the family end, and gives back what the dead held.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use super::arena::{BlockId, MEMBERS};
use super::child;
use super::family::{self, LAUNCHER, MAIN};
use super::member::{Answer, BOUND, DETACHED, LAUNCHED, Member, NAMES, REVIVE, State};
use super::object::Object;
use super::recount::{Suspect, recount};
use super::standby::{self, Hurry};
use super::{pool, shared_memory, sweep};
use crate::sys::clock::monotonic_ns;
use crate::sys::epoll::Epoll;
use crate::sys::fork::{Side, fork, parent_pid};
use crate::sys::pidfd::PidFd;
use crate::sys::socket::{Channel, MAX_MESSAGE, Received};
use crate::sys::{fd, prctl, signal, stderr, wait};

/// What it can be asked for, concerning one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Request {
    /// To see it end.
    Watch = 1,
    /// To start it.
    Start = 2,
    /// To end it.
    Kill = 3,
}

/// How often in a row a pool's workers may end soon without having begun a task.
const IDLE_DEATHS: u32 = 5;
/// A worker that ends within this time, in ns, has ended soon.
const SOON_NS: u64 = 1_000_000_000;
/// Token of the requests; a member's token is its place.
const REQUESTS: u64 = 0;
/// There is no such process, or it was never known.
const GONE: [Option<i32>; 2] = [Some(3), Some(22)];
/// How often those are looked at that no descriptor is free for, and those started that no process is free for.
const GLANCE: Duration = Duration::from_millis(10);

/// What is known of the workers that had a place one after another.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    /// When the last was started, CLOCK_MONOTONIC in ns.
    since_ns: u64,
    /// Tasks that had been begun when the one before ended.
    tasks: u64,
    /// How many in a row ended soon, and had not begun any.
    idle: u32,
}

pub(super) struct Launcher<'l> {
    requests: &'l Channel,
    epoll: Epoll,
    /// By place, the process there.
    pub(super) watched: Vec<Option<PidFd>>,
    /// Places whose processes no descriptor was free for: they are glanced at.
    pub(super) unseen: Vec<usize>,
    /// Places of pools' workers that no process was to be had for: it is tried again.
    unborn: Vec<usize>,
    /// Given up for the moment of a glance.
    spare: Option<OwnedFd>,
    /// By place, what is known of a pool's workers there.
    lives: Vec<Life>,
    /// By place, whether the process there has ended and those that end with it have not.
    outlived: Vec<bool>,
    pub(super) hurry: Hurry,
    /// What the dead may have counted too high.
    suspects: Vec<Suspect>,
}

/// In the launcher's process, until nobody is left; its exit code.
pub(super) fn run(requests: &Channel) -> i32 {
    let served = prepare(requests).and_then(|epoll| {
        let mut launcher = Launcher {
            requests,
            epoll,
            watched: (0..MEMBERS).map(|_| None).collect(),
            unseen: Vec::new(),
            unborn: Vec::new(),
            spare: Some(spare(requests)?),
            lives: vec![Life::default(); MEMBERS],
            outlived: vec![false; MEMBERS],
            hurry: Hurry::default(),
            suspects: Vec::new(),
        };
        launcher.watch(MAIN);
        launcher.serve()
    });
    match served {
        Ok(()) => 0,
        Err(error) => {
            stderr::say(&format!("pinring: the launcher of this program cannot go on: {error}"));
            1
        }
    }
}

pub(super) fn pid_of(place: usize) -> i32 {
    i32::try_from(family::member(place).pid.get()).unwrap_or(0)
}

fn spare(requests: &Channel) -> io::Result<OwnedFd> {
    requests.as_fd().try_clone_to_owned()
}

fn prepare(requests: &Channel) -> io::Result<Epoll> {
    // What ends the program ends it by its own hand: the launcher stays until the last member has gone.
    signal::ignore_stop_signals()?;
    prctl::set_name("pinring-launch")?;
    // What the program had open when it began: the other ends must see it closed when the program closes it.
    let [line, memory, reader, writer] = family::descriptors();
    let keep = [line, memory, reader, writer, requests.as_fd().as_raw_fd()];
    // SAFETY: the owners of all other descriptors are in frames that the launcher never returns to: it leaves through `_exit`.
    #[allow(unsafe_code)]
    unsafe {
        fd::close_all_but(&keep)?;
    }
    let epoll = Epoll::new()?;
    epoll.add(requests, REQUESTS)?;
    Ok(epoll)
}

impl Launcher<'_> {
    fn serve(&mut self) -> io::Result<()> {
        while self.anybody_lives() {
            let mut tokens = Vec::new();
            let is_glancing = !self.unseen.is_empty() || !self.unborn.is_empty() || !self.suspects.is_empty();
            let time = if is_glancing { Some(GLANCE) } else { standby::patience() };
            self.epoll.wait(time, |token| tokens.push(token))?;
            if tokens.is_empty() && !is_glancing {
                self.dismiss();
            }
            // Requests first: who is asked to be watched may have ended already.
            self.take_requests();
            for token in tokens.into_iter().filter(|token| *token != REQUESTS) {
                self.ended(usize::try_from(token).unwrap_or(0));
            }
            recount(&mut self.suspects);
            for place in std::mem::take(&mut self.unborn) {
                // Its pool may have gone meanwhile.
                let member = family::member(place);
                if member.is(REVIVE) && member.state() == State::Ended {
                    self.start_worker(place);
                }
            }
            for place in std::mem::take(&mut self.unseen) {
                let has_ended = |pidfd: &PidFd| pidfd.wait(Some(Duration::ZERO)).unwrap_or(false);
                match self.glance(place, has_ended) {
                    Some(true) => self.reap(place),
                    _ => self.watch(place),
                }
            }
            self.stand_by();
        }
        self.dismiss();
        Ok(())
    }

    /// Does something with a process that no descriptor is free for, for the moment of which the spare one makes room.
    fn glance<T>(&mut self, place: usize, act: impl FnOnce(&PidFd) -> T) -> Option<T> {
        self.spare = None;
        let done = PidFd::open(pid_of(place)).ok().map(|pidfd| act(&pidfd));
        self.spare = spare(self.requests).ok();
        done
    }

    /// Kills the process there; false: it is not known to live.
    fn kill(&mut self, place: usize) -> bool {
        match &self.watched[place] {
            Some(pidfd) => drop(pidfd.kill()),
            None if self.unseen.contains(&place) => drop(self.glance(place, PidFd::kill)),
            None => return false,
        }
        true
    }

    fn is_known(&self, place: usize) -> bool {
        self.watched[place].is_some() || self.unseen.contains(&place)
    }

    fn take_requests(&mut self) {
        let mut buffer = [0; MAX_MESSAGE];
        // We hold the other end, too, for those we start: it is never closed.
        while let Ok(Received::Message(8, _)) = self.requests.receive(&mut buffer) {
            let number = |at: usize| u32::from_ne_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]]);
            let place = number(4) as usize;
            match number(0) {
                1 if place < MEMBERS => self.watch(place),
                2 if place < MEMBERS => {
                    // What was there before was another pool's.
                    self.lives[place] = Life::default();
                    self.start(place);
                    // A pool's workers are started once.
                    if !family::member(place).is(REVIVE) {
                        self.hurry.asked();
                    }
                }
                3 if place < MEMBERS => drop(self.kill(place)),
                _ => {}
            }
        }
    }

    /// The process is alive, or not yet reaped: whoever could reap it waits until we have seen it end.
    fn watch(&mut self, place: usize) {
        let pid = pid_of(place);
        if place == MAIN && parent_pid() != pid {
            return self.bury(place);
        }
        match self.observe(place, pid) {
            Ok(()) => {}
            // It has ended, and somebody has reaped it.
            Err(error) if GONE.contains(&error.raw_os_error()) => self.bury(place),
            // It lives, and what it holds is its own.
            Err(_) => self.unseen.push(place),
        }
    }

    pub(super) fn observe(&mut self, place: usize, pid: i32) -> io::Result<()> {
        let pidfd = PidFd::open(pid)?;
        self.epoll.add(&pidfd, place as u64)?;
        self.watched[place] = Some(pidfd);
        Ok(())
    }

    fn start(&mut self, place: usize) {
        let member = family::member(place);
        match self.fork(place, None) {
            Ok(_) => {
                member.set_state(State::Running);
                self.watch(place);
            }
            Err(error) => {
                member.set_status(super::error::ExitStatus::Code(error.raw_os_error().unwrap_or(1)));
                member.set_state(State::Ended);
            }
        }
    }

    /// Forks the process of that place, which [stands by](child::launched) if it is given our pid; its pid.
    pub(super) fn fork(&mut self, place: usize, own: Option<i32>) -> io::Result<i32> {
        // SAFETY: the launcher never starts a thread.
        #[allow(unsafe_code)]
        match unsafe { fork() }? {
            Side::Parent(pid) => {
                family::member(place).pid.set(pid.unsigned_abs());
                Ok(pid)
            }
            Side::Child => child::launched(place, own, || self.forget_everything()),
        }
    }

    /// In a child: nothing of the launcher's is its.
    fn forget_everything(&mut self) {
        let keep = family::descriptors();
        // SAFETY: the owners of all other descriptors are in frames that the child never returns to.
        #[allow(unsafe_code)]
        let _ = unsafe { fd::close_all_but(&keep) };
    }

    fn ended(&mut self, place: usize) {
        if !self.look_away(place) {
            return;
        }
        let member = family::member(place);
        if !member.recall() {
            return self.reap(place);
        }
        // It stood by, and was killed, by who needs its memory perhaps: no other for the moment.
        let _ = wait::reap(pid_of(place));
        member.set_state(State::Free);
        self.hurry = Hurry::default();
    }

    /// Observes the process there no longer; false: it was not.
    pub(super) fn look_away(&mut self, place: usize) -> bool {
        let Some(pidfd) = self.watched[place].take() else { return false };
        // Closing it would not do: a child that was forked just now may still have it, and it would be reported for the next one here.
        let _ = self.epoll.remove(&pidfd);
        true
    }

    /// It has ended.
    fn reap(&mut self, place: usize) {
        let member = family::member(place);
        if member.is(LAUNCHED) {
            let pid = pid_of(place);
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
            member.clear_flag(REVIVE);
            let block = BlockId(u32::try_from(member.job[1].get()).unwrap_or(0));
            pool::gave_up(Object { block, generation: member.job[3].get() });
            return false;
        }
        member.revive();
        self.start_worker(place);
        true
    }

    /// Starts a pool's worker, or tries again in a while: else whoever has given it a task would wait for ever.
    fn start_worker(&mut self, place: usize) {
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

    fn bury(&mut self, place: usize) {
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
            shared_memory::remove_names_of(member.pid.get());
            member.clear_flag(NAMES);
        }
        if member.is(REVIVE) && self.revive(place, member) {
            return;
        }
        // Last of all: whoever sees it may give the place to another.
        member.set_state(State::Ended);
        family::vacate_if_detached(place);
        if self.outlived[parent] {
            self.bury(parent);
        }
    }
}
