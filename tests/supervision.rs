//! Workers that crash, panic, hang, stop, and do not listen: what the supervisor does about it, with real processes.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking; its numbers are small"
)]

#[path = "supervision/mischief.rs"]
mod mischief;
mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use pinring::pipeline::{EdgeSpec, Graph, GroupSpec, LastDeath, Overflow, Report, System};
use pinring::supervisor::{Escalate, Event, Hang, Strategy, Wish};
use pinring::sys::clock::monotonic_ns;
use pinring::sys::signal;
use pinring::topology::Topology;

use mischief::{Mischief, Naughty, WRITABLE};
use support::nodes::{Count, Rows};

const MS: Duration = Duration::from_millis(1);

/// What happened, and when, in seconds since the first start.
struct Told {
    at: Duration,
    /// The last tick before: what happened was seen after that, and perhaps told a little later.
    after: Duration,
    what: String,
}

/// One worker per node: `count`, `stage`, `sink`. Runs until `done` says so; checks that all was recorded once and in order.
struct Bench {
    dir: tempfile::TempDir,
    graph: Graph,
}

impl Bench {
    fn new(mischief: Mischief, always: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut graph = Graph::new();
        let count = Count { rate: 1000.0, ..Count::bursts(1, 1_000_000) };
        graph.source("count", count).on_worker("count");
        let stage = Naughty { mischief, done: dir.path().join("done"), always };
        let edge = EdgeSpec { from: "count".into(), depth: Some(64), overflow: Overflow::Block };
        graph.stage("stage", [edge], stage).on_worker("stage");
        graph.sink("sink", ["stage"], Rows::new(&dir.path().join("rows"))).on_worker("sink");
        Self { dir, graph }
    }

    fn run(self, mut at_tick: impl FnMut(&mut System, Duration) -> Wish) -> Run {
        let Self { dir, mut graph } = self;
        let plan = graph.plan(&Topology::detect().unwrap()).unwrap();
        let mut system = System::set_up(graph, plan).unwrap();
        let stage = system.plan().workers.iter().position(|worker| worker.name == "stage").unwrap();
        let _ = WRITABLE.set(system.writable_by(stage));
        let supervisor = system.supervisor(10 * MS);
        let (start, mut told, mut logs, mut deaths) = (Instant::now(), Vec::new(), Vec::new(), Vec::new());
        let mut after = Duration::ZERO;
        let report = system
            .supervise(supervisor, |system, event| {
                let name = |worker: usize| system.plan().workers[worker].name.clone();
                let what = match &event {
                    Event::Tick => {
                        after = start.elapsed();
                        return at_tick(system, after);
                    }
                    Event::Log { record, .. } => {
                        logs.push(record.text.clone());
                        return Wish::Continue;
                    }
                    Event::Started { worker, .. } => format!("start {}", name(*worker)),
                    Event::Ended { worker, .. } => {
                        deaths.extend(system.last_death(*worker));
                        format!("end {}", name(*worker))
                    }
                    Event::Hung { worker, why } => format!("hung {} {why:?}", name(*worker)),
                    Event::Quarantined { worker } => format!("quarantined {}", name(*worker)),
                    Event::Fenced { worker } => format!("fenced {}", name(*worker)),
                    Event::Unreapable { worker } => format!("unreapable {}", name(*worker)),
                    Event::Killed { worker } => format!("killed {}", name(*worker)),
                    _ => return Wish::Continue,
                };
                told.push(Told { after, at: start.elapsed(), what });
                Wish::Continue
            })
            .unwrap();
        let rows = Rows::read(&dir.path().join("rows"));
        assert!(rows.is_sorted_by(|one, next| one.n < next.n), "doubled: {rows:?}");
        let lost = rows.last().map_or(0, |last| last.n as usize - rows.len());
        assert!(lost == 0 || told.iter().any(|told| told.what == "fenced stage"), "{lost} lost");
        Run { told, logs, deaths, report, recorded: rows.len(), lost, took: start.elapsed() }
    }
}

struct Run {
    told: Vec<Told>,
    logs: Vec<String>,
    deaths: Vec<LastDeath>,
    report: Report,
    recorded: usize,
    lost: usize,
    took: Duration,
}

impl Run {
    fn when(&self, what: &str) -> Duration {
        let found = self.told.iter().find(|told| told.what == what);
        found.unwrap_or_else(|| panic!("no `{what}` in {:?}", self.all())).at
    }

