//! `[[stage]]` tables.

use std::time::Duration;

use super::sources::pair;
use super::table::Table;
use super::value::{FromValue, integer};
use crate::codec::Endian;
use crate::codec::nmea::{Checksum, Settings};
use crate::pipeline::{NodeKind, Stage};
use crate::stage::{
    Binary, BinaryField, BinaryKind, Decimate, Delimited, DelimitedField, DelimitedKind, DelimitedSettings,
    LineChecksum, MovingAverage, Nmea, Scale, ScaleField, Statistics, Threshold, Window,
};

/// The types of stages.
pub(super) const TYPES: [&str; 8] =
    ["nmea", "delimited", "binary", "scale", "average", "decimate", "threshold", "statistics"];

/// Longest text of a delimited field where the file does not say.
const TEXT_MAX: u16 = 32;

/// The stage that the table describes; `None` after problems were noted.
pub(super) fn stage(kind: &str, table: &Table<'_>) -> Option<NodeKind> {
    let stage: Box<dyn Stage> = match kind {
        "nmea" => Box::new(nmea(table)),
        "delimited" => Box::new(delimited(table)?),
        "binary" => Box::new(binary(table)?),
        "scale" => Box::new(scale(table)?),
        "average" => {
            let window: Option<usize> = table.required("window");
            let fields = table.texts("fields").unwrap_or_default();
            Box::new(MovingAverage::new(window?, fields))
        }
        "decimate" => Box::new(Decimate::new(table.required("every")?)),
        "threshold" => {
            let field: Option<String> = table.required("field");
            let (rise, fall) = (table.required("rise"), table.required("fall"));
            Box::new(Threshold::new(field?, rise?, fall?))
        }
        _ => Box::new(statistics(table)?),
    };
    Some(NodeKind::Stage(stage))
}

fn nmea(table: &Table<'_>) -> Nmea {
    let checksum = table.choice("checksum", &[("required", Checksum::Required), ("optional", Checksum::Optional)]);
    let defaults = Settings::default();
    let derive_speed = table.optional("derive_speed").unwrap_or(defaults.derive_speed);
    Nmea::new(checksum.unwrap_or_default(), Settings { derive_speed, ..defaults })
}

fn delimited(table: &Table<'_>) -> Option<Delimited> {
    let separator = table.optional("separator").unwrap_or(',');
    let starts_with = table.optional("starts_with");
    let skip_others = table.optional("skip_others").unwrap_or(false);
    let checksum = table.choice("checksum", &[("nmea-xor", LineChecksum::Xor)]);
    let fields = fields(table, delimited_field);
    Some(Delimited::new(DelimitedSettings { separator, starts_with, skip_others, checksum, fields: fields? }))
}

/// The list `fields`, each read by `read`; a list that is empty or partly wrong is none.
fn fields<'d, T>(table: &Table<'d>, read: impl Fn(&Table<'d>) -> Option<T>) -> Option<Vec<T>> {
    if table.raw("fields").is_none() {
        table.missing("fields", "a list of tables: [{ name = \"x\", ... }]");
        return None;
    }
    let tables = table.tables("fields");
    let read_all = |table: &Table<'d>| {
        let field = read(table);
        table.finish();
        field
    };
    // All are read before any counts as wrong, so that every problem is shown.
    let fields: Vec<Option<T>> = tables.iter().map(read_all).collect();
    fields.into_iter().collect::<Option<Vec<T>>>().filter(|fields| !fields.is_empty())
}

#[derive(Clone, Copy)]
enum Kind {
    F64,
    I64,
    Text,
    Time,
}

fn delimited_field(table: &Table<'_>) -> Option<DelimitedField> {
    let name = table.required("name");
    let unit = table.optional("unit").unwrap_or_default();
    let kinds = [("f64", Kind::F64), ("i64", Kind::I64), ("text", Kind::Text), ("time", Kind::Time)];
    let max = table.optional("max").unwrap_or(TEXT_MAX);
    let kind = match table.choice("type", &kinds).unwrap_or(Kind::F64) {
        Kind::F64 => DelimitedKind::F64,
        Kind::I64 => DelimitedKind::I64,
        Kind::Text => DelimitedKind::Text { max },
        Kind::Time => DelimitedKind::Time,
    };
    let (index, prefix) = (table.optional("column"), table.optional("prefix"));
    Some(DelimitedField { name: name?, unit, kind, index, prefix })
}

const BINARY_KINDS: [(&str, BinaryKind); 10] = [
    ("u8", BinaryKind::U8),
    ("u16", BinaryKind::U16),
    ("u32", BinaryKind::U32),
    ("u64", BinaryKind::U64),
    ("i8", BinaryKind::I8),
    ("i16", BinaryKind::I16),
    ("i32", BinaryKind::I32),
    ("i64", BinaryKind::I64),
    ("f32", BinaryKind::F32),
    ("f64", BinaryKind::F64),
];

fn binary(table: &Table<'_>) -> Option<Binary> {
    let endian = endian(table).unwrap_or(Endian::Little);
    Some(Binary::new(fields(table, |field| binary_field(field, endian))?))
}

fn endian(table: &Table<'_>) -> Option<Endian> {
    table.choice("endian", &[("little", Endian::Little), ("big", Endian::Big)])
}

fn binary_field(table: &Table<'_>, endian_of_all: Endian) -> Option<BinaryField> {
    let (name, at) = (table.required("name"), table.required("at"));
    let unit = table.optional("unit").unwrap_or_default();
    if table.raw("type").is_none() {
        table.missing("type", "one of u8 u16 u32 u64 i8 i16 i32 i64 f32 f64");
    }
    let kind = table.choice("type", &BINARY_KINDS);
    let endian = endian(table).unwrap_or(endian_of_all);
    let bits = pair(table, "bits");
    let (scale, offset) = (table.optional("scale").unwrap_or(1.0), table.optional("offset").unwrap_or(0.0));
    Some(BinaryField { name: name?, unit, kind: kind?, endian, at: at?, bits, scale, offset })
}

fn scale(table: &Table<'_>) -> Option<Scale> {
    let fields = fields(table, |field| {
        let name = field.required("field");
        let (scale, offset) = (field.optional("scale").unwrap_or(1.0), field.optional("offset").unwrap_or(0.0));
        Some(ScaleField { field: name?, scale, offset, unit: field.optional("unit") })
    });
    Some(Scale::new(fields?))
}

/// `window`: a number of messages, or a time.
fn statistics(table: &Table<'_>) -> Option<Statistics> {
    let fields = table.texts("fields").unwrap_or_default();
    let Some(value) = table.raw("window") else {
        table.missing("window", "a number of messages, or a time such as \"1s\"");
        return None;
    };
    let count = integer(value.get_ref()).and_then(|count| u64::try_from(count).ok()).map(Window::Count);
    let window = count.or_else(|| Duration::from_value(value.get_ref()).map(Window::Time));
    if window.is_none() {
        table.wrong("window", value, "a number of messages, or a time such as \"1s\"");
    }
    Some(Statistics::new(window?, fields))
}
