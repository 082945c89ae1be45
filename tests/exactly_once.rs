//! Workers are killed with -9 at random moments while messages flow; every message must have its effect exactly once.
//!
//! No threads: the supervisor forks from this process. The nodes here are as small as they can be, so that many steps
//! fit between two kills.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking; its numbers are small"
)]

mod support;

use std::io;
use std::path::Path;
use std::time::Duration;

use pinring::message::{Field, FieldType, Header, Record, Schema};
use pinring::pipeline::{
    EdgeSpec, Emitter, Graph, Input, Output, Overflow, PlanError, Poll, Report, Sink, Source, SourceIo, Stage, System,
};
use pinring::ring::Wait;
use pinring::supervisor::{Event, Wish};
use pinring::topology::Topology;

use support::length_file::LengthFile;

fn numbers() -> Schema {
    Schema::new(vec![Field::new("n", "", FieldType::I64), Field::new("sum", "", FieldType::I64)]).unwrap()
}

/// Emits 1, 2, 3 ... `last`, at most eight in one step.
struct Count {
    last: u64,
}

impl Source for Count {
    fn kind(&self) -> &'static str {
        "count"
    }

    fn plan(&mut self) -> Result<Output, PlanError> {
        Ok(Output { schema: numbers(), state_size: 8, max_per_step: 8, rate: 1000.0 })
    }

    fn resume(&mut self, _: &mut [u8], _: &mut dyn SourceIo) -> io::Result<()> {
        Ok(())
    }

    fn poll(&mut self, state: &mut [u8], out: &mut Emitter<'_>, io: &mut dyn SourceIo) -> io::Result<Poll> {
        let count: &mut u64 = &mut bytemuck::cast_slice_mut(state)[0];
        out.stamp(Header { arrived_ns: io.now_ns(), utc_ns: io.utc_ns(), ..Header::default() });
        while out.room() > 0 && *count < self.last && !io.is_draining() {
            *count += 1;
            let n = i64::try_from(*count).unwrap();
            out.emit(|record| record.set_i64(0, n));
        }
        Ok(if *count == self.last || io.is_draining() { Poll::Finished } else { Poll::Ready })
    }
}

/// Adds up what passes.
struct Sum;

impl Stage for Sum {
    fn kind(&self) -> &'static str {
        "sum"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        Ok(Output { schema: inputs[0].schema.clone(), state_size: 8, max_per_step: 1, rate: inputs[0].rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, state: &mut [u8], out: &mut Emitter<'_>) {
        let sum: &mut i64 = &mut bytemuck::cast_slice_mut(state)[0];
        let n = record.i64(0).unwrap();
        *sum += n;
        let sum = *sum;
        out.emit(|record| {
            record.set_i64(0, n);
            record.set_i64(1, sum);
        });
    }
}

/// Writes each message as three words.
struct Words {
    file: LengthFile,
    fail_every: u64,
    writes: u64,
}

impl Sink for Words {
    fn kind(&self) -> &'static str {
        "words"
    }

