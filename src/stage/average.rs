//! Moving average over the last messages.

use super::select::{common_schema, numeric_fields};
use crate::message::{FieldType, Record, Schema};
use crate::pipeline::{Emitter, Input, Output, PlanError, Stage};

/// Replaces each field by the mean of its last `window` messages; other fields pass through.
///
/// Averaged fields become `F64` of the same unit. A missing value takes its place in the window but not in the mean; where
/// the whole window is missing, so is the mean. The first messages are averaged over what is there.
///
/// The mean is computed anew from the window each time, never carried on by adding and subtracting: so it depends on these
/// values alone, no rounding error grows over months, and one outlier is forgotten entirely when it leaves.
/// The cost per message grows with the window; that, and the copy of the state at each step, is why window times fields is
/// limited to 4096.
///
/// State: the number of messages seen (u64), then for each field a ring of `window` floats, NaN where missing.
#[derive(Clone, Debug)]
pub struct MovingAverage {
    window: usize,
    fields: Vec<String>,
    /// For each field of the message: which ring holds it, where it is averaged.
    rings: Vec<Option<usize>>,
}

/// Most values kept: the state (32 KiB then) is copied at each step.
const MAX_VALUES: usize = 4096;

impl MovingAverage {
    /// Averages the fields named over `window` messages; with none named, all floats and integers.
    pub fn new(window: usize, fields: Vec<String>) -> Self {
        Self { window, fields, rings: Vec::new() }
    }
}

impl Stage for MovingAverage {
    fn kind(&self) -> &'static str {
        "average"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        let (schema, rate) = common_schema(inputs)?;
        let chosen = numeric_fields(schema, &self.fields)?;
        if self.window == 0 {
            return Err(PlanError::key("window", "must be 1 or more messages"));
        }
        let most = MAX_VALUES / chosen.len();
        if self.window > most {
            return Err(PlanError::key(
                "window",
                format!(
                    "{} messages of {} fields are more than a step can carry (at most {most} messages here); \
                     name fewer fields, or average and decimate in two stages",
                    self.window,
                    chosen.len()
                ),
            ));
        }
        let mut fields = schema.fields().to_vec();
        self.rings = vec![None; fields.len()];
        for (ring, index) in chosen.iter().enumerate() {
            fields[*index].kind = FieldType::F64;
            self.rings[*index] = Some(ring);
        }
        let state_size = size_of::<u64>() + chosen.len() * self.window * size_of::<f64>();
        Ok(Output { schema: Schema::new(fields)?, state_size, max_per_step: 1, rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, state: &mut [u8], out: &mut Emitter<'_>) {
        let (seen, rings) = state.split_at_mut(size_of::<u64>());
        let seen: &mut u64 = bytemuck::from_bytes_mut(seen);
        let rings: &mut [f64] = bytemuck::cast_slice_mut(rings);
        // Lossless: a window has at most MAX_VALUES places.
        let place = usize::try_from(*seen % self.window as u64).unwrap_or(0);
        *seen += 1;
        let filled = usize::try_from(*seen).map_or(self.window, |seen| seen.min(self.window));
        out.emit(|averaged| {
            for (index, ring) in self.rings.iter().enumerate() {
                let Some(ring) = ring else {
                    averaged.copy_field(index, record, index);
                    continue;
                };
                let ring = &mut rings[ring * self.window..][..self.window];
                ring[place] = record.f64(index);
                averaged.set_f64(index, mean(&ring[..filled]));
            }
        });
    }
}

/// Mean of what is not NaN; NaN where nothing is. The second pass adds the mean deviation, which takes back
/// nearly all rounding of the first.
fn mean(values: &[f64]) -> f64 {
    let there = || values.iter().copied().filter(|value| !value.is_nan());
    #[expect(clippy::cast_precision_loss, reason = "at most MAX_VALUES")]
    let count = there().count() as f64;
    let rough = there().sum::<f64>() / count;
    if rough.is_finite() { rough + there().map(|value| value - rough).sum::<f64>() / count } else { rough }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Field, Value};
    use crate::stage::rig::Rig;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("x", "m", FieldType::F64),
            Field::new("n", "", FieldType::I64),
            Field::new("ok", "", FieldType::Bool),
        ])
        .unwrap()
    }

    fn averages(window: usize, values: &[f64]) -> Vec<f64> {
        let mut rig = Rig::new(MovingAverage::new(window, vec!["x".into()]), schema()).unwrap();
        let one = |value: &f64| {
            rig.feed(|record| record.set_f64(0, *value));
            rig.last().f64(0)
        };
        values.iter().map(one).collect()
    }

    #[test]
    fn the_window_moves_and_starts_with_what_is_there() {
        assert_eq!(averages(3, &[3.0, 5.0, 10.0, 0.0, 2.0]), [3.0, 4.0, 6.0, 5.0, 4.0]);
    }

    #[test]
    fn missing_values_are_skipped() {
        let means = averages(2, &[f64::NAN, 4.0, f64::NAN, f64::NAN, 1.0]);
        assert!(means[0].is_nan() && means[3].is_nan());
        assert_eq!((means[1], means[2], means[4]), (4.0, 4.0, 1.0));
    }

    #[test]
    fn an_outlier_leaves_no_trace_and_equal_values_average_to_themselves() {
        let mut values = vec![0.1; 7];
        values.push(1e300);
        values.push(f64::INFINITY);
        values.extend([0.1; 10]);
        let means = averages(10, &values);
        assert_eq!(means[6], 0.1);
        assert_eq!(means[8], f64::INFINITY);
        assert_eq!(means[18], 0.1, "both have left the window");
    }

    #[test]
    fn without_names_all_numbers_are_averaged_and_switches_pass() {
        let mut rig = Rig::new(MovingAverage::new(2, vec![]), schema()).unwrap();
        assert_eq!(rig.output.schema.to_string(), "x [m] f64, n f64, ok bool");
        assert_eq!(rig.output.state_size, 8 + 2 * 2 * 8);
        for n in [1, 2] {
            rig.feed(|record| {
                record.set_i64(1, n);
                record.set_bool(2, true);
            });
        }
        assert_eq!(rig.last().f64(1), 1.5);
        assert_eq!(rig.last().value(2), Value::Bool(true));
    }

    #[test]
    fn a_window_that_a_step_cannot_carry_is_refused() {
        for window in [0, 5000] {
            let error = Rig::new(MovingAverage::new(window, vec!["x".into()]), schema()).unwrap_err();
            assert_eq!(error.key, Some("window"));
        }
    }
}
