//! How late a sleeping worker wakes up: what cyclictest measures, on the cores that workers may have.
//!
//! Each core gets a thread that sleeps to the next full millisecond of CLOCK_MONOTONIC, again and again, and looks how late it
//! is. Unlike cyclictest it leaves /dev/cpu_dma_latency alone, which would keep the cores from idling deeply: pinring's workers
//! leave it alone as well, and what they will see is to be shown.

use std::io;
use std::time::Duration;

use super::finding::{Finding, Level};
use crate::sys::clock::{monotonic_ns, sleep_until};
use crate::sys::{affinity, sched};
use crate::trace::{HistogramWords, Summary};

const CHECK: &str = "wake-up latency";
const WHY: &str = "so long data lie about after their interrupt before a worker takes them";

/// What cyclictest is usually given: above all but the kernel's own threads.
const PRIORITY: u8 = 80;
const PERIOD_NS: u64 = 1_000_000;
/// Powers of two of microseconds, up to a second.
const BINS: usize = 21;
/// Until then all threads are there and their memory is locked.
const LEAD_NS: u64 = 20_000_000;
/// What a thread needs, and not so much that locking it takes long.
const STACK: usize = 128 << 10;
/// Often enough for a progress line.
const LOOK: Duration = Duration::from_millis(200);

/// How one core did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreLatency {
    /// The core.
    pub core: usize,
    /// The shortest latency, ns.
    pub min: u64,
    /// The mean, ns.
    pub mean: u64,
    /// Number, percentiles (off by an eighth at most) and the longest, ns.
    pub summary: Summary,
    /// Milliseconds that it slept through, because it woke up later than the next one began.
    pub missed: u64,
    /// How many wake-ups were late by less than 1, 2, 4, 8 ... microseconds (each counted once; the last one has all above).
    pub bins: Vec<u64>,
    /// Why it ran without real-time priority, if it did.
    pub refused: Option<String>,
}

/// What a measurement gave.
#[derive(Clone, Debug)]
pub struct Latency {
    /// How long it took.
    pub duration: Duration,
    /// The real-time priority that was asked for.
    pub priority: u8,
    /// Why memory was not locked, if it was not.
    pub unlocked: Option<String>,
    /// The cores that could be measured.
    pub cores: Vec<CoreLatency>,
    /// Those that could not, and why.
    pub failed: Vec<(usize, String)>,
}

/// Measures on `cores` at once for `duration`; `progress` hears now and then how much of it has passed.
pub fn measure(cores: &[usize], duration: Duration, mut progress: impl FnMut(Duration)) -> Latency {
    let begin = monotonic_ns() + LEAD_NS;
    let end = begin.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    let (unlocked, results) = std::thread::scope(|scope| {
        let thread = || std::thread::Builder::new().stack_size(STACK);
        let start = |core: usize| thread().spawn_scoped(scope, move || watch(core, begin, end));
        let threads: Vec<_> = cores.iter().map(|core| (*core, start(*core))).collect();
        // Now, because their stacks are to be locked as well.
        let unlocked = sched::lock_present_memory().err().map(|error| error.to_string());
        // Once at least, and last when all of it has passed.
        loop {
            sleep_until(end.min(monotonic_ns() + u64::try_from(LOOK.as_nanos()).unwrap_or(0)));
            let now = monotonic_ns();
            progress(Duration::from_nanos(now.saturating_sub(begin)).min(duration));
            if now >= end {
                break;
            }
        }
        let ended = threads.into_iter().map(|(core, thread)| {
            let joined = thread.and_then(|thread| thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into())));
            joined.map_err(|error| (core, error.to_string()))
        });
        (unlocked, ended.collect::<Vec<_>>())
    });
    sched::unlock_memory();
    let (mut cores, mut failed) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(core) => cores.push(core),
            Err(why) => failed.push(why),
        }
    }
    Latency { duration, priority: PRIORITY, unlocked, cores, failed }
}

