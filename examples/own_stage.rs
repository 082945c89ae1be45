//! A graph in code, with a stage of our own: how far a receiver has travelled. Plays a recording and prints JSON lines.
//! What the stage must remember lies in its state, so a killed worker goes on where it was.

use pinring::bytemuck;
use pinring::codec::{FrameKind, FrameSettings};
use pinring::message::{Field, FieldType, Record, Schema};
use pinring::pipeline::{Emitter, Graph, Input, Output, PlanError, Stage};
use pinring::sink::{Format, Stdout};
use pinring::source::{FileSettings, FileSource, Pace};
use pinring::stage::Nmea;

/// Adds up the way between positions.
struct Odometer;

impl Stage for Odometer {
    fn kind(&self) -> &'static str {
        "odometer"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        let schema = Schema::new(vec![Field::new("way", "m", FieldType::F64)])?;
        // State: the last position, the way so far, and whether there was a position.
        Ok(Output { schema, state_size: 4 * 8, max_per_step: 1, rate: inputs[0].rate })
    }

    fn process(&self, _: usize, fix: &Record<'_>, state: &mut [u8], out: &mut Emitter<'_>) {
        let [latitude, longitude, way, known] = bytemuck::cast_slice_mut::<u8, f64>(state) else { return };
        let (lat, lon) = (fix.f64(1).to_radians(), fix.f64(2).to_radians());
        if lat.is_nan() {
            return out.reject();
        }
        if *known > 0.0 {
            // Flat between two positions: far below a receiver's own error.
            let (north, east) = (lat - *latitude, (lon - *longitude) * lat.cos());
            *way += 6_371_000.0 * north.hypot(east);
        }
        (*latitude, *longitude, *known) = (lat, lon, 1.0);
        out.emit(|record| record.set_f64(0, *way));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut graph = Graph::new();
    graph.source(
        "gps",
        FileSource::new(FileSettings {
            path: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/nmea/pharos-360.log").into(),
            frame: FrameSettings { kind: FrameKind::Line { max: 120 }, crc: None },
            pace: Pace::AtOnce,
            skip_comments: true,
            repeat: false,
        }),
    );
    graph.stage("position", ["gps"], Nmea::default());
    graph.stage("odometer", ["position"], Odometer);
    graph.sink("out", ["odometer"], Stdout::new(Format::Json));
    graph.run()?;
    Ok(())
}
