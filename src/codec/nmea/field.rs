//! Fields of a sentence: split at commas, read without ever trusting them.
//!
//! A field that is empty or cannot be read is missing. The checksum has already shown that the line
//! came over whole, so an odd field is the receiver's habit ("-1" for an unknown year, "99.0" for no
//! HDOP), and no reason to lose the rest of the sentence.

use super::{Date, TimeOfDay};

/// The fields behind the tag; index 1 is the first, as in every table of the standard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    body: &'a [u8],
}

impl<'a> Fields<'a> {
    /// `body` is what stands between `$` and `*`.
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { body }
    }

    /// How many fields follow the tag.
    pub(super) fn count(&self) -> usize {
        self.body.iter().filter(|&&byte| byte == b',').count()
    }

    /// Field `index`, empty if there is none.
    pub(super) fn bytes(&self, index: usize) -> &'a [u8] {
        self.body.split(|&byte| byte == b',').nth(index).unwrap_or_default()
    }

    /// Its first character.
    pub(super) fn letter(&self, index: usize) -> Option<u8> {
        self.bytes(index).first().copied()
    }

    /// A decimal number; no exponent, no `inf`.
    pub(super) fn number(&self, index: usize) -> Option<f64> {
        number(self.bytes(index))
    }

    /// A number of digits only.
    pub(super) fn unsigned(&self, index: usize) -> Option<u32> {
        digits(self.bytes(index))
    }

    /// A dilution of precision. Receivers send 0.00, 99.0 or 99.99 when they have none.
    pub(super) fn dilution(&self, index: usize) -> Option<f64> {
        self.number(index).filter(|value| (0.01..90.0).contains(value))
    }

    /// `dddmm.mmm` and its hemisphere, in the two fields from `index`, as degrees.
    fn angle(&self, index: usize, positive: u8, negative: u8, limit: f64) -> Option<f64> {
        let packed = self.number(index).filter(|packed| *packed >= 0.0)?;
        let degrees = (packed / 100.0).floor();
        let minutes = packed - degrees * 100.0;
        let angle = degrees + minutes / 60.0;
        let sign = match self.letter(index + 1)? {
            letter if letter == positive => 1.0,
            letter if letter == negative => -1.0,
            _ => return None,
        };
        (minutes < 60.0 && angle <= limit).then_some(sign * angle)
    }

    /// Latitude and longitude in the four fields from `index`; both or neither.
    pub(super) fn place(&self, index: usize) -> Option<(f64, f64)> {
        Some((self.angle(index, b'N', b'S', 90.0)?, self.angle(index + 2, b'E', b'W', 180.0)?))
    }

    /// `hhmmss.sss`.
    pub(super) fn time(&self, index: usize) -> Option<TimeOfDay> {
        TimeOfDay::read(self.bytes(index))
    }

    /// `ddmmyy`.
    pub(super) fn date(&self, index: usize) -> Option<Date> {
        Date::read_short(self.bytes(index))
    }
}

/// At most nine digits as a number.
pub(super) fn digits(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 9 {
        return None;
    }
    bytes.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}

fn number(bytes: &[u8]) -> Option<f64> {
    if !bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+')) {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}
