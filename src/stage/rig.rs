//! Runs one stage in a test as its worker does: zeroed state, one message a step.

use crate::message::{Header, Record, RecordMut, Schema};
use crate::pipeline::{Counters, Emitter, Input, Output, PlanError, Stage};

/// A stage with its state and what it emitted last.
#[derive(Debug)]
pub(super) struct Rig<S> {
    stage: S,
    input: Schema,
    pub(super) output: Output,
    /// The committed state, in words for its alignment.
    pub(super) state: Vec<u64>,
    slots: Vec<u64>,
    counters: Counters,
    pub(super) header: Header,
}

impl<S: Stage> Rig<S> {
    /// Plans the stage with two inputs of 50 messages per second each.
    pub(super) fn new(mut stage: S, input: Schema) -> Result<Self, PlanError> {
        let one = |name| Input { name, schema: &input, rate: 50.0 };
        let output = stage.plan(&[one("left"), one("right")])?;
        let state = vec![0; output.state_size.div_ceil(8)];
        let slots = vec![0; output.max_per_step * Emitter::stride(&output.schema) / 8];
        Ok(Self { stage, input, output, state, slots, counters: Counters::default(), header: Header::default() })
    }

    /// Feeds one message; returns how many it emitted.
    pub(super) fn feed(&mut self, fill: impl FnOnce(&mut RecordMut<'_>)) -> usize {
        let mut payload = vec![0; self.input.payload_size()];
        let mut record = RecordMut::new(&self.input, &mut self.header, &mut payload);
        record.clear();
        fill(&mut record);
        let record = Record::new(&self.input, &self.header, &payload);
        let slots = bytemuck::cast_slice_mut(&mut self.slots);
        let mut out = Emitter::new(&self.output.schema, slots, &mut self.counters);
        out.stamp(self.header);
        let state = &mut bytemuck::cast_slice_mut(&mut self.state)[..self.output.state_size];
        self.stage.process(0, &record, state, &mut out);
        out.len()
    }

    /// Ends the input; returns how many messages that emitted.
    pub(super) fn finish(&mut self) -> usize {
        let slots = bytemuck::cast_slice_mut(&mut self.slots);
        let mut out = Emitter::new(&self.output.schema, slots, &mut self.counters);
        let state = &mut bytemuck::cast_slice_mut(&mut self.state)[..self.output.state_size];
        self.stage.finish(state, &mut out);
        out.len()
    }

    /// The first message of the last step that emitted.
    pub(super) fn last(&self) -> Record<'_> {
        let (header, payload) = bytemuck::cast_slice(&self.slots).split_at(Header::SIZE);
        Record::new(&self.output.schema, bytemuck::from_bytes(header), payload)
    }
}
