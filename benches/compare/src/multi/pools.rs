//! A million squares by a pool of processes, by rayon's threads and by a loop; a task there and back.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Instant;

use pinring::multi::{Pool, Process};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::bare_map::BareMap;
use crate::harness::unpin;

const PROCESSES: usize = 2;

fn square(number: i64) -> i64 {
    number * number
}

/// Nanoseconds a number: the median of five times, after one that warms up. What came out is kept, as programs do: each time it goes to
/// memory that the process has not had before.
fn timed(count: i64, map: impl Fn() -> Vec<i64>) -> f64 {
    let squares = map();
    assert!(squares.len() == count as usize && (0..).zip(&squares).all(|(number, it)| square(number) == *it));
    let mut kept = vec![squares];
    let mut times = [0; 5].map(|_| {
        let start = Instant::now();
        kept.push(black_box(map()));
        start.elapsed()
    });
    times.sort_unstable();
    times[2].as_nanos() as f64 / count as f64
}

/// `chunk` 0: as the pool likes.
pub fn ours(count: i64, chunk: usize) -> f64 {
    unpin();
    let pool = Pool::with_processes(PROCESSES).expect("processes");
    timed(count, || match NonZeroUsize::new(chunk) {
        None => pool.map(square, 0..count).expect("squares"),
        Some(chunk) => pool.map_with(square, 0..count).chunk_size(chunk).collect().expect("squares"),
    })
}

/// In a process of its own: its threads stay, and with threads there is no fork.
pub fn rayon(count: i64, chunk: usize) -> f64 {
    unpin();
    let child = Process::spawn(move || {
        rayon::ThreadPoolBuilder::new().num_threads(PROCESSES).build_global().expect("threads");
        timed(count, || match chunk {
            0 => (0..count).into_par_iter().map(square).collect(),
            chunk => {
                (0..count as usize).into_par_iter().with_max_len(chunk).map(|number| square(number as i64)).collect()
            }
        })
    });
    child.expect("a process").join().expect("its time")
}

/// What no map by processes can be faster than whose results are a `Vec` of the caller's.
pub fn bare(count: i64) -> f64 {
    unpin();
    let map = BareMap::new(count as usize);
    timed(count, || map.run(0..count))
}

pub fn serial(count: i64) -> f64 {
    unpin();
    timed(count, || (0..count).map(square).collect())
}

/// Nanoseconds of a task and its result.
pub fn apply(count: i64) -> f64 {
    unpin();
    let pool = Pool::with_processes(PROCESSES).expect("processes");
    pool.apply(square, 0).expect("a square");
    let start = Instant::now();
    for number in 0..count {
        assert_eq!(pool.apply(square, number).expect("a square"), square(number));
    }
    start.elapsed().as_nanos() as f64 / count as f64
}
