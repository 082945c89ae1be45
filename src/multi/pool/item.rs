//! What is the matter with a value of a job. The first two are never written: they follow from how far its chunk is.

pub(super) const NEW: u8 = 0;
pub(super) const DONE: u8 = 1;
pub(super) const PANICKED: u8 = 2;
pub(super) const TOO_LARGE: u8 = 3;
pub(super) const UNREADABLE: u8 = 4;
/// Its worker died, and it is not tried again.
pub(super) const DIED: u8 = 5;
/// Its worker died, and it is to be tried again: this the first time, then one more for each worker that dies with it.
pub(super) const AGAIN: u8 = 6;

/// Which attempt at a value comes next, if it is to be tried again.
pub(super) fn next_attempt(state: u8) -> Option<u32> {
    state.checked_sub(AGAIN).map(|deaths| u32::from(deaths) + 2)
}
