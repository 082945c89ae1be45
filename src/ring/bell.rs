//! How an end that sleeps is woken.

use std::io;
use std::time::Duration;

use crate::prim::{AtomicU32, Ordering};
use crate::sys::eventfd::EventFd;

/// The bell of one end. Rung by the other, which owns the word it goes by.
#[derive(Debug)]
pub(super) enum Bell {
    /// A futex on the ringer's word: two syscalls less a sleep than an eventfd, for an end that waits for nothing else.
    Futex,
    /// An eventfd, for an end that waits for other descriptors, too.
    Door(EventFd),
}

impl Bell {
    /// Wakes the other end. `rings` is our own word.
    #[cold]
    pub(super) fn ring(&self, rings: &AtomicU32) {
        match self {
            Self::Futex => {
                // ORDER(rings): Release, our publication before it; we are its only writer.
                rings.store(rings.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
                wake(rings);
            }
            Self::Door(bell) => bell.ring(),
        }
    }

    /// Before the announcement of a sleep: what the other's word is now. A ring from here on keeps [`Self::sleep`] from sleeping.
    pub(super) fn listen(rings: &AtomicU32) -> u32 {
        // ORDER(rings): Acquire, pairs with `ring`.
        rings.load(Ordering::Acquire)
    }

    /// Sleeps until rung, or for `timeout`; may return early.
    pub(super) fn sleep(&self, rings: &AtomicU32, heard: u32, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Futex => wait(rings, heard, timeout),
            Self::Door(bell) => {
                bell.wait(timeout)?;
                bell.silence().map(drop)
            }
        }
    }
}

#[cfg(not(loom))]
use crate::sys::futex::{wait, wake};

/// The futex of the model: a sleeper waits for the word to change.
#[cfg(loom)]
fn wait(word: &AtomicU32, expected: u32, _: Option<Duration>) -> io::Result<()> {
    // ORDER(rings): as the kernel's own look at the word, under its lock.
    while word.load(Ordering::SeqCst) == expected {
        loom::thread::yield_now();
    }
    Ok(())
}

#[cfg(loom)]
fn wake(_: &AtomicU32) {}