    fn plan(&mut self, _: &[Input<'_>]) -> Result<usize, PlanError> {
        Ok(8)
    }

    fn resume(&mut self, state: &mut [u8]) -> io::Result<()> {
        self.file.resume(state)
    }

    fn write(&mut self, _: usize, record: &Record<'_>, _: &mut [u8]) -> io::Result<()> {
        self.writes += 1;
        if self.fail_every > 0 && self.writes % self.fail_every == 0 {
            return Err(io::Error::other("an error on purpose"));
        }
        let words = [record.header().seq, record.i64(0).unwrap() as u64, record.i64(1).unwrap_or(0) as u64];
        self.file.buffer.extend_from_slice(bytemuck::cast_slice(&words));
        Ok(())
    }

    fn flush(&mut self, state: &mut [u8]) -> io::Result<()> {
        self.file.flush(state)
    }
}

fn words(path: &Path) -> Vec<[u64; 3]> {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(bytes.len() % 24, 0, "the file ends within a message");
    bytes.chunks_exact(24).map(bytemuck::pod_read_unaligned).collect()
}

fn sink(path: &Path) -> Words {
    Words { file: LengthFile::new(path), fail_every: 0, writes: 0 }
}

/// Runs the graph and kills a random worker every few milliseconds, `kills` times, then lets it end.
fn run_and_kill(mut graph: Graph, kills: u64) -> (Report, u64) {
    graph.supervision.backoff_min = Duration::from_millis(1);
    graph.supervision.backoff_max = Duration::from_millis(1);
    graph.supervision.intensity.restarts = u32::MAX;
    let plan = graph.plan(&Topology::detect().unwrap()).unwrap();
    let mut system = System::set_up(graph, plan).unwrap();
    let mut supervisor = system.supervisor(Duration::from_millis(3));
    supervisor.policy.stop_timeout = Duration::from_secs(20);
    let (mut random, mut killed) = (support::Random::new(), 0);
    let report = system
        .supervise(supervisor, |system, event| {
            if let Event::Log { record, .. } = &event {
                println!("    {}", record.text);
            }
            if matches!(event, Event::Tick) && killed < kills {
                let status = system.status();
                let victim = &status.workers[random.below(status.workers.len() as u64) as usize];
                if let Some(pid) = victim.pid.filter(|_| victim.ready_at_ns.is_some()) {
                    pinring::sys::signal::kill_hard(pid).unwrap();
                    killed += 1;
                }
            }
            Wish::Continue
        })
        .unwrap();
    (report, killed)
}

fn every_message_is_recorded_once_in_order() {
    record_and_kill(4_000_000, Wait::Sleep, Wait::Sleep);
}

/// The source's worker never sleeps, the sink's looks for a while before it does.
fn so_it_is_however_the_workers_wait() {
    record_and_kill(2_000_000, Wait::Busy, Wait::SpinThenSleep(Duration::from_micros(20)));
}

fn record_and_kill(last: u64, source: Wait, sink_waits: Wait) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("words");
    let mut graph = Graph::new();
    graph.source("count", Count { last }).waiting(source);
    graph.stage("sum", ["count"], Sum);
    graph.sink("words", ["sum"], sink(&path)).waiting(sink_waits);
    let (report, killed) = run_and_kill(graph, 100);
    let rows = words(&path);
    assert_eq!(rows.len() as u64, last);
    let mut sum = 0;
    for (index, row) in rows.iter().enumerate() {
        let n = index as u64 + 1;
        sum += n;
        assert_eq!(*row, [n, n, sum]);
    }
    assert_eq!(report.outcome.killed, 0);
    let restarts: u64 = report.status.workers.iter().map(|worker| worker.restarts).sum();
    println!("    {killed} kills, {restarts} restarts, {last} messages");
    assert!(killed >= 20, "the run was over before it was tried hard enough");
}

fn an_overflow_policy_counts_exactly_what_it_drops() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("words");
        let last = 3_000_000;
        let mut graph = Graph::new();
        graph.source("count", Count { last });
        let edge = EdgeSpec { from: "count".into(), depth: Some(64), overflow };
        graph.sink("words", [edge], sink(&path));
        let (report, killed) = run_and_kill(graph, 100);
        let rows = words(&path);
        let status = &report.status.nodes[1];
        println!("    {overflow:?}: {killed} kills, {} recorded, {} dropped", rows.len(), status.dropped);
        assert!(rows.windows(2).all(|pair| pair[0][0] < pair[1][0]), "in order, none twice");
        assert!(rows.iter().all(|row| row[0] == row[1]), "nothing torn");
        assert_eq!(status.counters.emitted, rows.len() as u64);
        assert_eq!(rows.len() as u64 + status.dropped, last);
        assert!(status.dropped > 0, "a ring of 64 slots was never full");
    }
}

fn a_failing_sink_repeats_its_step_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("words");
    let mut graph = Graph::new();
    graph.source("count", Count { last: 300 });
    graph.sink("words", ["count"], Words { fail_every: 130, ..sink(&path) });
    let (report, _) = run_and_kill(graph, 0);
    let numbers: Vec<u64> = words(&path).iter().map(|row| row[1]).collect();
    assert_eq!(numbers, (1..=300).collect::<Vec<u64>>());
    assert!(report.status.nodes[1].counters.reconnects > 0);
}

fn main() -> std::process::ExitCode {
    support::run(
        &[
            ("every_message_is_recorded_once_in_order", every_message_is_recorded_once_in_order),
            ("so_it_is_however_the_workers_wait", so_it_is_however_the_workers_wait),
            ("an_overflow_policy_counts_exactly_what_it_drops", an_overflow_policy_counts_exactly_what_it_drops),
            (
                "a_failing_sink_repeats_its_step_and_doubles_nothing",
                a_failing_sink_repeats_its_step_and_doubles_nothing,
            ),
        ],
        120,
    )
}
