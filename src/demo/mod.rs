//! The demonstration: instruments on pseudo terminals, and faults on purpose.
//!
//! The instruments live in a process of their own, outside of all workers. What they send, they write down in a
//! [`Ledger`] that the demo compares with what was recorded.

mod files;
mod gps;
mod imu;
mod ledger;
mod line;
mod player;
mod script;
mod verdict;
mod weather;

pub use files::{Rows, check_rows};
pub use ledger::{Count, EVENTS, Fault, FaultEvent, Instrument, Ledger};
pub use player::Player;
pub use script::Script;
pub use verdict::{Account, Checked, accounts, unexplained};

/// The configuration that the demo runs; `@PORTS@` and `@DATA@` stand for the folders of its ports and
/// files, `@FILE@` for the names of the files, `@MORE@` for more inputs of its sink.
pub const CONFIG: &str = include_str!("demo.toml");
/// What is added to [`CONFIG`] on a board that has temperature sensors.
pub const TEMPERATURE: &str = include_str!("temperature.toml");
