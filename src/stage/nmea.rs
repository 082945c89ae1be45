//! NMEA sentences to positions.

use crate::codec::nmea::{Assembler, Checksum, NmeaError, Position, Settings, parse};
use crate::message::{Field, FieldType, Record, RecordMut, Schema};
use crate::pipeline::{Emitter, Input, Output, PlanError, Stage};

/// Merges the sentences of a GNSS receiver into one message per fix.
///
/// Input: one node whose messages hold a line each, in their first `Text` or `Bytes` field. Output:
///
/// | field | unit | meaning |
/// |---|---|---|
/// | `time` | | UTC of the fix, missing until a sentence has told the date |
/// | `lat`, `lon` | deg | north and east positive; place and motion are missing without a fix |
/// | `alt` | m | above mean sea level |
/// | `speed` | m/s | over ground |
/// | `track` | deg | true course over ground |
/// | `mode` | | 0 not told, 1 no fix, 2 without altitude, 3 with, as gpsd's TPV counts |
/// | `quality` | | as GGA counts: 0 none, 1 GPS, 2 differential, 4 RTK, 5 float RTK, 6 estimated, 8 simulator |
/// | `satellites` | | used |
/// | `hdop` | | horizontal dilution of precision |
///
/// A message goes out with the last sentence of its epoch, once two epochs have shown which that is, and before
/// with the first sentence of the next ([`Assembler`]). It carries the times and origin of the sentence it went out with.
///
/// A sentence with a wrong checksum, or one too short for its type, counts as rejected. A line that is no
/// sentence at all (boot messages, comments in a recording) is no transmission error: its bytes count as stray.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nmea {
    checksum: Checksum,
    settings: Settings,
    /// Index of the input's field that holds the line.
    field: usize,
}

impl Nmea {
    /// A stage with these settings; [`Nmea::default`] refuses sentences without a checksum, believes every date
    /// and computes a speed where none is told.
    pub fn new(checksum: Checksum, settings: Settings) -> Self {
        Self { checksum, settings, field: 0 }
    }
}

fn schema() -> Result<Schema, PlanError> {
    Ok(Schema::new(vec![
        Field::new("time", "", FieldType::Time),
        Field::new("lat", "deg", FieldType::F64),
        Field::new("lon", "deg", FieldType::F64),
        Field::new("alt", "m", FieldType::F64),
        Field::new("speed", "m/s", FieldType::F64),
        Field::new("track", "deg", FieldType::F64),
        Field::new("mode", "", FieldType::I64),
        Field::new("quality", "", FieldType::I64),
        Field::new("satellites", "", FieldType::I64),
        Field::new("hdop", "", FieldType::F64),
    ])?)
}

fn fill(record: &mut RecordMut<'_>, position: &Position) {
    let integers = [
        (0, position.time_ns),
        (6, Some(i64::from(position.mode))),
        (7, position.quality.map(i64::from)),
        (8, position.satellites.map(i64::from)),
    ];
    for (index, value) in integers {
        if let Some(value) = value {
            record.set_i64(index, value);
        }
    }
    let floats = [
        (1, position.latitude_deg),
        (2, position.longitude_deg),
        (3, position.altitude_m),
        (4, position.speed_mps),
        (5, position.track_deg),
        (9, position.hdop),
    ];
    for (index, value) in floats {
        record.set_f64(index, value.unwrap_or(f64::NAN));
    }
}

