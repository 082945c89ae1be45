//! Exactly-once steps for programs: inputs, outputs and a state that change together or not at all.

use std::marker::PhantomData;
use std::time::Duration;

use bytemuck::Pod;

use super::bell::Bell;
use super::cells::Cells;
use super::fault::{Fault, PushError};
use super::intent::{IntentWords, MAX_TARGETS, Transaction};
use super::lane_regions::LaneRegions;
use super::owner;
use super::position::Peer;
use super::store::Store;
use super::{ConsumerCursor, LaneWords, ProducerCursor, Slots};
use crate::prim::{AtomicU64, Ordering, fence};
use crate::shm::{Layout, LayoutError, Offset, RegionKind, Segment, SharedRef};

/// Target of the step number.
const STEP: usize = 0;

/// Where a step's intent and state lie in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRegions {
    intent: Offset,
    cells: Offset,
    cell_size: usize,
}

impl StepRegions {
    /// Reserves them for a state of type `S`, which begins as zeros. `index` names the step in the table of contents.
    ///
    /// # Errors
    /// If that cannot be addressed.
    pub fn reserve<S: Pod>(layout: &mut Layout, index: u32) -> Result<Self, LayoutError> {
        // No state at all is one word nobody reads.
        let cell_size = size_of::<S>().max(1).checked_next_multiple_of(64).ok_or(LayoutError)?;
        let cells = cell_size.checked_mul(2).ok_or(LayoutError)?;
        Ok(Self {
            intent: layout.reserve(RegionKind::Intent, index, size_of::<IntentWords>())?,
            cells: layout.reserve(RegionKind::Cells, index, cells)?,
            cell_size,
        })
    }
}

/// An input of a step: a lane of messages of type `T`. A name, to be given to the methods of [`Step`].
#[derive(Debug)]
pub struct Input<T>(usize, PhantomData<fn() -> T>);

/// An output of a step. As [`Input`].
#[derive(Debug)]
pub struct Output<T>(usize, PhantomData<fn(T)>);

impl<T> Clone for Input<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Input<T> {}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Output<T> {}

/// A step being put together. The order of inputs and outputs must be the same in every incarnation.
#[derive(Debug)]
pub struct StepBuilder<S> {
    segment: Segment,
    regions: StepRegions,
    inputs: Vec<LaneRegions>,
    outputs: Vec<LaneRegions>,
    state: PhantomData<S>,
}

impl<S: Pod> StepBuilder<S> {
    /// Adds an input.
    ///
    /// # Panics
    /// If the lane is not one of messages of this type.
    pub fn input<T: Pod>(&mut self, lane: LaneRegions) -> Input<T> {
        assert_eq!(lane.slot_size, size_of::<T>(), "bytes of the lane's messages and of this type");
        self.inputs.push(lane);
        Input(self.inputs.len() - 1, PhantomData)
    }

    /// Adds an output.
    ///
    /// # Panics
    /// As [`Self::input`].
    pub fn output<T: Pod>(&mut self, lane: LaneRegions) -> Output<T> {
        assert_eq!(lane.slot_size, size_of::<T>(), "bytes of the lane's messages and of this type");
        self.outputs.push(lane);
        Output(self.outputs.len() - 1, PhantomData)
    }

    /// Takes the step up where the last incarnation left it: what it had committed is finished, what it had only begun is as
    /// if it had never been.
    ///
    /// # Errors
    /// [`Fault::InUse`]: another process that lives works on one of the lanes.
    ///
    /// # Panics
    /// If there are more than 60 inputs and outputs together.
    pub fn recover(self) -> Result<Step<S>, Fault> {
        let Self { segment, regions, inputs, outputs, .. } = self;
        assert!(inputs.len() + outputs.len() < MAX_TARGETS, "a step has at most {} lanes", MAX_TARGETS - 1);
        let words = |lanes: &[LaneRegions]| -> Vec<SharedRef<LaneWords>> {
            lanes.iter().map(|lane| lane.words(&segment)).collect()
        };
        let (sources, drains) = (words(&inputs), words(&outputs));
        claim(&sources, &drains)?;
        let intent: SharedRef<IntentWords> = segment.shared(regions.intent);
        let mut targets: Vec<SharedRef<AtomicU64>> = vec![intent.map(|intent| &intent.step)];
        targets.extend(sources.iter().map(|words| words.map(|words| &words.consumer.0.head)));
        targets.extend(drains.iter().map(|words| words.map(|words| &words.producer.0.tail)));
        let (transaction, _) = Transaction::recover(intent, targets);
        // Only now: the recovery may have moved the positions that the cursors start from.
        let inlets = sources.into_iter().zip(&inputs).zip(1..).map(|((words, lane), target)| Inlet {
            cursor: ConsumerCursor::attach(words, lane.capacity),
            slots: lane.slots(&segment),
            target,
        });
        let first = 1 + inputs.len();
        let outlets = drains.into_iter().zip(&outputs).zip(first..).map(|((words, lane), target)| Outlet {
            cursor: ProducerCursor::attach(words, lane.capacity),
            slots: lane.slots(&segment),
            target,
        });
        let mut step = Step {
            inlets: inlets.collect(),
            outlets: outlets.collect(),
            transaction,
            cells: Cells::new(&segment, regions.cells, regions.cell_size),
            has_copy: false,
            state: PhantomData,
        };
        step.inlets.iter().for_each(|inlet| inlet.cursor.reopen());
        step.outlets.iter().for_each(|outlet| outlet.cursor.reopen());
        // The dead may have published without ringing.
        step.wake();
        Ok(step)
    }
}

