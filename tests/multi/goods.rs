//! Objects on board of messages: wherever a participant is killed, what nobody will receive any more is given back, and what somebody will
//! is there.

use pinring::multi::{
    Blob, GetError, Pool, Process, PutError, Retry, TaskError, blocks_in_use, exit, pipe, queue, spsc, task_attempt,
};

use crate::Case;
use crate::points::{each_point, killed_after};
use crate::sync::{MS, sleep};

pub(crate) const CASES: &[Case] = &[
    ("goods_of_a_put_whose_process_is_killed", put),
    ("goods_of_an_spsc_put_whose_process_is_killed", spsc_put),
    ("goods_of_a_get_whose_process_is_killed", get),
    ("goods_that_are_shared_are_counted_right_when_their_sender_is_killed", shared),
    ("goods_of_an_answer_whose_process_is_killed", answer),
    ("goods_of_an_argument_whose_process_is_killed", argument),
    ("goods_on_lease_come_again", lease),
    ("goods_left_with_the_last_consumer_go_when_it_is_killed", last_consumer),
    ("goods_of_a_pipe_go_when_its_receiver_is_killed", last_receiver),
    ("goods_put_while_the_last_consumer_goes_are_given_back", racing_put),
    ("goods_of_a_queue_in_a_queue_go_with_it", nested),
    ("goods_of_tasks_are_given_back_whoever_dies", tasks),
    ("goods_of_a_map_are_given_back_whoever_dies", map),
];

fn blob(first: u64) -> Blob<u64> {
    Blob::from_slice(&[first, 0, 0]).unwrap()
}

fn put() {
    each_point(|steps| {
        let (producer, consumer) = queue::<(u8, Option<Blob<u64>>)>(4).unwrap();
        let before = blocks_in_use();
        let theirs = producer.clone();
        let finished = killed_after(steps, move || theirs.put((1, Some(blob(7)))).unwrap());
        match consumer.try_get() {
            Ok((1, Some(blob))) => assert_eq!(blob[0], 7),
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(!finished && error == GetError::Empty, "{error:?} after {steps}"),
        }
        assert_eq!(blocks_in_use(), before, "a blob is left behind after {steps}");
        producer.put((2, None)).unwrap();
        assert!(matches!(consumer.get(), Ok((2, None))));
        finished
    });
}

fn spsc_put() {
    let before = blocks_in_use();
    each_point(|steps| {
        let (mut tx, mut rx) = spsc::queue::<Blob<u64>>(2).unwrap();
        let finished = killed_after(steps, move || {
            tx.put(blob(1)).unwrap();
            tx.put(blob(2)).unwrap();
        });
        let got: Vec<u64> = rx.iter().map(|blob| blob[0]).collect();
        assert!([1, 2].starts_with(&got) && (!finished || got.len() == 2), "{got:?} after {steps}");
        assert_eq!(blocks_in_use(), before + 1, "a blob is left behind after {steps}");
        drop(rx);
        assert_eq!(blocks_in_use(), before, "a queue is left behind after {steps}");
        finished
    });
}

fn get() {
    each_point(|steps| {
        let (producer, consumer) = queue::<Blob<u64>>(4).unwrap();
        let before = blocks_in_use();
        producer.put_all([blob(1), blob(2)]).unwrap();
        let theirs = consumer.clone();
        let finished = killed_after(steps, move || assert_eq!(theirs.get().unwrap()[0], 1));
        let all: Vec<u64> = std::iter::from_fn(|| consumer.try_get().ok()).map(|blob| blob[0]).collect();
        assert!(all == [2] || (!finished && all == [1, 2]), "{all:?} after {steps}");
        assert_eq!(blocks_in_use(), before, "a blob is left behind after {steps}");
        finished
    });
}

/// The end of a queue, of which others are held and on board elsewhere: its consumer must learn that all have gone, and not before.
fn shared() {
    let before = blocks_in_use();
    each_point(|steps| {
        let (line, ends) = queue::<pinring::multi::Producer<u8>>(4).unwrap();
        let (producer, consumer) = queue::<u8>(4).unwrap();
        line.put(producer.clone()).unwrap();
        let (theirs, sent) = (line.clone(), producer.clone());
        let finished = killed_after(steps, move || theirs.put(sent).unwrap());
        drop(producer);
        assert_eq!(consumer.try_get(), Err(GetError::Empty));
        ends.get().unwrap().put(1).unwrap();
        assert_eq!(consumer.get(), Ok(1));
        if let Ok(last) = ends.try_get() {
            last.put(2).unwrap();
            assert_eq!(consumer.get(), Ok(2));
        } else {
            assert!(!finished);
        }
        assert_eq!(consumer.try_get(), Err(GetError::Closed), "an end is left behind after {steps}");
        drop((line, ends, consumer));
        assert_eq!(blocks_in_use(), before, "a block is left behind after {steps}");
        finished
    });
}

