//! Pools, with as many processes as there are cores.

use std::num::NonZeroUsize;
use std::time::Instant;

use super::channel::each;
use super::row::Sample;
use crate::multi::{Pool, available_cores};

fn square(number: i64) -> i64 {
    number * number
}

fn pool() -> Result<Pool, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Pool::with_processes(available_cores().len())?)
}

/// Maps the numbers below `count`, so many in a chunk, 0 for as many as it likes: nanoseconds a number.
pub(super) fn map(count: u64, chunk: usize) -> Sample {
    let pool = pool()?;
    let numbers = i64::try_from(count)?;
    let map = |numbers| match NonZeroUsize::new(chunk) {
        None => pool.map(square, 0..numbers),
        Some(chunk) => pool.map_with(square, 0..numbers).chunk_size(chunk).collect(),
    };
    // The processes have to be there.
    map(64).map_err(|error| error.to_string())?;
    let start = Instant::now();
    let squares = map(numbers).map_err(|error| error.to_string())?;
    let taken = each(start, count);
    let right =
        squares.len() == usize::try_from(count)? && (0..).zip(&squares).all(|(number, it)| square(number) == *it);
    if right { taken } else { Err("these are not the squares".into()) }
}

/// One task, and its result: nanoseconds.
pub(super) fn apply(count: u64) -> Sample {
    let pool = pool()?;
    pool.apply(square, 0)?;
    let start = Instant::now();
    for number in 0..i64::try_from(count)? {
        if pool.apply(square, number)? != square(number) {
            return Err("this is not the square".into());
        }
    }
    each(start, count)
}
