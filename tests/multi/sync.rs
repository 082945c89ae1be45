//! A52 to A66: locks, semaphores, condition variables, events, barriers.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pinring::multi::{
    Barrier, BarrierError, Condvar, Death, Event, Lock, LockError, Mutex, Overflow, Process, ReentrantLock,
    ReentrantMutex, Semaphore, Value, blocks_in_use, init,
};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("a52_a_lock_is_anothers_until_given_back", a52),
    ("a52_a_lock_knows_its_own_thread", a52_deadlock),
    ("a52_threads_and_processes_exclude_each_other", a52_exclusion),
    ("a53_a_reentrant_lock_is_free_after_as_many_releases", a53),
    ("a54_a_semaphore_counts", a54),
    ("a55_a_bounded_semaphore_refuses_too_many", a55),
    ("a56_a_semaphore_waits_as_long_as_told", a56),
    ("a57_a_notification_wakes_one", a57),
    ("a58_those_who_timed_out_are_not_in_the_way", a58),
    ("a59_as_many_wake_as_are_notified_and_no_surplus_is_kept", a59),
    ("a60_a_wait_that_times_out_holds_the_lock", a60),
    ("a61_a_wait_for_a_condition_ends_when_it_holds", a61),
    ("a62_an_event_is_set_waited_for_and_cleared", a62),
    ("a62_an_event_set_and_cleared_at_once_was_set", a62_generation),
    ("a62_an_event_may_be_set_in_a_signal_handler", a62_signal),
    ("a63_a_barrier_gives_each_its_index_and_acts_once", a63),
    ("a64_a_barrier_can_be_aborted_and_reset", a64),
    ("a65_a_barrier_breaks_for_all_when_one_does_not_wait", a65),
    ("a66_others_see_that_a_lock_is_held_and_by_whom", a66),
    ("a_panic_with_a_lock_held_poisons_it", poison),
    ("nothing_is_left_of_synchronisation_objects", nothing_left),
];

pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// Until `condition` holds; a second is for ever.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(1), "not within a second: {what}");
        sleep(MS / 10);
    }
}

