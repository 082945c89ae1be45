//! Minimum, maximum, mean and rms over windows that do not overlap.

use std::time::Duration;

use bytemuck::{Pod, Zeroable};

use super::select::{common_schema, numeric_fields};
use crate::message::{Field, FieldType, Record, Schema};
use crate::pipeline::{Emitter, Input, Output, PlanError, Stage};

/// What ends a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// That many messages.
    Count(u64),
    /// That much UTC time of arrival, aligned to multiples of it since 1970: windows of a minute begin with the minute.
    Time(Duration),
}

/// One message per window: `count` (messages in it), then for each field `<f>_min`, `<f>_max`, `<f>_mean` and
/// `<f>_rms`, in the field's unit.
///
/// A window of messages is emitted with its last one. A window of time is emitted when the first message beyond
/// it arrives, and carries that message's times; empty windows are left out. A message that arrives up to one window late
/// (inputs overtake each other) is counted in the open window; one that lies further back means that the clock was set,
/// and opens a new window. The window that is open when the input ends is emitted as it is. Missing values are in
/// `count` but in no figure; a field that had none but these has missing figures.
///
/// Means and squares are updated by Welford's method (Technometrics 4, 1962, p. 419), which does not cancel where the spread is
/// small against the values; rms is the root of mean^2 + variance.
#[derive(Clone, Debug)]
pub struct Statistics {
    window: Window,
    fields: Vec<String>,
    chosen: Vec<usize>,
}

/// The window that is open.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Open {
    /// Messages in it; 0: none is open.
    count: u64,
    /// Its number since 1970, where windows are of time.
    number: i64,
}

/// One field's figures in the open window.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Figures {
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    spread: f64,
}

impl Figures {
    fn add(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        if self.count == 0 {
            (self.min, self.max) = (value, value);
        }
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let deviation = value - self.mean;
        self.mean += deviation / self.count_f64();
        self.spread += deviation * (value - self.mean);
    }

    fn rms(&self) -> f64 {
        (self.mean * self.mean + self.spread / self.count_f64()).sqrt()
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 messages in one window")]
    fn count_f64(&self) -> f64 {
        self.count as f64
    }
}

impl Statistics {
    /// Figures of the fields named; with none named, of all floats and integers.
    pub fn new(window: Window, fields: Vec<String>) -> Self {
        Self { window, fields, chosen: Vec::new() }
    }

    fn length_ns(window: Duration) -> Option<i64> {
        i64::try_from(window.as_nanos()).ok().filter(|length| *length > 0)
    }

    /// Number of the time window a message falls into.
    fn number(&self, record: &Record<'_>) -> i64 {
        match self.window {
            Window::Count(_) => 0,
            Window::Time(length) => record.header().utc_ns.div_euclid(Self::length_ns(length).unwrap_or(i64::MAX)),
        }
    }

