//! The fence between "I have published" and "is the other side asleep?", and its partner on the side that goes to sleep.
//!
//! Both sides need a SeqCst fence there: without it each can miss what the other has just done, and the sleeper sleeps for
//! ever (Dekker's problem). A fence at every message costs most of the throughput (38 instead of 143 million messages a
//! second in a prototype), and nearly all of them are for nothing. membarrier(2) moves the whole cost to the sleeper: it has a
//! fence executed on every running thread of all processes that have registered (each of their cores is interrupted for about a
//! microsecond), so the publisher needs to keep only its compiler from reordering.

use std::time::Duration;

use crate::prim::{Ordering, compiler_fence, fence};
use crate::sys::membarrier;

/// Much longer than a store takes to be seen by other processors.
const DRAINED: Duration = Duration::from_millis(1);

/// Who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fences {
    /// Both sides execute a fence.
    Both,
    /// Only the side that goes to sleep does, for both.
    Sleeper,
}

impl Fences {
    /// The cheapest way that works here: [`Self::Sleeper`] where this process could register for membarrier. Its children
    /// inherit that.
    pub(crate) fn cheapest() -> Self {
        if membarrier::register().is_ok() { Self::Sleeper } else { Self::Both }
    }

    /// After a publication, before the look at the other side's sleep word.
    #[inline(always)]
    pub(crate) fn published(self) {
        match self {
            // ORDER(data_at): SeqCst, pairs with `before_sleep`. ORDER(space_at): likewise.
            Self::Both => fence(Ordering::SeqCst),
            // The processor's part is done by the sleeper's membarrier. ORDER(data_at): as above. ORDER(space_at): likewise.
            Self::Sleeper => compiler_fence(Ordering::SeqCst),
        }
    }

    /// After the announcement of a sleep, before the last look for messages or room.
    pub(crate) fn before_sleep(self) {
        // ORDER(data_at): SeqCst, pairs with `published`. ORDER(space_at): likewise.
        fence(Ordering::SeqCst);
        if self == Self::Sleeper && membarrier::everywhere().is_err() {
            // This process has been forbidden it since, or the kernel has no memory for it. What the others have published without
            // having seen our announcement is in their store buffers at most, and no processor keeps it there for so long.
            std::thread::sleep(DRAINED);
        }
    }
}