impl Stage for Nmea {
    fn kind(&self) -> &'static str {
        "nmea"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        let [input] = inputs else {
            return Err(PlanError::input(format!(
                "decodes the sentences of one receiver, but {} nodes feed it; give each receiver an nmea stage of its own",
                inputs.len()
            )));
        };
        let is_line = |field: &Field| matches!(field.kind, FieldType::Text { .. } | FieldType::Bytes { .. });
        self.field = input.schema.fields().iter().position(is_line).ok_or_else(|| {
            PlanError::input(format!(
                "`{}` emits {}, where no field is text or bytes; an nmea stage needs the receiver's lines, as a source with \
                 frame = {{ type = \"line\" }} gives them",
                input.name, input.schema
            ))
        })?;
        Ok(Output { schema: schema()?, state_size: size_of::<Assembler>(), max_per_step: 2, rate: input.rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, state: &mut [u8], out: &mut Emitter<'_>) {
        let line = record.bytes(self.field);
        let sentence = match parse(line, self.checksum) {
            Ok(sentence) => sentence,
            Err(NmeaError::NotNmea) => {
                out.counters().stray_bytes += u64::try_from(line.len()).unwrap_or(u64::MAX);
                return;
            }
            Err(_) => return out.reject(),
        };
        let assembler: &mut Assembler = bytemuck::from_bytes_mut(&mut state[..size_of::<Assembler>()]);
        for position in assembler.push(&sentence, self.settings).into_iter().flatten() {
            out.emit(|record| fill(record, &position));
        }
    }

    fn finish(&self, state: &mut [u8], out: &mut Emitter<'_>) {
        let assembler: &mut Assembler = bytemuck::from_bytes_mut(&mut state[..size_of::<Assembler>()]);
        if let Some(position) = assembler.finish(self.settings) {
            out.emit(|record| fill(record, &position));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::nmea::Date;
    use crate::message::Header;
    use crate::pipeline::Counters;

    const CYCLE: [&str; 3] = [
        "$GPGGA,081412.000,5541.1956,N,03737.2877,E,1,5,4.87,66.2,M,14.5,M,,*6A",
        "$GNRMC,081412.000,A,5541.1956,N,03737.2877,E,0.52,301.26,260514,,,A*7F",
        "$GPZDA,081412.000,26,05,2014,,*5E",
    ];

    /// What the stage emits for the lines, as rows of all fields, and what it counted.
    fn run(stage: &mut Nmea, lines: &[&str]) -> (Vec<Vec<f64>>, Counters) {
        let input = Schema::new(vec![Field::new("line", "", FieldType::Text { max: 120 })]).unwrap();
        let plan = stage.plan(&[Input { name: "gps", schema: &input, rate: 8.0 }]).unwrap();
        let mut state = vec![0u64; plan.state_size.div_ceil(8)];
        let (mut counters, mut rows) = (Counters::default(), Vec::new());
        for line in lines {
            let (mut header, mut payload) = (Header::default(), vec![0; input.payload_size()]);
            RecordMut::new(&input, &mut header, &mut payload).set_text(0, line);
            let mut slots = vec![0u64; 2 * Emitter::stride(&plan.schema) / 8];
            let mut out = Emitter::new(&plan.schema, bytemuck::cast_slice_mut(&mut slots), &mut counters);
            stage.process(0, &Record::new(&input, &header, &payload), bytemuck::cast_slice_mut(&mut state), &mut out);
            rows.extend(out.records().map(|record| {
                (0..10)
                    .map(|index| record.i64(index).map_or(record.f64(index), |value| value as f64))
                    .collect::<Vec<_>>()
            }));
        }
        (rows, counters)
    }

    #[test]
    fn an_epoch_is_one_message_with_all_its_fields() {
        let next = "$GPGGA,081413.000,5541.1959,N,03737.2894,E,1,5,4.87,66.2,M,14.5,M,,*69";
        let (rows, counters) = run(&mut Nmea::default(), &[CYCLE[0], CYCLE[1], CYCLE[2], next]);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0][0], 1_401_092_052e9);
        assert!((rows[0][1] - 55.686_593_333).abs() < 1e-9 && (rows[0][2] - 37.621_461_667).abs() < 1e-9);
        assert_eq!(rows[0][3], 66.2);
        assert!((rows[0][4] - 0.268).abs() < 1e-3);
        assert_eq!(rows[0][5..], [301.26, 3.0, 1.0, 5.0, 4.87]);
        assert_eq!((counters.emitted, counters.rejected, counters.stray_bytes), (1, 0, 0));
    }

    #[test]
    fn damaged_sentences_are_rejected_and_other_text_is_stray() {
        let lines =
            [CYCLE[0], "$GNRMC,081412.000,A,5541.1956,N,03737.2878,E,0.52,301.26,260514,,,A*7F", "booting v1.2"];
        let (rows, counters) = run(&mut Nmea::default(), &lines);
        assert!(rows.is_empty());
        assert_eq!((counters.rejected, counters.stray_bytes), (1, 12));
    }

    #[test]
    fn settings_reach_the_decoder() {
        let late = Settings { not_before: Date::new(2017, 1, 1), ..Settings::default() };
        let bare = CYCLE.map(|line| line.split('*').next().unwrap());
        let lines = [bare[0], bare[1], bare[2], "$GPZDA,081413.000,26,05,2014,,"];
        assert_eq!(run(&mut Nmea::default(), &lines).1.rejected, 4);
        let (rows, counters) = run(&mut Nmea::new(Checksum::Optional, late), &lines);
        assert_eq!((rows.len(), counters.rejected), (1, 0));
        assert_eq!(rows[0][0], (1_401_092_052 + 1024 * 7 * 86_400i64) as f64 * 1e9);
    }

    #[test]
    fn an_input_without_text_is_refused_by_name() {
        let input = Schema::new(vec![Field::new("x", "m", FieldType::F64)]).unwrap();
        let error = Nmea::default().plan(&[Input { name: "imu", schema: &input, rate: 1.0 }]).unwrap_err();
        assert_eq!(error.key, Some("input"));
        assert!(error.message.contains("`imu`") && error.message.contains("x [m] f64"), "{error}");
        assert!(Nmea::default().plan(&[]).is_err());
    }
}
