//! What is to be reached, as ratios in this run.

use crate::Results;

/// What must be at least or at most the bound.
pub enum Bound {
    /// Ours / theirs.
    AtLeast(f64),
    /// Ours / theirs.
    AtMost(f64),
    /// Theirs / ours, of times: how many times faster.
    Faster(f64),
    /// Ours, as it is.
    Under(f64),
}

use Bound::{AtLeast, AtMost, Faster, Under};

/// Figure, ours, bound, theirs (the best of them counts).
pub type Goal = (&'static str, &'static str, Bound, &'static [&'static str]);

const STREAM: &str = "stream, 64 B, M msg/s";
const BATCHES: &str = "stream in batches of 32, 64 B, M msg/s";
const MIDDLE: &str = "stream, 256 B, M msg/s";
const TRIP: &str = "round trip, looking, 64 B, p50 ns";
const TAIL: &str = "round trip, looking, 64 B, p99 ns";
const ASLEEP: &str = "round trip, asleep, 64 B, p50 ns";
const FAN_IN: &str = "4 producers -> 1 consumer, 64 B, M msg/s";
const STEP: &str = "32 messages taken and given on, 64 B, ns a message";

pub const RINGS: &[Goal] = &[
    (STREAM, "pinring", AtLeast(3.5), &["rtrb"]),
    (STREAM, "pinring", AtLeast(4.0), &["disruptor"]),
    (STREAM, "pinring", AtLeast(100.0), &["iceoryx2"]),
    (STREAM, "pinring", AtLeast(0.7), &["limit: copy, 256 KiB blocks"]),
    (STREAM, "pinring, able to sleep", AtLeast(0.85), &["pinring"]),
    (BATCHES, "pinring", AtLeast(1.8), &["rtrb chunks"]),
    (BATCHES, "pinring", AtLeast(0.65), &["limit: copy, 256 KiB blocks"]),
    (MIDDLE, "pinring", AtLeast(0.8), &["limit: copy, 256 KiB blocks"]),
    (TRIP, "pinring line (56 B)", AtMost(1.2), &["limit: a line each way"]),
    (TRIP, "pinring", AtMost(1.6), &["limit: a line each way"]),
    (TRIP, "pinring line (56 B)", AtMost(0.7), &["rtrb"]),
    (TRIP, "pinring line (56 B)", AtMost(0.85), &["disruptor"]),
    (TRIP, "pinring line (56 B)", AtMost(0.26), &["iceoryx2"]),
    (TAIL, "pinring line (56 B)", AtMost(1.3), &["limit: a line each way"]),
    (TRIP, "pinring, spin then sleep", AtMost(1.5), &["pinring"]),
    (ASLEEP, "pinring", AtMost(1.05), &["limit: eventfd pair"]),
    (ASLEEP, "pinring", AtMost(1.0), &["pipe", "POSIX mq", "seqpacket"]),
    (FAN_IN, "pinring lanes", AtLeast(1.7), &["crossbeam-channel", "crossbeam ArrayQueue", "std mpsc", "kanal"]),
    (STEP, "pinring step, with state", AtMost(1.5), &["pinring, pop and push alone"]),
];

impl Bound {
    /// The ratio, and whether it is as it must be.
    fn judge(&self, own: f64, other: f64) -> (f64, bool) {
        match self {
            AtLeast(bound) => (own / other, own / other >= *bound),
            AtMost(bound) => (own / other, own / other <= *bound),
            Faster(bound) => (other / own, other / own >= *bound),
            Under(bound) => (own, own <= *bound),
        }
    }
}

/// Prints each goal with its ratio and a mark. Returns how many were missed.
pub fn print(goals: &[Goal], results: &Results) -> usize {
    println!("\ngoals");
    let mut missed = 0;
    for (figure, ours, bound, theirs) in goals {
        let value = |case: &str| results.median(figure, case);
        let better = |one: f64, other: f64| if figure.contains("M msg/s") { one.max(other) } else { one.min(other) };
        let other = theirs.iter().filter_map(|case| value(case)).filter(|value| value.is_finite()).reduce(better);
        let other = other.or_else(|| matches!(bound, Under(_)).then_some(1.0));
        let (mark, ratio) = match (value(ours), other) {
            (Some(own), Some(other)) => {
                let (ratio, reached) = bound.judge(own, other);
                missed += usize::from(!reached);
                (if reached { "ok    " } else { "MISSED" }, format!("{ratio:7.2}"))
            }
            _ => ("-     ", "      -".to_owned()),
        };
        let (sign, bound) = match bound {
            AtLeast(bound) => (">=", bound),
            Faster(bound) => ("faster >=", bound),
            AtMost(bound) | Under(bound) => ("<=", bound),
        };
        println!("  {mark} {ratio}  ({sign} {bound:6.2})  {figure}: {ours} / {}", theirs.join(" | "));
    }
    missed
}
