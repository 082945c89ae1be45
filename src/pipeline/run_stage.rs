//! A stage at work.

use std::io;

use super::core::{Core, Draft, corrupt, stamp};
use super::node::Stage;
use super::plan::BATCH;
use crate::message::Header;
use crate::sys::clock::{monotonic_ns, realtime_ns};
use crate::sys::eventfd::EventFd;

/// A stage and its lanes.
pub(super) struct StageRun<'n> {
    pub(super) core: Core,
    stage: &'n dyn Stage,
    takes: Vec<usize>,
    /// The last step found no room to emit into.
    blocked: bool,
}

impl<'n> StageRun<'n> {
    pub(super) fn new(core: Core, stage: &'n dyn Stage) -> Self {
        let takes = vec![0; core.inlets.len()];
        Self { core, stage, takes, blocked: false }
    }

    /// One step: as many messages as there are and as there is room for, a batch at most. Returns whether something
    /// happened.
    pub(super) fn step(&mut self, bells: &[EventFd]) -> io::Result<bool> {
        if self.core.is_finished() {
            return Ok(false);
        }
        // Ask for the end first: an end seen before the last look at the messages is the end of them, too.
        let over = self.core.inputs_over()?;
        let per_input = self.core.max_per_step.max(1);
        let room = self.core.room(per_input)?;
        let budget = (room / per_input).min(BATCH);
        self.blocked = budget == 0;
        if over && !self.blocked {
            self.end(room, bells)?;
            return Ok(true);
        }
        if self.blocked || !fill(&mut self.core, &mut self.takes, budget)? {
            return Ok(false);
        }
        let Draft { state, out, inlets, taken, flight } = self.core.begin(room);
        let mut out = out.expect("a stage has a schema");
        for (input, (inlet, count)) in inlets.iter().zip(&self.takes).enumerate() {
            flight.input(input, inlet.position(0));
            for index in 0..*count {
                flight.message(inlet.position(index));
                let record = inlet.record(index);
                let header = record.header();
                taken.push((header.arrived_ns, header.sent_ns));
                out.stamp(*header);
                out.counters().taken += 1;
                self.stage.process(input, &record, state, &mut out);
            }
        }
        stamp(&mut out, None);
        let emitted = out.len();
        self.core.commit(&self.takes, emitted, bells)?;
        Ok(true)
    }

    /// The last step: what the stage still has to say.
    fn end(&mut self, room: usize, bells: &[EventFd]) -> io::Result<()> {
        let Draft { state, out, .. } = self.core.begin(room);
        let mut out = out.expect("a stage has a schema");
        let (now, utc) = (monotonic_ns(), realtime_ns());
        out.stamp(Header { arrived_ns: now, utc_ns: utc, ..Header::default() });
        self.stage.finish(state, &mut out);
        stamp(&mut out, None);
        let emitted = out.len();
        self.core.finish(emitted, bells)
    }

    /// Announces the sleep: a stage waits for room or for messages, never for both.
    pub(super) fn arm(&self) {
        if self.blocked {
            self.core.arm_for_room(self.core.max_per_step);
        } else {
            self.core.arm_for_messages(|_| 1);
        }
    }

    pub(super) fn could_run(&mut self) -> io::Result<bool> {
        if self.core.is_finished() {
            return Ok(false);
        }
        let room = self.core.room(self.core.max_per_step)? >= self.core.max_per_step;
        Ok(room && (self.core.inputs_over()? || any_waiting(&mut self.core)?))
    }
}

/// Looks for messages in all inlets, `budget` together; whether there are any.
pub(super) fn fill(core: &mut Core, takes: &mut [usize], mut budget: usize) -> io::Result<bool> {
    let whole = budget;
    for (inlet, take) in core.inlets.iter_mut().zip(takes) {
        *take = inlet.fill(budget).map_err(corrupt(&core.name, inlet.edge))?;
        budget -= *take;
    }
    Ok(budget < whole)
}

/// Whether any inlet has a message.
pub(super) fn any_waiting(core: &mut Core) -> io::Result<bool> {
    for inlet in &mut core.inlets {
        if inlet.waiting().map_err(corrupt(&core.name, inlet.edge))? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
