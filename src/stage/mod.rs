//! The stages: decoding and computing.

mod average;
mod decimate;
mod scale;
mod select;
mod statistics;
mod threshold;

pub use average::MovingAverage;
pub use decimate::Decimate;
pub use scale::{Scale, ScaleField};
pub use statistics::{Statistics, Window};
pub use threshold::Threshold;

#[cfg(test)]
mod rig;
