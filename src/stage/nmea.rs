//! NMEA 0183 sentences into fixes.

use crate::codec::nmea::{Epoch, Fix, parse};
use crate::message::{Field, FieldType, Record, RecordMut, Schema};
use crate::pipeline::{Emitter, Input, Output, PlanError, Stage};

/// Takes lines, gives one message per moment: `time`, `lat`, `lon`, `alt`, `speed`, `track`, `mode`, `quality`,
/// `satellites`, `hdop`. A line that is no sentence, or a damaged one, is rejected; sentences that say nothing about the
/// fix are passed over.
///
/// Each fix carries the times of the sentence that completed it; one that is completed by the end of the input those of
/// the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nmea;

const STATE: usize = size_of::<Epoch>();

/// Sentences a receiver sends for one moment, usually.
const SENTENCES: f64 = 4.0;

fn fields() -> Vec<Field> {
    let float = |name, unit| Field::new(name, unit, FieldType::F64);
    let whole = |name| Field::new(name, "", FieldType::I64);
    vec![
        Field::new("time", "", FieldType::Time),
        float("lat", "deg"),
        float("lon", "deg"),
        float("alt", "m"),
        float("speed", "m/s"),
        float("track", "deg"),
        whole("mode"),
        whole("quality"),
        whole("satellites"),
        float("hdop", ""),
    ]
}

fn write(record: &mut RecordMut<'_>, fix: &Fix) {
    if let Some(utc) = fix.utc_ns {
        record.set_i64(0, utc);
    }
    let floats = [fix.latitude_deg, fix.longitude_deg, fix.altitude_m, fix.speed_mps, fix.track_deg];
    for (index, value) in (1..).zip(floats) {
        record.set_f64(index, value.unwrap_or(f64::NAN));
    }
    let whole = [Some(fix.mode), fix.quality, fix.satellites];
    for (index, value) in (6..).zip(whole) {
        if let Some(value) = value {
            record.set_i64(index, i64::from(value));
        }
    }
    record.set_f64(9, fix.hdop.unwrap_or(f64::NAN));
}

impl Stage for Nmea {
    fn kind(&self) -> &'static str {
        "nmea"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        for input in inputs {
            let fields = input.schema.fields();
            let is_line =
                matches!(fields, [field] if matches!(field.kind, FieldType::Text { .. } | FieldType::Bytes { .. }));
            if !is_line {
                let message = format!("nmea takes lines of text, but `{}` gives: {}", input.name, input.schema);
                return Err(PlanError::input(message));
            }
        }
        if inputs.len() > 1 {
            return Err(PlanError::input("nmea takes one receiver; give each its own stage"));
        }
        let rate = inputs[0].rate / SENTENCES;
        Ok(Output { schema: Schema::new(fields())?, state_size: STATE, max_per_step: 1, rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, state: &mut [u8], out: &mut Emitter<'_>) {
        let epoch: &mut Epoch = bytemuck::from_bytes_mut(&mut state[..STATE]);
        match parse(record.bytes(0)) {
            Ok(sentence) => {
                if let Some(fix) = epoch.take(&sentence) {
                    out.emit(|record| write(record, &fix));
                }
            }
            Err(_) => out.reject(),
        }
    }

    fn finish(&self, state: &mut [u8], out: &mut Emitter<'_>) {
        let epoch: &mut Epoch = bytemuck::from_bytes_mut(&mut state[..STATE]);
        if let Some(fix) = epoch.finish() {
            out.emit(|record| write(record, &fix));
        }
    }
}
