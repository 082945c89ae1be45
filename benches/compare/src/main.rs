//! pinring's rings beside others and beside the machine's limits: every case once a round, in random order; medians.
//!
//! Pins to cores 0 and 1. Absolute values move with the machine: compare within a run.

mod fan_in;
mod goals;
mod harness;
mod iceoryx;
mod kernel;
mod limits;
mod message;
mod multi;
mod pinring;
mod rivals;
mod scaling;

use std::io::IsTerminal;
use std::time::Duration;

use ::pinring::ring::Wait;
use clap::{Parser, Subcommand};
use rand::seq::SliceRandom;

/// A case of a figure (or of two: p50 and p99 of a round trip).
struct Case {
    figures: &'static [&'static str],
    name: &'static str,
    run: fn() -> Vec<f64>,
}

/// Samples of every case.
pub struct Results(Vec<(&'static str, &'static str, Vec<f64>)>);

impl Results {
    fn add(&mut self, figure: &'static str, case: &'static str, sample: f64) {
        match self.0.iter_mut().find(|(known, name, _)| (*known, *name) == (figure, case)) {
            Some((_, _, samples)) => samples.push(sample),
            None => self.0.push((figure, case, vec![sample])),
        }
    }

    /// The median of a case's samples.
    pub fn median(&self, figure: &str, case: &str) -> Option<f64> {
        let (_, _, samples) = self.0.iter().find(|(known, name, _)| (*known, *name) == (figure, case))?;
        let mut samples = samples.clone();
        samples.sort_by(f64::total_cmp);
        Some(samples[samples.len() / 2])
    }
}

const TRIP: &[&str] = &["round trip, looking, 64 B, p50 ns", "round trip, looking, 64 B, p99 ns"];
const ASLEEP: &[&str] = &["round trip, asleep, 64 B, p50 ns", "round trip, asleep, 64 B, p99 ns"];
/// Messages of a round: of the fast, of those that take syscalls, and round trips.
const MANY: u64 = 4_000_000;
const FEW: u64 = 100_000;
const TRIPS: u64 = 20_000;
const SLEEPS: u64 = 2_000;

#[macro_export]
macro_rules! cases {
    ($($figures:expr => { $($name:literal: $run:expr),* $(,)? })*) => {
        vec![$($(Case { figures: $figures, name: $name, run: || ($run).into_samples() }),*),*]
    };
}

/// One figure or two.
trait IntoSamples {
    fn into_samples(self) -> Vec<f64>;
}

impl IntoSamples for f64 {
    fn into_samples(self) -> Vec<f64> {
        vec![self]
    }
}

impl IntoSamples for [f64; 2] {
    fn into_samples(self) -> Vec<f64> {
        self.to_vec()
    }
}

