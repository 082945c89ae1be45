//! What the arena's table says of a unit, as a word.

/// What a block holds. The sweep after a death looks at each by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Blob = 1,
    Mutex = 2,
    Semaphore = 3,
    Condvar = 4,
    Event = 5,
    Barrier = 6,
    Queue = 7,
    Pipe = 8,
    Pool = 9,
    Spsc = 10,
    /// Tasks of a pool.
    Tasks = 11,
    /// The values of a map.
    Job = 12,
}

impl Kind {
    fn of(number: u8) -> Option<Self> {
        use Kind::*;
        let all = [Blob, Mutex, Semaphore, Condvar, Event, Barrier, Queue, Pipe, Pool, Spsc, Tasks, Job];
        all.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// What the table says of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Free,
    /// Taken by a member, and not (yet) the head of a block.
    Claimed(u16),
    /// The head of a block of so many units. The tag tells it from another that lay there before.
    Live(Kind, u16, u32),
    /// The same, looked at by the sweep: it must not be freed now.
    Pinned(Kind, u16, u32),
    /// The head of a block that this member is freeing.
    Freeing(u16, u32),
}

impl Entry {
    pub(super) fn pack(self) -> u64 {
        match self {
            Self::Free => 0,
            Self::Claimed(member) => 1 | u64::from(member) << 16,
            Self::Live(kind, tag, len) => 2 | (kind as u64) << 8 | u64::from(tag) << 16 | u64::from(len) << 32,
            Self::Pinned(kind, tag, len) => Self::Live(kind, tag, len).pack() + 2,
            Self::Freeing(member, len) => 3 | u64::from(member) << 16 | u64::from(len) << 32,
        }
    }

    pub(super) fn unpack(word: u64) -> Self {
        let [state, kind, low, high, ..] = word.to_le_bytes();
        let (whose, len) = (u16::from_le_bytes([low, high]), u32::try_from(word >> 32).unwrap_or(0));
        match (state, Kind::of(kind)) {
            (1, _) => Self::Claimed(whose),
            (2, Some(kind)) => Self::Live(kind, whose, len),
            (3, _) => Self::Freeing(whose, len),
            (4, Some(kind)) => Self::Pinned(kind, whose, len),
            _ => Self::Free,
        }
    }
}

/// As much of a block's number as its entry has.
pub(super) fn tag(generation: u64) -> u16 {
    u16::try_from(generation & 0xffff).unwrap_or(0)
}
