//! The processes themselves: forking them, or waking one that was forked beforehand, and what is held of each.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use super::crew::Crew;
use super::vigil::Hang;
use crate::process::{Child, Identity, SpawnError, become_worker, codes, spawn, spawn_spare, wake_spare};
use crate::sys::affinity;
use crate::sys::epoll::Epoll;
use crate::sys::socket::Channel;
use crate::sys::wait;

/// What the supervisor holds of a living process.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) child: Child,
    pub(super) channel: Channel,
    /// Why it was told to abort.
    pub(super) hang: Option<Hang>,
}

fn system_error(name: &str) -> impl Fn(io::Error) -> SpawnError {
    move |source| SpawnError::System { name: name.to_owned(), source }
}

/// Forks worker `index`.
pub(super) fn fork_worker<C: Crew>(crew: &mut C, index: usize) -> Result<Hand, SpawnError> {
    let name = crew.name(index).to_owned();
    let (ours, theirs) = Channel::pair().map_err(system_error(&name))?;
    let mut keep = crew.descriptors(index);
    keep.push(theirs.as_fd().as_raw_fd());
    let identity = Identity { name: &name, core: Some(crew.core(index)), keep: &keep };
    let mut theirs = Some(theirs);
    let child = spawn(identity, || theirs.take().map_or(codes::FAILED, |end| crew.work(index, end)))?;
    Ok(Hand { child, channel: ours, hang: None })
}

/// A process forked beforehand that becomes whichever worker dies next.
#[derive(Debug, Default)]
pub(super) struct Spare {
    ready: Option<Hand>,
    /// Told to end, not yet reaped.
    retired: Vec<Child>,
}

impl Spare {
    /// Whether one waits.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Forks one; `token` is reported when it ends.
    pub(super) fn fork<C: Crew>(&mut self, crew: &mut C, epoll: &Epoll, token: u64) -> Result<(), SpawnError> {
        let failed = system_error("spare");
        let (ours, theirs) = Channel::pair().map_err(&failed)?;
        let mut keep: Vec<RawFd> = (0..crew.len()).flat_map(|worker| crew.descriptors(worker)).collect();
        keep.push(theirs.as_fd().as_raw_fd());
        let child = spawn_spare(&keep, theirs, |worker, channel| {
            let name = crew.name(worker).to_owned();
            let mut keep = crew.descriptors(worker);
            keep.push(channel.as_fd().as_raw_fd());
            // Who woke it has pinned it.
            become_worker(Identity { name: &name, core: None, keep: &keep })?;
            Ok(crew.work(worker, channel))
        })?;
        epoll.add(&child.pidfd, token).map_err(&failed)?;
        self.ready = Some(Hand { child, channel: ours, hang: None });
        Ok(())
    }

    /// Has the spare become `worker`; `None` if there is none.
    pub(super) fn wake(&mut self, worker: usize, core: usize, epoll: &Epoll) -> Option<Hand> {
        let hand = self.ready.take()?;
        // Before it wakes, so that it wakes up where it belongs.
        let pinned = affinity::pin_process(hand.child.pid, core);
        if pinned.and_then(|()| wake_spare(&hand.channel, worker)).is_err() {
            self.retire(hand);
            return None;
        }
        // It is watched under the worker's token from now on.
        let _ = epoll.remove(&hand.child.pidfd);
        Some(hand)
    }

    /// What it was forked with is out of date: it ends, and lets go of the descriptors it holds.
    pub(super) fn discard(&mut self) {
        if let Some(hand) = self.ready.take() {
            self.retire(hand);
        }
    }

    /// Sees to the end of a process that was killed.
    pub(super) fn bury(&mut self, hand: Hand) {
        self.retired.push(hand.child);
    }

    fn retire(&mut self, hand: Hand) {
        // ESRCH: it has ended by itself.
        let _ = hand.child.pidfd.kill();
        self.retired.push(hand.child);
    }

    /// Reaps what has ended.
    pub(super) fn reap(&mut self) {
        let dead = |child: &Child| !matches!(wait::reap(child.pid), Ok(None));
        if self.ready.as_ref().is_some_and(|hand| dead(&hand.child)) {
            self.ready = None;
        }
        self.retired.retain(|child| !dead(child));
    }

    /// Whether some have not been reaped.
    pub(super) fn is_dying(&self) -> bool {
        !self.retired.is_empty()
    }
}
