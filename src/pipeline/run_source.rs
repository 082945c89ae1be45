//! A source at work.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::core::{Core, stamp};
use super::messages::{FORGET, KEEP, tell};
use super::node::{Poll, Source, SourceIo};
use crate::sys::clock::{monotonic_ns, realtime_ns};
use crate::sys::epoll::Epoll;
use crate::sys::eventfd::EventFd;
use crate::sys::socket::Channel;

/// What the worker lends its sources.
#[derive(Debug)]
pub(super) struct Port<'w> {
    pub(super) epoll: &'w Epoll,
    pub(super) channel: &'w Channel,
    pub(super) draining: bool,
}

struct Io<'w, 'p> {
    port: &'p Port<'w>,
    node: u32,
    watched: &'p mut Option<RawFd>,
}

impl Io<'_, '_> {
    fn tell(&self, what: u8, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        tell(self.port.channel, what, self.node, fd)
    }
}

impl SourceIo for Io<'_, '_> {
    fn now_ns(&self) -> u64 {
        monotonic_ns()
    }

    fn utc_ns(&self) -> i64 {
        realtime_ns()
    }

    fn is_draining(&self) -> bool {
        self.port.draining
    }

    fn keep(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.tell(KEEP, Some(fd))
    }

    fn forget(&mut self) -> io::Result<()> {
        unwatch(self.port.epoll, self.watched);
        self.tell(FORGET, None)
    }
}

fn unwatch(epoll: &Epoll, watched: &mut Option<RawFd>) {
    if let Some(fd) = watched.take() {
        // Gone already if it was closed without a word; then epoll has dropped it by itself.
        let _ = epoll.remove_raw(fd);
    }
}

/// A source and what its worker knows of it.
pub(super) struct SourceRun<'n> {
    pub(super) core: Core,
    source: &'n mut dyn Source,
    watched: Option<RawFd>,
    /// Its descriptor was reported ready, or it asked to be called again.
    pub(super) ready: bool,
    /// When it wants to be called whatever happens.
    due_ns: Option<u64>,
    blocked: bool,
    /// It pauses; true if it has let go of its device, too.
    held: Option<bool>,
}

impl<'n> SourceRun<'n> {
    pub(super) fn new(core: Core, source: &'n mut dyn Source) -> Self {
        Self { core, source, watched: None, ready: true, due_ns: None, blocked: false, held: None }
    }

    pub(super) fn resume(&mut self, port: &Port<'_>, bells: &[EventFd]) -> io::Result<()> {
        let mut io = Io { port, node: self.core.index, watched: &mut self.watched };
        self.source.resume(self.core.begin(0).state, &mut io)?;
        self.core.commit(&[], 0, bells)
    }

    /// One step, if there is reason for one. Returns whether something happened.
    pub(super) fn step(&mut self, port: &Port<'_>, token: u64, bells: &[EventFd]) -> io::Result<bool> {
        if self.held.take().is_some() {
            self.ready = true;
        }
        let due = self.due_ns.is_some_and(|due| due <= monotonic_ns());
        if self.core.is_finished() || !(self.ready || due || port.draining) {
            return Ok(false);
        }
        let room = self.core.room(1)?;
        self.blocked = room == 0;
        if self.blocked {
            // Its descriptor stays ready; while there is no room that must not keep us awake.
            unwatch(port.epoll, &mut self.watched);
            return Ok(false);
        }
        let room = room.min(self.core.max_per_step);
        let origin = self.core.index;
        let draft = self.core.begin(room);
        let mut out = draft.out.expect("a source has a schema");
        let mut io = Io { port, node: origin, watched: &mut self.watched };
        let poll = self.source.poll(draft.state, &mut out, &mut io)?;
        stamp(&mut out, Some(origin));
        let emitted = out.len();
        // Whatever it did, half a frame included, is committed: then what it read is never read again.
        if poll == Poll::Finished {
            self.core.finish(emitted, bells)?;
        } else {
            self.core.commit(&[], emitted, bells)?;
        }
        self.source.committed(self.core.committed_state())?;
        self.follow(poll, port, token)?;
        Ok(emitted > 0 || matches!(poll, Poll::Ready | Poll::Finished))
    }

    fn follow(&mut self, poll: Poll, port: &Port<'_>, token: u64) -> io::Result<()> {
        self.ready = poll == Poll::Ready;
        self.due_ns = match poll {
            Poll::Until(at_ns) => Some(at_ns),
            _ => None,
        };
        if poll == Poll::Finished {
            unwatch(port.epoll, &mut self.watched);
            return Ok(());
        }
        let wanted = self.source.watch().map(|fd| fd.as_raw_fd());
        if wanted != self.watched {
            unwatch(port.epoll, &mut self.watched);
            if let Some(fd) = self.source.watch() {
                port.epoll.add(fd.as_fd(), token)?;
                self.watched = wanted;
            }
        }
        Ok(())
    }

    /// Somebody has stopped the node, or all sources pause: lets go of its device if `release`, once.
    pub(super) fn hold(&mut self, port: &Port<'_>, release: bool, bells: &[EventFd]) -> io::Result<()> {
        if self.core.is_finished() || self.held == Some(release) {
            return Ok(());
        }
        unwatch(port.epoll, &mut self.watched);
        (self.held, self.due_ns) = (Some(release), None);
        if release {
            let mut io = Io { port, node: self.core.index, watched: &mut self.watched };
            self.source.release(self.core.begin(0).state, &mut io)?;
            self.core.commit(&[], 0, bells)?;
        }
        Ok(())
    }

    /// When it must be stepped at the latest.
    pub(super) fn due_ns(&self) -> Option<u64> {
        if self.held.is_some() {
            return None;
        }
        if self.core.is_finished() || self.blocked {
            return None;
        }
        if self.ready { Some(0) } else { self.due_ns }
    }

    /// Announces the sleep: only room can wake a source that is blocked.
    pub(super) fn arm(&self) {
        if self.blocked && self.held.is_none() {
            self.core.arm_for_room(1);
        }
    }

    /// Whether a blocked source has room now.
    pub(super) fn could_run(&mut self) -> io::Result<bool> {
        Ok(self.blocked && self.held.is_none() && !self.core.is_finished() && self.core.room(1)? > 0)
    }

    /// After a sleep: a blocked source looks again.
    pub(super) fn wake(&mut self) {
        self.core.disarm();
        self.ready |= self.blocked;
    }
}
