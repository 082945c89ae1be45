//! The stages: decoding and computing.

mod binary;
mod delimited;
mod frame_input;

pub use binary::{Binary, BinaryField, BinaryKind};
pub use delimited::{Delimited, DelimitedField, DelimitedKind, DelimitedSettings, LineChecksum};
