//! NMEA 0183 (IEC 61162-1): sentences, and the positions that several of them make together.
//!
//! [`parse()`] reads one line: RMC, GGA, GNS, GSA, GSV, VTG, GLL, ZDA of any talker (GP, GN, GL, GA,
//! GB, BD, QZ, II ...), and Garmin's PGRMZ. The checksum comes first: a line whose `*hh` is wrong is never looked into.
//!
//! A receiver tells one fix in several sentences. An [`Assembler`] merges those of one *epoch* (the
//! same hhmmss) into one [`Position`]; see there when it gives it away and what it takes from which
//! sentence. It is checked against recorded output of real receivers and what gpsd made of them
//! (`tests/nmea_reference.rs`); where the two differ on purpose, that test says why.

mod calendar;
mod draft;
mod epoch;
mod error;
mod field;
mod parse;
mod position;
mod sentence;
mod statement;
#[cfg(test)]
mod tests;

pub use calendar::{Date, TimeOfDay};
pub use epoch::Assembler;
pub use error::NmeaError;
pub use parse::{Checksum, parse};
pub use position::{Position, Settings};
pub use sentence::{Gga, Gll, Gns, Gsa, Gsv, Header, Pgrmz, Rmc, SatelliteInView, Sentence, Vtg, Zda};
