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
            *due = now - now % self.interval_ns + self.interval_ns;
        }
        Ok(Poll::Until(*due))
    }
}
