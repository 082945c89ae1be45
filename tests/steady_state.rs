//! What a running pipeline does not do: allocate, ring while the consumer is awake, wake up while nothing happens.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking; its numbers are small"
)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System as Heap};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pinring::codec::{FrameKind, FrameSettings};
use pinring::message::{Field, FieldType, Header, Record, Schema};
use pinring::pipeline::{Emitter, Graph, Input, Output, PlanError, Poll, Report, Sink, Source, SourceIo, System};
use pinring::serial::PortSettings;
use pinring::sink::{Csv, CsvOptions};
use pinring::source::Serial;
use pinring::stage::{Delimited, DelimitedField, DelimitedKind, DelimitedSettings, MovingAverage};
use pinring::supervisor::{Event, Wish};
use pinring::topology::Topology;

use support::pty::Device;

/// Counts this process's allocations. (Each forked worker counts its own.)
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: hands every call on to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // ORDER(test.count): Relaxed; a worker has one thread.
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's own promise about `layout`, handed on.
        unsafe { Heap.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's own promise, handed on.
        unsafe { Heap.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations() -> u64 {
    // ORDER(test.count): Relaxed; a worker has one thread.
    ALLOCATIONS.load(Ordering::Relaxed)
}

const WARM: u64 = 20_000;
const LAST: u64 = 200_000;

/// Emits lines of text; the last one carries this worker's allocations since message `WARM`, as its second column.
struct Lines(u64);

impl Source for Lines {
    fn kind(&self) -> &'static str {
        "lines"
    }

    fn plan(&mut self) -> Result<Output, PlanError> {
        let schema = Schema::new(vec![Field::new("line", "", FieldType::Text { max: 40 })])?;
        Ok(Output { schema, state_size: 8, max_per_step: 8, rate: 10_000.0 })
    }

    fn resume(&mut self, _: &mut [u8], _: &mut dyn SourceIo) -> io::Result<()> {
        Ok(())
    }

    fn poll(&mut self, state: &mut [u8], out: &mut Emitter<'_>, io: &mut dyn SourceIo) -> io::Result<Poll> {
        use std::io::Write;
        let count: &mut u64 = &mut bytemuck::cast_slice_mut(state)[0];
        out.stamp(Header { arrived_ns: io.now_ns(), utc_ns: io.utc_ns(), ..Header::default() });
        while out.room() > 0 && *count < LAST {
            *count += 1;
            if *count == WARM {
                self.0 = allocations();
            }
            let new = if *count == LAST { allocations() - self.0 } else { 0 };
            let mut text = [0; 40];
            let mut rest = &mut text[..];
            write!(rest, "{count},{new}").unwrap();
            let unused = rest.len();
            out.emit(|record| assert!(record.set_bytes(0, &text[..40 - unused])));
        }
        Ok(if *count == LAST { Poll::Finished } else { Poll::Ready })
    }
}

/// A CSV sink that counts the allocations of its worker up to row `LAST` and leaves them in a file. It begins at row `WARM`, but
/// not before the new file was made durable once, which opens its directory.
struct Watched {
    csv: Csv,
    rows: u64,
    is_synced: bool,
    before: Option<u64>,
    note: std::path::PathBuf,
}

impl Sink for Watched {
    fn kind(&self) -> &'static str {
        self.csv.kind()
    }
    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<usize, PlanError> {
        self.csv.plan(inputs)
    }
    fn prepare(&mut self) -> io::Result<()> {
        self.csv.prepare()
    }
    fn resume(&mut self, state: &mut [u8]) -> io::Result<()> {
        self.csv.resume(state)
    }
    fn admit(&mut self, input: usize, record: &Record<'_>, state: &mut [u8]) -> io::Result<bool> {
        self.csv.admit(input, record, state)
    }
    fn write(&mut self, input: usize, record: &Record<'_>, state: &mut [u8]) -> io::Result<()> {
        self.csv.write(input, record, state)?;
        self.rows += 1;
        if self.before.is_none() && self.rows >= WARM && self.is_synced {
            self.before = Some(allocations());
        }
        if self.rows == LAST {
            let new = allocations() - self.before.unwrap();
            std::fs::write(&self.note, new.to_string())?;
        }
        Ok(())
    }
    fn flush(&mut self, state: &mut [u8]) -> io::Result<()> {
        self.csv.flush(state)
    }
    fn deadline_ns(&self) -> Option<u64> {
        self.csv.deadline_ns()
    }
    fn sync(&mut self, state: &mut [u8], last: bool) -> io::Result<()> {
        self.is_synced = true;
        self.csv.sync(state, last)
    }
}

