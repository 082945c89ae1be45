//! Cyclic redundancy checks of any width up to 64 bits, by catalogue name or by parameters.

use std::fmt;

use crc::Algorithm;

use super::crc_table::{ALGORITHMS, ALIASES, NAMES};

/// Which byte of a number comes first on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first, "network order".
    Big,
}

/// Which CRC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrcAlgorithm {
    /// By its name in the [catalogue](crc_names), or a usual alias such as `CRC-16/CCITT-FALSE`; upper or lower
    /// case.
    Named(String),
    /// By the parameters of the Rocksoft model, as data sheets and the catalogue give them.
    Custom {
        /// Bits, 1 to 64.
        width: u8,
        /// Generator polynomial without its highest term, not reversed.
        poly: u64,
        /// Register before the first byte.
        init: u64,
        /// Whether bytes go in least significant bit first.
        refin: bool,
        /// Whether the register is reversed at the end.
        refout: bool,
        /// Xored to the result.
        xorout: u64,
    },
}

/// Which bytes before it a frame's CRC is computed over. Only frames with sync or length bytes make a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CrcCoverage {
    /// Length and payload, not the sync bytes: what most protocols do.
    #[default]
    AfterSync,
    /// Sync bytes, length and payload.
    Frame,
    /// The payload alone.
    Payload,
}

/// The CRC at the end of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrcSettings {
    /// Which one.
    pub algorithm: CrcAlgorithm,
    /// Order of its bytes in the frame.
    pub endian: Endian,
    /// What it is computed over.
    pub covers: CrcCoverage,
}

/// Why there is no such CRC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrcError {
    /// The catalogue does not have that name.
    #[error("no CRC is called `{0}`; the catalogue's names look like CRC-16/MODBUS, CRC-16/IBM-3740, CRC-32/ISO-HDLC")]
    UnknownName(String),
    /// A CRC has 1 to 64 bits.
    #[error("a CRC of {0} bits cannot be computed; the width is 1 to 64")]
    Width(u8),
    /// A parameter needs more bits than the width.
    #[error("{parameter} = {value:#x} does not fit into the CRC's width of {width} bits")]
    Parameter {
        /// `poly`, `init` or `xorout`.
        parameter: &'static str,
        /// What was given.
        value: u64,
        /// The width given.
        width: u8,
    },
}

/// Names of the catalogue, for completion and for suggesting the nearest one.
pub fn crc_names() -> &'static [&'static str] {
    NAMES
}

/// A CRC ready to compute: its table is built once, at the start.
#[derive(Clone)]
pub struct Crc {
    engine: crc::Crc<u64>,
    endian: Endian,
    covers: CrcCoverage,
}

impl Crc {
    /// Looks the algorithm up and builds its table (2 KiB).
    ///
    /// A `Custom` algorithm's parameters (56 bytes) are never freed: crate `crc` wants them `'static`.
    ///
    /// # Errors
    /// An unknown name, a width outside 1..=64, a parameter wider than the width.
    pub fn new(settings: &CrcSettings) -> Result<Self, CrcError> {
        let algorithm = match &settings.algorithm {
            CrcAlgorithm::Named(name) => find(name).ok_or_else(|| CrcError::UnknownName(name.clone()))?,
            &CrcAlgorithm::Custom { width, poly, init, refin, refout, xorout } => {
                check_parameters(width, poly, init, xorout)?;
                Box::leak(Box::new(Algorithm { width, poly, init, refin, refout, xorout, check: 0, residue: 0 }))
            }
        };
        Ok(Self { engine: crc::Crc::<u64>::new(algorithm), endian: settings.endian, covers: settings.covers })
    }

    /// Bytes it takes in a frame: the width rounded up.
    pub fn size(&self) -> usize {
        usize::from(self.engine.algorithm.width).div_ceil(8)
    }

    /// What it covers.
    pub fn covers(&self) -> CrcCoverage {
        self.covers
    }

    /// The CRC of `bytes`, in the low bits.
    pub fn compute(&self, bytes: &[u8]) -> u64 {
        self.engine.checksum(bytes)
    }

    /// Appends the CRC of all that `frame` holds, in the wire's byte order.
    pub fn append(&self, frame: &mut Vec<u8>) {
        let value = self.compute(frame);
        self.append_value(value, frame);
    }

    /// Appends a CRC already computed.
    pub(super) fn append_value(&self, value: u64, frame: &mut Vec<u8>) {
        match self.endian {
            Endian::Little => frame.extend_from_slice(&value.to_le_bytes()[..self.size()]),
            Endian::Big => frame.extend_from_slice(&value.to_be_bytes()[8 - self.size()..]),
        }
    }

    /// Whether `trailer`, the CRC's own bytes, belongs to `covered`.
    pub(super) fn matches(&self, covered: &[u8], trailer: &[u8]) -> bool {
        let fold = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
        let sent = match self.endian {
            Endian::Little => trailer.iter().rev().fold(0, fold),
            Endian::Big => trailer.iter().fold(0, fold),
        };
        self.compute(covered) == sent
    }
}

