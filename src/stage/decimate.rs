//! Thinning out: every Nth message passes.

use super::select::common_schema;
use crate::message::Record;
use crate::pipeline::{Emitter, Input, Output, PlanError, Stage};

/// Lets the first message pass and then every Nth. It does not filter: put a
/// [`MovingAverage`](super::MovingAverage) of the same length before it where what lies between matters.
#[derive(Clone, Debug)]
pub struct Decimate {
    every: u64,
}

impl Decimate {
    /// Passes messages 1, 1 + `every`, 1 + 2 `every` ...
    pub fn new(every: u64) -> Self {
        Self { every }
    }
}

impl Stage for Decimate {
    fn kind(&self) -> &'static str {
        "decimate"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        let (schema, rate) = common_schema(inputs)?;
        if self.every == 0 {
            return Err(PlanError::key("every", "must be 1 or more: every Nth message passes"));
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
        let rate = rate / self.every as f64;
        Ok(Output { schema: schema.clone(), state_size: size_of::<u64>(), max_per_step: 1, rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, state: &mut [u8], out: &mut Emitter<'_>) {
        let to_skip: &mut u64 = bytemuck::from_bytes_mut(&mut state[..size_of::<u64>()]);
        if *to_skip > 0 {
            *to_skip -= 1;
            return;
        }
        *to_skip = self.every - 1;
        out.emit(|passed| {
            for index in 0..record.schema().fields().len() {
                passed.copy_field(index, record, index);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Field, FieldType, Schema};
    use crate::stage::rig::Rig;

    fn schema() -> Schema {
        Schema::new(vec![Field::new("n", "", FieldType::I64)]).unwrap()
    }

    #[test]
    fn the_first_and_every_third_message_pass() {
        let mut rig = Rig::new(Decimate::new(3), schema()).unwrap();
        let passed: Vec<i64> = (0..8).filter(|n| rig.feed(|record| record.set_i64(0, *n)) == 1).collect();
        assert_eq!(passed, [0, 3, 6]);
        assert_eq!(rig.last().i64(0), Some(6));
        assert!((rig.output.rate - 100.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn every_zeroth_makes_no_sense() {
        assert_eq!(Rig::new(Decimate::new(0), schema()).unwrap_err().key, Some("every"));
    }
}
