//! Locks, and a value that processes share.

use std::time::{Duration, Instant};

use super::channel::each;
use super::row::Sample;
use crate::multi::{Connection, Lock, Process, Value, duplex};

/// Takes the lock and gives it back, so often; whether it could.
fn pairs(lock: &Lock, count: u64) -> bool {
    (0..count).all(|_| lock.acquire().is_ok())
}

/// By one process, while nobody else wants it.
pub(super) fn alone(count: u64) -> Sample {
    let lock = Lock::new()?;
    let start = Instant::now();
    if pairs(&lock, count) { each(start, count) } else { Err("the lock could not be taken".into()) }
}

/// By two processes at once: the time of the slower one, for the pairs of both.
pub(super) fn contended(count: u64) -> Sample {
    let share = count.div_ceil(2);
    let lock = Lock::new()?;
    let (one, other) = duplex::<u8, u8>()?;
    let start = |end: Connection<u8, u8>| {
        let lock = lock.clone();
        Process::spawn(move || meet(&end).then(|| timed(&lock, share)).flatten())
    };
    let (one, other) = (start(one)?, start(other)?);
    let times = (one.join()?, other.join()?);
    let (Some(one), Some(other)) = times else { return Err("the lock could not be taken".into()) };
    Ok(Duration::from_nanos(one.max(other)).as_secs_f64() * 1e9 / (2 * share) as f64)
}

/// Waits until the other one is there, too.
fn meet(end: &Connection<u8, u8>) -> bool {
    end.send(1).is_ok() && end.recv().is_ok()
}

fn timed(lock: &Lock, count: u64) -> Option<u64> {
    let start = Instant::now();
    pairs(lock, count).then(|| u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// One more, under the lock of the value or what takes its place.
pub(super) fn add(count: u64) -> Sample {
    let value = Value::new(0u64)?;
    let start = Instant::now();
    for _ in 0..count {
        value.update(|value| *value += 1);
    }
    let taken = each(start, count);
    if value.get() == count { taken } else { Err("the value is wrong".into()) }
}
