//! A lock taken and given back, alone or by two on two cores, and a number that is added to.

use std::time::Instant;

use pinring::multi::{Connection, Lock, Process, Value, duplex};

use crate::harness::{Way, pin, together, unpin};

/// Each loop is a function of its own: inlined into the list of all cases, what is kept in registers was a matter of chance.
#[inline(never)]
fn each(count: u64, mut step: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..count).for_each(|_| step());
    start.elapsed().as_nanos() as f64 / count as f64
}

pub fn ours_alone(count: u64) -> f64 {
    pin(0);
    let lock = Lock::new().expect("memory");
    each(count, || drop(lock.acquire().expect("the lock")))
}

pub fn parking_lot_alone(count: u64) -> f64 {
    pin(0);
    let lock = parking_lot::Mutex::new(());
    let lock = std::hint::black_box(&lock);
    each(count, || drop(lock.lock()))
}

pub fn std_alone(count: u64) -> f64 {
    pin(0);
    let lock = std::sync::Mutex::new(());
    let lock = std::hint::black_box(&lock);
    each(count, || drop(lock.lock().expect("the lock")))
}

/// Nanoseconds a pair, of both: the slower one's time.
pub fn ours_contended(count: u64) -> f64 {
    unpin();
    let lock = Lock::new().expect("memory");
    let (one, other) = duplex::<u8, u8>().expect("memory");
    let start = |end: Connection<u8, u8>, core| {
        let lock = lock.clone();
        let process = Process::spawn(move || {
            pin(core);
            end.send(1).expect("the other");
            end.recv().expect("the other");
            each(count, || drop(lock.acquire().expect("the lock")))
        });
        process.expect("a process")
    };
    let (one, other) = (start(one, 0), start(other, 1));
    one.join().expect("its time").max(other.join().expect("its time")) / 2.0
}

pub fn parking_lot_contended(count: u64) -> f64 {
    let lock = parking_lot::Mutex::new(());
    contended(&|| each(count, || drop(lock.lock())))
}

pub fn std_contended(count: u64) -> f64 {
    let lock = std::sync::Mutex::new(());
    contended(&|| each(count, || drop(lock.lock().expect("the lock"))))
}

fn contended(pairs: &(dyn Fn() -> f64 + Sync)) -> f64 {
    let other_time = std::sync::Mutex::new(0.0);
    let other = |meet: &dyn Fn()| {
        meet();
        *other_time.lock().expect("the time") = pairs();
    };
    let time = together(Way::Threads, other, |meet| {
        meet();
        pairs()
    });
    let other_time = *other_time.lock().expect("the time");
    time.max(other_time) / 2.0
}

pub fn add(count: u64) -> f64 {
    pin(0);
    let value = Value::new(0u64).expect("memory");
    each(count, || value.update(|value| *value += 1))
}
