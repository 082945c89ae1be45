//! A sink at work.
//!
//! Messages may linger: a sink that writes files is woken for the first message, then takes what has gathered
//! every [`linger_ns`](super::Sink::linger_ns) as long as there is something, so that the cost of a write is shared and
//! the producer need not ring. A ring that is half full ends the wait.

use std::io;

use super::core::{Core, Draft, corrupt};
use super::lane::Inlet;
use super::messages::{DESERTED, tell};
use super::node::Sink;
use super::plan::BATCH;
use super::run_source::Port;
use super::run_stage::{any_waiting, fill};
use crate::sys::clock::monotonic_ns;
use crate::sys::eventfd::EventFd;
use crate::trace::FlightEvent;

/// Batches that a sink takes before the worker's loop comes round again.
const BATCHES: usize = 64;
/// How long a sink that failed is left alone.
const RETRY_NS: u64 = 1_000_000_000;

/// A sink, its lanes and its clock.
pub(super) struct SinkRun<'n> {
    pub(super) core: Core,
    sink: &'n mut dyn Sink,
    takes: Vec<usize>,
    /// Until when messages gather; `None`: none has come since the last empty look.
    linger_until: Option<u64>,
    /// After a failure: when to try again.
    retry_at: Option<u64>,
    /// It has failed, and nothing was written since.
    failing: bool,
    /// Nobody reads it any more: what comes is dropped.
    deserted: bool,
}

impl<'n> SinkRun<'n> {
    pub(super) fn new(core: Core, sink: &'n mut dyn Sink) -> Self {
        let takes = vec![0; core.inlets.len()];
        // At once at the start: what the predecessor left waits already.
        Self { core, sink, takes, linger_until: Some(0), retry_at: None, failing: false, deserted: false }
    }

    /// Opens what is to be written to. A failure is not the end of the worker: it is tried again, and the messages wait.
    pub(super) fn resume(&mut self, bells: &[EventFd]) -> io::Result<()> {
        match self.sink.resume(self.core.begin(0).state) {
            Ok(()) => {
                self.retry_at = None;
                self.core.commit(&[], 0, bells)
            }
            Err(error) => {
                self.failed(&error);
                Ok(())
            }
        }
    }

    fn failed(&mut self, error: &io::Error) {
        self.core.abort();
        // Said once, not every second.
        if !std::mem::replace(&mut self.failing, true) {
            self.core.note(FlightEvent::Failing, 0);
            log::error!("{}: {error}; nothing is lost while its rings hold; trying again every second", self.core.name);
        }
        self.retry_at = Some(monotonic_ns() + RETRY_NS);
    }

    /// One step, if it is time for one. Returns whether something happened.
    pub(super) fn step(&mut self, port: &Port<'_>, bells: &[EventFd]) -> io::Result<bool> {
        if self.core.is_finished() {
            return Ok(false);
        }
        if self.deserted {
            return self.discard(bells);
        }
        let now = monotonic_ns();
        if let Some(at) = self.retry_at {
            if now < at {
                return Ok(false);
            }
            self.resume(bells)?;
            return Ok(self.retry_at.is_none());
        }
        if self.core.inputs_over()? {
            return self.end(bells);
        }
        if self.sink.deadline_ns().is_some_and(|deadline| deadline <= now) {
            self.sync(bells)?;
        }
        if !self.is_due(now, port.draining)? {
            return Ok(false);
        }
        let mut any = false;
        for _ in 0..BATCHES {
            if self.retry_at.is_some() || self.deserted || !fill(&mut self.core, &mut self.takes, BATCH)? {
                break;
            }
            self.take(port, bells)?;
            any = true;
        }
        if any && self.retry_at.is_none() && any_waiting(&mut self.core)? {
            // More than one step takes: at once again, after the worker's loop has come round.
            self.linger_until = Some(0);
            return Ok(true);
        }
        // Something came: look again after another while. Nothing: sleep until something does.
        let linger = self.sink.linger_ns();
        self.linger_until = (any && linger > 0).then(|| now + linger);
        Ok(any)
    }

    fn is_due(&mut self, now: u64, draining: bool) -> io::Result<bool> {
        let linger = self.sink.linger_ns();
        if linger == 0 || draining {
            return Ok(true);
        }
        if let Some(until) = self.linger_until {
            return Ok(now >= until || self.is_pressed()?);
        }
        if any_waiting(&mut self.core)? {
            self.linger_until = Some(now + linger);
        }
        Ok(false)
    }