    fn emit(open: &mut Open, figures: &mut [Figures], out: &mut Emitter<'_>) {
        out.emit(|record| {
            record.set_i64(0, i64::try_from(open.count).unwrap_or(i64::MAX));
            for (place, figures) in figures.iter().enumerate().filter(|(_, figures)| figures.count > 0) {
                let values = [figures.min, figures.max, figures.mean, figures.rms()];
                for (which, value) in values.into_iter().enumerate() {
                    record.set_f64(1 + 4 * place + which, value);
                }
            }
        });
        *open = Open::zeroed();
        figures.fill(Figures::zeroed());
    }
}

impl Stage for Statistics {
    fn kind(&self) -> &'static str {
        "statistics"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        let (schema, rate) = common_schema(inputs)?;
        self.chosen = numeric_fields(schema, &self.fields)?;
        let rate = match self.window {
            Window::Count(0) => return Err(PlanError::key("window", "must be 1 or more messages")),
            #[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
            Window::Count(count) => rate / count as f64,
            Window::Time(length) if Self::length_ns(length).is_some() => rate.min(1.0 / length.as_secs_f64()),
            Window::Time(_) => {
                return Err(PlanError::key("window", "must be longer than 0 and shorter than 292 years"));
            }
        };
        let mut fields = vec![Field::new("count", "", FieldType::I64)];
        for index in &self.chosen {
            let field = &schema.fields()[*index];
            let figure = |what| Field::new(format!("{}_{what}", field.name), field.unit.as_str(), FieldType::F64);
            fields.extend(["min", "max", "mean", "rms"].map(figure));
        }
        let state_size = size_of::<Open>() + self.chosen.len() * size_of::<Figures>();
        Ok(Output { schema: Schema::new(fields)?, state_size, max_per_step: 1, rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, state: &mut [u8], out: &mut Emitter<'_>) {
        let (open, figures) = state.split_at_mut(size_of::<Open>());
        let open: &mut Open = bytemuck::from_bytes_mut(open);
        let figures: &mut [Figures] = bytemuck::cast_slice_mut(figures);
        let number = self.number(record);
        let is_late = number == open.number.saturating_sub(1);
        if open.count > 0 && number != open.number && !is_late {
            Self::emit(open, figures, out);
        }
        if open.count == 0 {
            open.number = number;
        }
        open.count += 1;
        for (figures, index) in figures.iter_mut().zip(&self.chosen) {
            figures.add(record.f64(*index));
        }
        if self.window == Window::Count(open.count) {
            Self::emit(open, figures, out);
        }
    }

    fn finish(&self, state: &mut [u8], out: &mut Emitter<'_>) {
        let (open, figures) = state.split_at_mut(size_of::<Open>());
        let open: &mut Open = bytemuck::from_bytes_mut(open);
        if open.count > 0 {
            Self::emit(open, bytemuck::cast_slice_mut(figures), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Value;
    use crate::stage::rig::Rig;

    const SECOND: i64 = 1_000_000_000;

    fn rig(window: Window) -> Rig<Statistics> {
        let schema =
            Schema::new(vec![Field::new("u", "V", FieldType::F64), Field::new("s", "", FieldType::Text { max: 2 })])
                .unwrap();
        Rig::new(Statistics::new(window, vec![]), schema).unwrap()
    }

    #[test]
    fn a_window_of_messages_is_emitted_with_its_last() {
        let mut rig = rig(Window::Count(4));
        assert_eq!(
            rig.output.schema.to_string(),
            "count i64, u_min [V] f64, u_max [V] f64, u_mean [V] f64, u_rms [V] f64"
        );
        assert_eq!(rig.output.rate, 25.0);
        let emitted = [3.0, -4.0, f64::NAN, 4.0].map(|value| rig.feed(|record| record.set_f64(0, value)));
        assert_eq!(emitted, [0, 0, 0, 1]);
        let out = rig.last();
        assert_eq!((out.i64(0), out.f64(1), out.f64(2), out.f64(3)), (Some(4), -4.0, 4.0, 1.0));
        assert!((out.f64(4) - (41.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!(rig.state.iter().all(|word| *word == 0), "the next window starts fresh");
    }

    #[test]
    fn the_window_open_at_the_end_is_emitted_as_it_is() {
        let mut rig = rig(Window::Count(4));
        rig.feed(|record| record.set_f64(0, 3.0));
        assert_eq!(rig.finish(), 1);
        assert_eq!((rig.last().i64(0), rig.last().f64(3)), (Some(1), 3.0));
        assert_eq!(rig.finish(), 0);
    }

    #[test]
    fn a_window_of_time_is_emitted_by_the_first_message_beyond_it() {
        let mut rig = rig(Window::Time(Duration::from_secs(10)));
        assert_eq!(rig.output.rate, 0.1);
        let mut at = |second: i64, value: f64| {
            rig.header.utc_ns = second * SECOND;
            let emitted = rig.feed(|record| record.set_f64(0, value));
            (emitted, if emitted > 0 { (rig.last().i64(0).unwrap(), rig.last().f64(3)) } else { (0, 0.0) })
        };
        assert_eq!(at(12, 1.0).0, 0);
        assert_eq!(at(19, 3.0).0, 0);
        assert_eq!(at(20, 5.0), (1, (2, 2.0)), "aligned to multiples of ten seconds");
        assert_eq!(at(19, 7.0).0, 0, "late by a little: counted in the open window");
        assert_eq!(at(45, 0.0), (1, (2, 6.0)), "empty windows are left out");
        assert_eq!(at(3, 9.0), (1, (1, 0.0)), "the clock was set back");
    }

    #[test]
    fn a_small_spread_on_a_large_value_does_not_cancel() {
        let mut rig = rig(Window::Count(1000));
        for n in 0..1000 {
            rig.feed(|record| record.set_f64(0, 1e9 + f64::from(n % 2)));
        }
        assert!((rig.last().f64(3) - (1e9 + 0.5)).abs() < 1e-6);
        assert!((rig.last().f64(4) - (1e9 + 0.5)).abs() < 1e-6);
    }

    #[test]
    fn a_field_that_was_never_there_has_no_figures() {
        let mut rig = rig(Window::Count(1));
        rig.feed(|_| {});
        assert_eq!(rig.last().i64(0), Some(1));
        assert!((1..5).all(|index| rig.last().value(index) == Value::Missing));
    }

    #[test]
    fn windows_of_nothing_are_refused() {
        let schema = Schema::new(vec![Field::new("u", "V", FieldType::F64)]).unwrap();
        for window in [Window::Count(0), Window::Time(Duration::ZERO), Window::Time(Duration::MAX)] {
            let error = Rig::new(Statistics::new(window, vec![]), schema.clone()).unwrap_err();
            assert_eq!(error.key, Some("window"));
        }
    }
}
