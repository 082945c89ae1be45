//! The launcher: a process without threads, forked first of all (by its [guardian](super::guardian)), that starts others where a fork would not be safe, sees every member of
//! the family end, and gives back what the dead held.

use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::Duration;

use super::arena::MEMBERS;
use super::burial::Life;
use super::child;
use super::family::{self, MAIN};
use super::member::{DOOMED, REVIVE, State};
use super::recount::{Suspect, recount};
use super::standby::{self, Hurry};
use crate::sys::epoll::Epoll;
use crate::sys::fork::{Side, fork, own_pid};
use crate::sys::pidfd::PidFd;
use crate::sys::signal::SignalInput;
use crate::sys::socket::{Channel, MAX_MESSAGE, Received};
use crate::sys::{fd, prctl, wait};

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

/// Token of the requests; a member's token is its place, and the orphans' is behind them.
const REQUESTS: u64 = 0;
const ORPHANS: u64 = MEMBERS as u64;
/// How often those are looked at that no descriptor is free for, and those started that no process is free for.
const GLANCE: Duration = Duration::from_millis(10);

pub(super) struct Launcher<'l> {
    requests: &'l Channel,
    /// Descriptors that the children keep.
    keep: Vec<RawFd>,
    epoll: Epoll,
    /// By place, the process there. Not in the heap: a page that the launcher writes to, or a child, has to be copied after each fork, and
    /// of that their time mostly consists.
    pub(super) watched: [Option<PidFd>; MEMBERS],
    /// By place, whether the process there has ended and those that end with it have not.
    pub(super) outlived: [bool; MEMBERS],
    /// Places whose processes no descriptor was free for: they are glanced at.
    pub(super) unseen: Vec<usize>,
    /// Places of pools' workers that no process was to be had for: it is tried again.
    pub(super) unborn: Vec<usize>,
    /// Given up for the moment of a glance.
    spare: Option<OwnedFd>,
    /// By place, what is known of a pool's workers there.
    pub(super) lives: Vec<Life>,
    pub(super) hurry: Hurry,
    /// What the dead may have counted too high.
    pub(super) suspects: Vec<Suspect>,
    /// News of children that are nobody's any more.
    orphans: Option<SignalInput>,
}

/// Whether a process cannot be opened because there is none: ESRCH, or EINVAL where it was never known.
pub(super) fn has_gone(error: &io::Error) -> bool {
    [Some(3), Some(22)].contains(&error.raw_os_error())
}

fn spare(requests: &Channel) -> io::Result<OwnedFd> {
    requests.as_fd().try_clone_to_owned()
}

impl<'l> Launcher<'l> {
    /// One that knows nobody yet, whose children inherit the descriptors in `dead`.
    pub(super) fn new(requests: &'l Channel, dead: &[RawFd]) -> io::Result<Self> {
        let mut keep: Vec<RawFd> = family::descriptors().into_iter().chain(dead.iter().copied()).collect();
        keep.sort_unstable();
        let epoll = Epoll::new()?;
        epoll.add(requests, REQUESTS)?;
        Ok(Self {
            requests,
            keep,
            epoll,
            watched: [const { None }; MEMBERS],
            unseen: Vec::new(),
            unborn: Vec::new(),
            spare: Some(spare(requests)?),
            lives: vec![Life::default(); MEMBERS],
            outlived: [false; MEMBERS],
            hurry: Hurry::default(),
            suspects: Vec::new(),
            orphans: None,
        })
    }
}