    /// Whether an input has ended, or its ring is half full.
    fn is_pressed(&mut self) -> io::Result<bool> {
        for inlet in &mut self.core.inlets {
            let waiting = inlet.waiting().map_err(corrupt(&self.core.name, inlet.edge))?;
            if waiting >= half(inlet) || (waiting > 0 && inlet.is_closed()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn take(&mut self, port: &Port<'_>, bells: &[EventFd]) -> io::Result<()> {
        match self.write() {
            Ok(count) => {
                let (counters, _) = self.core.working();
                counters.taken += count;
                counters.emitted += count;
                if count > 0 && std::mem::take(&mut self.failing) {
                    counters.reconnects += 1;
                    self.core.note(FlightEvent::Recovered, 0);
                    log::info!("{}: works again", self.core.name);
                }
                self.core.commit(&self.takes, 0, bells)
            }
            Err(error) if self.sink.is_deserted() => {
                self.core.abort();
                self.deserted = true;
                log::warn!("{}: {error}; what still comes for it is dropped and counted", self.core.name);
                tell(port.channel, DESERTED, self.core.index, None)
            }
            Err(error) => {
                self.failed(&error);
                // What the step had written does not count: it is taken back at once, not only at the next try, so that whoever
                // looks meanwhile (or finds the file after the end) sees committed messages only.
                let _ = self.sink.resume(self.core.begin(0).state);
                self.core.abort();
                Ok(())
            }
        }
    }

    /// A step for nobody.
    fn discard(&mut self, bells: &[EventFd]) -> io::Result<bool> {
        if self.core.inputs_over()? {
            self.core.finish(0, bells)?;
            return Ok(true);
        }
        let any = fill(&mut self.core, &mut self.takes, BATCH)?;
        if any {
            self.core.skip(&self.takes, bells)?;
        }
        self.linger_until = None;
        Ok(any)
    }

    fn write(&mut self) -> io::Result<u64> {
        let mut written = 0;
        let Draft { state, inlets, taken, flight, .. } = self.core.begin(0);
        let mut admitted = true;
        for (input, (inlet, count)) in inlets.iter().zip(&mut self.takes).enumerate() {
            flight.input(input, inlet.position(0));
            for index in 0..std::mem::take(count) {
                flight.message(inlet.position(index));
                let record = inlet.record(index);
                // Once refused, the step takes nothing more, of this input or those after it.
                admitted = admitted && self.sink.admit(input, &record, state)?;
                if !admitted {
                    break;
                }
                *count += 1;
                taken.push((record.header().arrived_ns, record.header().sent_ns));
                self.sink.write(input, &record, state)?;
                written += 1;
            }
        }
        self.sink.flush(state)?;
        Ok(written)
    }

    /// Makes what was written durable, before the worker ends for a successor that goes on.
    pub(super) fn pause(&mut self, bells: &[EventFd]) -> io::Result<()> {
        if self.core.is_finished() || self.retry_at.is_some() || self.deserted {
            return Ok(());
        }
        self.sync(bells)
    }

    fn sync(&mut self, bells: &[EventFd]) -> io::Result<()> {
        match self.sink.sync(self.core.begin(0).state, false) {
            Ok(()) => self.core.commit(&[], 0, bells),
            Err(error) => {
                self.failed(&error);
                Ok(())
            }
        }
    }

    fn end(&mut self, bells: &[EventFd]) -> io::Result<bool> {
        if let Err(error) = self.sink.sync(self.core.begin(0).state, true) {
            self.failed(&error);
            return Ok(false);
        }
        self.core.finish(0, bells)?;
        Ok(true)
    }

    /// When it must be stepped at the latest.
    pub(super) fn due_ns(&self) -> Option<u64> {
        if self.core.is_finished() {
            return None;
        }
        if self.retry_at.is_some() {
            return self.retry_at;
        }
        if self.deserted {
            return None;
        }
        [self.linger_until, self.sink.deadline_ns()].into_iter().flatten().min()
    }

    /// Announces the sleep: the first message wakes; while others gather, only a ring half full does.
    pub(super) fn arm(&self) {
        let gathering = self.linger_until.is_some();
        self.core.arm_for_messages(|inlet| if gathering { half(inlet) } else { 1 });
    }

    pub(super) fn could_run(&mut self) -> io::Result<bool> {
        if self.core.is_finished() || self.retry_at.is_some() {
            return Ok(false);
        }
        if self.core.inputs_over()? {
            return Ok(true);
        }
        if self.linger_until.is_some() { self.is_pressed() } else { any_waiting(&mut self.core) }
    }
}

fn half(inlet: &Inlet) -> u64 {
    (inlet.capacity() / 2).max(1)
}
