//! Parties of a barrier, the ends of pipes, and a lock that is taken twice, in every order of steps that their processes can take, each a
//! thread here, and with the first of them killed at each step.

use std::num::NonZero;
use std::sync::{Arc, Mutex as StdMutex};

use super::alone;
use super::passing::Passed;
use super::{Barrier, BarrierError, ReentrantMutex, ReentrantMutexGuard};
use super::{barrier, family, mutex};
use crate::prim::explore::{self, Threads};

/// The pid of the member that is killed.
const PID: u32 = 7;

/// All schedules of a scene, with so many threads cut short; `PINRING_EXPLORE` more of them are.
fn explore(preemptions: usize, scene: impl Fn(&mut Threads)) {
    alone::family();
    println!("{} schedules", explore::all(preemptions + alone::more_preemptions(), scene));
}

/// A lock that was taken, whether or not somebody died under it.
fn held(lock: &ReentrantMutex<u64>) -> ReentrantMutexGuard<'_, u64> {
    lock.lock().unwrap_or_else(|error| error.into_guard().expect("it is held"))
}

/// One that is killed while it waits is told of; one that is killed before is simply not there, and another comes in its place.
#[test]
fn a_party_that_is_killed_keeps_nobody_waiting() {
    explore(1, |threads| {
        let barrier = Arc::new(Barrier::new(NonZero::new(2).unwrap()).unwrap());
        family::member(alone::place(0)).pid.set(PID);
        let told = Arc::new(StdMutex::new(None));
        let theirs = Arc::clone(&barrier);
        threads.thread(move || {
            alone::be(0);
            theirs.wait().unwrap();
        });
        let (theirs, tell) = (Arc::clone(&barrier), Arc::clone(&told));
        threads.thread(move || {
            alone::be(1);
            let met = theirs.wait();
            *tell.lock().unwrap() = Some(met);
            // Whoever came for the dead in vain.
            theirs.abort();
        });
        let (object, heard) = (barrier.handle().object(), Arc::clone(&told));
        threads.burial(move || {
            alone::be(2);
            barrier::bereave(object, alone::place(0));
            if heard.lock().unwrap().is_none() {
                let _ = barrier.wait();
            }
        });
        threads.verdict(move || match &*told.lock().unwrap() {
            Some(Ok(place)) => assert!(*place < 2),
            Some(Err(BarrierError::PartyDied(PID))) => {}
            other => panic!("{other:?}"),
        });
    });
}

#[test]
fn a_reentrant_lock_is_held_by_one() {
    for mortal in [false, true] {
        explore(if mortal { 1 } else { 2 }, |threads| {
            let mutex = Arc::new(ReentrantMutex::new(0u64).unwrap());
            let added = Arc::new(StdMutex::new(0));
            let number = |lock: &ReentrantMutex<u64>, more: u64| {
                let guard = held(lock);
                guard.set(guard.get() + more);
                guard.get()
            };
            for place in 0..2 {
                let (mutex, added) = (Arc::clone(&mutex), Arc::clone(&added));
                threads.thread(move || {
                    alone::be(place);
                    let outer = held(&mutex);
                    let before = outer.get();
                    explore::step();
                    assert_eq!(number(&mutex, 1), before + 1);
                    *added.lock().unwrap() += 1;
                    drop(outer);
                });
            }
            if mortal {
                let object = mutex.handle().object();
                threads.burial(move || mutex::bereave(object, alone::place(0)));
            }
            // One that is killed between the two additions has done the first.
            threads.verdict(move || {
                let (sum, added) = (number(&mutex, 0), *added.lock().unwrap());
                assert!(sum == added || mortal && sum == added + 1, "{sum} {added}");
                assert!(!mutex.is_locked());
            });
        });
    }
}
