//! Children that were left alone: nobody waits for them, and yet they must be reaped.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::family;
use super::member::State;
use crate::sys::wait;

/// A forked child of this process.
#[derive(Clone, Copy, Debug)]
struct Child {
    place: usize,
    generation: u32,
    pid: i32,
}

impl Child {
    /// Whether it has ended, and what it held was given back: until then the launcher must find it.
    fn is_buried(self) -> bool {
        let member = family::member(self.place);
        member.generation() != self.generation || member.state() == State::Free
    }
}

static CHILDREN: Mutex<Vec<Child>> = Mutex::new(Vec::new());

fn children() -> MutexGuard<'static, Vec<Child>> {
    // Nothing is done under it that could panic half way.
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One more, to be reaped when it has ended.
pub(super) fn leave(place: usize, generation: u32, pid: i32) {
    children().push(Child { place, generation, pid });
    reap();
}

/// Reaps those that have ended; before another child is started, so that there are never many.
pub(super) fn reap() {
    children().retain(|child| !child.is_buried() || matches!(wait::reap(child.pid), Ok(None)));
}

/// In a child: they are not its.
pub(super) fn forget() {
    children().clear();
}