    fn all(&self) -> Vec<&str> {
        self.told.iter().map(|told| told.what.as_str()).collect()
    }
}

fn pid_of(system: &System, name: &str) -> Option<i32> {
    let status = system.status();
    status.workers.iter().find(|worker| worker.name == name)?.pid
}

fn stop_after(time: Duration) -> impl FnMut(&mut System, Duration) -> Wish {
    move |_, now| if now >= time { Wish::Stop } else { Wish::Continue }
}

fn a_worker_that_spins_is_found_named_and_replaced() {
    let run = Bench::new(Mischief::Spin, false).run(stop_after(Duration::from_secs(4)));
    println!("    noticed {:?} after the start; it spins after 0.1 s", run.when("hung stage Spinning"));
    let death = &run.deaths[0];
    assert_eq!((death.hang, death.node.as_deref()), (Some(Hang::Spinning), Some("stage")));
    assert!(death.message.as_ref().unwrap().contains("#100 n=100"), "{death:?}");
    assert!(death.cause.contains("SIGABRT"), "{}", death.cause);
    assert!(run.logs.iter().any(|line| line.contains("spin_for_ever")), "no backtrace: {:?}", run.logs);
    assert!(run.recorded > 1000);
}

fn a_worker_that_blocks_is_found_and_named() {
    let run = Bench::new(Mischief::Block, false).run(stop_after(Duration::from_secs(4)));
    println!("    noticed {:?} after the start; it blocks after 0.1 s", run.when("hung stage Blocked"));
    assert!(run.recorded > 1000);
}

fn a_panic_is_reported_with_its_place_and_its_message() {
    let run = Bench::new(Mischief::Panic, false).run(stop_after(Duration::from_secs(1)));
    let death = &run.deaths[0];
    assert!(
        death.last_words.contains("tests/supervision/mischief.rs")
            && death.last_words.contains("message 100 is too much")
    );
    assert_eq!(death.node.as_deref(), Some("stage"));
    assert!(death.events.iter().any(|event| event.contains("ready")), "{:?}", death.events);
}

fn a_worker_gone_mad_is_fenced_and_the_others_go_on() {
    let run = Bench::new(Mischief::Scribble, false).run(stop_after(Duration::from_secs(2)));
    run.when("fenced stage");
    println!("    {} recorded, {} of the mad worker lost; {:?}", run.recorded, run.lost, run.all());
    assert!(run.recorded > 500);
    assert_eq!(run.told.iter().filter(|told| told.what == "fenced stage").count(), 1);
    assert_eq!(run.report.outcome.killed, 0);
}

/// Stops (or freezes) a worker after half a second.
fn stopped(worker: &'static str, how: fn(i32)) -> Run {
    let mut at = None;
    let run = Bench::new(Mischief::None, false).run(move |system, now| {
        if now > 500 * MS && at.is_none() {
            how(pid_of(system, worker).unwrap());
            at = Some(now);
        }
        if now > Duration::from_secs(4) { Wish::Stop } else { Wish::Continue }
    });
    assert!(run.recorded > 1000, "{} recorded", run.recorded);
    run
}

fn a_stopped_worker_is_found_whether_it_works_or_sleeps() {
    for worker in ["count", "sink"] {
        let stop =
            |pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGSTOP).unwrap();
        let run = stopped(worker, stop);
        println!("    {worker}: noticed {:?} after SIGSTOP", run.when(&format!("hung {worker} Stopped")) - 500 * MS);
        assert_eq!(run.deaths[0].hang, Some(Hang::Stopped));
    }
}

const FREEZER: &str = "/sys/fs/cgroup/freezer/pinring-test";

fn thaw() {
    let _ = fs::write(format!("{FREEZER}/freezer.state"), "THAWED");
}

