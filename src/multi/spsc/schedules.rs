//! Both ends in every order of their steps, each in a thread here, and with either of them killed at each of its steps.

use std::sync::{Arc, Mutex};

use super::lane::{CONSUMER, Lane};
use super::{Rx, Tx, queue};
use crate::multi::arena::Kind;
use crate::multi::object::{Handle, Object, bequeath};
use crate::multi::{alone, family, sweep};
use crate::prim::explore::Threads;

/// A queue whose producer is with process 0 and whose consumer with process 1.
fn ends(capacity: usize) -> (Tx<u64>, Rx<u64>, Object) {
    alone::be(0);
    let (tx, rx) = queue(capacity).unwrap();
    let object = tx.lane().handle.object();
    bequeath(alone::place(1), rx);
    let consumer = Lane::adopt(Handle::assume(object, CONSUMER)).unwrap();
    alone::be_first();
    (tx, Rx::of(consumer), object)
}

type Values = Arc<Mutex<Vec<u64>>>;

/// Puts `values` and goes; what was put.
fn putter(mut tx: Tx<u64>, values: u64) -> (impl FnOnce() + Send + 'static, Values) {
    let put = Values::default();
    let log = Arc::clone(&put);
    let body = move || {
        alone::be(0);
        for value in 0..values {
            if tx.put(value).is_err() {
                break;
            }
            log.lock().unwrap().push(value);
        }
    };
    (body, put)
}

/// Gets what there is until the end; what that was.
fn getter(mut rx: Rx<u64>) -> (impl FnOnce() + Send + 'static, Values) {
    let got = Values::default();
    let log = Arc::clone(&got);
    let body = move || {
        alone::be(1);
        for value in &mut rx {
            log.lock().unwrap().push(value);
        }
    };
    (body, got)
}

fn explore(preemptions: usize, capacity: usize, scene: impl Fn(&mut Threads, Tx<u64>, Rx<u64>, Object)) {
    alone::explore(preemptions, |threads| {
        let (tx, rx, object) = ends(capacity);
        scene(threads, tx, rx, object);
    });
}

/// What the launcher does when process 0 or 1 has died.
fn burial(number: usize, object: Object) -> impl FnOnce() + Send + 'static {
    move || sweep::sweep_block(family::LAUNCHER, alone::place(number), object.block, Kind::Spsc)
}

fn is_gone(object: Object) -> bool {
    family::get().arena.find(object.block).is_none() || !object.is_current()
}

#[test]
fn all_that_is_put_is_got_in_order_and_nothing_is_left() {
    for capacity in [1, 2] {
        explore(1, capacity, |threads, tx, rx, object| {
            let ((putter, put), (getter, got)) = (putter(tx, 3), getter(rx));
            threads.thread(putter).thread(getter).verdict(move || {
                assert_eq!((&*put.lock().unwrap(), &*got.lock().unwrap()), (&vec![0, 1, 2], &vec![0, 1, 2]));
                assert!(is_gone(object));
            });
        });
    }
}

#[test]
fn the_consumer_of_a_killed_producer_gets_what_was_put_and_then_the_end() {
    for capacity in [1, 2] {
        explore(0, capacity, |threads, tx, rx, object| {
            let ((putter, put), (getter, got)) = (putter(tx, 3), getter(rx));
            threads.thread(putter).burial(burial(0, object)).thread(getter).verdict(move || {
                let (put, got) = (put.lock().unwrap(), got.lock().unwrap());
                assert!(got.starts_with(&put) && got.len() <= put.len() + 1, "put {put:?}, got {got:?}");
                assert!(is_gone(object));
            });
        });
    }
}

#[test]
fn the_producer_of_a_killed_consumer_is_told() {
    for capacity in [1, 2] {
        explore(0, capacity, |threads, tx, rx, object| {
            let ((putter, put), (getter, got)) = (putter(tx, 3), getter(rx));
            threads.thread(getter).burial(burial(1, object)).thread(putter).verdict(move || {
                let (put, got) = (put.lock().unwrap(), got.lock().unwrap());
                assert!(put.starts_with(&got), "put {put:?}, got {got:?}");
                assert!(is_gone(object));
            });
        });
    }
}