fn answer() {
    let before = blocks_in_use();
    for round in 0..crate::repeats() {
        let child = Process::spawn(|| (blob(1), blob(2))).unwrap();
        if round % 2 == 0 {
            sleep(MS * (round % 4) as u32);
        }
        child.kill().unwrap();
        if round % 3 == 0 {
            if let Ok((first, second)) = child.join() {
                assert_eq!((first[0], second[0]), (1, 2));
            }
        } else {
            drop(child);
        }
        assert_eq!(blocks_in_use(), before, "a blob is left behind");
    }
}

fn argument() {
    let before = blocks_in_use();
    for round in 0..crate::repeats() {
        let wait = (round % 3) as u32;
        let work = |(blob, _): (Blob<u64>, [u8; 100])| drop(blob);
        let child = Process::spawn_fn(work, (blob(1), [0; 100])).unwrap();
        sleep(MS / 4 * wait);
        child.kill().unwrap();
        drop(child);
        assert_eq!(blocks_in_use(), before, "a blob is left behind");
    }
    // The process that was about to hand it over.
    for round in 0..crate::repeats() {
        let child: Process = Process::spawn(|| {
            loop {
                Process::spawn_fn(|blob: Blob<u64>| drop(blob), blob(1)).unwrap().detach();
            }
        })
        .unwrap();
        sleep(MS + MS / 8 * (round % 16) as u32);
        child.kill().unwrap();
        drop(child);
    }
    wait_until_in_use(before);
}

/// Those that were left alone end by themselves.
fn wait_until_in_use(blocks: usize) {
    while blocks_in_use() != blocks {
        sleep(MS);
    }
}

fn lease() {
    let (producer, consumer) = queue::<Blob<u64>>(4).unwrap();
    let before = blocks_in_use();
    producer.put(blob(7)).unwrap();
    let theirs = consumer.clone();
    let child: Process = Process::spawn(move || {
        let lease = theirs.lease().unwrap();
        assert_eq!((lease[0], lease.attempt()), (7, 1));
        std::process::abort();
    })
    .unwrap();
    child.join().unwrap_err();
    let lease = consumer.lease().unwrap();
    assert_eq!((lease[0], lease.attempt()), (7, 2));
    lease.nack();
    let lease = consumer.lease().unwrap();
    assert_eq!((lease[0], lease.attempt()), (7, 3));
    lease.ack();
    assert_eq!(blocks_in_use(), before);
    assert_eq!(consumer.try_get().map(|blob| blob[0]), Err(GetError::Empty));
}

fn last_consumer() {
    for immediately in [false, true] {
        let (producer, consumer) = queue::<Blob<u64>>(4).unwrap();
        let before = blocks_in_use();
        producer.put_all([blob(1), blob(2), blob(3)]).unwrap();
        let child: Process = Process::spawn(move || {
            if !immediately {
                std::mem::forget(consumer.get().unwrap());
                std::mem::forget(consumer.lease().unwrap());
            }
            std::process::abort();
        })
        .unwrap();
        child.join().unwrap_err();
        assert_eq!(blocks_in_use(), before, "blobs are left behind");
        assert!(matches!(producer.put(blob(4)), Err(PutError::Closed(_))));
        assert_eq!(blocks_in_use(), before);
    }
}

fn last_receiver() {
    let none = blocks_in_use();
    let (sender, receiver) = pipe::<Blob<u64>>().unwrap();
    let before = blocks_in_use();
    let child: Process = Process::spawn(move || {
        receiver.recv().unwrap();
        std::process::abort();
    })
    .unwrap();
    sender.send(blob(1)).unwrap();
    sender.send(blob(2)).ok();
    child.join().unwrap_err();
    assert_eq!(blocks_in_use(), before, "blobs are left behind");
    // Both ends at once, with something between them.
    drop(sender);
    let (sender, receiver) = pipe::<Blob<u64>>().unwrap();
    let child: Process = Process::spawn(move || {
        sender.send(blob(1)).unwrap();
        let _receiver = receiver;
        std::process::abort();
    })
    .unwrap();
    child.join().unwrap_err();
    assert_eq!(blocks_in_use(), none, "a pipe is left behind");
}