fn nothing_is_allocated_on_the_way_from_source_to_file() {
    let dir = tempfile::tempdir().unwrap();
    let (data, note) = (dir.path().join("data.csv"), dir.path().join("note"));
    let field = |name: &str| DelimitedField {
        name: name.into(),
        unit: String::new(),
        kind: DelimitedKind::F64,
        index: None,
        prefix: None,
    };
    let settings = DelimitedSettings {
        separator: ',',
        starts_with: None,
        skip_others: false,
        checksum: None,
        fields: vec![field("count"), field("allocations")],
    };
    let mut graph = Graph::new();
    graph.source("lines", Lines(0));
    graph.stage("decode", ["lines"], Delimited::new(settings));
    graph.stage("mean", ["decode"], MovingAverage::new(16, vec!["count".into()]));
    let sync = Duration::from_millis(10);
    let csv = Csv::new(CsvOptions { sync, ..CsvOptions::new(data.to_str().unwrap()) });
    let watched = Watched { csv, rows: 0, is_synced: false, before: None, note: note.clone() };
    graph.sink("file", ["mean"], watched);
    let plan = graph.plan(&Topology::detect().unwrap()).unwrap();
    let mut system = System::set_up(graph, plan).unwrap();
    let supervisor = system.supervisor(Duration::from_secs(1));
    let report = system.supervise(supervisor, |_, _| Wish::Continue).unwrap();
    assert_eq!(report.status.nodes[3].counters.emitted, LAST);
    let text = std::fs::read_to_string(&data).unwrap();
    let on_the_way: f64 = text.lines().last().unwrap().split(',').next_back().unwrap().parse().unwrap();
    let at_the_sink = std::fs::read_to_string(note).unwrap();
    println!("    allocations in {} messages: {on_the_way} acquiring, {at_the_sink} recording", LAST - WARM);
    assert_eq!((on_the_way, at_the_sink.as_str()), (0.0, "0"));
}

/// How often a process has gone to sleep of its own accord.
fn sleeps(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

fn idle(link: &Path) -> (Report, Vec<u64>) {
    let mut graph = Graph::new();
    let frame = FrameSettings { kind: FrameKind::Line { max: 40 }, crc: None };
    graph.source("port", Serial::new(link, PortSettings::default(), frame, None));
    let path = link.with_file_name("idle.csv");
    graph.sink("file", ["port"], Csv::new(CsvOptions::new(path.to_str().unwrap())));
    let plan = graph.plan(&Topology::detect().unwrap()).unwrap();
    let mut system = System::set_up(graph, plan).unwrap();
    let supervisor = system.supervisor(Duration::from_secs(1));
    let (mut before, mut after, mut tick) = (Vec::new(), Vec::new(), 0);
    let report = system.supervise(supervisor, |system, event| {
        if matches!(event, Event::Tick) {
            tick += 1;
            let pids = system.status().workers.into_iter().filter_map(|worker| worker.pid);
            match tick {
                1 => before = pids.map(sleeps).collect(),
                6 => {
                    after = pids.map(sleeps).collect();
                    return Wish::Stop;
                }
                _ => {}
            }
        }
        Wish::Continue
    });
    (report.unwrap(), after.iter().zip(&before).map(|(after, before)| after - before).collect())
}

fn an_idle_pipeline_does_not_wake_up() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("port");
    let _device = Device::plug(&link);
    let (report, wakes) = idle(&link);
    println!("    wake-ups of the workers in five idle seconds: {wakes:?}");
    assert_eq!(report.outcome.killed, 0);
    assert_eq!(wakes, [0, 0]);
}

fn main() -> std::process::ExitCode {
    support::run(
        &[
            (
                "nothing_is_allocated_on_the_way_from_source_to_file",
                nothing_is_allocated_on_the_way_from_source_to_file,
            ),
            ("an_idle_pipeline_does_not_wake_up", an_idle_pipeline_does_not_wake_up),
        ],
        60,
    )
}
