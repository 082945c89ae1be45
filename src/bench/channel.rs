//! Queues and pipes.

use std::time::Instant;

use super::row::Sample;
use crate::multi::{self, Process, duplex};

/// Places of the queue; Python's has no bound of ours, and 32,767 of the system's.
const CAPACITY: usize = 1024;

type Item = [u64; 8];

/// What an operation took when `count` took the time since `start`.
pub(super) fn each(start: Instant, count: u64) -> Sample {
    Ok(start.elapsed().as_nanos() as f64 / count as f64)
}

/// `producers` processes put `count` items in all, one at a time; this one gets them. Measured from the first one that is there.
pub(super) fn queue(producers: u64, count: u64) -> Sample {
    let share = count.div_ceil(producers);
    let (put, get) = multi::queue::<Item>(CAPACITY)?;
    let mut processes = Vec::new();
    for producer in 0..producers {
        let put = put.clone();
        processes.push(Process::spawn(move || {
            // Should nobody want them any more, the sum will tell.
            let _ = (0..share).try_for_each(|number| put.put([number, producer, 0, 0, 0, 0, 0, number]));
        })?);
    }
    drop(put);
    let mut sum = get.get()?[7];
    let start = Instant::now();
    for _ in 1..share * producers {
        sum += get.get()?[7];
    }
    let taken = each(start, share * producers - 1);
    for process in processes {
        process.join()?;
    }
    if sum == producers * (share * (share - 1) / 2) { taken } else { Err("items were lost".into()) }
}

/// As [`queue`], from one to one.
pub(super) fn spsc(count: u64) -> Sample {
    let (mut put, mut get) = multi::spsc::queue::<Item>(CAPACITY)?;
    let process = Process::spawn(move || {
        let _ = (0..count).try_for_each(|number| put.put([number, 0, 0, 0, 0, 0, 0, number]));
    })?;
    let mut sum = get.get()?[7];
    let start = Instant::now();
    for _ in 1..count {
        sum += get.get()?[7];
    }
    let taken = each(start, count - 1);
    process.join()?;
    if sum == count * (count - 1) / 2 { taken } else { Err("items were lost".into()) }
}

/// A number goes to another process, which sends it back.
pub(super) fn pipe(count: u64) -> Sample {
    let (here, there) = duplex::<u64, u64>()?;
    let echo = Process::spawn(move || {
        while let Ok(number) = there.recv() {
            if there.send(number).is_err() {
                return;
            }
        }
    })?;
    let trip = |number: u64| -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        here.send(number)?;
        if here.recv()? == number { Ok(()) } else { Err("another number came back".into()) }
    };
    // The process has to be there.
    trip(0)?;
    let start = Instant::now();
    (0..count).try_for_each(trip)?;
    let taken = each(start, count);
    drop(here);
    echo.join()?;
    taken
}
