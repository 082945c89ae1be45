//! Who uses an end: a lane has one producer and one consumer at a time.
//!
//! The word holds the user's pid and, below, a number that tells this life of the pid from others: a program that replaces
//! itself by exec keeps its pid, but not its handles.

use std::sync::OnceLock;

use super::fault::Fault;
use super::position::Peer;
use crate::prim::{AtomicU64, Ordering};

/// Claims an end for the handle that calls. A user that has ended gives way.
pub(super) fn claim(owner: &AtomicU64, end: Peer) -> Result<(), Fault> {
    let own = own_mark();
    // ORDER(owner): Acquire, what the predecessor left in the words after it.
    let mut found = owner.load(Ordering::Acquire);
    loop {
        if found != 0 && (found == own || (pid(found) != pid(own) && is_alive(pid(found)))) {
            return Err(Fault::InUse { pid: pid(found), end });
        }
        // ORDER(owner): AcqRel, of two that claim at once one sees the other.
        match owner.compare_exchange(found, own, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Ok(()),
            Err(now) => found = now,
        }
    }
}

/// Gives the end up, if this process has it.
pub(super) fn leave(owner: &AtomicU64) {
    // ORDER(owner): Release, all that was done as its owner before it.
    let _ = owner.compare_exchange(own_mark(), 0, Ordering::Release, Ordering::Relaxed);
}

fn own_mark() -> u64 {
    static LIFE: OnceLock<u64> = OnceLock::new();
    let life = LIFE.get_or_init(|| crate::sys::clock::monotonic_ns() & 0xFFFF_FFFF);
    (u64::from(std::process::id()) << 32) | life
}

fn pid(mark: u64) -> u32 {
    u32::try_from(mark >> 32).unwrap_or(0)
}

/// Whether there is such a process. One that has ended but was not yet reaped still counts: it may not have been seen to end.
fn is_alive(pid: u32) -> bool {
    i32::try_from(pid).is_ok_and(crate::sys::signal::exists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no kill(2)")]
    fn an_end_is_claimed_once_and_taken_over_from_the_dead() {
        let free = AtomicU64::new(0);
        claim(&free, Peer::Producer).unwrap();
        claim(&free, Peer::Producer).unwrap_err();
        leave(&free);
        claim(&free, Peer::Producer).unwrap();
        let init = AtomicU64::new(1 << 32);
        let error = claim(&init, Peer::Consumer).unwrap_err();
        assert_eq!(error.to_string(), "process 1 uses the consumer of this ring; a ring has one of each");
        for dead in [0x7FFF_FFFE << 32, own_mark() ^ 1] {
            claim(&AtomicU64::new(dead), Peer::Producer).unwrap();
        }
    }
}