fn streams() -> Vec<Case> {
    use pinring::{one, slots};
    cases! {
        &["stream, 16 B, M msg/s"] => {
            "pinring": one::<2>(MANY, Wait::Busy, slots(2)),
            "rtrb": rivals::rtrb::<2>(MANY),
            "crossbeam ArrayQueue": rivals::array_queue::<2>(MANY / 4),
            "limit: copy, 256 KiB blocks": limits::copy::<2, 262_144>(MANY),
        }
        &["stream, 64 B, M msg/s"] => {
            "pinring": one::<8>(MANY, Wait::Busy, slots(8)),
            "pinring, able to sleep": one::<8>(MANY, Wait::default(), slots(8)),
            "pinring, 1,024 slots": one::<8>(MANY, Wait::Busy, 1024),
            "rtrb": rivals::rtrb::<8>(MANY),
            "heapless spsc": rivals::heapless::<8, 4096>(MANY),
            "disruptor": rivals::disruptor::<8>(MANY),
            "crossbeam ArrayQueue": rivals::array_queue::<8>(MANY / 4),
            "crossbeam-channel": rivals::crossbeam_channel::<8>(MANY / 4),
            "std mpsc": rivals::std_mpsc::<8>(MANY / 4),
            "kanal": rivals::kanal::<8>(MANY / 4),
            "iceoryx2": iceoryx::one(FEW),
            "pipe": kernel::pipe_one(FEW),
            "seqpacket": kernel::seqpacket_one(FEW),
            "POSIX mq": kernel::mq_one(FEW / 4),
            "limit: copy, 256 KiB blocks": limits::copy::<8, 262_144>(MANY),
            "limit: copy, 64 KiB blocks": limits::copy::<8, 65_536>(MANY),
        }
        &["stream in batches of 32, 64 B, M msg/s"] => {
            "pinring": pinring::batch::<8>(MANY, Wait::Busy),
            "pinring, able to sleep": pinring::batch::<8>(MANY, Wait::default()),
            "rtrb chunks": rivals::rtrb_batch::<8>(MANY),
            "limit: copy, 256 KiB blocks": limits::copy::<8, 262_144>(MANY),
        }
        &["stream, 256 B, M msg/s"] => {
            "pinring": one::<32>(MANY / 4, Wait::Busy, slots(32)),
            "rtrb": rivals::rtrb::<32>(MANY / 4),
            "disruptor": rivals::disruptor::<32>(MANY / 4),
            "limit: copy, 256 KiB blocks": limits::copy::<32, 262_144>(MANY / 4),
        }
        &["stream, 4096 B, M msg/s"] => {
            "pinring": one::<512>(MANY / 40, Wait::Busy, slots(512)),
            "rtrb": rivals::rtrb::<512>(MANY / 40),
            "limit: copy, 256 KiB blocks": limits::copy::<512, 262_144>(MANY / 40),
        }
        &["4 producers -> 1 consumer, 64 B, M msg/s"] => {
            "pinring lanes": pinring::lanes(MANY / 16),
            "crossbeam ArrayQueue": rivals::fan_in::array_queue(MANY / 16),
            "crossbeam-channel": rivals::fan_in::crossbeam_channel(MANY / 16),
            "std mpsc": rivals::fan_in::std_mpsc(MANY / 16),
            "kanal": rivals::fan_in::kanal(MANY / 16),
        }
        &["32 messages taken and given on, 64 B, ns a message"] => {
            "pinring, pop and push alone": pinring::step(MANY / 8, false),
            "pinring step, with state": pinring::step(MANY / 8, true),
        }
    }
}

fn trips() -> Vec<Case> {
    cases! {
        TRIP => {
            "pinring": pinring::trip::<8>(TRIPS, Wait::Busy),
            "pinring line (56 B)": pinring::line_trip::<7>(TRIPS),
            "pinring line (64 B)": pinring::line_trip::<8>(TRIPS),
            "pinring, spin then sleep": pinring::trip::<8>(TRIPS, Wait::SpinThenSleep(Duration::from_micros(20))),
            "rtrb": rivals::rtrb_trip::<8>(TRIPS),
            "disruptor": rivals::disruptor_trip::<8>(TRIPS),
            "crossbeam ArrayQueue": rivals::array_queue_trip::<8>(TRIPS),
            "iceoryx2": iceoryx::trip(TRIPS),
            "limit: a line each way": limits::line_each_way(TRIPS),
            "limit: one line": limits::one_line(TRIPS),
        }
        ASLEEP => {
            "pinring": pinring::trip::<8>(SLEEPS, Wait::Sleep),
            "pipe": kernel::pipe_trip(SLEEPS),
            "seqpacket": kernel::seqpacket_trip(SLEEPS),
            "POSIX mq": kernel::mq_trip(SLEEPS),
            "limit: eventfd pair": kernel::eventfd_trip(SLEEPS),
            "limit: futex pair": kernel::futex_trip(SLEEPS),
        }
    }
}

fn print(results: &Results) {
    let mut figures: Vec<&str> = Vec::new();
    results.0.iter().map(|(figure, ..)| *figure).for_each(|figure| {
        if !figures.contains(&figure) {
            figures.push(figure);
        }
    });
    for figure in figures {
        println!("\n{figure}");
        let own = results.0.iter().find(|(known, name, _)| *known == figure && name.starts_with("pinring"));
        let own = own.and_then(|(_, name, _)| results.median(figure, name));
        let mut rows: Vec<(&str, f64)> = results
            .0
            .iter()
            .filter(|(known, ..)| *known == figure)
            .filter_map(|(_, name, _)| Some((*name, results.median(figure, name)?)))
            .collect();
        rows.sort_by(|one, other| other.1.total_cmp(&one.1));
        for (name, value) in rows {
            let ratio = own.map_or(f64::NAN, |own| own / value);
            println!("  {name:<32} {value:>12.2}   pinring / this {ratio:8.2}");
        }
    }
}

