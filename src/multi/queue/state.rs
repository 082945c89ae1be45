//! What the word of a place of a queue says.

use crate::multi::arena::MEMBERS;
use crate::multi::family;

const _: () = assert!(MEMBERS <= 256, "an owner is one byte");

/// What is being done at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    Free = 0,
    Writing = 1,
    Full = 2,
    Taken = 3,
    Returned = 4,
    Void = 5,
}

/// What the word of a place says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) lap: u64,
    pub(super) phase: Phase,
    /// Of a claim, whose it is.
    pub(super) owner: u8,
}

/// This process, as the owner of a claim.
pub(super) fn owner() -> u8 {
    u8::try_from(family::me()).unwrap_or(0)
}

impl State {
    pub(super) fn pack(self) -> u64 {
        self.lap << 16 | (self.phase as u64) << 8 | u64::from(self.owner)
    }

    pub(super) fn unpack(word: u64) -> Self {
        let [owner, phase, ..] = word.to_le_bytes();
        let phase = match phase {
            0 => Phase::Free,
            1 => Phase::Writing,
            2 => Phase::Full,
            3 => Phase::Taken,
            4 => Phase::Returned,
            _ => Phase::Void,
        };
        Self { lap: word >> 16, phase, owner }
    }
}
