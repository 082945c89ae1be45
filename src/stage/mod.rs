//! The stages: decoding and computing.

mod average;
mod binary;
mod decimate;
mod delimited;
mod frame_input;
mod linear;
mod nmea;
mod scale;
mod select;
mod statistics;
mod threshold;

pub use average::MovingAverage;
pub use binary::{Binary, BinaryField, BinaryKind};
pub use decimate::Decimate;
pub use delimited::{Delimited, DelimitedField, DelimitedKind, DelimitedSettings, LineChecksum};
pub use nmea::Nmea;
pub use scale::{Scale, ScaleField};
pub use statistics::{Statistics, Window};
pub use threshold::Threshold;

#[cfg(test)]
mod rig;
