//! A switch with hysteresis: one message each time a value crosses its limits.

use super::select::{common_schema, numeric_index};
use crate::message::{Field, FieldType, Record, Schema};
use crate::pipeline::{Emitter, Input, Output, PlanError, Stage};

/// Switches on when the field reaches `rise`, off when it falls to `fall`, and emits one message at each change:
/// `state` (bool) and the field with the value that made the change.
///
/// Before the first value outside the band `fall < value < rise` the state is not known and nothing is emitted; that
/// value makes the first message, whichever way it lies. So the newest message always tells the state, also for an alarm
/// on low values: there `state` is true while all is well and false is the alarm. A missing value changes nothing.
#[derive(Clone, Debug)]
pub struct Threshold {
    field: String,
    rise: f64,
    fall: f64,
    index: usize,
}

/// What the state word says.
const UNKNOWN: u64 = 0;
const OFF: u64 = 1;
const ON: u64 = 2;

impl Threshold {
    /// Watches `field`; `rise` and `fall` are in its unit, and `rise` lies above `fall`.
    pub fn new(field: impl Into<String>, rise: f64, fall: f64) -> Self {
        Self { field: field.into(), rise, fall, index: 0 }
    }
}

impl Stage for Threshold {
    fn kind(&self) -> &'static str {
        "threshold"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        let (schema, rate) = common_schema(inputs)?;
        self.index = numeric_index(schema, "field", &self.field)?;
        let (rise, fall) = (self.rise, self.fall);
        // Also refuses NaN.
        if rise.partial_cmp(&fall) != Some(std::cmp::Ordering::Greater) {
            return Err(PlanError::key(
                "rise",
                format!(
                    "rise ({rise}) must lie above fall ({fall}), the band between keeps noise from switching; \
                     for an alarm on low values use the same two and take `state` = false as the alarm"
                ),
            ));
        }
        if self.field == "state" {
            return Err(PlanError::key("field", "the output has its own field `state`; rename the input's"));
        }
        let unit = schema.fields()[self.index].unit.as_str();
        let fields = vec![Field::new("state", "", FieldType::Bool), Field::new(&self.field, unit, FieldType::F64)];
        // Every message may be a change; rings are laid out for that.
        Ok(Output { schema: Schema::new(fields)?, state_size: size_of::<u64>(), max_per_step: 1, rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, state: &mut [u8], out: &mut Emitter<'_>) {
        let state: &mut u64 = bytemuck::from_bytes_mut(&mut state[..size_of::<u64>()]);
        let value = record.f64(self.index);
        // Both comparisons are false for NaN, a missing value.
        let now = if value >= self.rise {
            ON
        } else if value <= self.fall {
            OFF
        } else {
            UNKNOWN
        };
        if now == UNKNOWN || now == *state {
            return;
        }
        *state = now;
        out.emit(|change| {
            change.set_bool(0, now == ON);
            change.set_f64(1, value);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::rig::Rig;

    fn schema() -> Schema {
        Schema::new(vec![Field::new("t", "degC", FieldType::F64), Field::new("state", "", FieldType::I64)]).unwrap()
    }

    fn changes(values: &[f64]) -> Vec<(i64, f64)> {
        let mut rig = Rig::new(Threshold::new("t", 30.0, 28.0), schema()).unwrap();
        let mut seen = Vec::new();
        for value in values {
            if rig.feed(|record| record.set_f64(0, *value)) == 1 {
                seen.push((rig.last().i64(0).unwrap(), rig.last().f64(1)));
            }
        }
        seen
    }

    #[test]
    fn noise_inside_the_band_does_not_switch() {
        assert_eq!(changes(&[20.0, 29.9, 30.0, 28.1, 31.0, 28.0, 29.0, 27.0]), [(0, 20.0), (1, 30.0), (0, 28.0)]);
    }

    #[test]
    fn an_alarm_on_at_the_start_is_told_and_one_not_yet_known_is_not() {
        assert_eq!(changes(&[35.0]), [(1, 35.0)]);
        assert_eq!(changes(&[29.0]), []);
    }

    #[test]
    fn a_missing_value_leaves_the_state() {
        assert_eq!(changes(&[35.0, f64::NAN, 36.0]), [(1, 35.0)]);
    }

    #[test]
    fn limits_without_a_band_are_refused() {
        for (rise, fall) in [(1.0, 1.0), (1.0, 2.0), (f64::NAN, 0.0)] {
            let error = Rig::new(Threshold::new("t", rise, fall), schema()).unwrap_err();
            assert_eq!(error.key, Some("rise"));
        }
        assert_eq!(Rig::new(Threshold::new("state", 1.0, 0.0), schema()).unwrap_err().key, Some("field"));
    }

    #[test]
    fn the_unit_is_kept() {
        let rig = Rig::new(Threshold::new("t", 30.0, 28.0), schema()).unwrap();
        assert_eq!(rig.output.schema.to_string(), "state bool, t [degC] f64");
    }
}
