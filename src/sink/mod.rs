//! The sinks: files and streams.

mod calendar;
mod column;
mod csv;
mod csv_lane;
mod csv_row;
mod fault;
mod naming;
mod part;
mod part_file;
mod stdout;
mod text;

pub use csv::{Csv, CsvOptions};
pub use stdout::{Format, Stdout};
