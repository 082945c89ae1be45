//! Steps: inputs, outputs and state together.

use std::os::fd::{AsFd, OwnedFd};

use pinring::prim::Ordering;
use pinring::ring::{Consumer, LaneRegions, Options, Producer, Step, StepRegions};
use pinring::shm::{Access, Layout, Segment};

use crate::ground::{Left, Message, Points, STARTS, Shape, begin_at, kill_everywhere, report, revive};
use crate::kind::{Kind, Plain, drained};
use crate::twice::all_left;

/// A step with two inputs, two outputs and a state.
pub(crate) struct Bench {
    pub(crate) segment: Segment,
    regions: StepRegions,
    lanes: [LaneRegions; 4],
}

/// Numbers taken of both inputs, and a sum.
type State = [u64; 3];

const INPUTS: [usize; 2] = [0, 1];
const OUTPUTS: [usize; 2] = [2, 3];

impl Bench {
    pub(crate) fn new(start: u64) -> Self {
        let mut layout = Layout::default();
        let size = size_of::<Message>();
        let lanes = [0, 1, 2, 3].map(|index| LaneRegions::reserve(&mut layout, index, 4, size).unwrap());
        let regions = StepRegions::reserve::<State>(&mut layout, 0).unwrap();
        let segment = Segment::create(&layout).unwrap();
        begin_at(&segment, start);
        let bench = Self { segment, regions, lanes };
        for input in INPUTS {
            let (mut tx, _) = bench.ends(input);
            (0..4).for_each(|number| assert!(Plain::<Message>::push(&mut tx, number)));
        }
        bench
    }

    pub(crate) fn on(&self, fd: OwnedFd) -> Self {
        let (segment, _) = Segment::attach(fd, Access::Full).unwrap();
        Self { segment, regions: self.regions, lanes: self.lanes }
    }

    pub(crate) fn ends(&self, lane: usize) -> (Producer<Message>, Consumer<Message>) {
        Options::new(4).ends_in(&self.segment, self.lanes[lane]).unwrap()
    }

    /// All that waits in a lane.
    pub(crate) fn drained(&self, lane: usize) -> Vec<u64> {
        drained::<Plain>(&mut self.ends(lane).1)
    }

    /// Steps until the inputs are empty, at most `most` times: two of the first, one of the second, their sum to both outputs.
    fn step(&self, most: usize) {
        let mut builder = Step::<State>::builder(&self.segment, self.regions);
        let inputs = INPUTS.map(|lane| builder.input::<Message>(self.lanes[lane]));
        let outputs = OUTPUTS.map(|lane| builder.output::<Message>(self.lanes[lane]));
        let mut step = builder.recover().unwrap();
        for _ in 0..most {
            let mut taken = 0;
            for index in [0, 0, 1] {
                if let Some(seen) = step.take(inputs[index]).unwrap() {
                    step.state()[index] += 1;
                    step.state()[2] += seen.number();
                    taken += 1;
                }
            }
            if taken == 0 {
                return;
            }
            let sum = step.state()[2];
            outputs.iter().for_each(|output| step.give(*output, Message::of(sum)).unwrap());
            step.commit();
        }
    }

    fn state(&self) -> State {
        let mut step = Step::<State>::builder(&self.segment, self.regions).recover().unwrap();
        *step.state()
    }
}

/// What becomes of everything, whoever does it and however often it is killed.
type Outcome = ([Vec<u64>; 4], State);

fn outcome(bench: &Bench) -> Outcome {
    ([0, 1, 2, 3].map(|lane| bench.drained(lane)), bench.state())
}

fn expected(start: u64) -> Outcome {
    let whole = Bench::new(start);
    whole.step(9);
    let expected = outcome(&whole);
    assert_eq!((expected.0[2].len(), expected.1[2]), (4, 12));
    expected
}

/// Recovered by a new step, everything has happened once. Neighbours may have looked before it came (`early`): what they have
/// seen is true.
fn check(bench: &Bench, left: &Left<'_>, expected: &Outcome, early: bool) {
    let copy = bench.on(left.revive());
    let seen = if early { OUTPUTS.map(|lane| copy.drained(lane)) } else { Default::default() };
    copy.step(9);
    let (mut lanes, state) = outcome(&copy);
    for (lane, seen) in OUTPUTS.into_iter().zip(seen) {
        lanes[lane].splice(0..0, seen);
    }
    assert_eq!((lanes, state), *expected, "not exactly once");
}

pub(crate) fn a_killed_step_has_happened_or_not() {
    let mut points = Points::default();
    for start in STARTS {
        let (bench, expected) = (Bench::new(start), expected(start));
        points += kill_everywhere(
            bench.segment.as_fd(),
            |_| bench.step(3),
            |left| [false, true].iter().for_each(|early| check(&bench, left, &expected, *early)),
        );
    }
    report("a step with two inputs, two outputs and a state", points);
}

pub(crate) fn a_recovery_of_a_step_may_be_killed_as_well() {
    let mut points = Points::default();
    for start in &STARTS[if cfg!(debug_assertions) { 3 } else { 2 }..] {
        let (bench, expected) = (Bench::new(*start), expected(*start));
        for left in all_left(bench.segment.as_fd(), |_| bench.step(1)) {
            let again = bench.on(revive(&left));
            // No step but the recovery: what follows it is tried above.
            let operation = |_: &_| again.step(0);
            points += kill_everywhere(again.segment.as_fd(), operation, |left| check(&bench, left, &expected, false));
        }
    }
    report("the recovery of a step", points);
}

/// How often each end of the lane has rung, and how far it is.
fn ends(bench: &Bench, lane: usize) -> [(u32, u64); 2] {
    let words = bench.lanes[lane].words(&bench.segment);
    let (producer, consumer) = (&words.producer.0, &words.consumer.0);
    // ORDER(test.kill): one process looks at the copy.
    [(&producer.rings, &producer.tail), (&consumer.rings, &consumer.head)]
        .map(|(rings, position)| (rings.load(Ordering::Relaxed), position.load(Ordering::Relaxed)))
}

/// Has the neighbours of the step sleep: those behind it until there is a message, those before it until there is room.
fn put_neighbours_to_sleep(bench: &Bench, start: u64) {
    for (lane, words) in bench.lanes.iter().map(|lane| lane.words(&bench.segment)).enumerate() {
        let word = if INPUTS.contains(&lane) { &words.space_at.0 } else { &words.data_at.0 };
        // ORDER(test.kill): nobody uses the lanes.
        word.store(start.wrapping_add(1), Ordering::Relaxed);
    }
}

/// Whoever sleeps beside the step hears from the recovery that the dead one had moved on.
fn check_bells(bench: &Bench, left: &Left<'_>, start: u64) {
    let copy = bench.on(left.revive());
    let before = [0, 1, 2, 3].map(|lane| ends(&copy, lane));
    copy.step(0);
    for (lane, before) in before.iter().enumerate() {
        let own = usize::from(INPUTS.contains(&lane));
        let (rings, position) = ends(&copy, lane)[own];
        assert!(rings != before[own].0 || position == start, "who sleeps at lane {lane} sleeps on");
    }
}

pub(crate) fn sleeping_neighbours_of_a_killed_step_are_woken() {
    let mut points = Points::default();
    for start in STARTS {
        let bench = Bench::new(start);
        put_neighbours_to_sleep(&bench, start);
        points += kill_everywhere(bench.segment.as_fd(), |_| bench.step(2), |left| check_bells(&bench, left, start));
    }
    report("a step, and its neighbours sleep", points);
}