fn a_frozen_worker_is_unreapable_until_it_thaws_and_control_goes_on() {
    if fs::create_dir_all(FREEZER).is_err() || !Path::new(&format!("{FREEZER}/freezer.state")).exists() {
        println!("    not tried: no freezer of cgroups version 1 that we may use");
        return;
    }
    let mut at = None;
    let mut thawed = false;
    let run = Bench::new(Mischief::None, false).run(move |system, now| {
        if now > 500 * MS && at.is_none() {
            let pid = pid_of(system, "stage").unwrap();
            fs::write(format!("{FREEZER}/cgroup.procs"), pid.to_string()).unwrap();
            fs::write(format!("{FREEZER}/freezer.state"), "FROZEN").unwrap();
            at = Some(now);
        }
        if now > Duration::from_secs(5) && !thawed {
            thaw();
            thawed = true;
        }
        if now > Duration::from_secs(6) { Wish::Stop } else { Wish::Continue }
    });
    thaw();
    let _ = fs::remove_dir(FREEZER);
    println!("    noticed {:?} after the freeze", run.when("hung stage Frozen") - 500 * MS);
    let (unreapable, again) =
        (run.when("unreapable stage"), run.told.iter().rposition(|told| told.what == "start stage"));
    assert!(run.told[again.unwrap()].at > Duration::from_secs(5), "a second one before the first had ended");
    assert!(unreapable < Duration::from_secs(5));
    assert!(run.recorded > 1000, "{}", run.recorded);
}

fn a_worker_that_crashes_on_start_is_tried_by_the_schedule_and_quarantined() {
    let run = Bench::new(Mischief::Exit(1), true).run(stop_after(Duration::from_millis(3800)));
    let starts: Vec<Duration> = run.told.iter().filter(|told| told.what == "start stage").map(|told| told.at).collect();
    let ends: Vec<Duration> = run.told.iter().filter(|told| told.what == "end stage").map(|told| told.after).collect();
    // From each end to the next start; the first end comes 0.1 s after the first start, when message 100 does.
    let waits: Vec<u128> = starts[1..6].iter().zip(&ends).map(|(start, end)| (*start - *end).as_millis()).collect();
    println!("    waits in ms: {waits:?}");
    for (wait, least) in waits.iter().zip([100, 200, 400, 800, 1600]) {
        assert!(*wait >= least, "{waits:?}");
    }
    run.when("quarantined stage");
    assert_eq!(starts.len(), 6, "{:?}", run.all());
}

fn a_worker_that_says_so_is_not_started_again() {
    for code in [78, 100] {
        let run = Bench::new(Mischief::Exit(code), false).run(stop_after(500 * MS));
        assert_eq!(run.told.iter().filter(|told| told.what == "start stage").count(), 1, "{:?}", run.all());
        assert!(run.deaths[0].cause.contains("useless"), "{}", run.deaths[0].cause);
    }
}

fn a_group_is_stopped_and_started_together() {
    let mut bench = Bench::new(Mischief::Exit(1), false);
    let group = GroupSpec::new("all", ["count", "stage", "sink"]);
    bench.graph.supervision.groups = vec![GroupSpec { strategy: Strategy::OneForAll, ..group }];
    let run = bench.run(stop_after(Duration::from_secs(1)));
    let order = ["start count", "start stage", "start sink", "end stage", "end sink", "end count"];
    let again = ["start count", "start stage", "start sink"];
    assert_eq!(run.all()[..9], [&order[..], &again[..]].concat());
}

fn too_many_failures_end_the_program_if_so_wished() {
    let mut bench = Bench::new(Mischief::Exit(1), true);
    bench.graph.supervision.escalate = Escalate::Exit;
    bench.graph.supervision.intensity.restarts = 2;
    let run = bench.run(|_, _| Wish::Continue);
    assert!(run.report.outcome.escalated);
    assert_eq!(run.report.outcome.killed, 0, "nobody waits for the one that failed: {:?}", run.all());
}

fn a_deaf_worker_is_killed_when_its_time_is_over() {
    let mut bench = Bench::new(Mischief::Spin, false);
    bench.graph.supervision.hang = None;
    bench.graph.supervision.stop_timeout = 1500 * MS;
    let run = bench.run(stop_after(500 * MS));
    let killed = run.when("killed stage");
    println!("    asked after 0.5 s, killed after {killed:?} with a time of 1.5 s");
    assert!(killed >= 1990 * MS && run.took >= 1990 * MS);
    assert!(run.report.outcome.killed >= 1);
}

