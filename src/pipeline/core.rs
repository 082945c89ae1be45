//! What every running node has: its lanes, its state, its transaction and its histograms.

use std::io;
use std::sync::Arc;

use super::emitter::{Counters, Emitter};
use super::lane::{Inlet, Outlet, Step, TARGETS_PER_LANE, Targets, consumer_targets, producer_targets};
use super::plan::{BATCH, Plan};
use super::regions::{Regions, cell_size};
use crate::message::{Header, Schema};
use crate::prim::{AtomicU64, Ordering};
use crate::ring::{Cells, Corrupt, IntentWords, Transaction};
use crate::shm::{Segment, SharedRef};
use crate::sys::clock::monotonic_ns;
use crate::sys::eventfd::EventFd;
use crate::trace::{FlightEvent, FlightWords, HistogramWords};

/// Targets of every node's transaction: the step number, and whether that step was the last.
const STEP: usize = 0;
const FINISHED: usize = 1;

/// A lane whose other end has written what it cannot mean.
#[derive(Debug, thiserror::Error)]
#[error("node `{node}`: ring damaged: {source}")]
pub(super) struct Damaged {
    node: String,
    /// The edge.
    pub(super) edge: usize,
    source: Corrupt,
}

/// A lane's words make no sense: an error of this worker, which the supervisor learns about.
pub(super) fn corrupt(node: &str, edge: usize) -> impl Fn(Corrupt) -> io::Error {
    move |source| io::Error::new(io::ErrorKind::InvalidData, Damaged { node: node.to_owned(), edge, source })
}

/// The part of a running node that does not depend on what it does.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) inlets: Vec<Inlet>,
    pub(super) outlets: Vec<Outlet>,
    pub(super) schema: Option<Arc<Schema>>,
    pub(super) max_per_step: usize,
    step: Step,
    cells: Cells,
    state_size: usize,
    /// Where a step's messages are built; whole strides.
    buffer: Vec<u64>,
    stride: usize,
    age: SharedRef<HistogramWords>,
    hop: SharedRef<HistogramWords>,
    /// Times of the messages taken in the step under way, for the histograms: arrival and emission.
    taken: Vec<(u64, u64)>,
    pub(super) flight: SharedRef<FlightWords>,
    /// Not zero: somebody has stopped the node.
    ask: SharedRef<AtomicU64>,
}

/// A view of the working copy of a node's cell.
fn split(cell: &mut [u8], state_size: usize) -> (&mut Counters, &mut [u8]) {
    let (counters, state) = cell.split_at_mut(size_of::<Counters>());
    // The cell is rounded up to whole cache lines; a node sees the bytes it asked for.
    (bytemuck::from_bytes_mut(counters), &mut state[..state_size])
}

/// A step that has begun.
pub(super) struct Draft<'c> {
    /// The state's working copy.
    pub(super) state: &'c mut [u8],
    /// Where to emit; `None` for a sink.
    pub(super) out: Option<Emitter<'c>>,
    pub(super) inlets: &'c [Inlet],
    /// For the histograms: arrival and emission of each message taken.
    pub(super) taken: &'c mut Vec<(u64, u64)>,
    pub(super) flight: &'c FlightWords,
}

impl Core {
    /// Puts the node together from the segment; finishes what its predecessor had begun.
    pub(super) fn recover(plan: &Plan, regions: &Regions, segment: &Segment, node: usize) -> Self {
        let planned = &plan.nodes[node];
        let own = regions.nodes[node];
        let words: SharedRef<IntentWords> = segment.shared(own.intent);
        let mut targets: Targets = vec![words.map(|words| &words.step), words.map(|words| &words.finished)];
        let first = targets.len();
        targets.extend(planned.inputs.iter().flat_map(|edge| consumer_targets(segment, regions.lanes[*edge])));
        targets.extend(planned.outputs.iter().flat_map(|edge| producer_targets(segment, regions.lanes[*edge])));
        let (step, _) = Transaction::recover(words, targets);
        // Only now: the recovery may have moved the positions that the cursors start from.
        let schema_of = |node: usize| Arc::new(plan.nodes[node].schema.clone().expect("only sinks have no schema"));
        let inlets = planned.inputs.iter().enumerate().map(|(place, index)| {
            let (lane, edge, target) = (regions.lanes[*index], &plan.edges[*index], first + TARGETS_PER_LANE * place);
            let producer = plan.nodes[edge.from].worker;
            Inlet::new(segment, edge, lane, schema_of(edge.from), producer, BATCH, target).of_edge(*index)
        });
        let inlets: Vec<Inlet> = inlets.collect();
        let first = first + TARGETS_PER_LANE * inlets.len();
        let outlets = planned.outputs.iter().enumerate().map(|(place, index)| {
            let (lane, edge, target) = (regions.lanes[*index], &plan.edges[*index], first + TARGETS_PER_LANE * place);
            Outlet::new(segment, edge, lane, plan.nodes[edge.to].worker, target).of_edge(*index)
        });
        let outlets: Vec<Outlet> = outlets.collect();
        if step.current(FINISHED) != 0 {
            // The predecessor may have died between its last commit and this.
            outlets.iter().for_each(|outlet| outlet.cursor().close());
        }
        let schema = planned.schema.clone().map(Arc::new);
        let stride = schema.as_deref().map_or(8, Emitter::stride);
        let most = if inlets.is_empty() { planned.max_per_step } else { planned.max_per_step.max(BATCH) };
        Self {
            name: planned.name.clone(),
            index: u32::try_from(node).unwrap_or(u32::MAX),
            inlets,
            outlets,
            schema,
            max_per_step: planned.max_per_step,
            step,
            cells: Cells::new(segment, own.cells, cell_size(planned)),
            state_size: planned.state_size,
            buffer: vec![0; most * stride / 8],
            stride,
            age: segment.shared(own.age),
            hop: segment.shared(own.hop),
            taken: Vec::with_capacity(BATCH),
            flight: segment.shared(regions.flights[planned.worker]),
            ask: segment.shared(own.ask),
        }
    }

