//! Locks, semaphores, conditions, events and barriers in every order of steps that two and three processes can take, each a thread here,
//! and with the first of them killed at each step.

use std::num::NonZero;
use std::sync::{Arc, Mutex as StdMutex};

use super::alone::{self, explore};
use super::arena::Kind;
use super::error::LockResult;
use super::mutex::bereave;
use super::object::{BODY, Handle, Object, Role};
use super::passing::Passed;
use super::permits::Permits;
use super::recount::{self, Suspect};
use super::waiting::Waiting;
use super::{Array, ArrayPart, Barrier, Blob, Condvar, Event, Mutex, MutexGuard, Semaphore, SharedBlob, queue};
use super::{family, sweep};
use crate::prim::Ordering;
use crate::prim::explore::step;

/// A lock that was taken, whether or not somebody died under it.
fn held<'a>(lock: LockResult<MutexGuard<'a, u64>>) -> MutexGuard<'a, u64> {
    lock.unwrap_or_else(|error| error.into_guard().expect("it is held"))
}

#[test]
fn a_lock_is_held_by_one() {
    for (lockers, mortal, preemptions) in [(2, false, 3), (2, true, 1), (3, false, 1), (3, true, 1)] {
        explore(preemptions, |threads| {
            let mutex = Arc::new(Mutex::new(0u64).unwrap());
            let added = Arc::new(StdMutex::new(0));
            for number in 0..lockers {
                let (mutex, added) = (Arc::clone(&mutex), Arc::clone(&added));
                threads.thread(move || {
                    alone::be(number);
                    let mut guard = held(mutex.lock());
                    let before = *guard;
                    let _ = step();
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
                    let _ = step();
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

fn is_there(object: Object) -> bool {
    family::get().arena.find(object.block).is_some() && object.is_current()
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
            let received = Arc::new(StdMutex::new(0));
            let suspects = Arc::new(StdMutex::new(Vec::new()));
            // That of a page that nobody has.
            let bill = family::waybill(alone::place(9));
            let receive = {
                let received = Arc::clone(&received);
                move || {
                    let sent = bill.goods().next()?;
                    let handle = Handle::receive(Kind::Blob, sent, Role::First);
                    bill.settle();
                    handle.inspect(|_| *received.lock().unwrap() += 1)
                }
            };
            let receive_late = receive.clone();
            threads.thread(move || {
                alone::be(0);
                bill.load(|sending| sending.take(object, Role::First));
                drop(sent);
            });
            threads.thread(move || {
                alone::be(1);
                drop(other);
            });
            threads.thread(move || {
                alone::be(2);
                if let Some(handle) = receive() {
                    assert!(is_there(object), "freed, and held");
                    drop(handle);
                }
            });
            if mortal {
                let suspects = Arc::clone(&suspects);
                threads.burial(move || {
                    bill.take_from_the_dead(alone::place(0), &mut suspects.lock().unwrap());
                    sweep::sweep_block(family::LAUNCHER, alone::place(0), object.block, Kind::Blob);
                });
            }
            threads.verdict(move || {
                let settle = |suspect: &Suspect| recount::is_settled(*suspect, || bill.count_of(*suspect));
                assert!(suspects.lock().unwrap().iter().all(settle));
                drop(receive_late());
                assert!(mortal || *received.lock().unwrap() == 1, "it was on its way, and is lost");
                assert!(!is_there(object), "nobody holds it, and it is not freed");
            });
        });
    }
}

/// One lets go of its end of a queue and is slow to see whether it was the last; meanwhile the queue ends, and what comes into its place is
/// another's.
#[test]
fn who_lets_go_of_an_end_touches_nothing_that_came_after() {
    explore(1, |threads| {
        alone::family();
        let (producer, consumer) = queue::<u64>(1).unwrap();
        alone::be(0);
        let consumer_of_0 = consumer.clone();
        alone::be(1);
        let producer_of_1 = producer.clone();
        alone::be_first();
        drop((producer, consumer));
        threads.thread(move || {
            alone::be(0);
            drop(consumer_of_0);
        });
        let made = Arc::new(StdMutex::new(None));
        let theirs = Arc::clone(&made);
        threads.thread(move || {
            alone::be(1);
            drop(producer_of_1);
            *theirs.lock().unwrap() = Some(Handle::create(Kind::Blob, 512, Role::First, |_| {}).unwrap());
        });
        threads.verdict(move || {
            alone::be(1);
            let blob = made.lock().unwrap().take().unwrap();
            let words = blob.object().words(BODY, 64);
            // ORDER(test.explore): all have come to an end.
            assert!(words.iter().all(|word| word.load(Ordering::SeqCst) == 0), "another's memory was written");
            drop(blob);
            alone::be_first();
        });
    });
}

/// Parts that outlive the thread that made them.
type Kept = Arc<StdMutex<Vec<ArrayPart<u8>>>>;

/// Divides the array and keeps the parts; whether it could.
fn divide(array: &Array<u8>, kept: &Kept) {
    let parts = array.split_even(2).unwrap_or_else(|error| {
        error.into_guard().expect("it is held").clear_poison();
        array.split_even(2).unwrap()
    });
    kept.lock().unwrap().extend(parts);
}

/// What must hold when member `by` has divided the array: it is locked until the parts are gone.
fn divided(array: &Array<u8>, kept: &Kept, by: usize) {
    assert!(array.try_lock().is_err(), "it is locked and has parts");
    alone::be(by);
    kept.lock().unwrap().clear();
    alone::be_first();
    assert!(array.try_lock().is_ok(), "it has no parts and is locked");
}

#[test]
fn an_array_stays_locked_until_its_last_part_is_gone_also_if_another_of_its_holders_is_buried_meanwhile() {
    explore(1, |threads| {
        alone::family();
        let array = Array::<u8>::zeroed(2).unwrap();
        let object = array.handle().object();
        alone::be(0);
        let theirs = array.clone();
        alone::be(1);
        std::mem::forget(array.clone());
        alone::be_first();
        let kept = Kept::default();
        let parts = Arc::clone(&kept);
        threads.thread(move || {
            alone::be(0);
            divide(&theirs, &parts);
        });
        threads.thread(move || sweep::sweep_block(family::LAUNCHER, alone::place(1), object.block, Kind::Mutex));
        threads.verdict(move || divided(&array, &kept, 0));
    });
}

/// What is shared is sent by one and dropped by two, in any order: it lives as long as anybody has it.
#[test]
fn a_shared_blob_is_there_as_long_as_somebody_has_it() {
    explore(1, |threads| {
        alone::family();
        let (sender, receiver) = queue::<SharedBlob<u8>>(1).unwrap();
        alone::be(0);
        let (blob, sender) = (Blob::from_slice(&[7u8; 4]).unwrap().share(), sender);
        alone::be(1);
        let other = blob.clone();
        alone::be_first();
        let object = blob.handle().object();
        let (sender, receiver) = (Arc::new(sender), Arc::new(receiver));
        let (kept, puts, gets) = (Arc::clone(&sender), sender, Arc::clone(&receiver));
        threads.thread(move || {
            alone::be(0);
            puts.put(blob).unwrap();
        });
        threads.thread(move || {
            alone::be(1);
            assert_eq!(other[..], [7; 4]);
            drop(other);
        });
        threads.thread(move || {
            alone::be(2);
            let blob = gets.get().unwrap();
            assert_eq!(blob[..], [7; 4]);
        });
        threads.verdict(move || {
            let _ends = (&kept, &receiver);
            assert!(!is_there(object), "nobody has it, and it is not freed");
        });
    });
}