/// For machines.
fn print_json(results: &Results) {
    for (figure, name, samples) in &results.0 {
        println!("{{\"figure\":\"{figure}\",\"case\":\"{name}\",\"samples\":{samples:?}}}");
    }
}

/// Push and pop in batches of 32, in place, in one thread.
fn count(messages: u64) -> std::process::ExitCode {
    let (mut tx, mut rx) = ::pinring::ring::channel::<[u64; 8]>(1024).expect("memory");
    let mut sum = 0;
    for batch in 0..messages / 32 {
        let mut reserved = tx.reserve(32).expect("a whole ring");
        let (first, second) = reserved.as_mut_slices();
        first.iter_mut().chain(second).for_each(|slot| *slot = [batch; 8]);
        reserved.commit(32);
        let taken = rx.peek(32).expect("messages");
        let (first, second) = taken.as_slices();
        sum += first.iter().chain(second).map(|message| message[0]).sum::<u64>();
        taken.release(32);
    }
    println!("{sum}");
    std::process::ExitCode::SUCCESS
}

/// Compares pinring's rings, or `pinring::multi`, with others and with the machine's limits: every case once a round, in random order; medians.
#[derive(Parser)]
#[command(after_help = "Examples:
  pinring-compare --only \"round trip\"
  pinring-compare multi --rounds 5 --only queue

Exit code 1: a goal was missed.")]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// How often each case is measured
    #[arg(long, default_value_t = 11, global = true)]
    rounds: usize,
    /// Only cases of which this is a part of "figure: name"
    #[arg(long, value_name = "PART", default_value = "", global = true)]
    only: String,
    /// Samples instead of tables, a JSON object a line
    #[arg(long, global = true)]
    json: bool,
}

/// Runs each case of which `only` is a part, once a round; who looks on sees how far it is.
fn measure(mut cases: Vec<Case>, rounds: usize, only: &str) -> Results {
    cases.retain(|case| case.figures.iter().any(|figure| format!("{figure}: {}", case.name).contains(only)));
    // First in order, so that the tables are, too.
    let mut results = Results(Vec::new());
    let looks_on = std::io::stderr().is_terminal();
    for round in 0..rounds {
        for (index, case) in cases.iter().enumerate() {
            if looks_on {
                eprint!("\rround {}/{rounds}, case {}/{}: {:<60}", round + 1, index + 1, cases.len(), case.name);
            }
            for (figure, sample) in case.figures.iter().zip((case.run)()) {
                results.add(figure, case.name, sample);
            }
        }
        cases.shuffle(&mut rand::rng());
    }
    if looks_on {
        eprintln!("\r{:<100}", "");
    }
    results
}

#[derive(Subcommand)]
enum What {
    /// Processes, queues, pools and locks of `pinring::multi`, beside Rust's and beside CPython's
    Multi,
    /// How cost grows with size, depth and lanes
    Scaling,
    /// Sends messages in batches of 32 within one thread, for a counter of instructions
    Count {
        #[arg(default_value_t = 32_000)]
        messages: u64,
    },
    /// Nanoseconds of the start and the end of a process, of so many one after another
    Starts { way: multi::Start, count: u64 },
}

fn main() -> std::process::ExitCode {
    let Arguments { what, rounds, only, json } = Arguments::parse();
    match what {
        Some(What::Scaling) => return scaling::print(),
        Some(What::Count { messages }) => return count(messages),
        Some(What::Starts { way, count }) => {
            println!("{}", way.measure(count));
            return std::process::ExitCode::SUCCESS;
        }
        Some(What::Multi) => return multi::run(rounds, &only, json),
        None => {}
    }
    let results = measure(streams().into_iter().chain(trips()).collect(), rounds, &only);
    if json {
        print_json(&results);
        return std::process::ExitCode::SUCCESS;
    }
    println!("medians of {rounds} rounds");
    print(&results);
    std::process::ExitCode::from(u8::from(goals::print(goals::RINGS, &results) > 0))
}