    /// How many messages a step may emit, at most `want`: what all lanes have room for.
    pub(super) fn room(&mut self, want: usize) -> io::Result<usize> {
        let mut room = self.buffer.len() * 8 / self.stride;
        for outlet in &mut self.outlets {
            room = room.min(outlet.room(want).map_err(corrupt(&self.name, outlet.edge))?);
        }
        Ok(room)
    }

    /// Begins a step that may emit `room` messages.
    pub(super) fn begin(&mut self, room: usize) -> Draft<'_> {
        self.flight.begin_step(self.index);
        self.taken.clear();
        let (counters, state) = split(self.cells.working_copy(self.step.current(STEP)), self.state_size);
        let buffer: &mut [u8] = &mut bytemuck::cast_slice_mut(&mut self.buffer)[..room * self.stride];
        let out = self.schema.as_deref().map(|schema| Emitter::new(schema, buffer, counters));
        Draft { state, out, inlets: &self.inlets, taken: &mut self.taken, flight: &self.flight }
    }

    /// The working copy that the step under way has filled.
    pub(super) fn working(&mut self) -> (&mut Counters, &mut [u8]) {
        split(self.cells.committed(self.step.current(STEP).wrapping_add(1)), self.state_size)
    }

    /// The committed state.
    pub(super) fn committed_state(&mut self) -> &mut [u8] {
        split(self.cells.committed(self.step.current(STEP)), self.state_size).1
    }

    /// Ends the step: `takes[i]` messages of input `i` are consumed, the first `emitted` of the buffer go out.
    pub(super) fn commit(&mut self, takes: &[usize], emitted: usize, bells: &[EventFd]) -> io::Result<()> {
        let now = monotonic_ns();
        let (stride, step) = (self.stride, &mut self.step);
        let buffer: &[u8] = &bytemuck::cast_slice(&self.buffer)[..emitted * stride];
        for outlet in &mut self.outlets {
            outlet.write(buffer.chunks_exact(stride), step).map_err(corrupt(&self.name, outlet.edge))?;
        }
        for (inlet, count) in self.inlets.iter().zip(takes) {
            if *count > 0 {
                inlet.take(*count, step);
            }
        }
        step.set(STEP, step.current(STEP).wrapping_add(1));
        step.commit();
        for (arrived, sent) in &self.taken {
            self.age.count(now.saturating_sub(*arrived));
            self.hop.count(now.saturating_sub(*sent));
        }
        self.flight.end_step();
        self.announce(emitted > 0, bells);
        Ok(())
    }

    /// A step of its own in which `drops[i]` messages of input `i` are dropped.
    pub(super) fn skip(&mut self, drops: &[usize], bells: &[EventFd]) -> io::Result<()> {
        self.begin(0);
        for (inlet, count) in self.inlets.iter().zip(drops) {
            if *count > 0 {
                inlet.skip(*count, &mut self.step);
            }
        }
        self.commit(&[], 0, bells)
    }

    /// Moves the cursors and wakes who sleeps for what has changed.
    fn announce(&mut self, emitted: bool, bells: &[EventFd]) {
        self.outlets.iter_mut().for_each(|outlet| outlet.committed(&self.step));
        self.inlets.iter_mut().for_each(|inlet| inlet.committed(&self.step));
        // ORDER(data_at): SeqCst fence between our publication and the look at the sleeper's word; Release and Acquire
        // do not keep a store before a later load of another word. ORDER(space_at): likewise.
        crate::prim::fence(Ordering::SeqCst);
        let consumers = self.outlets.iter_mut().filter(|_| emitted).filter_map(Outlet::peer_to_wake);
        let producers = self.inlets.iter_mut().filter_map(Inlet::peer_to_wake);
        consumers.chain(producers).for_each(|peer| bells[peer].ring());
    }

    /// Gives the step up.
    pub(super) fn abort(&mut self) {
        self.flight.end_step();
        self.step.abort();
    }

    /// Whether all inputs have ended.
    pub(super) fn inputs_over(&mut self) -> io::Result<bool> {
        for inlet in &mut self.inlets {
            if !inlet.is_over().map_err(corrupt(&self.name, inlet.edge))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether somebody has stopped the node.
    pub(super) fn is_held(&self) -> bool {
        // ORDER(ask): Relaxed; the bell that follows makes the worker look again.
        self.ask.load(Ordering::Relaxed) != 0
    }

    /// Notes an event of this node in the flight recorder.
    pub(super) fn note(&self, event: FlightEvent, value: u64) {
        self.flight.note(monotonic_ns(), event, Some(self.index), value);
    }

    /// Whether the node has ended for good.
    pub(super) fn is_finished(&self) -> bool {
        self.step.current(FINISHED) != 0
    }

    /// Ends the step like [`Self::commit`], and with it the node for good: what feeds on it sees the end, and so does
    /// its next incarnation.
    pub(super) fn finish(&mut self, emitted: usize, bells: &[EventFd]) -> io::Result<()> {
        self.step.set(FINISHED, 1);
        self.commit(&[], emitted, bells)?;
        self.note(FlightEvent::Finished, 0);
        self.outlets.iter().for_each(|outlet| outlet.cursor().close());
        self.outlets.iter().filter_map(|outlet| outlet.peer).for_each(|peer| bells[peer].ring());
        Ok(())
    }

    /// Announces to the producers that we are about to sleep until `want` messages are there.
    pub(super) fn arm_for_messages(&self, want: impl Fn(&Inlet) -> u64) {
        for inlet in self.inlets.iter().filter(|inlet| inlet.peer.is_some()) {
            inlet.cursor().sleep_until(want(inlet));
        }
    }

    /// Announces to the consumers that we are about to sleep until `room` slots are free.
    pub(super) fn arm_for_room(&self, room: usize) {
        for outlet in self.outlets.iter().filter(|outlet| outlet.peer.is_some()) {
            outlet.cursor().sleep_until(room as u64);
        }
    }

    /// We are awake.
    pub(super) fn disarm(&self) {
        self.inlets.iter().filter(|inlet| inlet.peer.is_some()).for_each(|inlet| inlet.cursor().stay_awake());
        self.outlets.iter().filter(|outlet| outlet.peer.is_some()).for_each(|outlet| outlet.cursor().stay_awake());
    }
}

/// What the loop writes into every message of a step, just before the commit.
pub(super) fn stamp(out: &mut Emitter<'_>, origin: Option<u32>) {
    let now = monotonic_ns();
    out.finish(|header: &mut Header| {
        header.sent_ns = now;
        if let Some(origin) = origin {
            header.origin = origin;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Field, FieldType};
    use crate::pipeline::{Graph, Output, PlanError, Poll, Source, SourceIo};
    use crate::stage::Decimate;
    use crate::topology::Topology;

    /// A source for which the test emits.
    struct Numbers;

    impl Source for Numbers {
        fn kind(&self) -> &'static str {
            "numbers"
        }

        fn plan(&mut self) -> Result<Output, PlanError> {
            let schema = Schema::new(vec![Field::new("n", "", FieldType::I64)])?;
            Ok(Output { schema, state_size: 8, max_per_step: 8, rate: 1.0 })
        }

        fn resume(&mut self, _: &mut [u8], _: &mut dyn SourceIo) -> io::Result<()> {
            Ok(())
        }

        fn poll(&mut self, _: &mut [u8], _: &mut Emitter<'_>, _: &mut dyn SourceIo) -> io::Result<Poll> {
            Ok(Poll::Waiting)
        }
    }

    fn emit(core: &mut Core, count: usize, bells: &[EventFd]) {
        let draft = core.begin(count);
        let mut out = draft.out.unwrap();
        (0..count).for_each(|_| out.emit(|_| {}));
        core.commit(&[], count, bells).unwrap();
    }

    #[test]
    fn a_worker_killed_between_seal_and_stores_goes_on_behind_what_it_took() {
        let mut graph = Graph::new();
        graph.source("numbers", Numbers);
        graph.stage("all", ["numbers"], Decimate::new(1));
        let plan = graph.plan(&Topology::detect().unwrap()).unwrap();
        let regions = plan.regions(None).unwrap();
        let segment = Segment::create(&regions.layout).unwrap();
        let bells: Vec<EventFd> = plan.workers.iter().map(|_| EventFd::new().unwrap()).collect();
        let mut numbers = Core::recover(&plan, &regions, &segment, 0);
        emit(&mut numbers, 5, &bells);

        let mut killed = Core::recover(&plan, &regions, &segment, 1);
        assert_eq!(killed.inlets[0].fill(BATCH).unwrap(), 5);
        killed.inlets[0].take(3, &mut killed.step);
        killed.step.seal();
        drop(killed);

        let mut next = Core::recover(&plan, &regions, &segment, 1);
        assert_eq!(next.inlets[0].waiting().unwrap(), 2);
        assert_eq!(next.inlets[0].fill(BATCH).unwrap(), 2);
        emit(&mut numbers, 1, &bells);
        assert_eq!(next.inlets[0].fill(BATCH).unwrap(), 3);
        assert_eq!(next.inlets[0].record(0).header().seq, 4);
    }
}
