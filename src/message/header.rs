//! The fixed part of every message.

use bytemuck::{Pod, Zeroable};

/// Times, sequence number and origin of one message.
///
/// Layout (little or big endian as the machine is; a segment never leaves its board):
///
/// | offset | field | meaning |
/// |---|---|---|
/// | 0 | `arrived_ns` | CLOCK_MONOTONIC when the bytes were read from the outside |
/// | 8 | `utc_ns` | UTC at the same moment, ns since 1970; may step, `arrived_ns` never does |
/// | 16 | `seq` | 1, 2, 3 ... per emitting node, without a gap |
/// | 24 | `sent_ns` | CLOCK_MONOTONIC when the emitting node's step gave it away |
/// | 32 | `origin` | index of the source it stems from |
/// | 36 | `frame` | low 32 bits of the source's own `seq`, carried through all stages |
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Header {
    /// CLOCK_MONOTONIC in ns when the bytes were read from the outside.
    pub arrived_ns: u64,
    /// UTC in ns since 1970 at the same moment.
    pub utc_ns: i64,
    /// 1, 2, 3 ... per emitting node, without a gap.
    pub seq: u64,
    /// CLOCK_MONOTONIC in ns when the emitting node's step gave it away.
    pub sent_ns: u64,
    /// Index of the source it stems from.
    pub origin: u32,
    /// Low 32 bits of the source's own sequence number.
    pub frame: u32,
}

const _: () = assert!(size_of::<Header>() == Header::SIZE);

impl Header {
    /// Bytes a header takes in a slot.
    pub const SIZE: usize = 40;
}
