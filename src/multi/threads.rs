//! The objects between threads of one process, which is what Miri can run: it sees what an access touches that it must not, and lets each
//! load see every value that the memory model allows.

use std::thread::scope;
use std::time::Duration;

use super::error::GetError;
use super::{
    Array, Barrier, Blob, Condvar, Event, Mutex, ReentrantMutex, Semaphore, Serde, SharedBlob, Value, alone, pipe, pod,
    queue, spsc,
};

/// Fewer where each step is interpreted.
const MANY: u32 = if cfg!(miri) { 20 } else { 2_000 };

pod! {
    #[derive(Debug, PartialEq)]
    struct Reading {
        at: u64,
        value: [f32; 2],
        quality: u32,
        flags: [u8; 4],
    }
}

fn reading(n: u32) -> Reading {
    Reading { at: n.into(), value: [0.5, -1.0], quality: 7, flags: [1, 2, 3, 4] }
}

#[test]
fn values_of_two_producers_for_two_consumers() {
    alone::family();
    let (producer, consumer) = queue::<(u32, Reading)>(4).unwrap();
    let sum = scope(|scope| {
        let getters = [0; 2].map(|_| {
            let consumer = consumer.clone();
            scope.spawn(move || {
                consumer.iter().fold(0, |sum, (n, value)| {
                    assert_eq!(value, reading(n));
                    sum + n
                })
            })
        });
        drop(consumer);
        for first in [0, MANY] {
            let producer = producer.clone();
            scope.spawn(move || (first..first + MANY).for_each(|n| producer.put((n, reading(n))).unwrap()));
        }
        drop(producer);
        getters.map(|getter| getter.join().unwrap()).iter().sum::<u32>()
    });
    assert_eq!(sum, (0..2 * MANY).sum::<u32>());
}

#[test]
fn values_on_lease_come_again() {
    alone::family();
    let (producer, consumer) = queue::<Serde<String>>(2).unwrap();
    scope(|scope| {
        scope.spawn(|| {
            for n in 0..MANY {
                producer.put(Serde(n.to_string())).unwrap();
            }
            producer.shutdown(super::Shutdown::Drain);
        });
        for n in 0..MANY {
            let leased = consumer.lease().unwrap();
            assert_eq!((leased.0.as_str(), leased.attempt()), (n.to_string().as_str(), 1));
            drop(leased);
            let again = consumer.lease().unwrap();
            assert_eq!((again.0.as_str(), again.attempt()), (n.to_string().as_str(), 2));
            again.ack();
        }
        assert!(matches!(consumer.get(), Err(GetError::Closed)));
    });
}

#[test]
fn one_producer_and_one_consumer() {
    alone::family();
    let (mut tx, mut rx) = spsc::queue::<(u32, Reading)>(4).unwrap();
    scope(|scope| {
        scope.spawn(move || (0..MANY).for_each(|n| tx.put((n, reading(n))).unwrap()));
        assert!(rx.iter().map(|(n, value)| (n, value == reading(n))).eq((0..MANY).map(|n| (n, true))));
    });
}

#[test]
fn objects_in_messages_are_kept() {
    alone::family();
    let (sender, receiver) = pipe::<(Option<SharedBlob<u32>>, Mutex<u32>)>().unwrap();
    let total = Mutex::new(0).unwrap();
    let theirs = total.clone();
    scope(|scope| {
        scope.spawn(move || {
            for n in 0..MANY {
                let mut blob = Blob::from_slice(&[n; 600]).unwrap();
                blob[599] += 1;
                sender.send((Some(blob.share()), theirs.clone())).unwrap();
            }
        });
        while let Ok((blob, mutex)) = receiver.recv() {
            let again = blob.clone().unwrap();
            drop(blob);
            *mutex.lock().unwrap() += again[599] - again[0];
        }
    });
    assert_eq!(*total.lock().unwrap(), MANY);
}

#[test]
fn what_is_locked_is_whole() {
    alone::family();
    let (plain, again, value) = (Mutex::new([0u32; 3]), ReentrantMutex::new(0u32), Value::new([0u32; 2]));
    let (plain, again, value) = (plain.unwrap(), again.unwrap(), value.unwrap());
    let (narrow, wide) = (Value::new(0i32).unwrap(), Value::new(0u64).unwrap());
    scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..MANY {
                    plain.lock().unwrap().iter_mut().for_each(|word| *word += 1);
                    let outer = again.lock().unwrap();
                    outer.set(again.lock().unwrap().get() + 1);
                    value.update(|[one, other]| {
                        *one += 1;
                        *other = *one;
                    });
                    let [one, other] = value.get();
                    assert_eq!(one, other);
                    narrow.fetch_sub(1);
                    wide.fetch_add(2);
                }
            });
        }
    });
    assert_eq!((*plain.lock().unwrap(), again.lock().unwrap().get()), ([2 * MANY; 3], 2 * MANY));
    assert_eq!(
        (value.get(), i64::from(narrow.get()), wide.get()),
        ([2 * MANY; 2], -2 * i64::from(MANY), 4 * u64::from(MANY))
    );
}

#[test]
fn parts_of_an_array_are_apart() {
    alone::family();
    let array = Array::<u32>::zeroed(64).unwrap();
    let parts = array.split_even(2).unwrap();
    scope(|scope| {
        for mut part in parts {
            scope.spawn(move || part.iter_mut().zip(0..).for_each(|(word, n)| *word = n));
        }
    });
    assert_eq!(array.lock().unwrap()[33], 1);
    array.set(33, 5).unwrap();
    assert_eq!(array.get(33), Some(5));
}

#[test]
fn nobody_waits_for_nothing() {
    alone::family();
    let (event, barrier) = (Event::new().unwrap(), Barrier::new(3.try_into().unwrap()).unwrap());
    let (semaphore, changed, state) = (Semaphore::new(1).unwrap(), Condvar::new().unwrap(), Mutex::new(0u64).unwrap());
    scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                event.wait();
                for _ in 0..5 {
                    barrier.wait().unwrap();
                    drop(semaphore.acquire());
                    *state.lock().unwrap() += 1;
                    changed.notify_all();
                }
            });
        }
        event.set();
        (0..5).for_each(|_| assert!(barrier.wait().is_ok()));
        let guard = changed.wait_while(state.lock().unwrap(), |count| *count != 10).unwrap();
        assert_eq!(*guard, 10);
        assert!(semaphore.acquire_timeout(Duration::ZERO).is_some());
    });
}
