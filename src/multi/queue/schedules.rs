//! The queue in every order of steps that two and three processes can take, each a thread here, and with one of them killed at each step.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::alone;
use super::super::arena::Kind;
use super::super::family;
use super::super::object::{Handle, bequeath};
use super::super::sweep::sweep_block;
use super::core::{CONSUMER, Core, PRODUCER, bereave};
use super::{Consumer, Producer, queue};
use crate::prim::explore::Threads;

/// Values, as the processes themselves know of them.
type Log = Arc<Mutex<Vec<u64>>>;

/// A scene's queue, and what happened to its values.
struct Scene {
    producer: Arc<Producer<u64>>,
    consumer: Arc<Consumer<u64>>,
    /// Of which a `put` has begun, and of which one has returned.
    begun: Log,
    put: Log,
    /// Which a `get` has returned, or which were seen on lease, with the attempt.
    got: Arc<Mutex<Vec<(u64, u32)>>>,
    /// How many `get` have begun and not returned.
    getting: Arc<Mutex<usize>>,
}

impl Scene {
    fn new(capacity: usize) -> Self {
        let (producer, consumer) = queue(capacity).unwrap();
        Self {
            producer: Arc::new(producer),
            consumer: Arc::new(consumer),
            begun: Log::default(),
            put: Log::default(),
            got: Arc::default(),
            getting: Arc::default(),
        }
    }

    /// A process that puts these.
    fn putter(&self, number: usize, values: &'static [u64]) -> impl FnOnce() + Send + 'static {
        let (producer, begun, put) = (Arc::clone(&self.producer), Arc::clone(&self.begun), Arc::clone(&self.put));
        move || {
            alone::be(number);
            for value in values {
                begun.lock().unwrap().push(*value);
                producer.put(*value).unwrap();
                put.lock().unwrap().push(*value);
            }
        }
    }

    /// A process that gets values while `more` says so.
    fn getter(&self, number: usize, more: impl Fn(&[u64]) -> bool + Send + 'static) -> impl FnOnce() + Send + 'static {
        let (consumer, got, getting) = (Arc::clone(&self.consumer), Arc::clone(&self.got), Arc::clone(&self.getting));
        move || {
            alone::be(number);
            let mut mine = Vec::new();
            while more(&mine) {
                *getting.lock().unwrap() += 1;
                let value = consumer.get().unwrap();
                *getting.lock().unwrap() -= 1;
                got.lock().unwrap().push((value, 0));
                let before = mine.iter().rfind(|before| **before / 10 == value / 10);
                assert!(before.is_none_or(|before| *before < value), "{value} came after {before:?}");
                mine.push(value);
            }
        }
    }

    /// A process that gets so many on lease, and acknowledges them.
    fn leaser(&self, number: usize, count: usize) -> impl FnOnce() + Send + 'static {
        let (consumer, got) = (Arc::clone(&self.consumer), Arc::clone(&self.got));
        move || {
            alone::be(number);
            for _ in 0..count {
                let leased = consumer.lease().unwrap();
                let attempt = leased.attempt();
                got.lock().unwrap().push((*leased, attempt));
                leased.ack();
            }
        }
    }

    /// A process that asks for a value once.
    fn asker(&self, number: usize) -> impl FnOnce() + Send + 'static {
        let (consumer, got) = (Arc::clone(&self.consumer), Arc::clone(&self.got));
        move || {
            alone::be(number);
            if let Ok(value) = consumer.try_get() {
                got.lock().unwrap().push((value, 0));
            }
        }
    }

    /// A process that gives back what it gets.
    fn returner(&self, number: usize) -> impl FnOnce() + Send + 'static {
        let consumer = Arc::clone(&self.consumer);
        move || {
            alone::be(number);
            drop(consumer.lease_timeout(Duration::ZERO));
        }
    }

    /// A process that waits until all is done with.
    fn joiner(&self, number: usize) -> impl FnOnce() + Send + 'static {
        let consumer = Arc::clone(&self.consumer);
        move || {
            alone::be(number);
            consumer.join();
        }
    }

    /// A process that takes places and leaves them empty, as for a value that is too large.
    fn loser(&self, number: usize, count: usize) -> impl FnOnce() + Send + 'static {
        let producer = Arc::clone(&self.producer);
        move || {
            alone::be(number);
            let slots = &producer.core().slots;
            for _ in 0..count {
                if let Some(claim) = slots.try_claim() {
                    slots.give_up(&claim);
                }
            }
        }
    }

    /// What the launcher does when process 0 has died.
    fn burial(&self) -> impl FnOnce() + Send + 'static {
        let object = self.consumer.core().handle().object();
        move || bereave(object, alone::place(0))
    }

    /// All that was put was got, or is left, or went with a `get` that did not return; nothing came twice, unless it says so; and what is
    /// left comes as it was put.
    fn check(&self) -> impl FnMut() + 'static {
        // Both ends live on with this, so that the thread that made them drops them.
        let (producer, consumer) = (Arc::clone(&self.producer), Arc::clone(&self.consumer));
        let (begun, put) = (Arc::clone(&self.begun), Arc::clone(&self.put));
        let (got, getting) = (Arc::clone(&self.got), Arc::clone(&self.getting));
        move || {
            let mut seen = got.lock().unwrap().clone();
            while let Ok(leased) = consumer.lease_timeout(Duration::ZERO) {
                seen.push((*leased, leased.attempt()));
                leased.ack();
            }
            let (begun, put) = (begun.lock().unwrap(), put.lock().unwrap());
            let is_seen = |value: &&u64| seen.iter().any(|(other, _)| other == *value);
            let lost: Vec<&u64> = put.iter().filter(|value| !is_seen(value)).collect();
            assert!(lost.len() <= *getting.lock().unwrap(), "{lost:?} were put and are lost; seen: {seen:?}");
            for (place, (value, attempt)) in seen.iter().enumerate() {
                assert!(begun.contains(value), "{value} was never put; seen: {seen:?}");
                let twice = seen[..place].iter().any(|(other, _)| other == value);
                assert!(!twice || *attempt > 1, "{value} came twice; seen: {seen:?}");
            }
            assert_eq!(producer.len(), 0);
        }
    }
}

