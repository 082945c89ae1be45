//! Durations counted in buckets that grow with the value: eight a power of two, so a percentile is off by at most
//! an eighth. (The scheme of HdrHistogram, <https://hdrhistogram.github.io/HdrHistogram/>, with three bits of mantissa.)

use crate::prim::{AtomicU64, Ordering};
use crate::shm::Shared;

const SUB_BITS: u32 = 3;
const SUB: usize = 1 << SUB_BITS;
/// Values from 2^40 ns (18 minutes) on share the last bucket.
const BUCKETS: usize = (40 - SUB_BITS as usize + 1) * SUB;

/// A histogram of nanoseconds in the segment. One worker counts, anybody reads.
#[repr(C)]
#[derive(Debug)]
pub struct HistogramWords {
    largest: AtomicU64,
    counts: [AtomicU64; BUCKETS],
}

// SAFETY: `repr(C)` of atomics.
unsafe impl Shared for HistogramWords {}

impl Default for HistogramWords {
    fn default() -> Self {
        Self { largest: AtomicU64::new(0), counts: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

/// What a histogram holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Values counted.
    pub count: u64,
    /// Half of the values are at most this, ns.
    pub p50: u64,
    /// 99 of 100 values are at most this, ns.
    pub p99: u64,
    /// The largest value, ns.
    pub max: u64,
}

fn bucket_of(value: u64) -> usize {
    let exponent = value.checked_ilog2().unwrap_or(0);
    if exponent < SUB_BITS {
        return usize::try_from(value).unwrap_or(0);
    }
    let shift = exponent - SUB_BITS;
    let mantissa = usize::try_from((value >> shift) & (SUB as u64 - 1)).unwrap_or(0);
    ((shift as usize + 1) * SUB + mantissa).min(BUCKETS - 1)
}

/// Largest value of bucket `index`.
fn upper_bound(index: usize) -> u64 {
    if index < SUB {
        return index as u64;
    }
    let (shift, mantissa) = (index / SUB - 1, (index % SUB) as u64);
    ((SUB as u64 + mantissa + 1) << shift) - 1
}

impl HistogramWords {
    /// Counts one value. Only the owning worker calls it.
    pub fn count(&self, nanoseconds: u64) {
        let bucket = &self.counts[bucket_of(nanoseconds)];
        // ORDER(counts): Relaxed; one writer, so load and store do not lose an increment.
        bucket.store(bucket.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        // ORDER(counts): Relaxed, as above.
        if nanoseconds > self.largest.load(Ordering::Relaxed) {
            // ORDER(counts): Relaxed, as above.
            self.largest.store(nanoseconds, Ordering::Relaxed);
        }
    }

    /// What it holds now; may lag behind a worker that is counting. Counts that a worker gone mad wrote give some summary, never a panic.
    pub fn summary(&self) -> Summary {
        // ORDER(counts): Relaxed; a picture of a moving thing.
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let count = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        // ORDER(counts): Relaxed, as above.
        let max = self.largest.load(Ordering::Relaxed);
        let percentile = |percent: u64| {
            let wanted = count.saturating_mul(percent).div_ceil(100).max(1);
            let mut seen: u64 = 0;
            let reached = counts.iter().position(|bucket| {
                seen = seen.saturating_add(*bucket);
                seen >= wanted
            });
            reached.map_or(0, |index| upper_bound(index).min(max))
        };
        Summary { count, p50: percentile(50), p99: percentile(99), max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_where_the_next_begins() {
        for index in 0..BUCKETS - 1 {
            assert_eq!(bucket_of(upper_bound(index)), index);
            assert_eq!(bucket_of(upper_bound(index) + 1), index + 1);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_within_an_eighth() {
        let histogram = HistogramWords::default();
        (1..=1000).for_each(|value| histogram.count(value * 1000));
        let summary = histogram.summary();
        assert_eq!((summary.count, summary.max), (1000, 1_000_000));
        assert!((500_000..=562_500).contains(&summary.p50), "{}", summary.p50);
        assert!((990_000..=1_000_000).contains(&summary.p99), "{}", summary.p99);
    }

    #[test]
    fn an_empty_histogram_has_no_percentile() {
        assert_eq!(HistogramWords::default().summary(), Summary::default());
    }
}
