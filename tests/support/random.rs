//! Random numbers that can be had again.

#![allow(dead_code, reason = "each test uses its part")]

/// A small generator of random numbers (xorshift64*, Vigna 2016), so that a failing run can be repeated from its seed.
pub(crate) struct Random(u64);

impl Random {
    /// From `PINRING_SEED`, or the clock; prints which.
    pub(crate) fn new() -> Self {
        let seed = std::env::var("PINRING_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| pinring::sys::clock::monotonic_ns() | 1);
        println!("PINRING_SEED={seed}");
        Self::of(seed)
    }

    /// The same numbers each time.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
