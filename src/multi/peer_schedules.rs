//! Parties of a barrier, the ends of pipes, and a lock that is taken twice, in every order of steps that their processes can take, each a
//! thread here, and with the first of them killed at each step.

use std::num::NonZero;
use std::sync::{Arc, Mutex as StdMutex};

use super::alone::{self, explore};
use super::arena::Kind;
use super::object::Object;
use super::passing::Passed;
use super::{
    Barrier, BarrierError, Receiver, RecvError, ReentrantMutex, ReentrantMutexGuard, Sender, Waitable, pipe, wait,
};
use super::{barrier, family, mutex, sweep};
use crate::prim::explore::step;

/// The pid of the member that is killed.
const PID: u32 = 7;

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
                    let _ = step();
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

/// A pipe whose sender is held by one member and whose receiver by another.
fn pipe_between(sender: usize, receiver: usize) -> (Sender<u64>, Receiver<u64>) {
    alone::be(receiver);
    let (kept, receives) = pipe::<u64>().unwrap();
    alone::be(sender);
    let sends = kept.clone();
    alone::be(receiver);
    drop(kept);
    alone::be_first();
    (sends, receives)
}

fn object_of(receiver: &Receiver<u64>) -> Object {
    receiver.handle().object()
}

#[test]
fn the_end_of_a_peer_is_told_after_what_it_sent() {
    for mortal in [false, true] {
        explore(usize::from(!mortal), |threads| {
            let (sender, receiver) = pipe_between(0, 1);
            family::member(alone::place(0)).pid.set(PID);
            let object = object_of(&receiver);
            threads.thread(move || {
                alone::be(0);
                let _ = sender.send(1).and_then(|()| sender.send(2));
                drop(sender);
            });
            threads.thread(move || {
                alone::be(1);
                let mut got = Vec::new();
                let end = loop {
                    match receiver.recv() {
                        Ok(number) => got.push(number),
                        Err(end) => break end,
                    }
                };
                assert!([1, 2].starts_with(&got), "{got:?}");
                let is_whole = end == RecvError::Eof && got.len() == 2;
                assert!(is_whole || end == RecvError::PeerDied { pid: PID } && mortal, "{end:?} after {got:?}");
            });
            if mortal {
                threads.burial(move || sweep::sweep_block(family::LAUNCHER, alone::place(0), object.block, Kind::Pipe));
            }
        });
    }
}

#[test]
fn who_waits_for_two_pipes_hears_both() {
    for mortal in [false, true] {
        explore(0, |threads| {
            let pipes = [pipe_between(0, 2), pipe_between(1, 2)];
            let object = object_of(&pipes[0].1);
            let [first, second] = pipes.map(|(sender, receiver)| (sender, receiver));
            for (number, sender) in [first.0, second.0].into_iter().enumerate() {
                threads.thread(move || {
                    alone::be(number);
                    sender.send(7).unwrap();
                    drop(sender);
                });
            }
            let receivers = [first.1, second.1];
            threads.thread(move || {
                alone::be(2);
                let mut open = vec![0, 1];
                let mut got = [0; 2];
                while !open.is_empty() {
                    let items: Vec<&dyn Waitable> = open.iter().map(|at| &receivers[*at] as &dyn Waitable).collect();
                    let ready: Vec<usize> = wait(&items, None).into_iter().map(|at| open[at]).collect();
                    assert!(!ready.is_empty());
                    for at in ready {
                        match receivers[at].try_recv() {
                            Ok(number) => got[at] += number,
                            Err(RecvError::Empty) => panic!("it was said to be there"),
                            Err(_) => open.retain(|one| *one != at),
                        }
                    }
                }
                assert!(got[1] == 7 && (got[0] == 7 || mortal && got[0] == 0), "{got:?}");
            });
            if mortal {
                threads.burial(move || sweep::sweep_block(family::LAUNCHER, alone::place(0), object.block, Kind::Pipe));
            }
        });
    }
}
