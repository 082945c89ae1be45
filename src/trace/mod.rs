//! What workers tell about themselves: histograms and log records, in the segment.

mod facade;
#[allow(unsafe_code)]
mod histogram;
mod log_ring;

pub use facade::set_parent_logger;
pub use histogram::{HistogramWords, Summary};
pub use log_ring::{LogReader, LogRecord, LogWriter, SLOT_COUNT, SLOT_SIZE, install};
