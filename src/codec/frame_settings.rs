//! How a byte stream is cut into frames, as the configuration says it.

use super::{CrcError, CrcSettings, Endian};

/// Framing and check of one byte stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameSettings {
    /// Where frames begin and end.
    pub kind: FrameKind,
    /// The CRC at their end, taken off before the frame is given on; `None` if they carry none.
    pub crc: Option<CrcSettings>,
}

/// Where frames begin and end.
///
/// `max` always counts what is given on to the stages: without sync, length, CRC, delimiters and stuffing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Text lines ended by LF or CR LF; empty lines are passed over.
    Line {
        /// Most bytes of a line without its end.
        max: u16,
    },
    /// Frames that all have one size: sync bytes, payload, CRC.
    ///
    /// Without sync bytes and without a CRC there is nothing to find the next frame by once a byte is lost: for
    /// files and links that lose none.
    Fixed {
        /// Bytes of the whole frame on the wire, sync and CRC included, as data sheets count.
        size: u16,
        /// What every frame begins with; may be empty.
        sync: Vec<u8>,
    },
    /// Frames that say how long they are: sync bytes, length, payload, CRC.
    LengthPrefixed {
        /// Most bytes of payload; a larger length is taken for noise.
        max: u16,
        /// What every frame begins with; may be empty.
        sync: Vec<u8>,
        /// Bytes of the length field: 1, 2 or 4.
        length_size: u8,
        /// Their order.
        endian: Endian,
        /// What the length counts.
        counts: LengthCounts,
    },
    /// Consistent Overhead Byte Stuffing, frames ended by a zero byte.
    Cobs {
        /// Most bytes of payload.
        max: u16,
    },
    /// RFC 1055, frames ended by 0xC0.
    Slip {
        /// Most bytes of payload.
        max: u16,
    },
}

/// Which bytes a length field counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LengthCounts {
    /// The payload.
    #[default]
    Payload,
    /// The payload and the CRC behind it.
    PayloadAndCrc,
    /// The whole frame, from the first sync byte to the last of the CRC, the length itself included.
    Frame,
}

/// Why a stream cannot be framed like that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FrameSettingsError {
    /// The option at fault, as the configuration calls it.
    pub key: &'static str,
    /// What is wrong and what was expected, one sentence.
    pub message: String,
}

impl FrameSettingsError {
    pub(super) fn new(key: &'static str, message: impl Into<String>) -> Self {
        Self { key, message: message.into() }
    }
}

impl From<CrcError> for FrameSettingsError {
    fn from(error: CrcError) -> Self {
        Self::new("crc", error.to_string())
    }
}

/// Most bytes of one frame: with its two bytes of length it must fit into the largest message.
pub(super) const MAX_FRAME: u16 = 65_528;
/// Most sync bytes; protocols have 1 to 8.
const MAX_SYNC: usize = 16;

impl FrameSettings {
    /// Checks all but the CRC's own parameters; `crc_size` is 0 where there is none.
    pub(super) fn check(&self, crc_size: usize) -> Result<(), FrameSettingsError> {
        match &self.kind {
            FrameKind::Line { .. } if self.crc.is_some() => Err(FrameSettingsError::new(
                "crc",
                "a line cannot end in a binary CRC, whose bytes may look like a line's end; \
                 let the decoding stage check a checksum written in digits",
            )),
            FrameKind::Line { max } | FrameKind::Cobs { max } | FrameKind::Slip { max } => check_max(*max),
            FrameKind::Fixed { size, sync } => check_sync(sync).and_then(|()| check_size(*size, sync.len(), crc_size)),
            FrameKind::LengthPrefixed { max, sync, length_size, .. } => {
                check_max(*max).and_then(|()| check_sync(sync)).and_then(|()| check_length_size(*length_size))
            }
        }
    }
}

fn check_max(max: u16) -> Result<(), FrameSettingsError> {
    if (1..=MAX_FRAME).contains(&max) {
        return Ok(());
    }
    Err(FrameSettingsError::new("max", format!("max = {max}, but a frame has 1 to {MAX_FRAME} bytes")))
}

fn check_sync(sync: &[u8]) -> Result<(), FrameSettingsError> {
    if sync.len() <= MAX_SYNC {
        return Ok(());
    }
    Err(FrameSettingsError::new("sync", format!("sync has {} bytes, at most {MAX_SYNC} are supported", sync.len())))
}

fn check_size(size: u16, sync: usize, crc: usize) -> Result<(), FrameSettingsError> {
    let around = sync + crc;
    if usize::from(size) > around && size <= MAX_FRAME {
        return Ok(());
    }
    let message = format!(
        "size = {size} counts the whole frame, of which sync takes {sync} and the CRC {crc} bytes: \
         it must be {} to {MAX_FRAME}",
        around + 1
    );
    Err(FrameSettingsError::new("size", message))
}

fn check_length_size(length_size: u8) -> Result<(), FrameSettingsError> {
    if matches!(length_size, 1 | 2 | 4) {
        return Ok(());
    }
    Err(FrameSettingsError::new(
        "length_size",
        format!("length_size = {length_size}, but a length field has 1, 2 or 4 bytes"),
    ))
}
