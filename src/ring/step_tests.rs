//! Steps: what is not committed has not happened.

use std::time::Duration;

use super::step::{Input, Output, Step, StepRegions};
use super::{Consumer, Fault, LaneRegions, Options, Producer, PushError};
use crate::shm::{Layout, Segment};

type Recovered = (Step<[u64; 2]>, [Input<u64>; 2], Output<u64>);

/// Two inputs, an output, and a sum as the state.
struct Rig {
    segment: Segment,
    lanes: [LaneRegions; 3],
    regions: StepRegions,
}

impl Rig {
    fn new() -> Self {
        let mut layout = Layout::default();
        let lanes = [0, 1, 2].map(|index| LaneRegions::reserve(&mut layout, index, 4, 8).unwrap());
        let regions = StepRegions::reserve::<[u64; 2]>(&mut layout, 0).unwrap();
        Self { segment: Segment::create(&layout).unwrap(), lanes, regions }
    }

    fn recover(&self) -> Result<Recovered, Fault> {
        let mut builder = Step::builder(&self.segment, self.regions);
        let inputs = [builder.input(self.lanes[0]), builder.input(self.lanes[1])];
        let output = builder.output(self.lanes[2]);
        Ok((builder.recover()?, inputs, output))
    }

    fn producer(&self, lane: usize) -> Producer<u64> {
        Options::new(4).ends_in(&self.segment, self.lanes[lane]).unwrap().0
    }

    fn consumer(&self, lane: usize) -> Consumer<u64> {
        Options::new(4).ends_in(&self.segment, self.lanes[lane]).unwrap().1
    }
}

#[test]
fn what_is_not_committed_comes_again_and_what_is_does_not() {
    let rig = Rig::new();
    let (mut one, mut rx) = (rig.producer(0), rig.consumer(2));
    one.push_slice(&[1, 2, 3]).unwrap();
    let (mut step, [input, _], output) = rig.recover().unwrap();
    for expected in [1, 2] {
        assert_eq!(step.take(input).unwrap(), Some(expected));
        step.state()[0] += expected;
        step.give(output, 10 * expected).unwrap();
    }
    drop(step);
    let (mut step, [input, other], output) = rig.recover().unwrap();
    assert!(rx.pop().is_err());
    assert_eq!(*step.state(), [0, 0]);
    assert_eq!(step.take(input).unwrap(), Some(1));
    assert_eq!(step.take(other).unwrap(), None);
    step.state()[1] = 7;
    step.give(output, 10).unwrap();
    step.commit();
    step.state()[1] = 8;
    step.abort();
    drop(step);
    let (mut step, [input, _], _) = rig.recover().unwrap();
    assert_eq!((*step.state(), step.take(input).unwrap(), rx.pop().unwrap()), ([0, 7], Some(2), 10));
    assert!(rx.pop().is_err());
}

#[test]
fn a_full_output_refuses_and_room_says_so_before() {
    let rig = Rig::new();
    let (mut step, _, output) = rig.recover().unwrap();
    for left in (1..=4).rev() {
        assert_eq!(step.room(output).unwrap(), left);
        step.give(output, left).unwrap();
    }
    assert!(matches!(step.give(output, 9), Err(PushError::Full(9))));
    step.commit();
    assert_eq!(rig.consumer(2).pop().unwrap(), 4);
}

#[test]
fn two_incarnations_at_once_are_refused() {
    let rig = Rig::new();
    let (_step, ..) = rig.recover().unwrap();
    assert!(matches!(rig.recover(), Err(Fault::InUse { .. })));
}

#[test]
fn a_step_sleeps_until_its_input_comes() {
    let rig = Rig::new();
    let (mut step, [input, _], _) = rig.recover().unwrap();
    assert!(!step.wait_for(input, Some(Duration::from_millis(2))).unwrap());
    let mut tx = rig.producer(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for value in 0..if cfg!(miri) { 20 } else { 2_000 } {
                tx.send(value).unwrap();
            }
            drop(tx);
        });
        let mut seen = 0;
        while step.wait_for(input, None).unwrap() {
            while let Some(value) = step.take(input).unwrap() {
                assert_eq!(value, seen);
                seen += 1;
            }
            step.commit();
        }
    });
}
