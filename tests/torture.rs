//! Workers killed again and again: what it costs, and that nothing is left of it. `scripts/torture` runs the long form.
//!
//! `PINRING_KILLS` and `PINRING_DEATHS` say how many.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking; its numbers are small"
)]

mod support;

use std::fs;
use std::time::Duration;

use pinring::pipeline::{Graph, System};
use pinring::ring::Wait;
use pinring::supervisor::{Event, Wish};
use pinring::sys::clock::monotonic_ns;
use pinring::sys::signal;
use pinring::topology::Topology;

use support::nodes::{Count, Rows, Sum};

fn count_from(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Resident memory that is this process's own, KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn zombies() -> usize {
    let own = pinring::sys::fork::own_pid();
    let stats =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(&format!(" Z {own} ")))).count()
}

/// Whoever is ready is killed, one after another at random: nothing is lost, doubled, or left behind.
fn kills_under_load_lose_nothing_and_leave_nothing_behind() {
    let kills = count_from("PINRING_KILLS", 300);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("words");
    let mut graph = Graph::new();
    graph.source("count", Count::bursts(64, 1_000_000)).on_worker("count");
    graph.stage("sum", ["count"], Sum).on_worker("sum");
    graph.sink("words", ["sum"], Rows::new(&path)).on_worker("words");
    graph.supervision.backoff_min = Duration::from_millis(1);
    graph.supervision.backoff_max = Duration::from_millis(1);
    graph.supervision.intensity.restarts = u32::MAX;
    let plan = graph.plan(&Topology::detect().unwrap()).unwrap();
    let mut system = System::set_up(graph, plan).unwrap();
    let supervisor = system.supervisor(Duration::from_millis(1));
    let (mut random, mut killed, mut before) = (support::Random::new(), 0, None);
    let (mut after, mut ticks) = (None, 0);
    // The last that was killed of each worker: a death that is not yet noticed is a zombie in its own right.
    let mut dead = vec![None; system.status().workers.len()];
    let report = system
        .supervise(supervisor, |system, event| {
            // Once it has been asked to stop all of them end, and are reaped one by one.
            if !matches!(event, Event::Tick) || after.is_some() {
                return Wish::Continue;
            }
            let status = system.status();
            let all_ready = status
                .workers
                .iter()
                .zip(&dead)
                .all(|(worker, dead)| worker.pid.is_some() && worker.pid != *dead && worker.ready_at_ns.is_some());
            // What memory and descriptors a supervisor takes is known once it has done everything a few times.
            if before.is_none() && all_ready && killed >= kills / 10 {
                before = Some((open_descriptors(), resident()));
            }
            if killed >= kills {
                if !all_ready {
                    return Wish::Continue;
                }
                // A spare that is out of date is ended, and reaped with the next tick.
                ticks += 1;
                let left = zombies();
                if left > 0 && ticks < 1000 {
                    return Wish::Continue;
                }
                after = Some((open_descriptors(), resident(), left));
                return Wish::Stop;
            }
            let index = random.below(status.workers.len() as u64) as usize;
            let victim = &status.workers[index];
            let alive = |pid: &i32| victim.ready_at_ns.is_some() && dead[index] != Some(*pid);
            if let Some(pid) = victim.pid.filter(alive) {
                signal::kill_hard(pid).unwrap();
                dead[index] = Some(pid);
                killed += 1;
            }
            Wish::Continue
        })
        .unwrap();
    let rows = Rows::read(&path);
    let mut sum: i64 = 0;
    for (index, row) in rows.iter().enumerate() {
        sum = sum.wrapping_add(index as i64 + 1);
        assert_eq!((row.n, row.sum), (index as i64 + 1, sum), "lost or doubled");
    }
    let ((fds, rss), after) = (before.unwrap(), after.unwrap());
    println!(
        "    {killed} kills, {} messages, 0 lost, 0 doubled; descriptors {fds} -> {}, memory {rss} -> {} KiB, zombies {}",
        rows.len(),
        after.0,
        after.1,
        after.2
    );
    assert_eq!((report.outcome.killed, report.unexplained_loss()), (0, 0));
    // The spare and a worker on its way may be there or not: each has a pidfd and a line.
    assert!(after.0 <= fds + 2, "descriptors leak");
    assert!(after.1 <= rss + 64, "memory leaks");
    assert_eq!(after.2, 0, "zombies");
}

/// A process that kills `pid` at once and says when.
fn killer(pid: i32) -> u64 {
    let at = monotonic_ns();
    signal::kill_hard(pid).unwrap();
    at
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1)]
}

/// How soon a death is noticed, and how soon the dead worker's successor commits its first message.
fn deaths_are_noticed_and_repaired_fast() {
    let deaths = count_from("PINRING_DEATHS", 8);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("words");
    let mut graph = Graph::new();
    // It does not sleep: a sleep of a millisecond between two messages would be all that is seen.
    graph.source("count", Count::bursts(1, 50_000)).on_worker("count").waiting(Wait::Busy);
    graph.sink("words", ["count"], Rows::new(&path)).on_worker("words");
    graph.supervision.intensity.restarts = u32::MAX;
    let plan = graph.plan(&Topology::detect().unwrap()).unwrap();
    let mut system = System::set_up(graph, plan).unwrap();
    let supervisor = system.supervisor(Duration::from_millis(100));
    let mut kills: Vec<u64> = Vec::new();
    let mut noticed: Vec<u64> = Vec::new();
    let mut last = None;
    system
        .supervise(supervisor, |system, event| {
            match event {
                Event::Ended { worker: 0, noticed_ns, .. } if noticed.len() < kills.len() => {
                    noticed.push(noticed_ns - kills[kills.len() - 1]);
                }
                Event::Tick => {
                    let status = system.status();
                    let worker = &status.workers[0];
                    let good = worker.ready_at_ns.is_some_and(|at| monotonic_ns() > at + 1_050_000_000);
                    if kills.len() as u64 == deaths && noticed.len() == kills.len() && good {
                        return Wish::Stop;
                    }
                    // Not the same one twice: on a busy machine it may take its time to die.
                    let another = worker.pid.filter(|pid| last != Some(*pid));
                    if let Some(pid) = another.filter(|_| good && (kills.len() as u64) < deaths) {
                        last = Some(pid);
                        kills.push(killer(pid));
                    }
                }
                _ => {}
            }
            Wish::Continue
        })
        .unwrap();
    let sent: Vec<u64> = Rows::read(&path).iter().map(|row| row.sent_ns).collect();
    let mut again: Vec<u64> = kills
        .iter()
        .map(|at| {
            // The dead may have committed a last one just before the signal reached it: the gap is what counts.
            let first = sent.partition_point(|sent| sent <= at);
            let late =
                sent[first..].iter().take(4).zip(sent[first - 1..].iter()).max_by_key(|(next, last)| *next - *last);
            late.map_or(0, |(next, _)| next - at)
        })
        .collect();
    noticed.sort_unstable();
    again.sort_unstable();
    let of =
        |times: &[u64]| format!("p50 {} us, p99 {} us", percentile(times, 50) / 1000, percentile(times, 99) / 1000);
    println!("    {deaths} deaths: noticed {}; first message again {}", of(&noticed), of(&again));
    assert_eq!(noticed.len() as u64, deaths);
}

fn main() -> std::process::ExitCode {
    support::run(
        &[
            (
                "kills_under_load_lose_nothing_and_leave_nothing_behind",
                kills_under_load_lose_nothing_and_leave_nothing_behind,
            ),
            ("deaths_are_noticed_and_repaired_fast", deaths_are_noticed_and_repaired_fast),
        ],
        3600,
    )
}
