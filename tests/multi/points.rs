//! Kill points: a child is stopped after so many instructions of an operation, and killed there. Each time what is left must be whole, the
//! object usable by the others, and nothing may hang.
//!
//! By default only some of the points are tried, others each time; `PINRING_REPEATS=1000` tries all, of a long operation 4,000: it takes as
//! many steps to get to a point as there are before it.

use std::time::Duration;

use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use pinring::multi::{Array, GetError, LockError, Mutex, Process, PutError, Semaphore, Value, init, pipe, queue, spsc};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("points_of_a_put_where_it_is_killed", put),
    ("points_of_a_get_where_it_is_killed", get),
    ("points_of_a_lease_where_it_is_killed", lease),
    ("points_of_a_send_where_it_is_killed", send),
    ("points_of_an_spsc_put_where_it_is_killed", spsc_put),
    ("points_of_an_spsc_get_where_it_is_killed", spsc_get),
    ("points_of_a_lock_where_it_is_killed", lock),
    ("points_of_a_permit_where_it_is_killed", permit),
    ("points_of_an_update_where_it_is_killed", update),
    ("points_of_a_new_array_where_it_is_killed", array),
    ("points_of_a_start_where_its_parent_is_killed", start),
];

/// Has a child call `operation`, and kills it after `steps` instructions; whether it had come to its end by then.
pub(crate) fn killed_after(steps: u64, operation: impl FnOnce() + Send + 'static) -> bool {
    killed_after_some(steps, |pid| ptrace::step(pid, None), operation)
}

