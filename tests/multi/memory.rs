//! A67 to A73: values, arrays, blobs, named memory.

use std::time::Duration;

use pinring::multi::{
    Array, Blob, Mutex, OutOfBounds, Process, SharedBlob, SharedMemory, SharedMemoryError, Value, blocks_in_use,
};

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
    ("a71_named_memory_says_what_is_wrong", a71),
    ("a71_named_memory_of_a_dead_maker_is_replaced", a71_stale),
    ("a71_named_memory_goes_with_whom_it_was_given_to", a71_moved),
    ("a72_a_blob_comes_back_without_being_copied", a72),
    ("a72_large_blobs_go_and_come_and_leave_nothing", a72_large),
    ("a72_a_shared_blob_is_read_by_many", a72_shared),
    ("a72_a_result_that_nobody_takes_is_freed", a72_untaken),
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

fn name(of: &str) -> String {
    format!("pinring-test-{of}-{}", std::process::id())
}

fn a71() {
    let name = name("a71");
    assert!(matches!(SharedMemory::attach(&name), Err(SharedMemoryError::NotFound(_))));
    assert!(matches!(SharedMemory::create(&name, 0), Err(SharedMemoryError::NoSize)));
    for bad in ["", "a/b", "a\0b", ".", "..", &"x".repeat(256)] {
        assert!(matches!(SharedMemory::create(bad, 1), Err(SharedMemoryError::BadName(_))), "{bad:?}");
        assert!(matches!(SharedMemory::attach(bad), Err(SharedMemoryError::BadName(_))), "{bad:?}");
    }
    let made = SharedMemory::create(&name, 5000).unwrap();
    assert!(matches!(SharedMemory::create(&name, 1), Err(SharedMemoryError::AlreadyExists(_))));
    let found = SharedMemory::attach(&name).unwrap();
    assert_eq!((found.size(), found.name()), (5000, name.as_str()));
    made.write(4990, &[7; 10]).unwrap();
    let mut bytes = [0; 12];
    assert_eq!(found.read(4990, &mut bytes), Err(OutOfBounds { index: 5002, len: 5000 }));
    found.read(4989, &mut bytes[..11]).unwrap();
    assert_eq!(bytes, [0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0]);
    use std::os::unix::fs::PermissionsExt;
    let path = format!("/dev/shm/{name}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(found);
    assert!(std::fs::exists(&path).unwrap());
    made.persist();
    drop(made);
    let found = SharedMemory::attach(&name).unwrap();
    found.unlink().unwrap();
    assert!(!std::fs::exists(&path).unwrap());
    std::fs::write(&path, "something else").unwrap();
    assert!(matches!(SharedMemory::attach(&name), Err(SharedMemoryError::Foreign(_))));
    assert!(matches!(SharedMemory::create(&name, 1), Err(SharedMemoryError::AlreadyExists(_))));
    std::fs::remove_file(&path).unwrap();
}

fn a71_stale() {
    for _ in 0..20 {
        let name = name("stale");
        let theirs = name.clone();
        let child = Process::spawn(move || {
            let made = SharedMemory::create(&theirs, 100).unwrap();
            made.write(0, b"old").unwrap();
            std::process::abort();
        });
        let child: Process = child.unwrap();
        child.join().unwrap_err();
        let old = SharedMemory::attach(&name).unwrap();
        let makers: Vec<Process<u8>> = (0..3)
            .map(|_| {
                let name = name.clone();
                let child = Process::spawn(move || {
                    let made = SharedMemory::create(&name, 100);
                    sleep(100 * MS);
                    u8::from(made.is_ok())
                });
                child.unwrap()
            })
            .collect();
        let made: u8 = makers.into_iter().map(|child| child.join().unwrap()).sum();
        assert_eq!(made, 1, "so many have made it");
        let mut bytes = [0; 3];
        old.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"old");
        drop(old);
        assert!(matches!(SharedMemory::attach(&name), Err(SharedMemoryError::NotFound(_))));
    }
}

fn a71_moved() {
    let name = name("moved");
    let made = SharedMemory::create(&name, 10).unwrap();
    let child = Process::spawn(move || {
        sleep(100 * MS);
        made.write(0, &[1]).unwrap();
    });
    let child: Process = child.unwrap();
    assert!(SharedMemory::attach(&name).is_ok());
    assert!(matches!(SharedMemory::create(&name, 1), Err(SharedMemoryError::AlreadyExists(_))));
    child.join().unwrap();
    assert!(matches!(SharedMemory::attach(&name), Err(SharedMemoryError::NotFound(_))));
}

fn a72() {
    let child = Process::spawn(|| {
        let mut blob = Blob::zeroed(1000).unwrap();
        blob.iter_mut().zip(0u32..).for_each(|(element, n)| *element = n * n);
        (7u8, Some(blob))
    });
    let (number, blob) = child.unwrap().join().unwrap();
    let mut blob: Blob<u32> = blob.unwrap();
    assert_eq!((number, blob.len(), blob[999]), (7, 1000, 998_001));
    blob[0] = 5;
    let child = Process::spawn(move || blob[0] + blob[1]).unwrap();
    assert_eq!(child.join(), Ok(6));
    assert_eq!(blocks_in_use(), 0);
}

fn a72_large() {
    let len = 8 << 20;
    for _ in 0..3 {
        let mut blob = Blob::<u64>::zeroed(len).unwrap();
        assert!(blob_is_zero(&blob));
        blob[len - 1] = 7;
        let child = Process::spawn_fn(
            |mut blob: Blob<u64>| {
                let last = blob.len() - 1;
                blob[last] += 1;
                blob
            },
            blob,
        );
        let blob = child.unwrap().join().unwrap();
        assert_eq!((blob.len(), blob[len - 1]), (len, 8));
        assert_eq!(blocks_in_use(), (len * 8).div_ceil(4096) + 1);
    }
    assert_eq!(blocks_in_use(), 0);
    assert!(Blob::<u64>::zeroed(1 << 60).is_err() && Blob::<u64>::zeroed(usize::MAX).is_err());
}

fn blob_is_zero(blob: &Blob<u64>) -> bool {
    blob.iter().step_by(512).all(|element| *element == 0)
}

fn a72_shared() {
    let blob = Blob::from_slice(&[1.0f32; 1 << 18]).unwrap().share();
    let sum = |(blob, start): (SharedBlob<f32>, u64)| blob.iter().skip(start as usize).step_by(4).sum::<f32>();
    let children: Vec<_> = (0..4).map(|start| Process::spawn_fn(sum, (blob.clone(), start)).unwrap()).collect();
    let sums: Vec<f32> = children.into_iter().map(|child| child.join().unwrap()).collect();
    assert_eq!(sums, [65536.0; 4]);
    let child = Process::spawn({
        let blob = blob.clone();
        move || blob
    });
    assert_eq!(child.unwrap().join().unwrap()[..5], blob[..5]);
    drop(blob);
    assert_eq!(blocks_in_use(), 0);
}

fn a72_untaken() {
    drop(Process::spawn(|| Blob::<u8>::zeroed(100_000).unwrap()).unwrap());
    let child = Process::spawn(|| {
        let blob = Blob::<u8>::zeroed(100_000).unwrap();
        sleep(Duration::from_secs(100));
        blob
    });
    let child = child.unwrap();
    sleep(20 * MS);
    child.kill().unwrap();
    drop(child);
    assert_eq!(blocks_in_use(), 0);
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