/// As [`alone::explore`], with a queue, and checked.
fn explore(preemptions: usize, capacity: usize, scene: impl Fn(&Scene, &mut Threads)) {
    alone::explore(preemptions, |threads| {
        let made = Scene::new(capacity);
        scene(&made, threads);
        threads.verdict(made.check());
    });
}

fn so_many(count: usize) -> impl Fn(&[u64]) -> bool + Send + 'static {
    move |mine| mine.len() < count
}

fn until(value: u64) -> impl Fn(&[u64]) -> bool + Send + 'static {
    move |mine| !mine.contains(&value)
}

#[test]
fn one_of_each() {
    for capacity in [1, 2] {
        explore(2, capacity, |scene, threads| {
            threads.thread(scene.putter(0, &[1, 2])).thread(scene.getter(1, so_many(2)));
        });
    }
}

#[test]
fn a_place_that_is_left_empty_is_for_the_next() {
    for capacity in [1, 2] {
        explore(2, capacity, |scene, threads| {
            threads.thread(scene.loser(0, 2)).thread(scene.putter(1, &[11]));
        });
    }
}

#[test]
fn who_joins_a_queue_hears_of_a_place_that_is_left_empty() {
    explore(2, 2, |scene, threads| {
        threads.thread(scene.loser(0, 2)).thread(scene.joiner(1));
    });
}

#[test]
fn a_value_that_comes_back_while_others_look_for_such_is_found() {
    explore(2, 1, |scene, threads| {
        scene.putter(3, &[1])();
        scene.returner(3)();
        alone::be_first();
        threads.thread(scene.returner(0)).thread(scene.asker(1)).thread(scene.asker(2));
    });
}

#[test]
fn two_producers_and_a_consumer() {
    for capacity in [1, 2] {
        explore(1, capacity, |scene, threads| {
            threads.thread(scene.putter(0, &[1])).thread(scene.putter(1, &[11])).thread(scene.getter(2, so_many(2)));
        });
    }
}

#[test]
fn a_producer_and_two_consumers() {
    for capacity in [1, 2] {
        explore(1, capacity, |scene, threads| {
            threads.thread(scene.putter(0, &[1, 2]));
            threads.thread(scene.getter(1, so_many(1))).thread(scene.getter(2, so_many(1)));
        });
    }
}

#[test]
fn two_of_each() {
    explore(1, 2, |scene, threads| {
        threads.thread(scene.putter(0, &[1, 2])).thread(scene.putter(1, &[11]));
        threads.thread(scene.getter(2, so_many(2))).thread(scene.getter(3, so_many(1)));
    });
}

#[test]
fn a_producer_that_is_killed() {
    for (capacity, values) in [(1, &[1][..]), (2, &[1, 2])] {
        explore(0, capacity, |scene, threads| {
            threads.thread(scene.putter(0, values)).burial(scene.burial());
            threads.thread(scene.putter(1, &[11])).thread(scene.getter(2, until(11)));
        });
    }
}

#[test]
fn a_consumer_that_is_killed() {
    for capacity in [1, 2] {
        explore(0, capacity, |scene, threads| {
            threads.thread(scene.getter(0, so_many(1))).burial(scene.burial());
            threads.thread(scene.putter(1, &[11, 12])).thread(scene.getter(2, so_many(1)));
        });
    }
}

#[test]
fn a_consumer_that_is_killed_with_a_lease() {
    for capacity in [1, 2] {
        explore(0, capacity, |scene, threads| {
            threads.thread(scene.leaser(0, 1)).burial(scene.burial());
            threads.thread(scene.putter(1, &[11, 12])).thread(scene.leaser(2, 1));
        });
    }
}

/// Two producers that go when they have put, and a consumer that gets until the end; also with the first producer killed.
#[test]
fn the_end_comes_when_all_producers_have_gone() {
    for mortal in [false, true] {
        alone::explore(usize::from(!mortal), |threads| {
            alone::be(0);
            let (producer, consumer) = queue::<u64>(2).unwrap();
            let object = consumer.core().handle().object();
            let other = producer.clone();
            bequeath(alone::place(1), other);
            bequeath(alone::place(2), consumer);
            let [other, consumer] = [PRODUCER, CONSUMER].map(|role| Core::adopt(Handle::assume(object, role)).unwrap());
            let got = Log::default();
            let log = Arc::clone(&got);
            threads.thread(move || {
                alone::be(0);
                producer.put(1).unwrap();
                drop(producer);
            });
            threads.thread(move || {
                alone::be(1);
                drop(Producer::from_core(other));
            });
            threads.thread(move || {
                alone::be(2);
                Consumer::from_core(consumer).iter().for_each(|value| log.lock().unwrap().push(value));
            });
            if mortal {
                threads.burial(move || sweep_block(family::LAUNCHER, alone::place(0), object.block, Kind::Queue));
            }
            threads.verdict(move || {
                assert!(mortal || *got.lock().unwrap() == [1]);
                assert!(family::get().arena.find(object.block).is_none() || !object.is_current(), "it is kept");
            });
            alone::be_first();
        });
    }
}
