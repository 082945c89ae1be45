//! A52 to A56, A62, A66: locks, semaphores, events.

use std::time::{Duration, Instant};

use pinring::multi::{
    Barrier, Condvar, Death, Event, Lock, LockError, Mutex, Overflow, Process, ReentrantLock, ReentrantMutex,
    Semaphore, Value, blocks_in_use,
};

use crate::Case;
use crate::spsc::processor_time;

pub(crate) const CASES: &[Case] = &[
    ("a52_a_lock_is_anothers_until_given_back", a52),
    ("a52_a_lock_knows_its_own_thread", a52_deadlock),
    ("a52_threads_and_processes_exclude_each_other", a52_exclusion),
    ("who_goes_to_sleep_while_a_lock_is_given_back_is_woken", given_back),
    ("those_who_wait_for_a_lock_sleep", asleep),
    ("a53_a_reentrant_lock_is_free_after_as_many_releases", a53),
    ("a54_a_semaphore_counts", a54),
    ("a55_a_bounded_semaphore_refuses_too_many", a55),
    ("a_permit_moved_to_a_child_has_been_given_back", permit_moved),
    ("a56_a_semaphore_waits_as_long_as_told", a56),
    ("a62_an_event_is_set_waited_for_and_cleared", a62),
    ("a62_an_event_set_and_cleared_at_once_was_set", a62_generation),
    ("a62_an_event_may_be_set_in_a_signal_handler", a62_signal),
    ("a66_others_see_that_a_lock_is_held_and_by_whom", a66),
    ("a_panic_with_a_lock_held_poisons_it", poison),
    ("nothing_is_left_of_synchronisation_objects", nothing_left),
];

pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// Until `condition` holds, or it hangs.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(15), "it hangs: {what}");
        sleep(MS / 10);
    }
}

fn a52() {
    let lock = Lock::new().unwrap();
    let timed_out = Event::new().unwrap();
    let (theirs, over) = (lock.clone(), timed_out.clone());
    let held = lock.acquire().unwrap();
    let child = Process::spawn(move || {
        assert!(matches!(theirs.try_acquire(), Err(LockError::WouldBlock)));
        let start = Instant::now();
        assert!(matches!(theirs.acquire_timeout(100 * MS), Err(LockError::Timeout)));
        // Before the parent gives it back.
        assert!(start.elapsed() >= 100 * MS && theirs.is_locked());
        over.set();
        drop(theirs.acquire().unwrap());
    });
    timed_out.wait();
    drop(held);
    child.unwrap().join().unwrap();
    assert!(lock.try_acquire().is_ok());
}

fn a52_deadlock() {
    let mutex = Mutex::new(1u8).unwrap();
    let held = mutex.lock().unwrap();
    assert!(matches!(mutex.lock(), Err(LockError::WouldDeadlock)));
    assert!(matches!(mutex.try_lock(), Err(LockError::WouldDeadlock)));
    drop(held);
    assert_eq!(*mutex.lock().unwrap(), 1);
}