/// The life of a thread: sleeps and looks from `begin` until `end`, once at least.
fn watch(core: usize, begin: u64, end: u64) -> io::Result<CoreLatency> {
    // Affinity and policy are a thread's own in Linux, so both calls mean this one.
    affinity::pin_to(core)?;
    let refused = sched::set_fifo(PRIORITY).err().map(|error| error.to_string());
    let histogram = HistogramWords::default();
    let (mut bins, mut min, mut sum, mut missed) = (vec![0; BINS], u64::MAX, 0_u64, 0);
    let mut next = begin;
    loop {
        sleep_until(next);
        let late = monotonic_ns().saturating_sub(next);
        histogram.count(late);
        bins[bin(late)] += 1;
        min = min.min(late);
        sum = sum.saturating_add(late);
        // What was slept through is not made up for: those wake-ups would all be late for one reason.
        missed += late / PERIOD_NS;
        next += (late / PERIOD_NS + 1) * PERIOD_NS;
        if next >= end {
            break;
        }
    }
    let summary = histogram.summary();
    Ok(CoreLatency { core, min, mean: sum / summary.count, summary, missed, bins, refused })
}

/// Which of the bins a latency belongs to.
fn bin(nanoseconds: u64) -> usize {
    let exponent = (nanoseconds / 1000).checked_ilog2().map_or(0, |exponent| exponent + 1);
    (exponent as usize).min(BINS - 1)
}

/// Late by more than this it is not there when the next millisecond's data are.
const LATE_NS: u64 = PERIOD_NS;

/// What a measurement means; `others` are the findings that may be the reason.
pub fn judge(latency: &Latency, others: &[Finding]) -> Finding {
    let Some(worst) = latency.cores.iter().max_by_key(|core| core.summary.max) else {
        return Finding::new(CHECK, Level::Unknown, "no core could be measured", WHY);
    };
    let found = format!("at most {} \u{b5}s, on core {}", worst.summary.max / 1000, worst.core);
    if worst.summary.max < LATE_NS {
        return Finding::new(CHECK, Level::Ok, found, WHY);
    }
    let may_be = ["real-time priority", "isolated cores", "kernel preemption", "cpu governor"];
    let reasons = others.iter().filter(|other| may_be.contains(&other.check) && other.level > Level::Unknown);
    let reasons: Vec<&str> = reasons.map(|other| other.check).collect();
    let mend = if reasons.is_empty() {
        // Nothing of the system's: then the firmware or a hypervisor takes the core away, which this shows.
        "sudo apt install rt-tests && sudo hwlatdetect --duration=60s".to_owned()
    } else {
        format!("pinring doctor   # first mend what it says of: {}", reasons.join(", "))
    };
    Finding::new(CHECK, Level::Warning, found, WHY).mend(mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_powers_of_two_of_microseconds() {
        let bins: Vec<usize> = [0, 999, 1000, 1999, 2000, 4000, 524_288_000, u64::MAX].map(bin).into();
        assert_eq!(bins, [0, 0, 1, 1, 2, 3, 20, 20]);
    }

    #[test]
    fn a_measurement_counts_every_millisecond_once() {
        let core = affinity::allowed().unwrap()[0];
        let mut heard = Duration::ZERO;
        let latency = measure(&[core, 1023], Duration::from_millis(50), |passed| heard = passed);
        let measured = &latency.cores[0];
        assert_eq!((measured.core, latency.failed[0].0), (core, 1023));
        assert_eq!(measured.bins.iter().sum::<u64>(), measured.summary.count);
        assert!((1..=50).contains(&(measured.summary.count + measured.missed.min(1))), "{measured:?}");
        assert!(measured.min <= measured.mean && measured.mean <= measured.summary.max);
        assert_eq!(heard, Duration::from_millis(50));
    }

    #[test]
    fn lateness_is_blamed_on_what_else_was_found() {
        let core = |max| CoreLatency {
            core: 1,
            min: 1,
            mean: 2,
            summary: Summary { count: 1, p50: 1, p99: max, max },
            missed: 0,
            bins: vec![0; BINS],
            refused: None,
        };
        let duration = Duration::from_secs(1);
        let latency =
            |max| Latency { duration, priority: 80, unlocked: None, cores: vec![core(max)], failed: Vec::new() };
        assert_eq!(judge(&latency(999_999), &[]).level, Level::Ok);
        let late = judge(&latency(3_000_000), &[]);
        assert!(late.level == Level::Warning && late.mend.contains("hwlatdetect"), "{late:?}");
        let reason = Finding::new("cpu governor", Level::Warning, "x", "y");
        assert!(judge(&latency(3_000_000), &[reason]).mend.ends_with("says of: cpu governor"));
        assert_eq!(judge(&Latency { cores: Vec::new(), ..latency(1) }, &[]).level, Level::Unknown);
    }
}