fn racing_put() {
    for _ in 0..crate::repeats() {
        let (producer, consumer) = queue::<Blob<u64>>(64).unwrap();
        let before = blocks_in_use();
        let child: Process = Process::spawn(move || {
            let _ = consumer.get();
        })
        .unwrap();
        while producer.put(blob(1)).is_ok() {
            sleep(MS / 100);
        }
        child.join().unwrap();
        assert_eq!(blocks_in_use(), before, "blobs are left behind");
    }
}

fn nested() {
    let before = blocks_in_use();
    let (outer, ends) = queue::<pinring::multi::Consumer<Blob<u64>>>(2).unwrap();
    let (inner, consumer) = queue::<Blob<u64>>(2).unwrap();
    inner.put(blob(1)).unwrap();
    outer.put(consumer).unwrap();
    let child: Process = Process::spawn(move || {
        let _ends = ends;
        std::process::abort();
    })
    .unwrap();
    child.join().unwrap_err();
    assert!(matches!(inner.put(blob(2)), Err(PutError::Closed(_))));
    drop((inner, outer));
    assert_eq!(blocks_in_use(), before);
}

fn tasks() {
    let before = blocks_in_use();
    for retry in [Retry::Never, Retry::UpTo(1)] {
        let pool = Pool::builder().processes(2).retry(retry).build().unwrap();
        // The first task makes the pool's cells.
        pool.apply(|()| (), ()).unwrap();
        let idle = blocks_in_use();
        // An argument of a task that is cancelled, or never taken.
        let busy = [0, 1].map(|_| pool.apply_async(|()| sleep(50 * MS), ()).unwrap());
        let cancelled = pool.apply_async(|_: Blob<u64>| {}, blob(1)).unwrap();
        drop(pool.apply_async(|_: Blob<u64>| {}, blob(2)).unwrap());
        assert!(cancelled.cancel());
        assert!(matches!(cancelled.get(), Err(TaskError::Cancelled)));
        busy.into_iter().for_each(|task| task.get().unwrap());
        // A result that nobody takes, or that is taken.
        let untaken = pool.apply_async(blob, 3).unwrap();
        untaken.wait(None);
        drop(untaken);
        assert_eq!(pool.apply(|blob: Blob<u64>| blob, blob(4)).unwrap()[0], 4);
        pool.apply_async(blob, 5).unwrap().detach();
        // A task that dies with its argument in hand, once or always.
        let lost = pool.apply(
            |blob: Blob<u64>| {
                if blob[0] > 0 {
                    exit(1)
                }
            },
            blob(6),
        );
        assert!(lost.is_err(), "{lost:?}");
        let again = pool.apply(|()| if task_attempt() == 1 { exit(1) } else { blob(7) }, ());
        assert_eq!(again.is_ok(), retry != Retry::Never);
        drop(again);
        pool.apply(|()| (), ()).unwrap();
        wait_until_in_use(idle);
        // And what is in the cells when the pool ends.
        pool.apply_async(blob, 8).unwrap().wait(None);
        pool.apply_async(|_: Blob<u64>| sleep(1000 * MS), blob(9)).unwrap().detach();
        drop(pool);
    }
    let child: Process = Process::spawn(|| {
        let pool = Pool::with_processes(1).unwrap();
        let busy = pool.apply_async(|()| sleep(1000 * MS), ()).unwrap();
        let _left = pool.apply_async(|_: Blob<u64>| {}, blob(1)).unwrap();
        let _ = (busy, blob(2));
        std::process::abort();
    })
    .unwrap();
    child.join().unwrap_err();
    assert_eq!(blocks_in_use(), before, "something of a pool is left behind");
}

fn map() {
    let pool = Pool::with_processes(2).unwrap();
    pool.apply(|()| (), ()).unwrap();
    let before = blocks_in_use();
    let twice = |mut blob: Blob<u64>| {
        blob[0] *= 2;
        blob
    };
    let results = pool.map(twice, (0..100).map(blob)).unwrap();
    assert!(results.iter().zip(0..).all(|(blob, n)| blob[0] == 2 * n));
    drop(results);
    wait_until_in_use(before);
    let some = |blob: Blob<u64>| if blob[0] == 50 { exit(1) } else { blob };
    let error = pool.map(some, (0..100).map(blob)).unwrap_err();
    assert!(error.index == 50 && matches!(error.error, TaskError::WorkerDied { .. }), "{error}");
    assert_eq!(error.completed.iter().flatten().count(), 99);
    drop(error);
    wait_until_in_use(before);
    let panics = |blob: Blob<u64>| assert!(blob[0] != 3);
    assert!(pool.map_with(panics, (0..100).map(blob)).fail_fast().collect().is_err());
    wait_until_in_use(before);
}
