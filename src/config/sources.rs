//! `[[source]]` tables.

use std::time::Duration;

use super::frame::frame;
use super::table::Table;
use super::value::{FromValue, found};
use crate::pipeline::{NodeKind, Source};
use crate::serial::{DataBits, Flow, Parity, PortSettings};
use crate::source::{FileSettings, FileSource, Pace, Serial, Temperature};

/// The types of sources.
pub(super) const TYPES: [&str; 3] = ["serial", "file", "temperature"];

/// The source that the table describes; `None` after problems were noted.
pub(super) fn source(kind: &str, table: &Table<'_>) -> Option<NodeKind> {
    Some(NodeKind::Source(match kind {
        "serial" => serial(table)?,
        "file" => file(table)?,
        _ => temperature(table),
    }))
}

fn serial(table: &Table<'_>) -> Option<Box<dyn Source>> {
    let port: Option<String> = table.required("port");
    let whole = |most: u32| format!("a whole number from 50 to {most}, without quotes");
    let settings = PortSettings {
        baud: table
            .optional_where("baud", &whole(4_000_000), |baud: &u32| (50..=4_000_000).contains(baud))
            .unwrap_or(115_200),
        data_bits: data_bits(table),
        parity: table
            .choice("parity", &[("none", Parity::None), ("even", Parity::Even), ("odd", Parity::Odd)])
            .unwrap_or(Parity::None),
        stop_bits: table.optional_where("stop_bits", "1 or 2", |bits: &u8| (1..=2).contains(bits)).unwrap_or(1),
        flow: table
            .choice("flow", &[("none", Flow::None), ("hardware", Flow::Hardware), ("software", Flow::Software)])
            .unwrap_or(Flow::None),
    };
    let rate = rate(table);
    let frame = frame(table);
    Some(Box::new(Serial::new(port?, settings, frame?, rate)))
}

fn data_bits(table: &Table<'_>) -> DataBits {
    let bits = table.optional_where("data_bits", "5, 6, 7 or 8", |bits: &u8| (5..=8).contains(bits));
    match bits {
        Some(5) => DataBits::Five,
        Some(6) => DataBits::Six,
        Some(7) => DataBits::Seven,
        _ => DataBits::Eight,
    }
}

fn rate(table: &Table<'_>) -> Option<f64> {
    table.optional_where("rate", "messages per second, more than 0 and at most 1e7", |rate: &f64| {
        *rate > 0.0 && *rate <= 1e7
    })
}

fn file(table: &Table<'_>) -> Option<Box<dyn Source>> {
    let path: Option<String> = table.required("path");
    let pace = pace(table);
    let skip_comments = table.optional("skip_comments").unwrap_or(false);
    let repeat = table.optional("repeat").unwrap_or(false);
    let frame = frame(table);
    Some(Box::new(FileSource::new(FileSettings { path: path?.into(), frame: frame?, pace, skip_comments, repeat })))
}

/// `"at-once"`, `"nmea-time"`, `{ baud = 9600 }` or `{ frames_per_second = 10 }`.
fn pace(table: &Table<'_>) -> Pace {
    let Some(value) = table.raw("pace") else { return Pace::AtOnce };
    if value.get_ref().as_table().is_some() {
        let Some(inner) = table.inner("pace", value) else { return Pace::AtOnce };
        let baud = inner.optional_where("baud", "a whole number from 50", |baud: &u32| *baud >= 50);
        let frames = inner.optional_where("frames_per_second", "a number above 0", |rate: &f64| *rate > 0.0);
        inner.finish();
        return match (baud, frames) {
            (Some(baud), None) => Pace::Baud(baud),
            (None, Some(rate)) => Pace::FramesPerSecond(rate),
            _ => {
                table.wrong("pace", value, "either { baud = ... } or { frames_per_second = ... }");
                Pace::AtOnce
            }
        };
    }
    match value.get_ref().as_str() {
        Some("at-once") => Pace::AtOnce,
        Some("nmea-time") => Pace::NmeaTime,
        _ => {
            let expected = "\"at-once\", \"nmea-time\", { baud = 9600 } or { frames_per_second = 10 }";
            table.wrong("pace", value, expected);
            Pace::AtOnce
        }
    }
}

fn temperature(table: &Table<'_>) -> Box<dyn Source> {
    let interval = table.optional_where("interval", &Duration::expected(), |interval: &Duration| !interval.is_zero());
    Box::new(Temperature::new(interval.unwrap_or(Duration::from_secs(1))))
}

/// A number or list that must hold two whole numbers: `[low, high]`.
pub(super) fn pair(table: &Table<'_>, key: &'static str) -> Option<(u8, u8)> {
    let value = table.raw(key)?;
    let list = value.get_ref().as_array();
    let numbers: Option<Vec<u8>> = list.and_then(|list| list.iter().map(|bit| u8::from_value(bit.get_ref())).collect());
    match numbers.as_deref() {
        Some([low, high]) => Some((*low, *high)),
        _ => {
            let what = found(value.get_ref());
            table.wrong(key, value, &format!("two whole numbers, lowest and highest bit: [0, 3], not {what}"));
            None
        }
    }
}
