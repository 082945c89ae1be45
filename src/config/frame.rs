//! `frame = { ... }`: how bytes become frames.

use super::table::Table;
use super::value::Hex;
use crate::codec::{CrcAlgorithm, CrcCoverage, CrcSettings, Endian, FrameKind, FrameSettings, LengthCounts};

const ENDIAN: [(&str, Endian); 2] = [("little", Endian::Little), ("big", Endian::Big)];

#[derive(Clone, Copy)]
enum Kind {
    Line,
    Fixed,
    LengthPrefixed,
    Cobs,
    Slip,
}

const KINDS: [(&str, Kind); 5] = [
    ("line", Kind::Line),
    ("fixed", Kind::Fixed),
    ("length-prefixed", Kind::LengthPrefixed),
    ("cobs", Kind::Cobs),
    ("slip", Kind::Slip),
];

/// Longest frame where the file does not say.
const MAX: u16 = 1024;

/// The frame settings of a source.
pub(super) fn frame(source: &Table<'_>) -> Option<FrameSettings> {
    if source.raw("frame").is_none() {
        source.missing("frame", "for example { type = \"line\", max = 120 }");
        return None;
    }
    let table = source.table("frame")?;
    let Some(_) = table.raw("type") else {
        table.missing("type", &KINDS.map(|(word, _)| format!("\"{word}\"")).join(" or "));
        return None;
    };
    let kind = table.choice("type", &KINDS)?;
    let max = |table: &Table<'_>| table.optional("max").unwrap_or(MAX);
    let kind = match kind {
        Kind::Line => Some(FrameKind::Line { max: max(&table) }),
        Kind::Cobs => Some(FrameKind::Cobs { max: max(&table) }),
        Kind::Slip => Some(FrameKind::Slip { max: max(&table) }),
        Kind::Fixed => table.required("size").map(|size| FrameKind::Fixed { size, sync: sync(&table) }),
        Kind::LengthPrefixed => Some(FrameKind::LengthPrefixed {
            max: max(&table),
            sync: sync(&table),
            length_size: table.optional("length_size").unwrap_or(1),
            endian: table.choice("endian", &ENDIAN).unwrap_or(Endian::Little),
            counts: table
                .choice(
                    "length_counts",
                    &[
                        ("payload", LengthCounts::Payload),
                        ("payload-and-crc", LengthCounts::PayloadAndCrc),
                        ("frame", LengthCounts::Frame),
                    ],
                )
                .unwrap_or(LengthCounts::Payload),
        }),
    };
    let crc = crc(&table);
    table.finish();
    Some(FrameSettings { kind: kind?, crc })
}

fn sync(table: &Table<'_>) -> Vec<u8> {
    table.optional("sync").map_or_else(Vec::new, |Hex(bytes)| bytes)
}

/// `crc = "CRC-16/MODBUS"`, or a table that names or defines it.
fn crc(frame: &Table<'_>) -> Option<CrcSettings> {
    let value = frame.raw("crc")?;
    if let Some(name) = value.get_ref().as_str() {
        let algorithm = CrcAlgorithm::Named(name.to_owned());
        return Some(CrcSettings { algorithm, endian: Endian::Little, covers: CrcCoverage::AfterSync });
    }
    if !value.get_ref().is_table() {
        frame.wrong("crc", value, "a name such as \"CRC-16/MODBUS\", or a table { name = ..., endian = ... }");
        return None;
    }
    let table = frame.inner("crc", value)?;
    let algorithm = match table.optional::<String>("name") {
        Some(name) => CrcAlgorithm::Named(name),
        None => CrcAlgorithm::Custom {
            width: table.required("width")?,
            poly: table.required("poly")?,
            init: table.optional("init").unwrap_or(0),
            refin: table.optional("refin").unwrap_or(false),
            refout: table.optional("refout").unwrap_or(false),
            xorout: table.optional("xorout").unwrap_or(0),
        },
    };
    let endian = table.choice("endian", &ENDIAN).unwrap_or(Endian::Little);
    let covers =
        [("after-sync", CrcCoverage::AfterSync), ("frame", CrcCoverage::Frame), ("payload", CrcCoverage::Payload)];
    let covers = table.choice("covers", &covers).unwrap_or(CrcCoverage::AfterSync);
    table.finish();
    Some(CrcSettings { algorithm, endian, covers })
}
