//! Processes killed while they hold or wait for something: the others are told, within a second, and nothing is lost.

use std::num::NonZeroUsize;
use std::time::Duration;

use pinring::multi::{
    Barrier, BarrierError, Condvar, Death, Event, LockError, Mutex, Process, ReentrantMutex, Semaphore, Value,
    blocks_in_use,
};

use crate::Case;
use crate::sync::{MS, eventually, sleep};

pub(crate) const CASES: &[Case] = &[
    ("kill_a_holder_of_a_mutex", mutex),
    ("kill_those_who_contend_for_a_mutex", contended_mutex),
    ("kill_a_holder_of_a_reentrant_mutex", reentrant),
    ("kill_holders_of_permits", permits),
    ("kill_those_who_wait_for_a_condition", condition),
    ("kill_one_that_was_notified_and_another_is_in_its_place", notified),
    ("kill_a_party_of_a_barrier", barrier),
    ("kill_a_party_in_the_action_of_a_barrier", action),
    ("kill_those_who_wait_for_an_event", event),
    ("kill_who_updates_a_value", value),
];

const SECOND: Duration = Duration::from_secs(1);

/// A time below a millisecond, another in each round, the same in each run.
fn delay(round: u64) -> Duration {
    let mut word = round.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    Duration::from_micros((word ^ word >> 31) % 1000)
}

/// Kills it and waits until it is gone.
fn kill(child: Process) {
    child.kill().unwrap();
    child.join().unwrap_err();
}

fn mutex() {
    for round in 0..crate::repeats() {
        let mutex = Mutex::new(0u64).unwrap();
        let theirs = mutex.clone();
        let child = Process::spawn(move || {
            let mut guard = theirs.lock().unwrap();
            loop {
                *guard += 1;
            }
        });
        let child: Process = child.unwrap();
        eventually("it holds the lock", || mutex.is_locked());
        sleep(delay(round));
        let pid = child.pid();
        child.kill().unwrap();
        // Before it is known to be dead.
        let Err(LockError::OwnerDied { mut guard, by }) = mutex.lock_timeout(SECOND) else { panic!("not told") };
        assert_eq!(by, Death::Died { pid });
        guard.clear_poison();
        drop(guard);
        assert!(mutex.lock().is_ok());
        child.join().unwrap_err();
    }
    assert_eq!(blocks_in_use(), 0);
}

