//! A67 to A70, A73: values and arrays.

use std::time::Duration;

use pinring::multi::{Array, Mutex, OutOfBounds, Process, Value, blocks_in_use};

use crate::Case;
use crate::sync::{MS, sleep};

pub(crate) const CASES: &[Case] = &[
    ("a67_what_a_child_writes_the_parent_reads", a67),
    ("a67_no_update_is_lost", a67_updates),
    ("a67_no_update_of_a_large_value_is_lost", a67_large),
    ("a67_atomic_operations_are_those_of_std", a67_atomics),
    ("a67_an_update_that_panics_changes_nothing", a67_panic),
    ("a68_an_array_is_a_slice_while_it_is_locked", a68),
    ("a69_a_zeroed_array_is_zero_where_another_was", a69),
    ("a70_one_lock_guards_two_arrays", a70),
    ("a73_the_parts_of_an_array_need_no_lock", a73),
    ("a73_an_array_whose_part_died_is_poisoned", a73_died),
];

pinring::multi::pod! {
    #[derive(Debug, PartialEq)]
    struct Sample {
        at: u64,
        value: f64,
        channel: u32,
        flags: u32,
    }
}

fn a67() {
    let small = (Value::new(0i16).unwrap(), Value::new(0i32).unwrap(), Value::new(0u8).unwrap());
    let large = (Value::new(0i64).unwrap(), Value::new(0f64).unwrap());
    let sample = Value::new(Sample { at: 0, value: 0.0, channel: 0, flags: 0 }).unwrap();
    let theirs = (small.clone(), large.clone(), sample.clone());
    let child = Process::spawn(move || {
        let ((a, b, c), (d, e), sample) = theirs;
        a.set(-2);
        b.set(-3);
        c.set(255);
        d.set(i64::MIN);
        e.set(-0.5);
        sample.update(|sample| *sample = Sample { at: 1, value: 2.5, channel: 3, flags: 4 });
    });
    child.unwrap().join().unwrap();
    assert_eq!((small.0.get(), small.1.get(), small.2.get()), (-2, -3, 255));
    assert_eq!((large.0.get(), large.1.get()), (i64::MIN, -0.5));
    assert_eq!(sample.get(), Sample { at: 1, value: 2.5, channel: 3, flags: 4 });
}

fn four(work: impl Fn() + Clone + Send + 'static) {
    let children: Vec<Process> = (0..4).map(|_| Process::spawn(work.clone()).unwrap()).collect();
    children.into_iter().for_each(|child| child.join().unwrap());
}

const TIMES: i64 = 20_000;

fn a67_updates() {
    let (count, narrow) = (Value::new(0i64).unwrap(), Value::new(-5i32).unwrap());
    let theirs = (count.clone(), narrow.clone());
    four(move || {
        for _ in 0..TIMES {
            theirs.0.update(|count| *count += 1);
            theirs.0.fetch_add(1);
            theirs.1.fetch_add(1);
        }
    });
    assert_eq!((count.get(), i64::from(narrow.get())), (8 * TIMES, 4 * TIMES - 5));
}

fn a67_large() {
    let count = Value::new([0i64; 3]).unwrap();
    let theirs = count.clone();
    four(move || {
        for _ in 0..TIMES {
            theirs.update(|count| count.iter_mut().for_each(|count| *count += 1));
            let now = theirs.get();
            assert!(now[0] == now[1] && now[1] == now[2]);
        }
    });
    assert_eq!(count.get(), [4 * TIMES; 3]);
}

fn a67_atomics() {
    let value = Value::new(10i32).unwrap();
    assert_eq!((value.fetch_sub(15), value.get()), (10, -5));
    assert_eq!((value.fetch_max(3), value.fetch_min(1), value.swap(-1)), (-5, 3, 1));
    assert_eq!((value.compare_exchange(-1, 8), value.compare_exchange(-1, 9)), (Ok(-1), Err(8)));
    let value = Value::new(u64::MAX).unwrap();
    assert_eq!((value.fetch_add(2), value.get()), (u64::MAX, 1));
    let value = Value::new(i32::MAX).unwrap();
    assert_eq!((value.fetch_add(1), value.get()), (i32::MAX, i32::MIN));
}

