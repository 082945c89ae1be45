//! What a framer says about the bytes it is fed.

use std::fmt;

/// One thing found in a byte stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameEvent<'a> {
    /// A frame that passed its checks, without what surrounded it.
    Frame(&'a [u8]),
    /// A frame that did not. A burst of noise gives one of these, not one for each place that looks like a frame.
    Rejected {
        /// Why.
        reason: RejectReason,
    },
    /// So many bytes between frames that belong to none.
    Stray(usize),
    /// A frame broken off by the end of the stream.
    Cut,
}

/// Why a frame is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// Its CRC does not fit its bytes.
    Crc,
    /// Longer than `max`.
    TooLong,
    /// Too short to hold what it must.
    TooShort,
    /// Byte stuffing that no encoder writes.
    Encoding,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crc => "its CRC is wrong",
            Self::TooLong => "it is longer than max",
            Self::TooShort => "it is too short",
            Self::Encoding => "its byte stuffing is wrong",
        })
    }
}
