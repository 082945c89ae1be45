//! What travels on an edge: a schema known before anything starts, and records laid out by it.
//!
//! A record is a [`Header`] (times, sequence number, origin) followed by a payload of fixed size.
//! Each field sits at an offset that the [`Schema`] fixes, so a stage reads and writes fields in
//! place; nothing is parsed or allocated on the way.
//!
//! ```
//! use pinring::message::{Field, FieldType, Header, Record, RecordMut, Schema};
//!
//! let schema = Schema::new(vec![
//!     Field::new("temperature", "degC", FieldType::F64),
//!     Field::new("station", "", FieldType::Text { max: 8 }),
//! ])?;
//! let mut header = Header::default();
//! let mut payload = vec![0; schema.payload_size()];
//!
//! let mut record = RecordMut::new(&schema, &mut header, &mut payload);
//! record.clear();
//! record.set_f64(0, 21.5);
//! record.set_text(1, "roof");
//!
//! let record = Record::new(&schema, &header, &payload);
//! assert_eq!(record.f64(0), 21.5);
//! assert_eq!(record.text(1), "roof");
//! # Ok::<(), pinring::message::SchemaError>(())
//! ```

mod header;
mod record;
mod schema;
mod show;

pub use header::Header;
pub use record::{Record, RecordMut, Value};
pub use schema::{Field, FieldType, Schema, SchemaError};
