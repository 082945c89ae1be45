//! How a lane behaves: what both of its ends were told when it was made.

use std::time::Duration;

use super::fences::Fences;

/// What a full ring means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The producer waits (back-pressure).
    #[default]
    Block,
    /// The oldest message that was not read is overwritten; the consumer counts what it missed.
    DropOldest,
    /// The new message is not stored; the producer counts it.
    DropNewest,
}

/// How an end waits for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Looks again and again: the lowest latency, and a whole core.
    Busy,
    /// Looks for so long, then sleeps. With steady traffic as fast as [`Self::Busy`].
    SpinThenSleep(Duration),
    /// Sleeps at once: the least energy.
    Sleep,
}

impl Wait {
    /// How long it looks before it sleeps.
    pub fn alertness(self) -> Duration {
        match self {
            Self::Busy => Duration::MAX,
            Self::SpinThenSleep(spin) => spin,
            Self::Sleep => Duration::ZERO,
        }
    }
}

impl Default for Wait {
    /// Twenty microseconds of looking, less than what a sleep and a wake-up cost.
    fn default() -> Self {
        Self::SpinThenSleep(Duration::from_micros(20))
    }
}

/// The settings of one end, small enough to lie beside its positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) overflow: Overflow,
    /// How this end waits.
    pub(super) wait: Wait,
    /// Whether the other end ever sleeps; `false` saves the look at its word.
    pub(super) peer_sleeps: bool,
    /// How far ahead of its writes the producer announces them to racing readers, in messages; 0: there are none.
    pub(super) announce: u64,
    pub(super) fences: Fences,
}

impl Settings {
    /// Whether somebody may read a slot while it is written.
    pub(super) fn races(&self) -> bool {
        self.overflow == Overflow::DropOldest || self.announce > 0
    }
}