fn a67_panic() {
    let (small, large) = (Value::new(1u8).unwrap(), Value::new([1u64; 4]).unwrap());
    let theirs = (small.clone(), large.clone());
    let change = |all: (Value<u8>, Value<[u64; 4]>), which: bool| {
        let child: Process = Process::spawn(move || {
            if which {
                all.0.update(|value| {
                    *value = 2;
                    panic!("half way")
                });
            }
            all.1.update(|value| {
                value[0] = 2;
                panic!("half way")
            });
        })
        .unwrap();
        child.join().unwrap_err();
    };
    change(theirs.clone(), true);
    change(theirs, false);
    assert_eq!((small.get(), large.get()), (1, [1; 4]));
    large.update(|value| assert_eq!(large.get(), *value));
}

fn a68() {
    let array = Array::from_iter(0..10i32).unwrap();
    let theirs = array.clone();
    let child = Process::spawn(move || {
        let mut array = theirs.lock().unwrap();
        for index in 1..array.len() {
            array[index] += array[index - 1];
        }
    });
    child.unwrap().join().unwrap();
    let model: Vec<i32> = (0..10)
        .scan(0, |sum, n| {
            *sum += n;
            Some(*sum)
        })
        .collect();
    let guard = array.lock().unwrap();
    assert_eq!((&guard[..], &guard[2..5], guard.iter().rev().step_by(3).count()), (&model[..], &model[2..5], 4));
    drop(guard);
    assert_eq!((array.get(9), array.get(10)), (Some(45), None));
    assert_eq!((array.set(0, 7), array.set(10, 7)), (Ok(()), Err(OutOfBounds { index: 10, len: 10 })));
    assert_eq!((array.get(0), array.len()), (Some(7), 10));
    assert!(Array::<u8>::zeroed(0).unwrap().is_empty());
}

fn a69() {
    for _ in 0..3 {
        let array = Array::<u64>::zeroed(10_000).unwrap();
        let mut guard = array.lock().unwrap();
        assert!(guard.iter().all(|element| *element == 0));
        guard.fill(u64::MAX);
    }
    assert_eq!(blocks_in_use(), 0);
}

fn a70() {
    let lock = Mutex::new(()).unwrap();
    let (first, second) = (Array::<u32>::zeroed(8).unwrap(), Array::<u32>::zeroed(8).unwrap());
    let theirs = (lock.clone(), first.clone(), second.clone());
    four(move || {
        for round in 0..500 {
            let _held = theirs.0.lock().unwrap();
            let index = round % 8;
            let value = theirs.1.get(index).unwrap();
            assert_eq!(theirs.2.get(index), Some(value));
            theirs.1.set(index, value + 1).unwrap();
            theirs.2.set(index, value + 1).unwrap();
        }
    });
    assert_eq!(first.lock().unwrap().iter().sum::<u32>(), 2000);
    assert_eq!(first.lock().unwrap()[..], second.lock().unwrap()[..]);
}

fn a73() {
    let array = Array::<u32>::zeroed(10).unwrap();
    let parts = array.split_even(3).unwrap();
    assert_eq!(parts.iter().map(|part| (part.start(), part.len())).collect::<Vec<_>>(), [(0, 4), (4, 3), (7, 3)]);
    assert!(array.try_lock().is_err());
    let children: Vec<Process> = parts
        .into_iter()
        .map(|mut part| {
            let child = Process::spawn(move || {
                sleep(20 * MS);
                let start = part.start() as u32;
                part.iter_mut().zip(start..).for_each(|(element, n)| *element = n + 100);
            });
            child.unwrap()
        })
        .collect();
    // Locked until the last part is gone.
    assert_eq!(array.lock().unwrap()[..], (100..110).collect::<Vec<u32>>()[..]);
    children.into_iter().for_each(|child| child.join().unwrap());
    assert_eq!(array.split_even(20).unwrap().iter().map(|part| part.len()).sum::<usize>(), 10);
    assert!(array.try_lock().is_ok());
    drop(array);
    assert_eq!(blocks_in_use(), 0);
}

fn a73_died() {
    use pinring::multi::{Death, LockError};
    let array = Array::<u32>::zeroed(10).unwrap();
    for _ in 0..50 {
        let mut pids = Vec::new();
        for mut part in array.split_even(2).unwrap() {
            let child = Process::spawn(move || {
                loop {
                    part[0] += 1;
                }
            });
            let child: Process = child.unwrap();
            pids.push(child.pid());
            child.kill().unwrap();
            child.join().unwrap_err();
        }
        let Err(LockError::OwnerDied { mut guard, by }) = array.lock_timeout(Duration::from_secs(1)) else {
            panic!("not poisoned")
        };
        assert!(pids.iter().any(|pid| by == Death::Died { pid: *pid }));
        guard.clear_poison();
    }
}
