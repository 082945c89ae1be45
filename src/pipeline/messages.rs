//! What a worker tells its supervisor about one of its nodes, and how that is written: one byte, then the node's index.

use std::io;
use std::os::fd::BorrowedFd;

use crate::sys::socket::Channel;

/// The descriptor that comes along is to be kept for the source's next incarnation.
pub(super) const KEEP: u8 = 1;
/// What was kept for the source is to be closed.
pub(super) const FORGET: u8 = 2;
/// Nobody will read what the sink writes.
pub(super) const DESERTED: u8 = 3;

/// All of the worker's nodes are ready.
pub(super) const READY: u8 = 4;

/// The other end of the lane with that number has written what it cannot mean.
pub(super) const MAD: u8 = 5;

/// Sends one message.
pub(super) fn tell(channel: &Channel, what: u8, node: u32, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut message = [what, 0, 0, 0, 0];
    message[1..].copy_from_slice(&node.to_ne_bytes());
    channel.send(&message, fd)
}

/// What a message says: the kind and the node.
pub(super) fn read(message: &[u8]) -> Option<(u8, usize)> {
    let [what, index @ ..] = message else { return None };
    let index = u32::from_ne_bytes(index.try_into().ok()?);
    Some((*what, usize::try_from(index).ok()?))
}
