//! The sources: serial ports, recorded files, sensors of the board.

mod file;
#[cfg(test)]
mod file_tests;
mod pace;
mod serial;
mod temperature;
#[cfg(test)]
mod test_clock;

pub use file::{FileSettings, FileSource};
pub use pace::Pace;
pub use serial::Serial;
pub use temperature::Temperature;
