//! What an object has given for a time.

use std::sync::Arc;

use super::super::error::ManagerError;
use super::super::wire::Op;
use super::handle::Handle;
use crate::sys::fork;

/// Given to this process, under a number. It is given back once, and not by a forked child.
pub(in super::super) struct Held {
    handle: Arc<Handle>,
    guard: u64,
    pid: i32,
}

impl Held {
    /// What the object has just given.
    pub(in super::super) fn new(handle: &Arc<Handle>, guard: u64) -> Self {
        Self { handle: Arc::clone(handle), guard, pid: fork::own_pid() }
    }

    /// Gives it back, and tells if that was not possible.
    pub(in super::super) fn give_back(mut self) -> Result<(), ManagerError> {
        self.give_back_once()
    }

    fn give_back_once(&mut self) -> Result<(), ManagerError> {
        if std::mem::take(&mut self.pid) != fork::own_pid() {
            return Ok(());
        }
        self.handle.tell(Op::Yield { guard: self.guard })
    }

    /// What an error calls the object.
    pub(in super::super) fn name(&self) -> String {
        self.handle.client().name(self.handle.target())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A server that is not to be reached takes back what this process held, or is no more.
        let _ = self.give_back_once();
    }
}