/// Locks and unlocks for ever, repairing what the dead left.
fn contend(mutex: &Mutex<[u64; 2]>) -> ! {
    loop {
        let mut guard = match mutex.lock() {
            Ok(guard) => guard,
            Err(LockError::OwnerDied { mut guard, .. }) => {
                guard[1] = guard[0];
                guard.clear_poison();
                guard
            }
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(guard[0], guard[1]);
        guard[0] += 1;
        guard[1] = guard[0];
    }
}

fn contended_mutex() {
    let mutex = Mutex::new([0u64; 2]).unwrap();
    let spawn = || -> Process {
        let theirs = mutex.clone();
        Process::spawn(move || contend(&theirs)).unwrap()
    };
    let mut children: Vec<Process> = (0..3).map(|_| spawn()).collect();
    for round in 0..crate::repeats() * 4 {
        sleep(delay(round));
        kill(children.remove(0));
        children.push(spawn());
        match mutex.lock_timeout(SECOND) {
            Ok(_) => {}
            Err(LockError::OwnerDied { mut guard, .. }) => {
                guard[1] = guard[0];
                guard.clear_poison();
            }
            Err(error) => panic!("stranded: {error:?}"),
        }
    }
    children.into_iter().for_each(kill);
    drop(mutex);
    assert_eq!(blocks_in_use(), 0);
}

fn reentrant() {
    let mutex = ReentrantMutex::new(0u64).unwrap();
    for round in 0..crate::repeats() {
        let theirs = mutex.clone();
        let child = Process::spawn(move || {
            let (_first, second) = (theirs.lock().unwrap(), theirs.lock().unwrap());
            loop {
                second.update(|value| value + 1);
            }
        });
        let child: Process = child.unwrap();
        eventually("it holds the lock", || mutex.is_locked());
        sleep(delay(round));
        child.kill().unwrap();
        let Err(LockError::OwnerDied { guard, .. }) = mutex.lock_timeout(SECOND) else { panic!("not told") };
        guard.clear_poison();
        let _again = mutex.lock().unwrap();
        drop(guard);
        child.join().unwrap_err();
    }
}

fn permits() {
    let semaphore = Semaphore::bounded(3, 3).unwrap();
    for round in 0..crate::repeats() * 2 {
        let children: Vec<Process> = (0..3)
            .map(|_| {
                let theirs = semaphore.clone();
                Process::spawn(move || {
                    loop {
                        let _one = theirs.acquire();
                        let _other = theirs.try_acquire();
                    }
                })
                .unwrap()
            })
            .collect();
        sleep(delay(round) * 2);
        children.into_iter().for_each(kill);
        assert_eq!(semaphore.value(), 3, "round {round}");
        // Nobody is owed any.
        let all: Vec<_> = (0..3).map(|_| semaphore.acquire_timeout(SECOND).unwrap()).collect();
        assert!(semaphore.try_acquire().is_none());
        drop(all);
    }
    // One that waits gets what the dead held.
    for round in 0..crate::repeats() {
        let holder = {
            let theirs = semaphore.clone();
            Process::spawn(move || {
                let _all = [theirs.acquire(), theirs.acquire(), theirs.acquire()];
                sleep(100 * SECOND);
            })
        };
        eventually("it holds them", || semaphore.value() == 0);
        sleep(delay(round));
        holder.as_ref().unwrap().kill().unwrap();
        assert!(semaphore.acquire_timeout(SECOND).is_some());
        holder.unwrap().join().unwrap_err();
    }
    drop(semaphore);
    assert_eq!(blocks_in_use(), 0);
}

fn condition() {
    for round in 0..crate::repeats() {
        let (mutex, condvar, woken) = (Mutex::new(0u32).unwrap(), Condvar::new().unwrap(), Value::new(0u32).unwrap());
        let mut children: Vec<Process> = (0..3)
            .map(|_| {
                let (mutex, condvar, woken) = (mutex.clone(), condvar.clone(), woken.clone());
                Process::spawn(move || {
                    let mut guard = mutex.lock().unwrap();
                    *guard += 1;
                    // A dead one may have held the lock on its way out.
                    drop(condvar.wait(guard).map_err(|error| error.into_guard().map(|mut guard| guard.clear_poison())));
                    woken.fetch_add(1);
                })
                .unwrap()
            })
            .collect();
        eventually("all wait", || *mutex.lock().unwrap() == 3);
        // The longest waiting is the one that is notified: it is killed before, or at the same time, or after.
        let victim = children.remove(0);
        if round % 3 == 0 {
            kill(victim);
            assert_eq!(condvar.notify_n(2), 2);
        } else {
            condvar.notify_n(2);
            if round % 3 == 1 {
                sleep(delay(round) / 20);
            }
            victim.kill().unwrap();
            // Two were notified; if the victim was and did not come to its end, another is in its place.
            drop(victim.join());
        }
        eventually("two are woken in all, or one and the dead", || woken.get() >= 1);
        condvar.notify_all();
        children.into_iter().for_each(|child| child.join().unwrap());
        assert!(woken.get() >= 2);
    }
    assert_eq!(blocks_in_use(), 0);
}

fn notified() {
    for round in 0..crate::repeats() {
        let (mutex, condvar, woken) = (Mutex::new(0u32).unwrap(), Condvar::new().unwrap(), Value::new(0u32).unwrap());
        let mut children: Vec<Process> = Vec::new();
        for n in 1..=3 {
            let (theirs, condvar, woken) = (mutex.clone(), condvar.clone(), woken.clone());
            let child = Process::spawn(move || {
                let mut guard = theirs.lock().unwrap();
                *guard += 1;
                let _guard = condvar.wait(guard).unwrap();
                woken.fetch_add(1);
            });
            children.push(child.unwrap());
            eventually("it waits", || *mutex.lock().unwrap() == n);
        }
        // It wakes up and cannot have the lock, as long as we have it.
        let guard = mutex.lock().unwrap();
        assert_eq!(condvar.notify_n(1), 1);
        sleep(delay(round));
        kill(children.remove(0));
        drop(guard);
        eventually("the next one is woken", || woken.get() == 1);
        sleep(MS);
        assert_eq!((woken.get(), condvar.notify_n(5)), (1, 1));
        children.into_iter().for_each(|child| child.join().unwrap());
    }
    assert_eq!(blocks_in_use(), 0);
}

fn action() {
    let barrier = Barrier::with_action(NonZeroUsize::new(2).unwrap(), || sleep(100 * SECOND)).unwrap();
    for round in 0..crate::repeats() {
        let theirs = barrier.clone();
        let waiter = Process::spawn(move || match theirs.wait() {
            Err(BarrierError::PartyDied(pid)) => pid,
            other => panic!("{other:?}"),
        });
        eventually("it waits", || barrier.n_waiting() == 1);
        let theirs = barrier.clone();
        let actor: Process = Process::spawn(move || {
            theirs.wait().unwrap();
        })
        .unwrap();
        eventually("all are there", || barrier.n_waiting() == 2);
        sleep(delay(round));
        let pid = actor.pid();
        kill(actor);
        assert_eq!(waiter.unwrap().join(), Ok(pid));
        barrier.reset();
    }
}

fn barrier() {
    let barrier = Barrier::new(NonZeroUsize::new(3).unwrap()).unwrap();
    for round in 0..crate::repeats() {
        let theirs = barrier.clone();
        let victim = Process::spawn(move || {
            let _ = theirs.wait();
            sleep(100 * SECOND);
        });
        let victim: Process = victim.unwrap();
        let pid = victim.pid();
        let theirs = barrier.clone();
        let other = Process::spawn(move || match theirs.wait() {
            Err(BarrierError::PartyDied(pid)) => pid,
            _ => 0,
        });
        if round % 2 == 0 {
            eventually("both wait", || barrier.n_waiting() == 2);
            sleep(delay(round));
            victim.kill().unwrap();
            assert_eq!(other.unwrap().join(), Ok(pid));
            assert_eq!(barrier.wait(), Err(BarrierError::PartyDied(pid)));
        } else {
            // Perhaps before it comes.
            sleep(delay(round) / 2);
            victim.kill().unwrap();
            // It may have come before it died, and then all were there.
            let result = barrier.wait_timeout(100 * MS);
            assert_ne!(result, Err(BarrierError::ActionPanicked));
            other.unwrap().join().unwrap();
        }
        victim.join().unwrap_err();
        barrier.reset();
        assert!(!barrier.is_broken());
    }
    drop(barrier);
    assert_eq!(blocks_in_use(), 0);
}

fn event() {
    let event = Event::new().unwrap();
    for round in 0..crate::repeats() {
        let children: Vec<Process> = (0..2)
            .map(|_| {
                let theirs = event.clone();
                Process::spawn(move || theirs.wait()).unwrap()
            })
            .collect();
        let mut children = children.into_iter();
        sleep(delay(round));
        let _ = children.next().map(kill);
        event.set();
        children.for_each(|child| child.join().unwrap());
        event.clear();
    }
}

fn value() {
    let (large, small) = (Value::new([0u64; 16]).unwrap(), Value::new(0u64).unwrap());
    for round in 0..crate::repeats() * 2 {
        let theirs = (large.clone(), small.clone());
        let child = Process::spawn(move || {
            loop {
                theirs.0.update(|value| value.iter_mut().for_each(|value| *value += 1));
                theirs.1.update(|value| *value += 1);
            }
        });
        sleep(delay(round) + MS / 2);
        kill(child.unwrap());
        let now = large.get();
        assert!(now.iter().all(|value| *value == now[0]), "{now:?}");
        let steps = now[0].abs_diff(small.get());
        assert!(steps <= round + 1, "{steps}");
    }
    assert!(small.get() > 0);
}
