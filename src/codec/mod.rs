//! Framing and decoding of bytes. Pure: no syscalls, no clocks.
//!
//! A [`Framer`] cuts a byte stream into frames (lines, fixed size, length-prefixed, COBS, SLIP) and checks their CRC.
//! Its running state is a plain byte slice, so that it can lie in a node's state and survive the worker.

pub mod nmea;

mod cobs;
mod collect;
mod crc;
mod crc_table;
mod frame_event;
mod frame_settings;
mod frame_state;
mod framer;
mod scan;
mod slip;
#[cfg(test)]
mod tests;

pub use cobs::cobs_encode;
pub use crc::{Crc, CrcAlgorithm, CrcCoverage, CrcError, CrcSettings, Endian, crc_names};
pub use frame_event::{FrameEvent, RejectReason};
pub use frame_settings::{FrameKind, FrameSettings, FrameSettingsError, LengthCounts};
pub use framer::Framer;
pub use slip::slip_encode;
