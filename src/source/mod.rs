//! The sources: serial ports, recorded files, sensors of the board.
mod serial;
pub use serial::Serial;
