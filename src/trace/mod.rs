//! What workers tell about themselves: histograms, flight recorders and log records, in the segment.

mod facade;
#[allow(unsafe_code)]
mod flight;
#[allow(unsafe_code)]
mod histogram;
mod log_ring;

pub use facade::set_parent_logger;
pub use flight::{Flight, FlightEvent, FlightWords, Flown};
pub use histogram::{HistogramWords, Summary};
pub use log_ring::{LogReader, LogRecord, LogWriter, SLOT_COUNT, SLOT_SIZE, install};