/// The one gives the lock back at about the time when the other has looked often enough and goes to sleep; then nobody else comes who
/// could wake it. What it wrote before is still on its way then, and so is what it writes to the lock, long after its look at who sleeps.
fn given_back() {
    let (lock, turn, done) = (Lock::new().unwrap(), Value::new(0u64).unwrap(), Value::new(0u64).unwrap());
    let rounds = crate::repeats() * 200;
    let until = |value: &Value<u64>, round| {
        while value.get() != round {
            std::thread::yield_now();
        }
    };
    let (theirs, their_turn, theirs_done) = (lock.clone(), turn.clone(), done.clone());
    let child = Process::spawn(move || {
        for round in 1..=rounds {
            until(&their_turn, round);
            drop(theirs.acquire().unwrap());
            theirs_done.set(round);
        }
    });
    let mut written = vec![1u64; 1 << 22];
    for round in 1..=rounds {
        let held = lock.acquire().unwrap();
        turn.set(round);
        let start = Instant::now();
        let time = Duration::from_nanos(round * 7919 % 20_000);
        while start.elapsed() < time {
            std::hint::spin_loop();
        }
        let places = (0..40).map(|n| (round * 40 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 42);
        places.for_each(|place| written[place as usize] = round);
        drop(held);
        until(&done, round);
    }
    child.unwrap().join().unwrap();
}

/// Several at once, who must not keep each other awake.
fn asleep() {
    let lock = Lock::new().unwrap();
    let held = lock.acquire().unwrap();
    let wait = |lock: Lock| {
        let before = processor_time();
        drop(lock.acquire().unwrap());
        processor_time().checked_sub(before).unwrap().as_micros() as u64
    };
    let waiting: Vec<Process<u64>> =
        [(); 4].map(|()| lock.clone()).map(|lock| Process::spawn(move || wait(lock)).unwrap()).into();
    sleep(500 * MS);
    drop(held);
    for child in waiting {
        let busy = child.join().unwrap();
        assert!(busy < 50_000, "{busy} us of half a second");
    }
}

fn a52_exclusion() {
    let sum = Mutex::new([0u64; 2]).unwrap();
    let work = |sum: Mutex<[u64; 2]>| {
        let threads = (0..2).map(|_| {
            let sum = sum.clone();
            std::thread::spawn(move || {
                for _ in 0..5000 {
                    let mut sum = sum.lock().unwrap();
                    assert_eq!(sum[0], sum[1]);
                    sum[0] += 1;
                    sum[1] = sum[0];
                }
            })
        });
        threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    };
    let children: Vec<Process> = (0..3)
        .map(|_| {
            let sum = sum.clone();
            Process::spawn(move || work(sum)).unwrap()
        })
        .collect();
    children.into_iter().for_each(|child| child.join().unwrap());
    assert_eq!(*sum.lock().unwrap(), [30_000; 2]);
}

fn a53() {
    let mutex = ReentrantMutex::new(0i32).unwrap();
    let times = Value::new(0u32).unwrap();
    let (theirs, seen) = (mutex.clone(), times.clone());
    let first = mutex.lock().unwrap();
    let child = Process::spawn(move || {
        assert!(matches!(theirs.try_lock(), Err(LockError::WouldBlock)));
        let held = theirs.lock().unwrap();
        assert_eq!((seen.get(), held.get()), (2, 7));
    });
    let second = mutex.lock().unwrap();
    let third = mutex.lock().unwrap();
    third.set(6);
    first.update(|value| value + 1);
    sleep(50 * MS);
    for guard in [third, first] {
        times.fetch_add(1);
        drop(guard);
        sleep(20 * MS);
    }
    assert_eq!(second.get(), 7);
    drop(second);
    child.unwrap().join().unwrap();
    let lock = ReentrantLock::new().unwrap();
    let (_one, _two) = (lock.acquire().unwrap(), lock.try_acquire().unwrap());
}

fn a54() {
    let semaphore = Semaphore::new(2).unwrap();
    let one = semaphore.acquire();
    assert_eq!(semaphore.value(), 1);
    let two = semaphore.try_acquire().unwrap();
    assert_eq!(semaphore.value(), 0);
    assert!(semaphore.try_acquire().is_none());
    one.forget();
    two.forget();
    let theirs = semaphore.clone();
    Process::spawn(move || theirs.release(4).unwrap()).unwrap().join().unwrap();
    assert_eq!(semaphore.value(), 4);
    assert!(Semaphore::new(u32::MAX).is_err());
}

fn permit_moved() {
    let semaphore: &'static Semaphore = Box::leak(Box::new(Semaphore::new(1).unwrap()));
    for forgotten in [false, true] {
        let permit = semaphore.acquire();
        let child = Process::spawn(move || if forgotten { permit.forget() } else { drop(permit) });
        child.unwrap().join().unwrap();
        assert_eq!(semaphore.value(), 1);
    }
}

fn a55() {
    let semaphore = Semaphore::bounded(2, 2).unwrap();
    assert_eq!(semaphore.release(1), Err(Overflow { value: 2, released: 1, max: 2 }));
    semaphore.acquire().forget();
    semaphore.acquire().forget();
    semaphore.release(1).unwrap();
    semaphore.release(1).unwrap();
    assert!(semaphore.release(1).is_err());
    assert!(semaphore.release(u32::MAX).is_err());
    assert_eq!(semaphore.value(), 2);
}

fn a56() {
    let semaphore = Semaphore::new(0).unwrap();
    let start = Instant::now();
    assert!(semaphore.acquire_timeout(Duration::ZERO).is_none());
    assert!(semaphore.acquire_timeout(500 * MS).is_none());
    assert!(start.elapsed() >= 500 * MS);
    let theirs = semaphore.clone();
    let child = Process::spawn(move || {
        sleep(50 * MS);
        theirs.release(1).unwrap();
    });
    drop(semaphore.acquire());
    child.unwrap().join().unwrap();
}

fn a62() {
    let event = Event::new().unwrap();
    assert!(!event.is_set() && !event.wait_timeout(Duration::ZERO));
    let start = Instant::now();
    assert!(!event.wait_timeout(100 * MS) && start.elapsed() >= 100 * MS);
    let theirs = event.clone();
    let child = Process::spawn(move || {
        sleep(50 * MS);
        theirs.set();
    });
    event.wait();
    assert!(event.is_set() && event.wait_timeout(Duration::ZERO));
    event.clear();
    assert!(!event.is_set() && !event.wait_timeout(Duration::ZERO));
    child.unwrap().join().unwrap();
}

fn a62_generation() {
    let (event, ready) = (Event::new().unwrap(), Semaphore::new(0).unwrap());
    for _ in 0..50 {
        let (theirs, come) = (event.clone(), ready.clone());
        let child = Process::spawn(move || {
            come.release(1).unwrap();
            theirs.wait_timeout(Duration::from_secs(5)) as u8
        });
        ready.acquire().forget();
        sleep(5 * MS);
        event.set();
        event.clear();
        assert_eq!(child.unwrap().join(), Ok(1));
    }
}

static IN_HANDLER: std::sync::OnceLock<Event> = std::sync::OnceLock::new();

extern "C" fn set_it(_: i32) {
    if let Some(event) = IN_HANDLER.get() {
        event.set();
    }
}

fn a62_signal() {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
    let event = Event::new().unwrap();
    IN_HANDLER.set(event.clone()).unwrap();
    let action = SigAction::new(SigHandler::Handler(set_it), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler only sets an event, which is async-signal-safe.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let me = nix::unistd::getpid();
    let child = Process::spawn(move || {
        for _ in 0..200 {
            kill(me, Signal::SIGUSR1).unwrap();
            sleep(MS / 5);
        }
    });
    for _ in 0..50 {
        assert!(event.wait_timeout(Duration::from_secs(1)));
        for _ in 0..100 {
            event.clear();
            event.is_set();
        }
    }
    child.unwrap().join().unwrap();
}

fn a66() {
    let mutex = Mutex::new(()).unwrap();
    assert_eq!((mutex.is_locked(), mutex.owner()), (false, None));
    let held = mutex.lock().unwrap();
    let (theirs, me) = (mutex.clone(), std::process::id());
    let child = Process::spawn(move || assert_eq!((theirs.is_locked(), theirs.owner()), (true, Some(me))));
    child.unwrap().join().unwrap();
    drop(held);
}

fn poison() {
    let mutex = Mutex::new(0u32).unwrap();
    let theirs = mutex.clone();
    let child = Process::spawn(move || {
        *theirs.lock().unwrap() = 7;
        let mut guard = theirs.lock().unwrap();
        *guard = 8;
        panic!("half way");
    });
    let child: Process = child.unwrap();
    let pid = child.pid();
    child.join().unwrap_err();
    for _ in 0..2 {
        let Err(LockError::OwnerDied { guard, by }) = mutex.lock() else { panic!("no poison") };
        assert_eq!((*guard, by), (8, Death::Panicked { pid }));
    }
    mutex.lock().unwrap_err().into_guard().unwrap().clear_poison();
    assert_eq!(*mutex.lock().unwrap(), 8);
}

fn nothing_left() {
    {
        let all = (
            Mutex::new(1u8).unwrap(),
            ReentrantMutex::new(1u8).unwrap(),
            Semaphore::new(1).unwrap(),
            Condvar::new().unwrap(),
            Event::new().unwrap(),
            Barrier::new(3.try_into().unwrap()).unwrap(),
        );
        let theirs = all.clone();
        Process::spawn(move || {
            let (_held, _permit) = (theirs.0.lock().unwrap(), theirs.2.acquire());
            theirs.4.set();
        })
        .unwrap()
        .join()
        .unwrap();
        // As the argument of a launched one: in a message.
        let child = Process::spawn_fn(|all: (Mutex<u8>, Event)| assert!(all.1.is_set()), (all.0, all.4));
        child.unwrap().join().unwrap();
    }
    assert_eq!(blocks_in_use(), 0);
}
