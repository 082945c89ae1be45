//! What is kept of a map that was given up, as long as a worker may be at it.

use std::any::Any;
use std::mem::ManuallyDrop;

use super::job::Room;
use super::task::AsyncResult;

/// What workers may write to that were still at a job when it was given up.
#[derive(Debug)]
pub(super) struct Late {
    room: Room,
    /// Dropped without having been [vacated](Self::vacate) (the launcher has gone, and with it who would know), it is not freed.
    landing: ManuallyDrop<Option<Box<dyn Any + Send>>>,
    tickets: Vec<AsyncResult<()>>,
}

impl Late {
    /// Kept until these tickets are settled, of which there is one at least.
    pub(super) fn new(room: Room, landing: Option<Box<dyn Any + Send>>, tickets: Vec<AsyncResult<()>>) -> Self {
        Self { room, landing: ManuallyDrop::new(landing), tickets }
    }

    /// The room, if no worker is at it any more.
    pub(super) fn vacate(self) -> Result<Room, Self> {
        if !self.tickets.iter().all(AsyncResult::is_settled) {
            return Err(self);
        }
        drop(ManuallyDrop::into_inner(self.landing));
        Ok(self.room)
    }
}