/// All lanes or none.
fn claim(sources: &[SharedRef<LaneWords>], drains: &[SharedRef<LaneWords>]) -> Result<(), Fault> {
    let owners = sources.iter().map(|words| (&words.consumer.0.owner, Peer::Consumer));
    let owners: Vec<_> = owners.chain(drains.iter().map(|words| (&words.producer.0.owner, Peer::Producer))).collect();
    for (index, (owner, end)) in owners.iter().enumerate() {
        if let Err(fault) = owner::claim(owner, *end) {
            owners[..index].iter().for_each(|(owner, _)| owner::leave(owner));
            return Err(fault);
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Inlet {
    cursor: ConsumerCursor<SharedRef<LaneWords>>,
    slots: Slots,
    target: usize,
}

#[derive(Debug)]
struct Outlet {
    cursor: ProducerCursor<SharedRef<LaneWords>>,
    slots: Slots,
    target: usize,
}

/// Reads messages, changes a state and writes messages such that all of it happens exactly once, whenever the process
/// is killed: what [`Self::take`], [`Self::give`] and [`Self::state`] do becomes true together, in [`Self::commit`].
///
/// A commit costs a few stores and a fence, whatever the number of messages; take a batch.
///
/// ```
/// use pinring::ring::{LaneRegions, Options, Step, StepRegions};
/// use pinring::shm::{Layout, Segment};
///
/// let mut layout = Layout::default();
/// let samples = LaneRegions::reserve(&mut layout, 0, 64, size_of::<f64>())?;
/// let sums = LaneRegions::reserve(&mut layout, 1, 64, size_of::<f64>())?;
/// let regions = StepRegions::reserve::<f64>(&mut layout, 0)?;
/// let segment = Segment::create(&layout)?;
/// // From here on processes may fork; whichever takes over runs the same lines:
/// let mut builder = Step::<f64>::builder(&segment, regions);
/// let (input, output) = (builder.input::<f64>(samples), builder.output::<f64>(sums));
/// let mut step = builder.recover()?;
///
/// let (mut tx, _) = Options::new(64).ends_in::<f64>(&segment, samples)?;
/// let (_, mut rx) = Options::new(64).ends_in::<f64>(&segment, sums)?;
/// tx.push_slice(&[1.0, 2.0, 3.0])?;
/// while let Some(sample) = step.take(input)? {
///     *step.state() += sample;
/// }
/// let sum = *step.state();
/// step.give(output, sum).map_err(|error| error.to_string())?;
/// step.commit();
/// assert_eq!(rx.pop()?, 6.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Step<S> {
    inlets: Vec<Inlet>,
    outlets: Vec<Outlet>,
    transaction: Transaction<SharedRef<IntentWords>, SharedRef<AtomicU64>>,
    cells: Cells,
    /// The spare cell holds a copy of the state, which this step changes.
    has_copy: bool,
    state: PhantomData<S>,
}

impl<S: Pod> Step<S> {
    /// Begins to put a step together. The segment must be of the layout in which `regions` were reserved.
    ///
    /// # Panics
    /// If the state is aligned to more than 64 bytes.
    pub fn builder(segment: &Segment, regions: StepRegions) -> StepBuilder<S> {
        assert!(align_of::<S>() <= 64, "a state aligned to {} bytes", align_of::<S>());
        assert!(size_of::<S>() <= regions.cell_size, "a state of {} bytes", size_of::<S>());
        let segment = segment.clone();
        StepBuilder { segment, regions, inputs: Vec::new(), outputs: Vec::new(), state: PhantomData }
    }

    /// Takes the next message of `input`; `None` if there is none now.
    ///
    /// # Errors
    /// The producer's words make no sense.
    #[inline]
    pub fn take<T: Pod>(&mut self, input: Input<T>) -> Result<Option<T>, Fault> {
        let inlet = &mut self.inlets[input.0];
        let next = self.transaction.next(inlet.target);
        let taken = next.wrapping_sub(inlet.cursor.position());
        if inlet.cursor.known() <= taken && inlet.cursor.available(taken + 1)? <= taken {
            return Ok(None);
        }
        self.transaction.set(inlet.target, next.wrapping_add(1));
        Ok(Some(inlet.slots.get(next)))
    }

    /// Writes a message to `output`. Its consumer sees it after the commit.
    ///
    /// # Errors
    /// [`PushError::Full`]; [`PushError::Fault`] if the consumer's words make no sense.
    #[inline]
    pub fn give<T: Pod>(&mut self, output: Output<T>, value: T) -> Result<(), PushError<T>> {
        match self.room(output) {
            Ok(0) => Err(PushError::Full(value)),
            Err(fault) => Err(PushError::Fault(value, fault)),
            Ok(_) => {
                let outlet = &mut self.outlets[output.0];
                let next = self.transaction.next(outlet.target);
                outlet.slots.put(next, value);
                self.transaction.set(outlet.target, next.wrapping_add(1));
                Ok(())
            }
        }
    }

    /// How many messages `output` takes before the next commit for sure; looks at the consumer's position only if that is none.
    ///
    /// # Errors
    /// The consumer's words make no sense.
    #[inline]
    pub fn room<T: Pod>(&mut self, output: Output<T>) -> Result<u64, Fault> {
        let outlet = &mut self.outlets[output.0];
        let given = self.transaction.next(outlet.target).wrapping_sub(outlet.cursor.position());
        let known = outlet.cursor.known_room();
        Ok(if known > given { known - given } else { outlet.cursor.room(given + 1)?.saturating_sub(given) })
    }

    /// The state, to read and change.
    #[inline]
    pub fn state(&mut self) -> &mut S {
        let step = self.transaction.current(STEP);
        let cell = if std::mem::replace(&mut self.has_copy, true) {
            self.cells.committed(step.wrapping_add(1))
        } else {
            self.cells.working_copy(step)
        };
        bytemuck::from_bytes_mut(&mut cell[..size_of::<S>()])
    }

    /// Makes everything since the last commit true at once.
    #[inline]
    pub fn commit(&mut self) {
        let step = self.transaction.current(STEP);
        if !std::mem::take(&mut self.has_copy) {
            self.cells.working_copy(step);
        }
        self.transaction.set(STEP, step.wrapping_add(1));
        self.transaction.commit();
        for inlet in &mut self.inlets {
            inlet.cursor.moved_to(self.transaction.current(inlet.target));
        }
        for outlet in &mut self.outlets {
            outlet.cursor.moved_to(self.transaction.current(outlet.target));
        }
        self.wake();
    }

    /// Gives everything since the last commit up.
    pub fn abort(&mut self) {
        self.has_copy = false;
        self.transaction.abort();
    }

    /// Wakes who sleeps for what has changed.
    #[inline]
    fn wake(&mut self) {
        // ORDER(data_at): SeqCst, between our publication and the look at the sleeper's word. ORDER(space_at): likewise.
        fence(Ordering::SeqCst);
        for outlet in &mut self.outlets {
            if outlet.cursor.consumer_wants_bell() {
                Bell::Futex.ring(&outlet.cursor.words().producer.0.rings);
            }
        }
        for inlet in &mut self.inlets {
            if inlet.cursor.producer_wants_bell() {
                Bell::Futex.ring(&inlet.cursor.words().consumer.0.rings);
            }
        }
    }

    /// Sleeps until `input` has a message that was not taken, at most `timeout`: whether it has. `false` without a timeout means that its
    /// producer has closed.
    ///
    /// # Errors
    /// The producer's words make no sense, or the system would not let us sleep.
    ///
    /// # Panics
    /// If messages were taken since the last commit: whoever waits for their slots might wait for ever.
    pub fn wait_for<T: Pod>(&mut self, input: Input<T>, timeout: Option<Duration>) -> Result<bool, Fault> {
        let inlet = &mut self.inlets[input.0];
        let position = inlet.cursor.position();
        assert_eq!(self.transaction.next(inlet.target), position, "commit before you wait");
        let until = timeout.map(|timeout| std::time::Instant::now() + timeout);
        loop {
            let closed = inlet.cursor.is_closed();
            if inlet.cursor.available(1)? > 0 {
                return Ok(true);
            }
            let left = until.map(|until| until.saturating_duration_since(std::time::Instant::now()));
            if closed || left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
            let heard = Bell::listen(&inlet.cursor.words().producer.0.rings);
            inlet.cursor.sleep_until(1);
            // ORDER(data_at): SeqCst, between our announcement and the second look.
            fence(Ordering::SeqCst);
            let result = if inlet.cursor.available(1)? == 0 && !inlet.cursor.is_closed() {
                Bell::Futex.sleep(&inlet.cursor.words().producer.0.rings, heard, left)
            } else {
                Ok(())
            };
            inlet.cursor.stay_awake();
            result?;
        }
    }

    /// Says that nothing will follow on any output. Commit first.
    pub fn close(&mut self) {
        for outlet in &mut self.outlets {
            outlet.cursor.close();
        }
        // ORDER(closed): SeqCst, as after a publication.
        fence(Ordering::SeqCst);
        for outlet in &mut self.outlets {
            Bell::Futex.ring(&outlet.cursor.words().producer.0.rings);
        }
    }
}

impl<S> Drop for Step<S> {
    fn drop(&mut self) {
        self.inlets.iter().for_each(|inlet| owner::leave(&inlet.cursor.words().consumer.0.owner));
        self.outlets.iter().for_each(|outlet| owner::leave(&outlet.cursor.words().producer.0.owner));
    }
}
