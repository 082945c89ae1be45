use std::io;

use super::core::Core;
use super::system::System;
use super::{Emitter, Graph, Output, PlanError, Poll, Source, SourceIo};
use crate::message::{Field, FieldType, Schema};
use crate::process::ExitCause;
use crate::stage::Decimate;
use crate::supervisor::Crew;
use crate::sys::wait::Ended;
use crate::topology::{Core as CpuCore, Topology};

struct Numbers;

impl Source for Numbers {
    fn kind(&self) -> &'static str {
        "numbers"
    }

    fn plan(&mut self) -> Result<Output, PlanError> {
        let fields = vec![Field::new("n", "", FieldType::I64), Field::new("text", "", FieldType::Text { max: 16 })];
        Ok(Output { schema: Schema::new(fields)?, state_size: 8, max_per_step: 8, rate: 1.0 })
    }

    fn resume(&mut self, _: &mut [u8], _: &mut dyn SourceIo) -> io::Result<()> {
        Ok(())
    }

    fn poll(&mut self, _: &mut [u8], _: &mut Emitter<'_>, _: &mut dyn SourceIo) -> io::Result<Poll> {
        Ok(Poll::Waiting)
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// `first` feeds `second` feeds `third`, each in a worker of its own.
fn three_workers() -> System {
    let core =
        |id| CpuCore { id, siblings: vec![id], cluster: 0, package: 0, capacity: 1024, isolated: false, allowed: true };
    let topology = Topology { cores: (0..4).map(core).collect(), affinity: vec![0, 1, 2, 3], ..Topology::default() };
    let mut graph = Graph::new();
    graph.source("first", Numbers).on_worker("a");
    graph.stage("second", ["first"], Decimate::new(1)).on_worker("b");
    graph.stage("third", ["second"], Decimate::new(1)).on_worker("c");
    let plan = graph.plan(&topology).unwrap();
    System::set_up(graph, plan).unwrap()
}

fn scribble(system: &System, worker: usize, random: &mut Random) {
    for range in system.writable_by(worker) {
        // Sometimes a word here and there, sometimes everything.
        let sparse = random.next() % 2 == 0;
        for at in range.step_by(8) {
            if !sparse || random.next() % 8 == 0 {
                let value = match random.next() % 4 {
                    0 => random.next(),
                    1 => random.next() % 200,
                    2 => u64::MAX - random.next() % 200,
                    _ => 0,
                };
                system.segment.poke(at, value);
            }
        }
    }
}

/// One round of a neighbour: everything it does with the words of others. Whether they made sense.
fn work(core: &mut Core, system: &System) -> bool {
    let step = |core: &mut Core| -> io::Result<()> {
        for inlet in &mut core.inlets {
            let count = inlet.fill(64).map_err(io::Error::other)?;
            for index in 0..count {
                std::hint::black_box(inlet.record(index).to_string());
            }
            inlet.waiting().map_err(io::Error::other)?;
        }
        let takes: Vec<usize> = core.inlets.iter().map(|_| 0).collect();
        core.inputs_over()?;
        let room = core.room(8)?.min(2);
        if core.outlets.is_empty() {
            core.begin(0);
            return core.commit(&takes, 0, &system.bells);
        }
        let mut out = core.begin(room).out.unwrap();
        (0..room).for_each(|_| out.emit(|_| {}));
        core.commit(&takes, room, &system.bells)
    };
    let sane = step(core).is_ok();
    if !sane {
        core.abort();
    }
    core.arm_for_messages(|_| 1);
    core.arm_for_room(1);
    core.disarm();
    sane
}

/// `PINRING_ROUNDS` says how many (10,000 unless told; `scripts/torture hostile` makes it a million).
#[test]
fn garbage_in_all_words_of_a_worker_is_survived_by_its_neighbours_and_put_right() {
    let rounds = std::env::var("PINRING_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000u64);
    let (mut system, mut random, mut fenced) = (three_workers(), Random(0x2545_F491_4F6C_DD1D), 0);
    let recover = |system: &System, node| Core::recover(&system.plan, &system.regions, &system.segment, node);
    let (mut first, mut third) = (recover(&system, 0), recover(&system, 2));
    for round in 0..rounds {
        scribble(&system, 1, &mut random);
        let sane = [work(&mut first, &system), work(&mut third, &system)];
        if round % 16 == 0 {
            // What the supervisor reads of it.
            std::hint::black_box(system.status());
            while system.log(1).pop().is_some() {}
            system.log(1).newly_dropped();
            let cause = ExitCause(Ended::Signal { number: 9, core: false });
            std::hint::black_box(system.look_at_the_dead(1, 1, cause, None));
        }
        if sane != [true, true] {
            fenced += 1;
            let (by, edge) = if sane[0] { (2, 1) } else { (0, 0) };
            assert_eq!(system.accuse(by, edge).unwrap().worker, 1);
            system.mend();
            assert!(system.mad.is_empty());
            (first, third) = (recover(&system, 0), recover(&system, 2));
            let mut second = recover(&system, 1);
            assert!(
                work(&mut second, &system) && work(&mut first, &system) && work(&mut third, &system),
                "not put right"
            );
        }
    }
    println!("{rounds} rounds, fenced {fenced} times");
    assert!(fenced > rounds / 10, "{fenced}");
}

#[test]
fn only_who_is_at_a_ring_can_accuse() {
    let mut system = three_workers();
    assert_eq!(system.accuse(0, 1), None);
    assert_eq!(system.accuse(0, 99), None);
    let fenced = system.accuse(0, 0).unwrap();
    assert_eq!((fenced.worker, fenced.neighbours), (1, 0b101));
}
