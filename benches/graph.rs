//! Nanoseconds a message through a graph of two pinned workers, every step a transaction, beside a pipe between two pinned
//! processes (one write and one read a message) in the same run.
//!
//! Rounds of both are interleaved and the medians compared: the machine may be shared and noisy, the ratio is the figure.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking; it prints few digits"
)]

use std::io;
use std::time::{Duration, Instant};

use pinring::message::{Field, FieldType, Record, Schema};
use pinring::pipeline::{Emitter, Graph, Input, Output, PlanError, Poll, Sink, Source, SourceIo, System};
use pinring::process::{Identity, spawn};
use pinring::supervisor::Wish;
use pinring::sys::{affinity, wait};
use pinring::topology::Topology;

const MESSAGES: u64 = 4_000_000;
const PIPE_MESSAGES: u64 = 200_000;
const ROUNDS: usize = 7;

/// Emits messages of one cache line: 40 bytes of header, 24 of payload.
struct Count;

impl Source for Count {
    fn kind(&self) -> &'static str {
        "count"
    }

    fn plan(&mut self) -> Result<Output, PlanError> {
        let schema = Schema::new(["a", "b", "c"].map(|name| Field::new(name, "", FieldType::I64)).to_vec())?;
        Ok(Output { schema, state_size: 8, max_per_step: 64, rate: 1e3 })
    }

    fn resume(&mut self, _: &mut [u8], _: &mut dyn SourceIo) -> io::Result<()> {
        Ok(())
    }

    fn poll(&mut self, state: &mut [u8], out: &mut Emitter<'_>, _: &mut dyn SourceIo) -> io::Result<Poll> {
        let count: &mut u64 = &mut bytemuck::cast_slice_mut(state)[0];
        while out.room() > 0 && *count < MESSAGES {
            *count += 1;
            out.emit(|record| record.set_i64(0, 1));
        }
        Ok(if *count == MESSAGES { Poll::Finished } else { Poll::Ready })
    }
}

/// Adds up what comes.
struct Add;

impl Sink for Add {
    fn kind(&self) -> &'static str {
        "add"
    }

    fn plan(&mut self, _: &[Input<'_>]) -> Result<usize, PlanError> {
        Ok(8)
    }

    fn resume(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, _: usize, record: &Record<'_>, state: &mut [u8]) -> io::Result<()> {
        let sum: &mut i64 = &mut bytemuck::cast_slice_mut(state)[0];
        *sum += record.i64(0).unwrap_or(0);
        Ok(())
    }

    fn flush(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}

fn graph(topology: &Topology) -> f64 {
    let mut graph = Graph::new();
    graph.source("count", Count);
    graph.sink("add", ["count"], Add);
    let plan = graph.plan(topology).unwrap();
    let mut system = System::set_up(graph, plan).unwrap();
    let supervisor = system.supervisor(Duration::from_secs(60));
    let started = Instant::now();
    let report = system.supervise(supervisor, |_, _| Wish::Continue).unwrap();
    let elapsed = started.elapsed();
    assert_eq!(report.status.nodes[1].counters.emitted, MESSAGES);
    elapsed.as_nanos() as f64 / MESSAGES as f64
}

fn pipe(topology: &Topology) -> f64 {
    let cores: Vec<usize> = topology.allowed().map(|core| core.id).collect();
    let pipe = nix::unistd::pipe().unwrap();
    let keep = [std::os::fd::AsRawFd::as_raw_fd(&pipe.1)];
    let identity = Identity { name: "writer", core: cores.last().copied(), keep: &keep };
    affinity::pin_to(cores[0]).unwrap();
    let started = Instant::now();
    let child = spawn(identity, || {
        let message = [1; 64];
        i32::from((0..PIPE_MESSAGES).any(|_| nix::unistd::write(&pipe.1, &message).is_err()))
    });
    let child = child.unwrap();
    let (mut message, mut read) = ([0; 64], 0);
    while read < PIPE_MESSAGES * 64 {
        read += nix::unistd::read(&pipe.0, &mut message).unwrap() as u64;
    }
    let elapsed = started.elapsed();
    while wait::reap(child.pid).unwrap().is_none() {}
    affinity::allow(&topology.affinity).unwrap();
    elapsed.as_nanos() as f64 / PIPE_MESSAGES as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let topology = Topology::detect().unwrap();
    let (graphs, pipes): (Vec<f64>, Vec<f64>) = (0..rounds).map(|_| (graph(&topology), pipe(&topology))).unzip();
    let (graph, pipe) = (median(graphs), median(pipes));
    println!("64-byte messages between two pinned processes, medians of {rounds} rounds");
    println!("  pinring graph (source -> sink, transactions)  {graph:8.1} ns a message");
    println!("  pipe (one write, one read)                    {pipe:8.1} ns a message");
    println!("  ratio                                         {:8.1} x", pipe / graph);
}