/// As [`killed_after`], after so many stops, to each of which `go` leads.
fn killed_after_some(
    steps: u64,
    go: impl Fn(Pid) -> nix::Result<()>,
    operation: impl FnOnce() + Send + 'static,
) -> bool {
    let child: Process = Process::spawn(move || {
        ptrace::traceme().unwrap();
        raise(Signal::SIGSTOP).unwrap();
        operation();
        raise(Signal::SIGSTOP).unwrap();
        std::thread::sleep(Duration::from_secs(100));
    })
    .unwrap();
    let pid = Pid::from_raw(child.pid() as i32);
    assert!(matches!(waitpid(pid, None).unwrap(), WaitStatus::Stopped(_, Signal::SIGSTOP)));
    let mut finished = false;
    for step in 0..steps {
        STEPS.set(step);
        go(pid).unwrap();
        match waitpid(pid, None).unwrap() {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {
                finished = true;
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    child.kill().unwrap();
    // Waits until what it held is given back.
    drop(child);
    finished
}

thread_local! {
    /// How many instructions the last operation had.
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Tries the operation to its end, and then some of its points, or all.
pub(crate) fn each_point(mut trial: impl FnMut(u64) -> bool) {
    assert!(trial(u64::MAX));
    let total = STEPS.get();
    // Without optimization an operation has a hundred thousand instructions.
    let few = if cfg!(debug_assertions) { 2 } else { 12 };
    let points = if crate::repeats() >= 1000 { total.min(4 * crate::repeats()) } else { few };
    let offset = u64::from(std::process::id()) % (total / points).max(1);
    for point in 0..points {
        trial(point * total / points + offset);
    }
    println!("{points} of {total} points");
}

fn put() {
    each_point(|steps| {
        let (producer, consumer) = queue::<[u64; 4]>(4).unwrap();
        producer.put([1; 4]).unwrap();
        let theirs = producer.clone();
        let finished = killed_after(steps, move || theirs.put([2; 4]).unwrap());
        producer.put([3; 4]).unwrap();
        let all: Vec<u64> = std::iter::from_fn(|| consumer.try_get().ok())
            .map(|value| {
                assert!(value.iter().all(|n| *n == value[0]), "torn");
                value[0]
            })
            .collect();
        assert!(all == [1, 2, 3] || (!finished && all == [1, 3]), "{all:?} after {steps}");
        assert_eq!(producer.put_all([[7; 4]; 4]), Ok(4), "a place is lost");
        finished
    });
}

fn get() {
    each_point(|steps| {
        let (producer, consumer) = queue::<u64>(4).unwrap();
        producer.put_all([1, 2, 3]).unwrap();
        let theirs = consumer.clone();
        let finished = killed_after(steps, move || assert_eq!(theirs.get(), Ok(1)));
        let all: Vec<u64> = std::iter::from_fn(|| consumer.try_get().ok()).collect();
        assert!(all == [2, 3] || (!finished && all == [1, 2, 3]), "{all:?} after {steps}");
        assert_eq!(producer.put_all([7; 4]), Ok(4), "a place is lost");
        finished
    });
}

fn lease() {
    each_point(|steps| {
        let (producer, consumer) = queue::<u64>(4).unwrap();
        producer.put_all([1, 2]).unwrap();
        let theirs = consumer.clone();
        let finished = killed_after(steps, move || theirs.lease().unwrap().ack());
        let first = consumer.lease().unwrap();
        assert!(*first == 2 || (!finished && *first == 1), "{first:?} after {steps}");
        let again = *first == 1;
        first.ack();
        if again {
            consumer.lease().unwrap().ack();
        }
        consumer.join();
        assert_eq!(producer.put_all([7; 4]), Ok(4), "a place is lost");
        finished
    });
}

fn send() {
    each_point(|steps| {
        let (sender, receiver) = pipe::<[u64; 4]>().unwrap();
        let finished = killed_after(steps, move || sender.send([5; 4]).unwrap());
        match receiver.recv() {
            Ok(value) => {
                assert_eq!(value, [5; 4]);
                assert!(receiver.recv().is_err());
            }
            Err(_) => assert!(!finished, "lost"),
        }
        finished
    });
}

fn spsc_put() {
    let before = pinring::multi::blocks_in_use();
    each_point(|steps| {
        let (mut tx, mut rx) = spsc::queue::<[u64; 4]>(4).unwrap();
        tx.put([1; 4]).unwrap();
        let finished = killed_after(steps, move || {
            tx.put([2; 4]).unwrap();
            tx.put([3; 4]).unwrap();
        });
        let all: Vec<u64> = rx
            .iter()
            .map(|value| {
                assert!(value.iter().all(|n| *n == value[0]), "torn");
                value[0]
            })
            .collect();
        assert!(all == [1, 2, 3] || (!finished && (all == [1] || all == [1, 2])), "{all:?} after {steps}");
        assert_eq!(rx.get(), Err(GetError::Closed));
        drop(rx);
        assert_eq!(pinring::multi::blocks_in_use(), before, "a block is left behind after {steps}");
        finished
    });
}

fn spsc_get() {
    let before = pinring::multi::blocks_in_use();
    each_point(|steps| {
        let (mut tx, mut rx) = spsc::queue::<Array<u64>>(4).unwrap();
        for _ in 0..3 {
            tx.put(Array::zeroed(1000).unwrap()).unwrap();
        }
        let finished = killed_after(steps, move || {
            drop((rx.get().unwrap(), rx.get().unwrap()));
            // Dropped, it would take the third with it.
            std::mem::forget(rx);
        });
        assert!(matches!(tx.put(Array::zeroed(1000).unwrap()), Err(PutError::Closed(_))));
        let left = tx.len();
        assert!(left == 1 || (!finished && left <= 3), "{left} are left after {steps}");
        drop(tx);
        assert_eq!(pinring::multi::blocks_in_use(), before, "a block is left behind after {steps}");
        finished
    });
}

fn lock() {
    each_point(|steps| {
        let mutex = Mutex::new([0u64; 2]).unwrap();
        let theirs = mutex.clone();
        let finished = killed_after(steps, move || {
            let mut guard = theirs.lock().unwrap();
            guard[0] += 1;
            guard[1] += 1;
        });
        match mutex.lock() {
            Ok(guard) => assert!(guard[0] == guard[1], "half done, and not said so: {:?}", *guard),
            Err(LockError::OwnerDied { mut guard, .. }) => {
                assert!(!finished);
                guard.clear_poison();
            }
            Err(other) => panic!("{other:?}"),
        }
        assert!(mutex.lock().is_ok());
        finished
    });
}

fn permit() {
    each_point(|steps| {
        let semaphore = Semaphore::new(2).unwrap();
        let theirs = semaphore.clone();
        let finished = killed_after(steps, move || drop(theirs.acquire()));
        assert_eq!(semaphore.value(), 2, "after {steps}");
        let all = [semaphore.acquire(), semaphore.acquire()];
        assert!(semaphore.try_acquire().is_none());
        drop(all);
        finished
    });
}

fn update() {
    each_point(|steps| {
        let value = Value::new([1u64; 3]).unwrap();
        let theirs = value.clone();
        let finished = killed_after(steps, move || theirs.update(|value| value.iter_mut().for_each(|n| *n += 1)));
        let found = value.get();
        assert!(found == [2; 3] || (!finished && found == [1; 3]), "{found:?} after {steps}");
        value.update(|value| value[0] = 9);
        assert_eq!(value.get()[0], 9);
        finished
    });
}

fn array() {
    let before = pinring::multi::blocks_in_use();
    each_point(|steps| {
        let finished = killed_after(steps, || drop(Array::<u64>::zeroed(2000)));
        assert_eq!(pinring::multi::blocks_in_use(), before, "a block is left behind after {steps}");
        finished
    });
}

/// At each of its system calls, before it is made: what is started by then begins, or is ended with its parent.
fn start() {
    init().unwrap();
    let go = |pid| {
        // What the parent has said so far is done, and nobody is about to sleep.
        std::thread::sleep(Duration::from_millis(2));
        ptrace::syscall(pid, None)
    };
    let begin = || Process::spawn_fn(|()| (), ()).unwrap().detach();
    let calls = (0..).find(|calls| killed_after_some(*calls, go, begin));
    println!("{calls:?} calls");
    // Else those would be left behind that nobody has woken.
}
