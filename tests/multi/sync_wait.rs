//! A57 to A61, A63 to A65: condition variables and barriers.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pinring::multi::{
    Barrier, BarrierError, Condvar, Event, LockError, Mutex, Process, Value, Waitable, init, pipe, wait,
};

use crate::Case;
use crate::sync::{MS, eventually, sleep};

pub(crate) const CASES: &[Case] = &[
    ("a57_a_notification_wakes_one", a57),
    ("a58_those_who_timed_out_are_not_in_the_way", a58),
    ("a59_as_many_wake_as_are_notified_and_no_surplus_is_kept", a59),
    ("a60_a_wait_that_times_out_holds_the_lock", a60),
    ("a61_a_wait_for_a_condition_ends_when_it_holds", a61),
    ("a63_a_barrier_gives_each_its_index_and_acts_once", a63),
    ("a64_a_barrier_can_be_aborted_and_reset", a64),
    ("a65_a_barrier_breaks_for_all_when_one_does_not_wait", a65),
    ("an_event_is_waited_for_among_other_things", event_among_others),
];

fn parties(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
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

fn event_among_others() {
    let (event, (sender, receiver)) = (Event::new().unwrap(), pipe::<u8>().unwrap());
    let both: [&dyn Waitable; 2] = [&receiver, &event];
    assert!(wait(&both, Some(20 * MS)).is_empty());
    for _ in 0..50 {
        let (theirs, ready) = (event.clone(), Event::new().unwrap());
        let begun = ready.clone();
        let child = Process::spawn(move || {
            begun.set();
            std::thread::sleep(MS);
            theirs.set();
        });
        let child = child.unwrap();
        assert_eq!(wait(&[&ready], None), [0]);
        assert_eq!(wait(&both, None), [1]);
        // It stays what it is until it is cleared.
        assert_eq!(wait(&both, Some(Duration::ZERO)), [1]);
        sender.send(1).unwrap();
        assert_eq!(wait(&both, None), [0, 1]);
        assert_eq!(receiver.recv(), Ok(1));
        event.clear();
        assert!(wait(&both, Some(Duration::ZERO)).is_empty());
        child.join().unwrap();
    }
    // With the end of who might have set it.
    let theirs = event.clone();
    let child = Process::spawn(move || {
        if !theirs.wait_timeout(50 * MS) {
            std::process::abort()
        }
    })
    .unwrap();
    assert_eq!(wait(&[&event, &child], None), [1]);
    assert!(child.join().is_err());
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