fn a_worker_has_exactly_the_descriptors_of_its_list() {
    let mut seen = Vec::new();
    Bench::new(Mischief::None, false).run(|system, now| {
        if now > 300 * MS && seen.is_empty() {
            let status = system.status();
            for worker in &status.workers {
                let fds = fs::read_dir(format!("/proc/{}/fd", worker.pid.unwrap())).unwrap().flatten();
                let mut names: Vec<String> = fds
                    .filter(|fd| fd.file_name().to_str().unwrap().parse::<i32>().unwrap() > 2)
                    .map(|fd| fs::read_link(fd.path()).unwrap().display().to_string())
                    .map(|name| {
                        name.split([':', '[']).next().unwrap().to_owned()
                            + if name.contains("event") { &name[10..] } else { "" }
                    })
                    .collect();
                names.sort();
                seen.push((worker.name.clone(), names));
            }
        }
        if seen.is_empty() { Wish::Continue } else { Wish::Stop }
    });
    for (name, fds) in &seen {
        // Three bells, the log's bell twice (as inherited, and the writer's own), its own epoll set, its line to the supervisor.
        let counts = |what: &str| fds.iter().filter(|fd| fd.contains(what)).count();
        let own_file = usize::from(name == "sink");
        let expected = (5, 1, 1, own_file);
        let found = (counts("eventfd"), counts("eventpoll"), counts("socket"), counts("rows"));
        assert_eq!((found, fds.len()), (expected, 7 + own_file), "{name}: {fds:?}");
    }
}

fn a_dead_worker_is_replaced_by_the_spare_and_no_message_is_lost() {
    let mut last = 0;
    let (mut kills, mut noticed) = (Vec::new(), Vec::new());
    let mut bench = Bench::new(Mischief::None, false);
    bench.graph.supervision.intensity.restarts = u32::MAX;
    let mut waiting_for = None;
    let run = bench.run(|system, now| {
        let status = system.status();
        let worker = status.workers.iter().find(|worker| worker.name == "stage").unwrap();
        if let (Some((killed_at, old)), Some(pid), Some(ready)) = (waiting_for, worker.pid, worker.ready_at_ns) {
            if pid != old && ready > killed_at {
                noticed.push((ready - killed_at) / 1000);
                waiting_for = None;
            }
        }
        if waiting_for.is_none() && now.as_millis() as u64 >= last + 1200 && worker.ready_at_ns.is_some() {
            last = now.as_millis() as u64;
            let pid = worker.pid.unwrap();
            kills.push(pid);
            waiting_for = Some((monotonic_ns(), pid));
            signal::kill_hard(pid).unwrap();
        }
        if noticed.len() >= 5 { Wish::Stop } else { Wish::Continue }
    });
    noticed.sort_unstable();
    println!("    ready again after a kill, us: {noticed:?}; {} messages", run.recorded);
    assert_eq!(kills.len(), 5);
}

fn main() -> std::process::ExitCode {
    support::run(
        &[
            ("a_worker_that_spins_is_found_named_and_replaced", a_worker_that_spins_is_found_named_and_replaced),
            ("a_worker_that_blocks_is_found_and_named", a_worker_that_blocks_is_found_and_named),
            ("a_panic_is_reported_with_its_place_and_its_message", a_panic_is_reported_with_its_place_and_its_message),
            (
                "a_stopped_worker_is_found_whether_it_works_or_sleeps",
                a_stopped_worker_is_found_whether_it_works_or_sleeps,
            ),
            (
                "a_frozen_worker_is_unreapable_until_it_thaws_and_control_goes_on",
                a_frozen_worker_is_unreapable_until_it_thaws_and_control_goes_on,
            ),
            (
                "a_worker_that_crashes_on_start_is_tried_by_the_schedule_and_quarantined",
                a_worker_that_crashes_on_start_is_tried_by_the_schedule_and_quarantined,
            ),
            ("a_worker_that_says_so_is_not_started_again", a_worker_that_says_so_is_not_started_again),
            ("a_worker_gone_mad_is_fenced_and_the_others_go_on", a_worker_gone_mad_is_fenced_and_the_others_go_on),
            ("a_group_is_stopped_and_started_together", a_group_is_stopped_and_started_together),
            ("too_many_failures_end_the_program_if_so_wished", too_many_failures_end_the_program_if_so_wished),
            ("a_deaf_worker_is_killed_when_its_time_is_over", a_deaf_worker_is_killed_when_its_time_is_over),
            ("a_worker_has_exactly_the_descriptors_of_its_list", a_worker_has_exactly_the_descriptors_of_its_list),
            (
                "a_dead_worker_is_replaced_by_the_spare_and_no_message_is_lost",
                a_dead_worker_is_replaced_by_the_spare_and_no_message_is_lost,
            ),
        ],
        60,
    )
}
