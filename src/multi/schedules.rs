//! Locks, semaphores, conditions, events and barriers in every order of steps that two and three processes can take, each a thread here,
//! and with the first of them killed at each step.

use std::num::NonZero;
use std::sync::{Arc, Mutex as StdMutex};

use super::alone;
use super::arena::Kind;
use super::error::LockResult;
use super::mutex::bereave;
use super::object::{Handle, Role};
use super::passing::Passed;
use super::permits::Permits;
use super::waiting::Waiting;
use super::{Barrier, Condvar, Event, Mutex, MutexGuard, Semaphore};
use super::{family, sweep};
use crate::prim::explore::{self, Threads};

/// All schedules of a scene, with so many threads cut short; `PINRING_EXPLORE` more of them are.
fn explore(preemptions: usize, scene: impl Fn(&mut Threads)) {
    alone::family();
    println!("{} schedules", explore::all(preemptions + alone::more_preemptions(), scene));
}

/// A lock that was taken, whether or not somebody died under it.
fn held<'a>(lock: LockResult<MutexGuard<'a, u64>>) -> MutexGuard<'a, u64> {
    lock.unwrap_or_else(|error| error.into_guard().expect("it is held"))
}

#[test]
fn a_lock_is_held_by_one() {
    for mortal in [false, true] {
        explore(if mortal { 1 } else { 3 }, |threads| {
            let mutex = Arc::new(Mutex::new(0u64).unwrap());
            let added = Arc::new(StdMutex::new(0));
            for number in 0..2 {
                let (mutex, added) = (Arc::clone(&mutex), Arc::clone(&added));
                threads.thread(move || {
                    alone::be(number);
                    let mut guard = held(mutex.lock());
                    let before = *guard;
                    explore::step();
                    *guard = before + 1;
                    *added.lock().unwrap() += 1;
                    drop(guard);
                });
            }
            if mortal {
                let object = mutex.handle().object();
                threads.burial(move || bereave(object, alone::place(0)));
            }
            threads.verdict(move || {
                assert_eq!(*held(mutex.try_lock()), *added.lock().unwrap());
            });
        });
    }
}

#[test]
fn permits_come_back() {
    for mortal in [false, true] {
        explore(usize::from(!mortal), |threads| {
            let semaphore = Arc::new(Semaphore::bounded(1, 1).unwrap());
            let inside = Arc::new(StdMutex::new(Vec::new()));
            for number in 0..3 {
                let (semaphore, inside) = (Arc::clone(&semaphore), Arc::clone(&inside));
                threads.thread(move || {
                    alone::be(number);
                    let permit = semaphore.acquire();
                    inside.lock().unwrap().push(number);
                    explore::step();
                    assert_eq!(*inside.lock().unwrap(), [number], "one permit, one inside");
                    inside.lock().unwrap().clear();
                    drop(permit);
                });
            }
            if mortal {
                let permits = semaphore.handle().object().body::<Permits>();
                threads.burial(move || {
                    inside.lock().unwrap().retain(|number| *number != 0);
                    permits.bereave(alone::place(0));
                });
            }
            threads.verdict(move || assert_eq!(semaphore.value(), 1));
        });
    }
}

/// One is told, and tells the other. If it is killed before it has heard it, the other is told in its place.
#[test]
fn a_notification_is_heeded() {
    for mortal in [false, true] {
        explore(usize::from(!mortal), |threads| {
            let (state, changed) = (Arc::new(Mutex::new(0u64).unwrap()), Arc::new(Condvar::new().unwrap()));
            let heard = Arc::new(StdMutex::new(false));
            for number in 0..2 {
                let (state, changed, heard) = (Arc::clone(&state), Arc::clone(&changed), Arc::clone(&heard));
                threads.thread(move || {
                    alone::be(number);
                    let mut guard = held(state.lock());
                    while *guard == 0 {
                        guard = held(changed.wait(guard));
                    }
                    *heard.lock().unwrap() |= number == 0;
                    drop(guard);
                    changed.notify_one();
                });
            }
            let kept = (Arc::clone(&state), Arc::clone(&changed));
            if mortal {
                let (state, changed) = (state.handle().object(), Arc::clone(&changed));
                threads.burial(move || {
                    bereave(state, alone::place(0));
                    changed.handle().object().body::<Waiting>().bereave(alone::place(0));
                    // What it had heard it was to pass on: nobody else knows of that.
                    if *heard.lock().unwrap() {
                        changed.notify_one();
                    }
                });
            }
            threads.thread(move || {
                alone::be(2);
                *held(state.lock()) = 1;
                changed.notify_one();
            });
            threads.verdict(move || {
                let (state, _) = &kept;
                assert_eq!(*held(state.try_lock()), 1);
            });
        });
    }
}

#[test]
fn an_event_that_was_set_lets_all_pass() {
    explore(2, |threads| {
        let event = Arc::new(Event::new().unwrap());
        for number in 0..2 {
            let event = Arc::clone(&event);
            threads.thread(move || {
                alone::be(number);
                event.wait();
            });
        }
        let kept = Arc::clone(&event);
        threads.thread(move || {
            alone::be(2);
            event.set();
        });
        threads.verdict(move || assert!(kept.is_set()));
    });
}

#[test]
fn all_parties_of_a_barrier_pass() {
    explore(2, |threads| {
        let barrier = Arc::new(Barrier::new(NonZero::new(2).unwrap()).unwrap());
        let places = Arc::new(StdMutex::new(Vec::new()));
        for number in 0..2 {
            let (barrier, places) = (Arc::clone(&barrier), Arc::clone(&places));
            threads.thread(move || {
                alone::be(number);
                for round in 0..2 {
                    let place = barrier.wait().unwrap();
                    places.lock().unwrap().push((round, place));
                }
            });
        }
        threads.verdict(move || {
            assert_eq!(barrier.n_waiting(), 0);
            let mut places = places.lock().unwrap().clone();
            places.sort_unstable();
            assert_eq!(places, [(0, 0), (0, 1), (1, 0), (1, 1)]);
        });
    });
}

/// One sends an object and lets go of it, one lets go, one receives it: it lives as long as it is held or on its way, and no longer.
#[test]
fn what_is_sent_lives_until_nobody_holds_it() {
    for mortal in [false, true] {
        explore(usize::from(!mortal), |threads| {
            alone::be(0);
            let sent = Handle::create(Kind::Blob, 8, Role::First, |_| {}).unwrap();
            let object = sent.object();
            alone::be(1);
            let other = sent.clone();
            alone::be_first();
            let is_there = move || family::get().arena.find(object.block).is_some() && object.is_current();
            let received = Arc::new(StdMutex::new(0));
            let receive = {
                let received = Arc::clone(&received);
                move || Handle::try_receive(Kind::Blob, object, Role::First).inspect(|_| *received.lock().unwrap() += 1)
            };
            let receive_late = receive.clone();
            threads.thread(move || {
                alone::be(0);
                object.send_off(Role::First);
                drop(sent);
            });
            threads.thread(move || {
                alone::be(1);
                drop(other);
            });
            threads.thread(move || {
                alone::be(2);
                if let Some(handle) = receive() {
                    assert!(is_there(), "freed, and held");
                    drop(handle);
                }
            });
            if mortal {
                threads.burial(move || sweep::sweep_block(family::LAUNCHER, alone::place(0), object.block, Kind::Blob));
            }
            threads.verdict(move || {
                drop(receive_late());
                assert!(mortal || *received.lock().unwrap() == 1, "it was on its way, and is lost");
                assert!(!is_there(), "nobody holds it, and it is not freed");
            });
        });
    }
}
