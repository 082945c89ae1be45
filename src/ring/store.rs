//! Where the values of a lane lie: in a segment, or in the cells of a model checker.

use bytemuck::Pod;

/// Slots that hold values. Which position may be touched by whom is the lane's protocol.
pub(super) trait Store {
    /// Each slot says by itself whether it holds the message of a position: nobody looks at the producer's `tail`.
    const MARKED: bool = false;

    /// Writes a slot that nobody else may touch. A marked one is thereby published.
    fn put<T: Pod>(&mut self, position: u64, value: T);

    /// Reads a slot that nobody else writes.
    fn get<T: Pod>(&self, position: u64) -> T;

    /// Writes a slot that others may be reading.
    fn put_racing<T: Pod>(&mut self, position: u64, value: T);

    /// Reads a slot that may be overwritten meanwhile: what comes back is of one message only if the lane says so afterwards.
    fn get_racing<T: Pod>(&self, position: u64) -> T;

    /// Fetches the slot of `position`, which will be read soon.
    fn prefetch<T: Pod>(&self, position: u64) {
        let _ = position;
    }

    /// Whether a marked slot holds the message of `position`; its content is then visible.
    fn holds(&self, position: u64) -> bool {
        let _ = position;
        false
    }
}