impl Launcher<'_> {
    /// Begins with the main process, if that has not ended already.
    pub(super) fn launch(mut self, main: io::Result<Option<PidFd>>) -> io::Result<()> {
        match main {
            Ok(Some(pidfd)) => self.observe_by(MAIN, pidfd)?,
            Ok(None) => self.bury(MAIN),
            Err(_) => self.unseen.push(MAIN),
        }
        self.serve()
    }

    /// From now on reaps those, too, that became our children when their own parents ended.
    pub(super) fn adopt(&mut self, orphans: SignalInput) -> io::Result<()> {
        self.epoll.add(&orphans, ORPHANS)?;
        self.orphans = Some(orphans);
        Ok(())
    }

    pub(super) fn reap_orphans(&mut self) {
        // As with all others whose end is seen, requests first.
        self.take_requests();
        let Some(orphans) = &self.orphans else { return };
        while let Ok(Some(_)) = orphans.next() {}
        while let Some(pid) = wait::find_ended() {
            match (1..MEMBERS).find(|place| self.is_known(*place) && family::pid_of(*place) == pid) {
                Some(place) if self.watched[place].is_some() => self.ended(place),
                Some(place) => {
                    self.unseen.retain(|unseen| *unseen != place);
                    self.reap(place);
                }
                None => drop(wait::reap(pid)),
            }
        }
    }

    /// Until nobody is left.
    pub(super) fn serve(&mut self) -> io::Result<()> {
        prctl::set_name("pinring-launch")?;
        while self.anybody_lives() {
            let mut tokens = heapless::Vec::<u64, { Epoll::BATCH }>::new();
            let is_glancing = !self.unseen.is_empty() || !self.unborn.is_empty() || !self.suspects.is_empty();
            let is_short = self.is_short();
            let time = match (is_short, is_glancing) {
                (true, _) => Some(Duration::ZERO),
                (_, true) => Some(GLANCE),
                _ => standby::patience(),
            };
            self.epoll.wait(time, |token| tokens.extend([token]))?;
            if tokens.is_empty() && !is_short && !is_glancing {
                self.dismiss();
            }
            // Requests first: who is asked to be watched may have ended already. The orphans last: with them is seen the end of those, too, in
            // whose place there may be another then.
            tokens.sort_unstable();
            for token in tokens {
                match token {
                    REQUESTS => self.take_requests(),
                    ORPHANS => self.reap_orphans(),
                    place => self.ended(usize::try_from(place).unwrap_or(0)),
                }
            }
            recount(&mut self.suspects);
            for place in std::mem::take(&mut self.unborn) {
                // Its pool may have gone meanwhile.
                let member = family::member(place);
                if member.is(REVIVE) && member.state() == State::Ended {
                    self.start_worker(place);
                }
            }
            if !self.unseen.is_empty() {
                self.take_requests();
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
        let done = PidFd::open(family::pid_of(place)).ok().map(|pidfd| act(&pidfd));
        self.spare = spare(self.requests).ok();
        done
    }

    /// Kills the process there; false: it is not known to live.
    pub(super) fn kill(&mut self, place: usize) -> bool {
        match &self.watched[place] {
            Some(pidfd) => drop(pidfd.kill()),
            None if self.unseen.contains(&place) => drop(self.glance(place, PidFd::kill)),
            None => return false,
        }
        true
    }

    pub(super) fn is_known(&self, place: usize) -> bool {
        self.watched[place].is_some() || self.unseen.contains(&place)
    }

    fn take_requests(&mut self) {
        let mut buffer = [0; MAX_MESSAGE];
        // We hold the other end, too, for those we start: it is never closed.
        while let Ok(Received::Message(8, _)) = self.requests.receive(&mut buffer) {
            let number = |at: usize| u32::from_ne_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]]);
            let place = number(4) as usize;
            if place >= MEMBERS {
                continue;
            }
            let state = family::member(place).state();
            // The first two may have been done already by who took over from another.
            match number(0) {
                1 if state == State::Running && !self.is_known(place) => self.watch(place),
                2 if state == State::Reserved => {
                    // What was there before was another pool's.
                    self.lives[place] = Life::default();
                    self.start(place);
                    // A pool's workers are started once.
                    if !family::member(place).is(REVIVE) {
                        self.hurry.asked();
                    }
                }
                // Meanwhile it may be another's place.
                3 if family::member(place).is(DOOMED) => drop(self.kill(place)),
                _ => {}
            }
        }
    }

    /// The process is alive, or not yet reaped: whoever could reap it waits until we have seen it end.
    pub(super) fn watch(&mut self, place: usize) {
        if !self.try_to_observe(place) {
            self.bury(place);
        }
    }

    /// False: it has ended, and somebody has reaped it.
    pub(super) fn try_to_observe(&mut self, place: usize) -> bool {
        match self.observe(place, family::pid_of(place)) {
            Err(error) if has_gone(&error) => return false,
            // It lives, and what it holds is its own.
            Err(_) => self.unseen.push(place),
            Ok(()) => {}
        }
        true
    }

    pub(super) fn observe(&mut self, place: usize, pid: i32) -> io::Result<()> {
        self.observe_by(place, PidFd::open(pid)?)
    }

    fn observe_by(&mut self, place: usize, pidfd: PidFd) -> io::Result<()> {
        self.epoll.add(&pidfd, place as u64)?;
        self.watched[place] = Some(pidfd);
        Ok(())
    }

    pub(super) fn start(&mut self, place: usize) {
        let member = family::member(place);
        match self.fork(place, false) {
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

    /// Forks the process of that place, which may [stand by](child::launched); its pid.
    pub(super) fn fork(&mut self, place: usize, stands_by: bool) -> io::Result<i32> {
        let own = own_pid();
        // SAFETY: the launcher never starts a thread.
        #[allow(unsafe_code)]
        match unsafe { fork() }? {
            Side::Parent(pid) => {
                family::member(place).pid.set(pid.unsigned_abs());
                Ok(pid)
            }
            Side::Child => child::launched(place, (own, stands_by), || self.forget_everything()),
        }
    }

    /// In a child: nothing of the launcher's is its.
    fn forget_everything(&mut self) {
        // Not written to without need: the page would have to be copied.
        if self.orphans.is_some() {
            self.orphans = None;
        }
        // SAFETY: the owners of all other descriptors are in frames that the child never returns to.
        #[allow(unsafe_code)]
        let _ = unsafe { fd::close_all_but(&self.keep) };
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
        let _ = wait::reap(family::pid_of(place));
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
}