impl fmt::Debug for Crc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crc")
            .field("algorithm", self.engine.algorithm)
            .field("endian", &self.endian)
            .field("covers", &self.covers)
            .finish_non_exhaustive()
    }
}

fn find(name: &str) -> Option<&'static Algorithm<u64>> {
    let same = |known: &str| known.eq_ignore_ascii_case(name);
    let canonical = ALIASES.iter().find(|(alias, _)| same(alias)).map_or(name, |(_, canonical)| canonical);
    let index = NAMES.iter().position(|known| known.eq_ignore_ascii_case(canonical))?;
    Some(&ALGORITHMS[index])
}

fn check_parameters(width: u8, poly: u64, init: u64, xorout: u64) -> Result<(), CrcError> {
    if !(1..=64).contains(&width) {
        return Err(CrcError::Width(width));
    }
    let largest = u64::MAX >> (64 - width);
    for (parameter, value) in [("poly", poly), ("init", init), ("xorout", xorout)] {
        if value > largest {
            return Err(CrcError::Parameter { parameter, value, width });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, endian: Endian) -> Result<Crc, CrcError> {
        let algorithm = CrcAlgorithm::Named(name.into());
        Crc::new(&CrcSettings { algorithm, endian, covers: CrcCoverage::AfterSync })
    }

    #[test]
    fn every_catalogue_entry_gives_its_check_value() {
        for (name, algorithm) in NAMES.iter().zip(ALGORITHMS) {
            let crc = named(name, Endian::Big).unwrap();
            assert_eq!(crc.compute(b"123456789"), algorithm.check, "{name}");
            let width: u8 = name[4..].split('/').next().unwrap().parse().unwrap();
            assert_eq!(width, algorithm.width, "{name} has the constant of another width");
        }
        assert_eq!((NAMES.len(), ALGORITHMS.len()), (112, 112));
    }

    #[test]
    fn names_known_from_data_sheets_give_their_published_check_values() {
        for (name, check) in [
            ("crc-16/modbus", 0x4B37),
            ("CRC-16/CCITT-FALSE", 0x29B1),
            ("CRC-16/X-25", 0x906E),
            ("XMODEM", 0x31C3),
            ("CRC-24/OPENPGP", 0x21_CF02),
            ("CRC-32", 0xCBF4_3926),
            ("CRC-32C", 0xE306_9283),
            ("CRC-8/MAXIM", 0xA1),
        ] {
            assert_eq!(named(name, Endian::Big).unwrap().compute(b"123456789"), check, "{name}");
        }
        for (alias, canonical) in ALIASES {
            assert!(find(alias).is_some(), "alias {alias} leads to {canonical}, which is not in the catalogue");
        }
        assert_eq!(named("CRC-99/NONE", Endian::Big).unwrap_err(), CrcError::UnknownName("CRC-99/NONE".into()));
    }

    #[test]
    fn a_custom_algorithm_equals_the_named_one() {
        let algorithm = CrcAlgorithm::Custom {
            width: 24,
            poly: 0x86_4CFB,
            init: 0xB7_04CE,
            refin: false,
            refout: false,
            xorout: 0,
        };
        let custom = Crc::new(&CrcSettings { algorithm, endian: Endian::Big, covers: CrcCoverage::Payload }).unwrap();
        assert_eq!(custom.compute(b"123456789"), 0x21_CF02);
        assert_eq!(custom.size(), 3);
    }

    #[test]
    fn parameters_wider_than_the_width_are_refused() {
        let new = |width, poly| {
            let algorithm = CrcAlgorithm::Custom { width, poly, init: 0, refin: false, refout: false, xorout: 0 };
            Crc::new(&CrcSettings { algorithm, endian: Endian::Big, covers: CrcCoverage::Payload }).map(|_| ())
        };
        assert_eq!(new(8, 0x107), Err(CrcError::Parameter { parameter: "poly", value: 0x107, width: 8 }));
        assert_eq!(new(0, 0), Err(CrcError::Width(0)));
        assert_eq!(new(65, 1), Err(CrcError::Width(65)));
        assert_eq!(new(64, u64::MAX), Ok(()));
    }

    #[test]
    fn the_bytes_follow_the_order_asked_for() {
        for (endian, bytes) in [(Endian::Big, [0x4B, 0x37]), (Endian::Little, [0x37, 0x4B])] {
            let crc = named("CRC-16/MODBUS", endian).unwrap();
            let mut frame = b"123456789".to_vec();
            crc.append(&mut frame);
            assert_eq!(frame[9..], bytes);
            assert!(crc.matches(&frame[..9], &frame[9..]));
            assert!(!crc.matches(&frame[..8], &frame[9..]));
        }
    }
}
