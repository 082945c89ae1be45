//! Workers are killed with -9 at random moments while messages flow; every message must have its effect exactly once.
//!
//! No threads: the supervisor forks from this process.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking; its numbers are small"
)]

mod support;

use std::time::Duration;

use pinring::pipeline::{EdgeSpec, Graph, Overflow, Report, System};
use pinring::ring::Wait;
use pinring::supervisor::{Event, Wish};
use pinring::topology::Topology;

use support::nodes::{Count, Rows, Sum};

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

fn record_and_kill(last: i64, source: Wait, sink_waits: Wait) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("words");
    let mut graph = Graph::new();
    graph.source("count", Count::to(last)).waiting(source);
    graph.stage("sum", ["count"], Sum);
    graph.sink("words", ["sum"], Rows::new(&path)).waiting(sink_waits);
    let (report, killed) = run_and_kill(graph, 100);
    let rows = Rows::read(&path);
    assert_eq!(rows.len() as i64, last);
    let mut sum = 0;
    for (index, row) in rows.iter().enumerate() {
        let n = index as i64 + 1;
        sum += n;
        assert_eq!((row.seq, row.n, row.sum), (n as u64, n, sum));
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
        graph.source("count", Count::to(last));
        let edge = EdgeSpec { from: "count".into(), depth: Some(64), overflow };
        graph.sink("words", [edge], Rows::new(&path));
        let (report, killed) = run_and_kill(graph, 100);
        let rows = Rows::read(&path);
        let status = &report.status.nodes[1];
        println!("    {overflow:?}: {killed} kills, {} recorded, {} dropped", rows.len(), status.dropped);
        assert!(rows.windows(2).all(|pair| pair[0].seq < pair[1].seq), "in order, none twice");
        assert!(rows.iter().all(|row| row.seq == row.n as u64), "nothing torn");
        assert_eq!(status.counters.emitted, rows.len() as u64);
        assert_eq!(rows.len() as u64 + status.dropped, last as u64);
        assert!(status.dropped > 0, "a ring of 64 slots was never full");
    }
}

fn a_failing_sink_repeats_its_step_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("words");
    let mut graph = Graph::new();
    graph.source("count", Count::to(300));
    graph.sink("words", ["count"], Rows::new(&path).failing_every(130));
    let (report, _) = run_and_kill(graph, 0);
    let numbers: Vec<i64> = Rows::read(&path).iter().map(|row| row.n).collect();
    assert_eq!(numbers, (1..=300).collect::<Vec<i64>>());
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
