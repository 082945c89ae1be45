//! What a person looks at: the live table and the closing report.

mod format;
mod lines;
mod live;
mod report;
mod table;

pub use format::{bytes, count, nanos, per_second};
pub use lines::status_line;
pub use live::Live;
pub use report::{Hop, closing_json, closing_text, hops};
pub use table::{COLUMNS, Rates, rows};
