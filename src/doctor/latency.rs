//! How late a core wakes a process: measured as cyclictest does (<https://wiki.linuxfoundation.org/realtime/documentation/howto/tools/cyclictest/start>):
//! sleep until a moment of the monotonic clock, look how much later it is.

use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::sys::clock::{monotonic_ns, sleep_until};
use crate::sys::{affinity, sched};

/// Time between two wake-ups.
const INTERVAL_NS: u64 = 1_000_000;
/// Priority while measuring, as cyclictest is usually called with.
const PRIORITY: u8 = 80;
/// Upper bounds of the histogram's classes, us; the last has none.
pub const CLASSES_US: [u64; 10] = [5, 10, 20, 50, 100, 200, 500, 1000, 5000, u64::MAX];

/// What one core showed, in ns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoreLatency {
    /// Its number.
    pub core: usize,
    /// Wake-ups measured.
    pub count: usize,
    /// Shortest.
    pub min_ns: u64,
    /// On average.
    pub avg_ns: u64,
    /// 99 of 100 were at most this.
    pub p99_ns: u64,
    /// Longest.
    pub max_ns: u64,
    /// How many fell into each class of [`CLASSES_US`].
    pub histogram: [usize; CLASSES_US.len()],
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Whether it was measured with a real-time priority; without one it shows what other programs do, too.
    pub realtime: bool,
    /// The cores.
    pub cores: Vec<CoreLatency>,
}

/// Measures all `cores` at the same time.
///
/// # Errors
/// If a core cannot be used.
pub fn measure(cores: &[usize], time: Duration) -> io::Result<Latency> {
    let until = monotonic_ns() + u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let measured: Vec<io::Result<(bool, CoreLatency)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = cores.iter().map(|core| scope.spawn(|| measure_core(*core, until))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, io::Result<(bool, CoreLatency)>>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a measuring thread panicked")))
        };
        threads.into_iter().map(join).collect()
    });
    let measured = measured.into_iter().collect::<io::Result<Vec<_>>>()?;
    let realtime = measured.iter().all(|(realtime, _)| *realtime);
    Ok(Latency { realtime, cores: measured.into_iter().map(|(_, core)| core).collect() })
}

fn measure_core(core: usize, until_ns: u64) -> io::Result<(bool, CoreLatency)> {
    affinity::pin_to(core)?;
    let realtime = sched::set_fifo(PRIORITY).is_ok();
    let mut next = monotonic_ns() + INTERVAL_NS;
    let capacity = usize::try_from(until_ns.saturating_sub(next) / INTERVAL_NS).unwrap_or(0).min(10_000_000);
    let mut late = Vec::with_capacity(capacity + 1);
    while next < until_ns {
        sleep_until(next)?;
        let now = monotonic_ns();
        late.push(now.saturating_sub(next));
        // After a long delay the moments in between are gone: counting each of them would show one delay many times.
        next = (next + INTERVAL_NS).max(now);
    }
    Ok((realtime, summary(core, late)))
}

fn summary(core: usize, mut late: Vec<u64>) -> CoreLatency {
    late.sort_unstable();
    let count = late.len();
    let mut histogram = [0; CLASSES_US.len()];
    for value in &late {
        let class = CLASSES_US.iter().position(|bound| value / 1000 < *bound);
        histogram[class.unwrap_or(CLASSES_US.len() - 1)] += 1;
    }
    let at = |place: usize| late.get(place).copied().unwrap_or(0);
    CoreLatency {
        core,
        count,
        min_ns: at(0),
        avg_ns: late.iter().sum::<u64>().checked_div(count as u64).unwrap_or(0),
        p99_ns: at((count * 99).div_ceil(100).saturating_sub(1)),
        max_ns: at(count.saturating_sub(1)),
        histogram,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wake_up_is_in_one_class() {
        let found = summary(3, vec![4_000, 7_000, 30_000, 9_000_000]);
        assert_eq!((found.min_ns, found.avg_ns, found.max_ns), (4_000, 2_260_250, 9_000_000));
        assert_eq!(found.histogram, [1, 1, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(summary(0, Vec::new()).count, 0);
    }

    #[test]
    fn cores_are_measured() {
        let core = affinity::allowed().unwrap()[0];
        let found = measure(&[core], Duration::from_millis(50)).unwrap();
        assert!(found.cores[0].count > 0 && found.cores[0].max_ns >= found.cores[0].min_ns);
    }
}
