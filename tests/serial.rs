//! Serial ports, on real kernel terminals: kills, unplugging, overflow.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; its numbers are small"
)]

mod support;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pinring::codec::{FrameKind, FrameSettings};
use pinring::message::Record;
use pinring::pipeline::{Graph, Input, PlanError, Report, Sink, System};
use pinring::serial::PortSettings;
use pinring::source::Serial;
use pinring::supervisor::{Event, Wish};
use pinring::topology::Topology;

use support::length_file::LengthFile;
use support::pty::Device;

/// Writes each line as it came.
struct Lines(LengthFile);

impl Sink for Lines {
    fn kind(&self) -> &'static str {
        "lines"
    }

    fn plan(&mut self, _: &[Input<'_>]) -> Result<usize, PlanError> {
        Ok(8)
    }

    fn resume(&mut self, state: &mut [u8]) -> io::Result<()> {
        self.0.resume(state)
    }

    fn write(&mut self, _: usize, record: &Record<'_>, _: &mut [u8]) -> io::Result<()> {
        self.0.buffer.extend_from_slice(record.bytes(0));
        self.0.buffer.push(b'\n');
        Ok(())
    }

    fn flush(&mut self, state: &mut [u8]) -> io::Result<()> {
        self.0.flush(state)
    }
}

struct Bench {
    _dir: tempfile::TempDir,
    link: PathBuf,
    out: PathBuf,
    system: System,
    supervisor: pinring::supervisor::Supervisor,
}

/// A pipeline from the terminal behind a link into a file.
fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let (link, out) = (dir.path().join("port"), dir.path().join("lines"));
    let mut graph = Graph::new();
    graph.supervision.backoff_min = Duration::from_millis(1);
    graph.supervision.backoff_max = Duration::from_millis(1);
    graph.supervision.intensity.restarts = u32::MAX;
    let frame = FrameSettings { kind: FrameKind::Line { max: 40 }, crc: None };
    graph.source("port", Serial::new(&link, PortSettings::default(), frame, None));
    graph.sink("lines", ["port"], Lines(LengthFile::new(&out)));
    let plan = graph.plan(&Topology::detect().unwrap()).unwrap();
    let system = System::set_up(graph, plan).unwrap();
    let supervisor = system.supervisor(Duration::from_millis(1));
    Bench { _dir: dir, link, out, system, supervisor }
}

impl Bench {
    /// Runs it; at every millisecond `at_tick` does what it wants and says when it is enough.
    fn run(&mut self, mut at_tick: impl FnMut(&System, &Path) -> Wish) -> Report {
        let link = self.link.clone();
        let supervisor = self.supervisor.clone();
        let report = self.system.supervise(supervisor, |system, event| {
            if let Event::Log { record, .. } = &event {
                println!("    {}", record.text);
            }
            if matches!(event, Event::Tick) { at_tick(system, &link) } else { Wish::Continue }
        });
        report.unwrap()
    }

    fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(&self.out).unwrap().lines().map(str::to_owned).collect()
    }
}

