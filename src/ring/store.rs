//! Where the values of a lane lie: in a segment, or in the cells of a model checker.

use bytemuck::Pod;

/// Slots that hold values. Which position may be touched by whom is the lane's protocol.
pub(super) trait Store {
    /// Writes a slot that nobody else may touch.
    fn put<T: Pod>(&mut self, position: u64, value: T);

    /// Reads a slot that nobody else writes.
    fn get<T: Pod>(&self, position: u64) -> T;

    /// Writes a slot that others may be reading.
    fn put_racing<T: Pod>(&mut self, position: u64, value: T);

    /// Reads a slot that may be overwritten meanwhile: what comes back is of one message only if the lane says so afterwards.
    fn get_racing<T: Pod>(&self, position: u64) -> T;
}
