//! The board's own temperatures as a source.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::message::{Field, FieldType, Header, Schema};
use crate::pipeline::{Emitter, Output, PlanError, Poll, Source, SourceIo};
use crate::sensor::{TemperatureSensor, temperatures};

/// Reads all temperature sensors of the board at an interval: one message, one field per sensor in degrees Celsius.
/// A sensor that gives nothing at that moment is missing in the message.
#[derive(Debug)]
pub struct Temperature {
    interval_ns: u64,
    root: PathBuf,
    sensors: Vec<TemperatureSensor>,
    files: Vec<io::Result<File>>,
}

impl Temperature {
    /// Reads every `interval`.
    pub fn new(interval: Duration) -> Self {
        let interval_ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self { interval_ns, root: "/".into(), sensors: Vec::new(), files: Vec::new() }
    }

    /// Reads below another root than `/`.
    pub fn below(mut self, root: &Path) -> Self {
        root.clone_into(&mut self.root);
        self
    }

    /// Whether the board has a sensor.
    pub fn is_available() -> bool {
        !temperatures(Path::new("/")).is_empty()
    }
}

impl Source for Temperature {
    fn kind(&self) -> &'static str {
        "temperature"
    }

    fn plan(&mut self) -> Result<Output, PlanError> {
        self.sensors = temperatures(&self.root);
        if self.sensors.is_empty() {
            let message = "this machine shows no temperature sensor (neither hwmon nor a thermal zone)";
            return Err(PlanError::key("type", message));
        }
        let field = |sensor: &TemperatureSensor| Field::new(&sensor.name, "degC", FieldType::F64);
        let schema = Schema::new(self.sensors.iter().map(field).collect())?;
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = 1e9 / self.interval_ns as f64;
        Ok(Output { schema, state_size: 8, max_per_step: 1, rate })
    }

    fn resume(&mut self, _: &mut [u8], _: &mut dyn SourceIo) -> io::Result<()> {
        self.files = self.sensors.iter().map(|sensor| File::open(&sensor.path)).collect();
        Ok(())
    }

    fn poll(&mut self, state: &mut [u8], out: &mut Emitter<'_>, io: &mut dyn SourceIo) -> io::Result<Poll> {
        if io.is_draining() {
            return Ok(Poll::Finished);
        }
        let due: &mut u64 = &mut bytemuck::cast_slice_mut(state)[0];
        let now = io.now_ns();
        if now >= *due {
            out.stamp(Header { arrived_ns: now, utc_ns: io.utc_ns(), ..Header::default() });
            out.emit(|record| {
                for (index, file) in self.files.iter().enumerate() {
                    record.set_f64(index, TemperatureSensor::read(file).unwrap_or(f64::NAN));
                }
            });
            // Multiples of the interval, whatever was late; what was missed is not made up for.
            *due = (now - now % self.interval_ns).saturating_add(self.interval_ns);
        }
        Ok(Poll::Until(*due))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::test_clock::Clock;
    use super::*;
    use crate::pipeline::Counters;

    /// A board with two thermal zones.
    fn board() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (zone, kind, value) in [("thermal_zone0", "cpu", "40000\n"), ("thermal_zone1", "gpu", "41500\n")] {
            let folder = root.path().join("sys/class/thermal").join(zone);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("type"), kind).unwrap();
            fs::write(folder.join("temp"), value).unwrap();
        }
        root
    }

    /// One step of `source` at `now_ns`: what it says, and the values of each message.
    fn step(source: &mut Temperature, output: &Output, state: &mut [u64], now_ns: u64) -> (Poll, Vec<[f64; 2]>) {
        let mut slots = vec![0u64; Emitter::stride(&output.schema) / 8];
        let mut counters = Counters::default();
        let mut out = Emitter::new(&output.schema, bytemuck::cast_slice_mut(&mut slots), &mut counters);
        let mut clock = Clock { now_ns, draining: false };
        let poll = source.poll(bytemuck::cast_slice_mut(state), &mut out, &mut clock).unwrap();
        (poll, out.records().map(|record| [record.f64(0), record.f64(1)]).collect())
    }

    fn started(root: &Path, state: &mut [u64]) -> (Temperature, Output) {
        let mut source = Temperature::new(Duration::from_nanos(100)).below(root);
        let output = source.plan().unwrap();
        let mut clock = Clock { now_ns: 0, draining: false };
        source.resume(bytemuck::cast_slice_mut(state), &mut clock).unwrap();
        (source, output)
    }

    #[test]
    fn every_sensor_is_a_column_in_degrees() {
        let output = started(board().path(), &mut [0]).1;
        assert_eq!(output.schema.to_string(), "cpu [degC] f64, gpu [degC] f64");
        assert_eq!((output.state_size, output.max_per_step, output.rate), (8, 1, 1e7));
    }

    #[test]
    fn sensors_are_read_afresh_at_each_interval_and_not_between() {
        let (root, mut state) = (board(), [0]);
        let (mut source, output) = started(root.path(), &mut state);
        assert_eq!(step(&mut source, &output, &mut state, 1_030), (Poll::Until(1_100), vec![[40.0, 41.5]]));
        fs::write(root.path().join("sys/class/thermal/thermal_zone0/temp"), "-2000\n").unwrap();
        assert_eq!(step(&mut source, &output, &mut state, 1_099), (Poll::Until(1_100), vec![]));
        assert_eq!(step(&mut source, &output, &mut state, 1_350), (Poll::Until(1_400), vec![[-2.0, 41.5]]));
    }

    #[test]
    fn a_restarted_worker_keeps_the_beat() {
        let (root, mut state) = (board(), [0]);
        let (mut source, output) = started(root.path(), &mut state);
        assert_eq!(step(&mut source, &output, &mut state, 1_000).1.len(), 1);
        let (mut source, output) = started(root.path(), &mut state);
        assert_eq!(step(&mut source, &output, &mut state, 1_050), (Poll::Until(1_100), vec![]));
    }

    #[test]
    fn a_sensor_that_gives_nothing_is_missing_and_the_others_go_on() {
        let (root, mut state) = (board(), [0]);
        let (mut source, output) = started(root.path(), &mut state);
        fs::write(root.path().join("sys/class/thermal/thermal_zone0/temp"), "").unwrap();
        let values = step(&mut source, &output, &mut state, 1_000).1;
        assert!(values[0][0].is_nan());
        assert_eq!(values[0][1], 41.5);
    }

    #[test]
    fn draining_ends_it_at_once() {
        let (root, mut state) = (board(), [0u64]);
        let (mut source, output) = started(root.path(), &mut state);
        let mut counters = Counters::default();
        let mut out = Emitter::new(&output.schema, &mut [], &mut counters);
        let mut clock = Clock { now_ns: 9, draining: true };
        let poll = source.poll(bytemuck::cast_slice_mut(&mut state), &mut out, &mut clock).unwrap();
        assert_eq!(poll, Poll::Finished);
    }

    #[test]
    fn a_machine_without_a_sensor_is_refused_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let error = Temperature::new(Duration::from_secs(1)).below(root.path()).plan().unwrap_err();
        assert!(error.message.contains("no temperature sensor"), "{error}");
    }

    #[test]
    fn an_interval_longer_than_any_uptime_is_no_accident() {
        let (root, mut state) = (board(), [0]);
        let (mut source, output) = started(root.path(), &mut state);
        source.interval_ns = (1 << 63) + 1;
        assert_eq!(step(&mut source, &output, &mut state, (1 << 63) + 2).0, Poll::Until(u64::MAX));
    }
}
