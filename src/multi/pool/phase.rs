//! What a cell's word says of a task.

/// What is the matter with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    Free = 0,
    Filling = 1,
    Submitted = 2,
    Leased = 3,
    Done = 4,
    Panicked = 5,
    TooLarge = 6,
    Unreadable = 7,
    Died = 8,
    Orphan = 9,
    Errand = 10,
    Overdue = 11,
}

impl Phase {
    fn of(number: u8) -> Self {
        use Phase::*;
        let all = [Filling, Submitted, Leased, Done, Panicked, TooLarge, Unreadable, Died, Orphan, Errand, Overdue];
        all.into_iter().find(|phase| *phase as u8 == number).unwrap_or(Free)
    }

    /// Whether nothing more will happen to it.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Panicked | Self::TooLarge | Self::Unreadable | Self::Died | Self::Overdue)
    }
}

/// What a cell's word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) number: u32,
    pub(super) owner: u8,
    pub(super) phase: Phase,
}

impl State {
    pub(super) fn pack(self) -> u64 {
        u64::from(self.number) << 32 | u64::from(self.owner) << 8 | self.phase as u64
    }

    pub(super) fn unpack(word: u64) -> Self {
        let [phase, owner, ..] = word.to_le_bytes();
        Self { number: u32::try_from(word >> 32).unwrap_or(0), owner, phase: Phase::of(phase) }
    }
}
