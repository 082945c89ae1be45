//! Waiting for several things at once, as Python's `multiprocessing.connection.wait`.

#![allow(private_interfaces, reason = "what names the bells is sealed: nobody outside can call it")]

use std::cell::Cell;
use std::time::Duration;

use super::bell::{Bell, Limit};
use super::event::Event;
use super::family;
use super::message::Message;
use super::pipe::{Connection, Receiver};
use super::process::Process;
use super::queue::Consumer;
use super::spsc::Rx;

/// What one can wait for, among others: the end of a [process](Process), a message of a [pipe](super::pipe()) or its end, a value of a
/// queue ([any](super::queue()), or [from one to one](super::spsc)), an [event](super::Event) that is set.
///
/// These are words in shared memory, on which a process can sleep together. A descriptor is not: a [`BytesConn`](super::BytesConn), a
/// [`Listener`](super::Listener), a socket or a file of one's own are waited for by poll(2) or epoll(7), as they are
/// [`AsFd`](std::os::fd::AsFd), together with [`Process::sentinel`], which is a descriptor for the same end of a process. Linux has no
/// sleep for both: who needs that has a thread, or a process, receive on the connection and put what comes into a queue. A lock, a
/// semaphore and a condition are not waited for among others either, since who is told that one is free does not have it.
///
/// ```
/// use pinring::multi::{Process, Waitable, wait};
///
/// let children = [Process::spawn(|| 1)?, Process::spawn(|| 2)?];
/// let ends: Vec<&dyn Waitable> = children.iter().map(|child| child as &dyn Waitable).collect();
/// assert!(!wait(&ends, None).is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Waitable: sealed::Waitable {}

mod sealed {
    use crate::multi::bell::Bell;

    pub trait Waitable {
        /// Whether it has come.
        fn has_come(&self) -> bool;
        /// Rung when that may have changed.
        fn rung(&self) -> &'static Bell;
        /// What is done, besides watching the bell, before one sleeps.
        fn ask(&self) {}
    }
}

impl<T: Message> Waitable for Receiver<T> {}

impl<T: Message> sealed::Waitable for Receiver<T> {
    fn has_come(&self) -> bool {
        self.core().is_ready()
    }

    fn rung(&self) -> &'static Bell {
        self.core().bell()
    }
}

impl<S: Message, R: Message> Waitable for Connection<S, R> {}

impl<S: Message, R: Message> sealed::Waitable for Connection<S, R> {
    fn has_come(&self) -> bool {
        self.receiver().has_come()
    }

    fn rung(&self) -> &'static Bell {
        self.receiver().core().bell()
    }
}

impl<T: Message> Waitable for Consumer<T> {}

impl<T: Message> sealed::Waitable for Consumer<T> {
    fn has_come(&self) -> bool {
        self.core().is_ready()
    }

    fn rung(&self) -> &'static Bell {
        self.core().bell()
    }
}

impl<T: Message> Waitable for Rx<T> {}

impl<T: Message> sealed::Waitable for Rx<T> {
    fn has_come(&self) -> bool {
        self.is_ready()
    }

    fn rung(&self) -> &'static Bell {
        self.bell()
    }

    fn ask(&self) {
        self.ask();
    }
}

impl Waitable for Event {}

impl sealed::Waitable for Event {
    fn has_come(&self) -> bool {
        self.is_set()
    }

    fn rung(&self) -> &'static Bell {
        self.bell()
    }
}

impl<R: Message> Waitable for Process<R> {}

impl<R: Message> sealed::Waitable for Process<R> {
    fn has_come(&self) -> bool {
        !self.is_alive()
    }

    fn rung(&self) -> &'static Bell {
        &self.member().news
    }
}

/// Waits until at least one of `items` is there, so long at most (`None`: for ever): which, in their order; none if the time is over. What
/// has come stays to be taken: a message is not received by this. Of an [event](super::Event) it counts that it is set: one that is cleared
/// again at once may not be seen.
///
/// ```
/// use std::time::Duration;
/// use pinring::multi::{Process, pipe, wait};
///
/// let (sender, receiver) = pipe::<u8>()?;
/// let child = Process::spawn(move || sender.send(1).unwrap())?;
/// let ready = wait(&[&receiver, &child], Some(Duration::from_secs(1)));
/// assert!(!ready.is_empty());
/// # child.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn wait(items: &[&dyn Waitable], timeout: Option<Duration>) -> Vec<usize> {
    let come = || -> Option<Vec<usize>> {
        let come: Vec<usize> = (0..items.len()).filter(|index| items[*index].has_come()).collect();
        (!come.is_empty()).then_some(come)
    };
    let limit = timeout.map_or(Limit::NEVER, Limit::after);
    if family::join().is_err() {
        return Vec::new();
    }
    let (me, asked) = (family::me(), Cell::new(false));
    let ask = || {
        asked.set(true);
        for item in items {
            item.rung().watch(me);
            item.ask();
        }
    };
    let own = &family::member(me).bell;
    let come = own.wait_with(limit, ask, come).unwrap_or_default();
    if asked.get() {
        items.iter().for_each(|item| item.rung().unwatch(me));
        // Another thread of this process may watch the same: it asks anew.
        own.ring_all();
    }
    come
}
