//! Queues from one or four producers to one consumer, and a pipe there and back.
//!
//! The consumer is on core 0, the producers are on the cores in turn, the first on core 1. All wait as they do by default. Measured from
//! the first item that is there.

use std::time::Instant;

use ipc_channel::ipc;
use pinring::multi::{Process, duplex, queue, spsc};
use pinring::ring::channel;

use crate::harness::pin;
use crate::message::{Message, message};

/// Places of the queues that have a bound.
const CAPACITY: usize = 1024;

/// Nanoseconds an item, of `count` of them from `receive`, which sum up to what `producers` have sent.
fn drain(producers: u64, count: u64, mut receive: impl FnMut() -> Message<8>) -> f64 {
    let share = count / producers;
    let mut sum = receive()[0];
    let start = Instant::now();
    for _ in 1..share * producers {
        sum += receive()[0];
    }
    let taken = start.elapsed().as_nanos() as f64;
    assert_eq!(sum, producers * (share * (share - 1) / 2), "items were lost");
    taken / (share * producers - 1) as f64
}

pub fn ours(producers: u64, count: u64) -> f64 {
    let (tx, rx) = queue::<Message<8>>(CAPACITY).expect("memory");
    pin(0);
    let start = |producer: u64| {
        let tx = tx.clone();
        Process::spawn(move || {
            pin((producer as usize + 1) % 2);
            (0..count / producers).for_each(|number| tx.put(message(number)).expect("a consumer"));
        })
    };
    let processes: Vec<_> = (0..producers).map(|producer| start(producer).expect("a process")).collect();
    let result = drain(producers, count, || rx.get().expect("an item"));
    processes.into_iter().for_each(|process| process.join().expect("its end"));
    result
}

/// One producer in a process of its own, whose `put` is what it puts with.
fn from_another(
    count: u64,
    mut put: impl FnMut(Message<8>) + Send + 'static,
    receive: impl FnMut() -> Message<8>,
) -> f64 {
    pin(0);
    let process = Process::spawn(move || {
        pin(1);
        (0..count).for_each(|number| put(message(number)));
    });
    let process = process.expect("a process");
    let result = drain(1, count, receive);
    process.join().expect("its end");
    result
}

pub fn one_to_one(count: u64) -> f64 {
    let (mut tx, mut rx) = spsc::queue::<Message<8>>(CAPACITY).expect("memory");
    from_another(count, move |message| tx.put(message).expect("a consumer"), || rx.get().expect("an item"))
}

pub fn ring(count: u64) -> f64 {
    let (mut tx, mut rx) = channel::<Message<8>>(CAPACITY).expect("memory");
    from_another(count, move |message| tx.send(message).expect("a consumer"), || rx.recv().expect("an item"))
}

/// It cannot wait, so it looks again and again.
pub fn rtrb(count: u64) -> f64 {
    let (mut tx, mut rx) = rtrb::RingBuffer::<Message<8>>::new(CAPACITY);
    pin(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            pin(1);
            (0..count).for_each(|number| {
                while tx.push(message(number)).is_err() {
                    std::hint::spin_loop();
                }
            });
        });
        drain(1, count, || {
            loop {
                match rx.pop() {
                    Ok(message) => return message,
                    Err(_) => std::hint::spin_loop(),
                }
            }
        })
    })
}

pub fn crossbeam(producers: u64, count: u64) -> f64 {
    let (tx, rx) = crossbeam_channel::bounded::<Message<8>>(CAPACITY);
    pin(0);
    std::thread::scope(|scope| {
        for producer in 0..producers {
            let tx = tx.clone();
            scope.spawn(move || {
                pin((producer as usize + 1) % 2);
                (0..count / producers).for_each(|number| tx.send(message(number)).expect("a consumer"));
            });
        }
        drain(producers, count, || rx.recv().expect("an item"))
    })
}

pub fn ipc(producers: u64, count: u64) -> f64 {
    let (tx, rx) = ipc::channel::<Message<8>>().expect("a channel");
    pin(0);
    let start = |producer: u64| {
        let tx = tx.clone();
        Process::spawn(move || {
            pin((producer as usize + 1) % 2);
            (0..count / producers).for_each(|number| tx.send(message(number)).expect("a consumer"));
        })
    };
    let processes: Vec<_> = (0..producers).map(|producer| start(producer).expect("a process")).collect();
    let result = drain(producers, count, || rx.recv().expect("an item"));
    processes.into_iter().for_each(|process| process.join().expect("its end"));
    result
}

/// Nanoseconds there and back.
pub fn trip(count: u64) -> f64 {
    let (here, there) = duplex::<u64, u64>().expect("memory");
    pin(0);
    let echo = Process::spawn(move || {
        pin(1);
        while let Ok(number) = there.recv() {
            there.send(number).expect("somebody there");
        }
    });
    let echo = echo.expect("a process");
    let trip = |number: u64| {
        here.send(number).expect("somebody there");
        assert_eq!(here.recv(), Ok(number));
    };
    trip(0);
    let start = Instant::now();
    (0..count).for_each(trip);
    let taken = start.elapsed().as_nanos() as f64 / count as f64;
    drop(here);
    echo.join().expect("its end");
    taken
}
