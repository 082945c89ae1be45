//! A flag that one can wait for.

use std::fmt;
use std::io;
use std::time::Duration;

use super::arena::{Kind, Words};
use super::bell::{Bell, Limit};
use super::object::{Handle, Object, Role};
use super::passing::passed_by_view;
use super::word::Word32;

#[derive(Debug)]
#[repr(C)]
struct Flag {
    /// How often it was set, above the lowest bit, which says whether it is.
    word: Word32,
    reserved: Word32,
    bell: Bell,
}

// SAFETY: words only.
unsafe impl Words for Flag {}

/// For the sweep: the dead may have set it and not have rung.
pub(super) fn bereave(object: Object) {
    object.body::<Flag>().bell.ring_all();
}

/// A flag that processes share: set, clear, and waited for. A clone is another handle to the same.
///
/// There is no lock in it, so nobody who is killed can leave it locked, and [`Self::set`] may be called in a signal handler.
///
/// ```
/// use pinring::multi::{Event, Process};
///
/// let ready = Event::new()?;
/// let theirs = ready.clone();
/// let child = Process::spawn(move || theirs.set())?;
/// ready.wait();
/// child.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[doc(alias = "multiprocessing.Event")]
pub struct Event {
    handle: Handle,
    flag: &'static Flag,
}

impl Event {
    /// Makes one that is not set.
    ///
    /// # Errors
    /// As [`Mutex::new`](super::Mutex::new).
    pub fn new() -> io::Result<Self> {
        let handle = Handle::create(Kind::Event, size_of::<Flag>(), Role::First, |_| {})?;
        Ok(Self { flag: handle.object().body(), handle })
    }

    /// Sets it, and wakes all who wait. Async-signal-safe: it takes no lock and no memory.
    pub fn set(&self) {
        let mut word = self.flag.word.get();
        while word & 1 == 0 {
            match self.flag.word.replace(word, word.wrapping_add(2) | 1) {
                Ok(()) => break,
                Err(found) => word = found,
            }
        }
        // Also if it was set: who did that may have been killed before it rang.
        self.flag.bell.ring_all();
    }

    /// Unsets it.
    pub fn clear(&self) {
        self.flag.word.exclude(1);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.flag.word.get() & 1 == 1
    }

    /// Waits until it is set. That it has been set is enough: it may have been cleared since.
    pub fn wait(&self) {
        self.wait_until(Limit::NEVER);
    }

    /// As [`Self::wait`], at most so long; whether it was set.
    pub fn wait_timeout(&self, time: Duration) -> bool {
        self.wait_until(Limit::after(time))
    }

    pub(super) fn bell(&self) -> &'static Bell {
        &self.flag.bell
    }

    fn wait_until(&self, limit: Limit) -> bool {
        let before = self.flag.word.get() >> 1;
        let was_set = || {
            let word = self.flag.word.get();
            (word & 1 == 1 || word >> 1 != before).then_some(())
        };
        self.flag.bell.wait(limit, was_set).is_some()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish_non_exhaustive()
    }
}

passed_by_view!(Event, flag);
