//! `[[sink]]` tables.

use std::time::Duration;

use super::table::Table;
use super::value::{Bytes, FromValue};
use crate::pipeline::NodeKind;
use crate::sink::{Csv, CsvOptions, Format, Stdout};

/// The types of sinks.
pub(super) const TYPES: [&str; 2] = ["csv", "stdout"];

/// The sink that the table describes; `None` after problems were noted.
pub(super) fn sink(kind: &str, table: &Table<'_>) -> Option<NodeKind> {
    match kind {
        "csv" => csv(table),
        _ => {
            let format = table.choice("format", &[("text", Format::Text), ("json", Format::Json)]);
            Some(NodeKind::Sink(Box::new(Stdout::new(format.unwrap_or(Format::Text)))))
        }
    }
}

fn csv(table: &Table<'_>) -> Option<NodeKind> {
    let path: Option<String> = table.required("path");
    let at_least =
        |key, least: Duration| table.optional_where(key, &Duration::expected(), move |time: &Duration| *time >= least);
    let rotate_size = table.optional::<Bytes>("rotate_size").map(|Bytes(size)| size);
    let rotate_every = at_least("rotate_every", Duration::from_secs(1));
    let (flush, sync) = (at_least("flush", Duration::ZERO), at_least("sync", Duration::from_millis(10)));
    let defaults = CsvOptions::new(path?);
    let options = CsvOptions {
        rotate_size,
        rotate_every,
        flush: flush.unwrap_or(defaults.flush),
        sync: sync.unwrap_or(defaults.sync),
        ..defaults
    };
    Some(NodeKind::Sink(Box::new(Csv::new(options))))
}