fn line(number: u64) -> String {
    format!("{number} {:016x}\r\n", number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn expect_all(lines: &[String], count: u64) {
    assert_eq!(lines.len() as u64, count);
    for (index, text) in lines.iter().enumerate() {
        assert_eq!(*text, line(index as u64).trim_end());
    }
}

fn no_byte_is_lost_or_doubled_whatever_is_killed_while_reading() {
    const LINES: u64 = 100_000;
    let mut bench = bench();
    let mut device = Device::plug(&bench.link);
    let (mut random, mut next, mut pending, mut killed, mut tick) = (support::Random::new(), 0, Vec::new(), 0, 0u64);
    let report = bench.run(|system, _| {
        tick += 1;
        if pending.is_empty() && next < LINES {
            for _ in 0..random.below(200) {
                if next < LINES {
                    pending.extend_from_slice(line(next).as_bytes());
                    next += 1;
                }
            }
        }
        // Pieces of any size, cut anywhere.
        let piece = random.below(pending.len() as u64 + 1) as usize;
        let sent = device.send(&pending[..piece]);
        pending.drain(..sent);
        if tick % 5 == 0 {
            let status = system.status();
            let victim = &status.workers[random.below(status.workers.len() as u64) as usize];
            if let Some(pid) = victim.pid.filter(|_| victim.ready_at_ns.is_some()) {
                pinring::sys::signal::kill_hard(pid).unwrap();
                killed += 1;
            }
        }
        let done = next == LINES && pending.is_empty() && device.is_read();
        if done { Wish::Stop } else { Wish::Continue }
    });
    println!("    {LINES} lines, {killed} kills");
    expect_all(&bench.lines(), LINES);
    assert_eq!(report.status.nodes[0].counters.rejected + report.status.nodes[0].counters.cut, 0);
    assert_eq!(report.outcome.killed, 0);
    assert!(killed >= 50, "{killed} kills are too few to mean anything");
}

fn a_port_that_was_unplugged_is_found_again() {
    const LINES: u64 = 200;
    let mut bench = bench();
    let mut device = Some(Device::plug(&bench.link));
    let (mut next, mut unplugged, mut half_sent) = (0, 0, false);
    let report = bench.run(|_, link| {
        match &mut device {
            Some(plugged) if next == LINES && unplugged == 0 && plugged.is_read() => {
                // Half a line, and when that has been read, too, the cable goes.
                if half_sent {
                    device = None;
                    std::fs::remove_file(link).unwrap();
                } else {
                    plugged.send(b"half a li");
                    half_sent = true;
                }
            }
            Some(plugged) if next < LINES || (unplugged > 0 && next < 2 * LINES) => {
                assert_eq!(plugged.send(line(next).as_bytes()), line(next).len());
                next += 1;
            }
            Some(plugged) if next == 2 * LINES && plugged.is_read() => return Wish::Stop,
            Some(_) => {}
            None => {
                unplugged += 1;
                if unplugged == 100 {
                    device = Some(Device::plug(link));
                }
            }
        }
        Wish::Continue
    });
    expect_all(&bench.lines(), 2 * LINES);
    let counters = report.status.nodes[0].counters;
    assert_eq!((counters.cut, counters.reconnects, counters.rejected), (1, 1, 0));
}

fn the_supervisor_holds_the_port_while_its_worker_restarts() {
    let mut bench = bench();
    let mut device = Device::plug(&bench.link);
    let target = std::fs::read_link(&bench.link).unwrap();
    let holds = |target: &Path| {
        let fds = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        fds.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|path| path == target)).count()
    };
    let (mut tick, mut killed_at, mut pid_before) = (0u64, None, None);
    let before = holds(&target);
    bench.run(|system, _| {
        tick += 1;
        let status = system.status();
        let worker = &status.workers[status.nodes[0].worker];
        match killed_at {
            None if holds(&target) > before && worker.ready_at_ns.is_some() => {
                pid_before = worker.pid;
                pinring::sys::signal::kill_hard(worker.pid.unwrap()).unwrap();
                killed_at = Some(tick);
            }
            Some(_) => {
                assert!(holds(&target) > before, "the port was closed");
                if worker.pid != pid_before && worker.ready_at_ns.is_some() {
                    if status.nodes[0].counters.emitted > 0 {
                        return Wish::Stop;
                    }
                    device.send(b"hello\n");
                }
            }
            None => {}
        }
        Wish::Continue
    });
    assert!(bench.lines().iter().all(|line| line == "hello"));
}

fn main() -> std::process::ExitCode {
    support::run(
        &[
            (
                "no_byte_is_lost_or_doubled_whatever_is_killed_while_reading",
                no_byte_is_lost_or_doubled_whatever_is_killed_while_reading,
            ),
            ("a_port_that_was_unplugged_is_found_again", a_port_that_was_unplugged_is_found_again),
            (
                "the_supervisor_holds_the_port_while_its_worker_restarts",
                the_supervisor_holds_the_port_while_its_worker_restarts,
            ),
        ],
        120,
    )
}
