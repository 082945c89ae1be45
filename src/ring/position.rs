//! The arithmetic of positions: pure, and right at every wrap.
//!
//! Positions are free-running 64-bit counters. At a billion messages a second they wrap after 584 years; nothing here
//! relies on that.

use super::words::Corrupt;

/// Value of a sleep word while its owner is awake.
pub const AWAKE: u64 = u64::MAX;

/// Whether position `one` comes before `other`. Both must be within half the range of each other, as all positions of one ring
/// are.
#[inline]
pub(super) fn is_before(one: u64, other: u64) -> bool {
    one.wrapping_sub(other) > u64::MAX / 2
}

/// The later of two positions.
#[inline]
pub(super) fn later(one: u64, other: u64) -> u64 {
    if is_before(one, other) { other } else { one }
}

/// Messages between the consumer's position `head` and the producer's `tail`, one of which is a peer's claim.
///
/// # Errors
/// There cannot be more than `capacity`: the claim of `peer` makes no sense.
#[inline]
pub(super) fn used(tail: u64, head: u64, capacity: u64, peer: Peer) -> Result<u64, Corrupt> {
    let used = tail.wrapping_sub(head);
    if used > capacity {
        let (claimed, own) = match peer {
            Peer::Producer => (tail, head),
            Peer::Consumer => (head, tail),
        };
        return Err(Corrupt { peer, claimed, own, capacity });
    }
    Ok(used)
}

/// Whether a sleeper that asked in its word to be woken at `asked` wants that now, the other side being at `position`.
#[inline]
pub(super) fn is_reached(asked: u64, position: u64) -> bool {
    asked != AWAKE && !is_before(position, asked)
}

/// What a sleeper writes into its word to be woken at `position`.
#[inline]
pub(super) fn ask_at(position: u64) -> u64 {
    // The one position that reads as AWAKE: a bell one message early does no harm, none at all would.
    if position == AWAKE { AWAKE - 1 } else { position }
}

/// One end of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The end that writes messages.
    Producer,
    /// The end that reads them.
    Consumer,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of positions near a start, including both wraps, with every distance a small ring can have.
    fn each(check: impl Fn(u64, u64)) {
        for start in [0, 1 << 31, u64::from(u32::MAX), 1 << 32, 1 << 63, u64::MAX] {
            for offset in 0..=128u64 {
                let head = start.wrapping_add(offset).wrapping_sub(64);
                for distance in 0..=64 {
                    check(head, distance);
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "pure arithmetic, and a lot of it")]
    fn used_is_the_distance_wherever_the_positions_are() {
        each(|head, distance| {
            let tail = head.wrapping_add(distance);
            assert_eq!(used(tail, head, 64, Peer::Producer), Ok(distance));
            assert_eq!(is_before(head, tail), distance > 0);
            assert_eq!((later(head, tail), later(tail, head)), (tail, tail));
        });
    }

    #[test]
    #[cfg_attr(miri, ignore = "pure arithmetic, and a lot of it")]
    fn a_claim_beyond_the_ring_is_refused_with_who_made_it() {
        each(|head, distance| {
            let beyond = head.wrapping_add(65 + distance);
            let error = used(beyond, head, 64, Peer::Producer).unwrap_err();
            assert_eq!((error.peer, error.claimed, error.own), (Peer::Producer, beyond, head));
            let behind = head.wrapping_sub(1 + distance);
            assert!(used(behind, head, 64, Peer::Producer).is_err());
            assert_eq!(used(head, beyond, 64, Peer::Consumer).unwrap_err().claimed, beyond);
        });
    }

    #[test]
    #[cfg_attr(miri, ignore = "pure arithmetic, and a lot of it")]
    fn a_sleeper_is_woken_at_its_position_or_one_earlier_but_never_missed() {
        each(|position, distance| {
            let asked = ask_at(position.wrapping_add(distance));
            for step in 0..=70 {
                let reached = is_reached(asked, position.wrapping_add(step));
                assert!(reached || step < distance, "asked for {asked}, at {step} of {distance}");
                assert!(!reached || step + 1 >= distance);
            }
        });
        assert!(!is_reached(AWAKE, 0) && !is_reached(AWAKE, AWAKE));
    }
}
