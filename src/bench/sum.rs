//! The tutorials' work: i + i^2 + i^3 for all i below a million, added up twice, one after the other or at once.

use std::hint::black_box;
use std::time::Instant;

use super::row::Sample;
use crate::multi::Process;

/// As far as it is counted.
const END: u64 = 1_000_000;

/// The sum. Wide enough for what comes out, which has 78 bits.
fn job(times: u32) -> u128 {
    let mut sum = 0;
    for _ in 0..times {
        for i in 0..END {
            // Else the compiler finds the formula, and there is nothing to measure.
            let i = black_box(i);
            sum += u128::from(i + i * i + i * i * i);
        }
    }
    sum
}

/// What comes out of both together, by the formula.
fn expected(times: u32) -> u128 {
    let n = u128::from(END);
    let (first, second, third) = (n * (n - 1) / 2, (n - 1) * n * (2 * n - 1) / 6, (n * (n - 1) / 2).pow(2));
    2 * u128::from(times) * (first + second + third)
}

fn timed(times: u32, work: impl FnOnce() -> Result<u128, Box<dyn std::error::Error + Send + Sync>>) -> Sample {
    let start = Instant::now();
    let sum = work()?;
    let taken = start.elapsed().as_nanos() as f64;
    if sum == expected(times) { Ok(taken) } else { Err(format!("the sum is wrong: {sum}").into()) }
}

pub(super) fn normal_times(times: u32) -> Sample {
    timed(times, || Ok(job(times) + job(times)))
}

pub(super) fn threads_times(times: u32) -> Sample {
    timed(times, || {
        let sums = std::thread::scope(|scope| {
            let threads = [(); 2].map(|()| scope.spawn(move || job(times)));
            threads.map(|thread| thread.join().unwrap_or(0))
        });
        Ok(sums.iter().sum())
    })
}

pub(super) fn processes_times(times: u32) -> Sample {
    timed(times, || {
        let (one, other) = (Process::spawn(move || job(times))?, Process::spawn(move || job(times))?);
        Ok(one.join()? + other.join()?)
    })
}

pub(super) fn normal(_: u64) -> Sample {
    normal_times(1)
}

pub(super) fn threads(_: u64) -> Sample {
    threads_times(1)
}

pub(super) fn processes(_: u64) -> Sample {
    processes_times(1)
}

/// A hundred times the work, in one of the ways.
pub(super) fn hundred(way: fn(u32) -> Sample) -> Sample {
    way(if cfg!(test) { 1 } else { 100 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_is_that_of_the_loop() {
        assert_eq!(2 * job(1), expected(1));
    }
}
