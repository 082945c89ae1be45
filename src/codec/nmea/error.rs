//! Why a line is no usable sentence.

/// Why [`parse()`](super::parse()) refused a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NmeaError {
    /// It does not begin like a sentence: receivers mix in boot messages and other text.
    #[error("the line has no `$` and does not begin with `!`, so it is no NMEA sentence")]
    NotNmea,
    /// The characters do not add up to what the sentence says of itself.
    #[error(
        "checksum: the sentence says *{stated:02X}, its characters make *{computed:02X}; it was damaged on the way \
         (baud rate, noise, a lost byte)"
    )]
    Checksum {
        /// What stands behind the `*`.
        stated: u8,
        /// The exclusive-or of all characters between `$` and `*`.
        computed: u8,
    },
    /// There is no `*hh` at its end.
    #[error("the sentence has no `*hh` at its end; if the receiver never sends one, make the checksum optional")]
    NoChecksum,
    /// It has fewer fields than its type needs.
    #[error("the sentence has {found} fields, its type needs at least {needed}")]
    TooFewFields {
        /// Fields behind the tag.
        found: u8,
        /// Fewest that make sense.
        needed: u8,
    },
    /// The tag is not letters and digits, or too short to hold a talker and a type.
    #[error("the tag behind `$` is not made of letters and digits")]
    Tag,
}