fn parties(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn a52() {
    let lock = Lock::new().unwrap();
    let theirs = lock.clone();
    let held = lock.acquire().unwrap();
    let child = Process::spawn(move || {
        assert!(matches!(theirs.try_acquire(), Err(LockError::WouldBlock)));
        let start = Instant::now();
        assert!(matches!(theirs.acquire_timeout(100 * MS), Err(LockError::Timeout)));
        let took = start.elapsed();
        assert!((100 * MS..200 * MS).contains(&took), "{took:?}");
        drop(theirs.acquire().unwrap());
    });
    sleep(200 * MS);
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
    assert!(start.elapsed() < 50 * MS);
    assert!(semaphore.acquire_timeout(500 * MS).is_none());
    let took = start.elapsed();
    assert!((500 * MS..700 * MS).contains(&took), "{took:?}");
    let theirs = semaphore.clone();
    let child = Process::spawn(move || {
        sleep(50 * MS);
        theirs.release(1).unwrap();
    });
    drop(semaphore.acquire());
    child.unwrap().join().unwrap();
}

/// Waiters, threads of this process and other processes, that count themselves when they sleep and when they are woken.
struct Waiters {
    mutex: Mutex<u32>,
    condvar: Condvar,
    woken: Value<u32>,
    processes: Vec<Process>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Waiters {
    fn new() -> Self {
        init().unwrap();
        Self {
            mutex: Mutex::new(0).unwrap(),
            condvar: Condvar::new().unwrap(),
            woken: Value::new(0).unwrap(),
            processes: Vec::new(),
            threads: Vec::new(),
        }
    }

    fn wait(mutex: &Mutex<u32>, condvar: &Condvar, woken: &Value<u32>, time: Option<Duration>) {
        let mut guard = mutex.lock().unwrap();
        *guard += 1;
        let notified = match time {
            None => condvar.wait(guard).map(|guard| (guard, true)).unwrap().1,
            Some(time) => condvar.wait_timeout(guard, time).unwrap().1,
        };
        assert_eq!(notified, time.is_none());
        woken.fetch_add(1);
    }

    /// Processes first: they cannot be forked once there are threads.
    fn add(&mut self, processes: usize, threads: usize, time: Option<Duration>) {
        let all = || (self.mutex.clone(), self.condvar.clone(), self.woken.clone());
        for _ in 0..processes {
            let (mutex, condvar, woken) = all();
            let child =
                Process::spawn_fn(wait_there, (mutex, condvar, woken, time.map(|time| time.as_millis() as u64)));
            self.processes.push(child.unwrap());
        }
        for _ in 0..threads {
            let (mutex, condvar, woken) = all();
            self.threads.push(std::thread::spawn(move || Self::wait(&mutex, &condvar, &woken, time)));
        }
    }

    fn until_asleep(&self, n: u32) {
        eventually("all wait", || *self.mutex.lock().unwrap() == n);
    }

    fn until_woken(&self, n: u32) {
        eventually("so many are woken", || self.woken.get() == n);
        sleep(30 * MS);
        assert_eq!(self.woken.get(), n);
    }

    fn end(self) {
        self.processes.into_iter().for_each(|child| child.join().unwrap());
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn wait_there((mutex, condvar, woken, time): (Mutex<u32>, Condvar, Value<u32>, Option<u64>)) {
    Waiters::wait(&mutex, &condvar, &woken, time.map(Duration::from_millis));
}

fn a57() {
    let mut waiters = Waiters::new();
    waiters.add(1, 1, None);
    waiters.until_asleep(2);
    waiters.until_woken(0);
    for n in 1..=2 {
        waiters.condvar.notify_one();
        waiters.until_woken(n);
    }
    waiters.end();
}

fn a58() {
    let mut waiters = Waiters::new();
    waiters.add(3, 3, Some(50 * MS));
    waiters.until_woken(6);
    waiters.add(3, 3, None);
    waiters.until_asleep(12);
    sleep(20 * MS);
    waiters.condvar.notify_all();
    waiters.until_woken(12);
    waiters.end();
}

fn a59() {
    let mut waiters = Waiters::new();
    waiters.add(3, 3, None);
    waiters.until_asleep(6);
    for (notified, woken, total) in [(2, 2, 2), (4, 4, 6), (3, 0, 6)] {
        assert_eq!(waiters.condvar.notify_n(notified), woken);
        waiters.until_woken(total);
    }
    // What was too much before is not kept.
    waiters.add(1, 0, Some(100 * MS));
    waiters.until_woken(7);
    waiters.end();
}

fn a60() {
    let (mutex, condvar) = (Mutex::new(3u8).unwrap(), Condvar::new().unwrap());
    let start = Instant::now();
    let (guard, notified) = condvar.wait_timeout(mutex.lock().unwrap(), 100 * MS).unwrap();
    assert!(!notified && *guard == 3 && start.elapsed() >= 100 * MS);
    let theirs = mutex.clone();
    let busy = Process::spawn(move || matches!(theirs.try_lock(), Err(LockError::WouldBlock)) as u8);
    assert_eq!(busy.unwrap().join(), Ok(1));
    drop(guard);
}

fn a61() {
    let (mutex, condvar) = (Mutex::new(0u32).unwrap(), Condvar::new().unwrap());
    let theirs = (mutex.clone(), condvar.clone());
    let child = Process::spawn(move || {
        for _ in 0..4 {
            sleep(10 * MS);
            *theirs.0.lock().unwrap() += 1;
            theirs.1.notify_one();
        }
    });
    let guard = condvar.wait_while(mutex.lock().unwrap(), |state| *state != 4).unwrap();
    assert_eq!(*guard, 4);
    let start = Instant::now();
    let (guard, holds) = condvar.wait_while_timeout(guard, 100 * MS, |state| *state != 5).unwrap();
    assert!(!holds && start.elapsed() >= 100 * MS);
    let (_guard, holds) = condvar.wait_while_timeout(guard, 100 * MS, |state| *state != 4).unwrap();
    assert!(holds);
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

static ACTIONS: AtomicU32 = AtomicU32::new(0);

fn count_action() {
    // Each process counts its own.
    // ORDER(test.action): the test's own word.
    ACTIONS.fetch_add(1, Ordering::SeqCst);
}

fn a63() {
    let barrier = Barrier::with_action(parties(5), count_action).unwrap();
    let (indices, actions) = (Mutex::new([0u32; 5]).unwrap(), Value::new(0u32).unwrap());
    let children: Vec<Process> = (0..5)
        .map(|_| {
            let (barrier, indices, actions) = (barrier.clone(), indices.clone(), actions.clone());
            let child = Process::spawn(move || {
                for _ in 0..1000 {
                    let index = barrier.wait().unwrap();
                    indices.lock().unwrap()[index] += 1;
                }
                // ORDER(test.action): as above.
                actions.fetch_add(ACTIONS.load(Ordering::SeqCst));
            });
            child.unwrap()
        })
        .collect();
    children.into_iter().for_each(|child| child.join().unwrap());
    assert_eq!((*indices.lock().unwrap(), actions.get(), barrier.n_waiting()), ([1000; 5], 1000, 0));
    assert_eq!(Barrier::new(parties(1)).unwrap().wait(), Ok(0));
}

/// Children that wait at the barrier, and what they were told.
fn waiting(barrier: &Barrier, n: usize, time: Option<Duration>) -> Vec<Process<u8>> {
    (0..n)
        .map(|_| {
            let barrier = barrier.clone();
            let child = Process::spawn(move || {
                let result = time.map_or_else(|| barrier.wait(), |time| barrier.wait_timeout(time));
                match result {
                    Ok(_) => 0,
                    Err(BarrierError::Broken) => 1,
                    Err(BarrierError::Timeout) => 2,
                    Err(_) => 3,
                }
            });
            child.unwrap()
        })
        .collect()
}

fn told(children: Vec<Process<u8>>) -> Vec<u8> {
    children.into_iter().map(|child| child.join().unwrap()).collect()
}

fn a64() {
    let barrier = Barrier::new(parties(5)).unwrap();
    let children = waiting(&barrier, 4, None);
    eventually("they wait", || barrier.n_waiting() == 4);
    barrier.abort();
    assert_eq!(told(children), [1; 4]);
    assert!(barrier.is_broken() && barrier.wait() == Err(BarrierError::Broken));
    barrier.reset();
    assert!(!barrier.is_broken());
    for _ in 0..10 {
        let children = waiting(&barrier, 4, None);
        eventually("they wait", || barrier.n_waiting() == 4);
        barrier.reset();
        assert_eq!(told(children), [1; 4]);
        let children = waiting(&barrier, 4, None);
        assert!(barrier.wait().is_ok());
        assert_eq!(told(children), [0; 4]);
    }
}

fn a65() {
    let barrier = Barrier::new(parties(5)).unwrap();
    let children = waiting(&barrier, 3, None);
    eventually("they wait", || barrier.n_waiting() == 3);
    assert_eq!(barrier.wait_timeout(50 * MS), Err(BarrierError::Timeout));
    assert_eq!(told(children), [1; 3]);
    let barrier = Barrier::new(parties(3)).unwrap().default_timeout(100 * MS);
    let mut all = told(waiting(&barrier, 2, None));
    all.sort_unstable();
    assert_eq!(all, [1, 2]);
    let barrier = Barrier::with_action(parties(2), || panic!("the action")).unwrap();
    let children = waiting(&barrier, 2, None);
    let mut all = told(children);
    all.sort_unstable();
    assert_eq!(all, [1, 3]);
    assert!(Barrier::new(parties(70_000)).is_err());
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
            Barrier::new(parties(3)).unwrap(),
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
