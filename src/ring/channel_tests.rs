//! Rings between threads of one process: what a program sees of them.

use std::time::Duration;

use super::{
    Consumer, Options, Overflow, PopError, Producer, PushError, TapError, Wait, attach_tap, channel, latest,
    line_channel,
};

fn pair<T: bytemuck::Pod>(options: Options) -> (Producer<T>, Consumer<T>) {
    options.open().unwrap()
}

#[test]
fn messages_come_in_order_and_a_full_ring_says_so() {
    let (mut tx, mut rx) = channel::<u32>(3).unwrap();
    (0..4).for_each(|value| tx.push(value).unwrap());
    assert!(matches!(tx.push(4), Err(PushError::Full(4))));
    assert_eq!((0..4).map(|_| rx.pop().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(matches!(rx.pop(), Err(PopError::Empty)));
    tx.push(5).unwrap();
    drop(tx);
    assert_eq!(rx.pop().unwrap(), 5);
    assert!(matches!(rx.pop(), Err(PopError::Closed)));
}

#[test]
fn a_producer_learns_that_its_consumer_has_gone() {
    let (mut tx, mut rx) = channel::<[u8; 3]>(1).unwrap();
    assert!(matches!(rx.pop(), Err(PopError::Empty)));
    drop(rx);
    tx.push([1, 2, 3]).unwrap();
    assert!(matches!(tx.send([4; 3]), Err(PushError::Closed(_))));
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no descriptors")]
fn a_ring_is_open_again_when_somebody_uses_its_end_again() {
    let (mut tx, mut rx) = channel::<u64>(4).unwrap();
    let mut next = super::attach_producer::<u64>(tx.descriptor().try_clone_to_owned().unwrap()).unwrap();
    tx.push(1).unwrap();
    drop(tx);
    assert_eq!(rx.pop().unwrap(), 1);
    assert!(matches!(rx.pop(), Err(PopError::Closed)));
    next.push(2).unwrap();
    assert_eq!(rx.pop().unwrap(), 2);
    assert!(matches!(rx.pop(), Err(PopError::Empty)));
}

#[test]
fn a_handle_that_was_never_used_closes_nothing() {
    let (tx, mut rx) = channel::<u64>(4).unwrap();
    drop(tx);
    assert!(matches!(rx.pop(), Err(PopError::Empty)));
}

#[test]
fn drop_newest_keeps_the_old_and_counts_the_new() {
    let (mut tx, mut rx) = pair::<u64>(Options::new(4).overflow(Overflow::DropNewest));
    (0..6).for_each(|value| tx.push(value).unwrap());
    assert_eq!(tx.push_slice(&[9; 5]).unwrap(), 5);
    assert_eq!(tx.dropped(), 7);
    assert_eq!(std::iter::from_fn(|| rx.pop().ok()).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn drop_oldest_keeps_the_new_and_counts_the_old() {
    let (mut tx, mut rx) = pair::<[u8; 5]>(Options::new(4).overflow(Overflow::DropOldest));
    (0..11).for_each(|value| tx.push([value; 5]).unwrap());
    let mut values = [[0; 5]; 8];
    assert_eq!(rx.pop_slice(&mut values).unwrap(), 4);
    assert_eq!(values[..4], [[7; 5], [8; 5], [9; 5], [10; 5]]);
    assert_eq!(rx.skipped(), 7);
}

#[test]
fn slots_are_filled_and_read_in_place_across_the_end_of_the_ring() {
    let (mut tx, mut rx) = channel::<u64>(8).unwrap();
    for round in 0..20u64 {
        let mut reserved = tx.reserve(5).unwrap();
        assert_eq!(reserved.len(), 5);
        let (first, second) = reserved.as_mut_slices();
        first.iter_mut().chain(second).zip(0..).for_each(|(slot, index)| *slot = 10 * round + index);
        reserved.commit(5);
        let batch = rx.peek(9).unwrap();
        let seen: Vec<u64> = batch.iter().copied().collect();
        assert_eq!(seen, (0..5).map(|index| 10 * round + index).collect::<Vec<_>>());
        batch.release(5);
        rx.acknowledge();
    }
}

#[test]
fn what_is_not_committed_or_not_released_has_not_happened() {
    let (mut tx, mut rx) = channel::<u64>(8).unwrap();
    assert_eq!(tx.reserve(3).unwrap().len(), 3);
    assert!(matches!(rx.pop(), Err(PopError::Empty)));
    assert_eq!(tx.push_slice(&[1, 2, 3]).unwrap(), 3);
    assert_eq!(rx.peek(2).unwrap().len(), 2);
    assert_eq!(rx.pop().unwrap(), 1);
    rx.peek(2).unwrap().release(1);
    assert_eq!(rx.pop().unwrap(), 3);
}

/// Sends `count` messages through a ring of two slots while both ends wait as asked, so that both sleep often.
fn stream(options: Options, count: u64) {
    let (mut tx, mut rx) = pair::<u64>(options);
    std::thread::scope(|scope| {
        scope.spawn(move || (0..count).for_each(|value| tx.send(value).unwrap()));
        (0..count).for_each(|value| assert_eq!(rx.recv().unwrap(), value));
        assert!(matches!(rx.recv(), Err(PopError::Closed)));
    });
}

#[test]
fn sleepers_are_woken_by_futex() {
    stream(Options::new(2).wait(Wait::Sleep), if cfg!(miri) { 50 } else { 20_000 });
}

#[test]
#[cfg_attr(miri, ignore = "Miri knows no poll on an eventfd")]
fn sleepers_are_woken_by_doorbell() {
    stream(Options::new(2).wait(Wait::Sleep).doorbell(), 20_000);
}

/// Waits on a doorbell as a program with an event loop would.
fn wait_at(door: std::os::fd::BorrowedFd<'_>) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    assert_eq!(poll(&mut [PollFd::new(door, PollFlags::POLLIN)], PollTimeout::from(10_000u16)).unwrap(), 1, "not rung");
}

#[test]
#[cfg_attr(miri, ignore = "Miri knows no poll on an eventfd")]
fn doorbells_wake_event_loops_at_both_ends_however_they_wait_otherwise() {
    let (mut tx, mut rx) = pair::<u64>(Options::new(2).wait(Wait::Busy).doorbell());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for value in 0..5_000 {
                while tx.push(value).is_err() {
                    if tx.prepare_to_sleep().unwrap() {
                        wait_at(tx.doorbell().unwrap());
                    }
                    tx.awake().unwrap();
                }
            }
        });
        for expected in 0..5_000 {
            let value = loop {
                match rx.pop() {
                    Ok(value) => break value,
                    Err(PopError::Empty) if rx.prepare_to_sleep().unwrap() => wait_at(rx.doorbell().unwrap()),
                    Err(PopError::Empty) => {}
                    Err(error) => panic!("{error}"),
                }
                rx.awake().unwrap();
            };
            assert_eq!(value, expected);
        }
    });
}

#[test]
fn those_who_look_before_they_sleep_lose_nothing() {
    let wait = Wait::SpinThenSleep(Duration::from_nanos(200));
    stream(Options::new(4).wait(wait), if cfg!(miri) { 50 } else { 100_000 });
    stream(Options::new(4).wait(Wait::Busy), if cfg!(miri) { 50 } else { 100_000 });
}

#[test]
fn a_wait_ends_with_its_time() {
    let (mut tx, mut rx) = pair::<u64>(Options::new(1).wait(Wait::Sleep));
    assert!(matches!(rx.recv_timeout(Duration::from_millis(5)), Err(PopError::Empty)));
    tx.push(1).unwrap();
    assert!(!tx.wait_for_room(1, Some(Duration::from_millis(5))).unwrap());
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no descriptors")]
fn a_type_of_another_size_does_not_attach() {
    let (tx, _rx) = channel::<u64>(4).unwrap();
    let fd = || tx.descriptor().try_clone_to_owned().unwrap();
    assert!(super::attach_consumer::<u32>(fd()).unwrap_err().to_string().contains("8 bytes"));
    let mut rx = super::attach_consumer::<u64>(fd()).unwrap();
    assert!(matches!(rx.pop(), Err(PopError::Empty)));
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no descriptors")]
fn an_end_is_used_once() {
    let (mut tx, _rx) = channel::<u64>(4).unwrap();
    tx.push(1).unwrap();
    let mut second = super::attach_producer::<u64>(tx.descriptor().try_clone_to_owned().unwrap()).unwrap();
    assert!(second.push(2).unwrap_err().to_string().contains("uses the producer of this ring"));
    drop(tx);
    second.push(2).unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no descriptors")]
fn a_tap_sees_all_that_passes_and_is_told_what_it_missed() {
    let (mut tx, mut rx) = pair::<[u64; 2]>(Options::new(8).taps());
    let mut tap = tx.tap().unwrap();
    let mut read_only = attach_tap::<[u64; 2]>(tx.descriptor().try_clone_to_owned().unwrap()).unwrap();
    for value in 0..30 {
        tx.push([value; 2]).unwrap();
        assert_eq!(tap.next(), Ok([value; 2]));
        assert_eq!(rx.pop().unwrap(), [value; 2]);
    }
    let Err(TapError::Lapped(missed)) = read_only.next() else { panic!("not lapped") };
    let seen: Vec<_> = std::iter::from_fn(|| read_only.next().ok()).collect();
    assert_eq!((missed + seen.len() as u64, seen.last()), (30, Some(&[29; 2])));
    drop(tx);
    assert_eq!(tap.next(), Err(TapError::Closed));
}

#[test]
fn a_ring_without_taps_cannot_be_tapped() {
    assert!(channel::<u64>(4).unwrap().0.tap().is_err());
}

#[test]
fn what_a_tap_sees_is_never_torn() {
    let (mut tx, mut rx) = pair::<[u64; 8]>(Options::new(8).taps());
    let mut tap = tx.tap().unwrap();
    let count: u64 = if cfg!(miri) { 60 } else { 200_000 };
    std::thread::scope(|scope| {
        scope.spawn(move || (0..count).for_each(|value| tx.send([value; 8]).unwrap()));
        scope.spawn(move || (0..count).for_each(|value| assert_eq!(rx.recv().unwrap(), [value; 8])));
        let mut next = 0;
        loop {
            match tap.next() {
                Ok(value) => {
                    assert_eq!(value, [next; 8]);
                    next += 1;
                }
                Err(TapError::Lapped(missed)) => next += missed,
                Err(TapError::Empty) => std::thread::yield_now(),
                Err(TapError::Closed) => break,
            }
        }
        assert_eq!(next, count);
    });
}

#[test]
fn the_latest_value_is_whole_and_never_older_than_one_seen() {
    let (mut writer, mut reader) = latest::<[u64; 5]>().unwrap();
    let count: u64 = if cfg!(miri) { 60 } else { 200_000 };
    std::thread::scope(|scope| {
        scope.spawn(move || (1..=count).for_each(|value| writer.push([value; 5]).unwrap()));
        let mut last = 0;
        while last < count {
            if let Some(value) = reader.get() {
                assert!(value == [value[0]; 5] && value[0] >= last, "{value:?} after {last}");
                last = value[0];
            }
        }
    });
}

#[test]
fn a_line_channel_is_a_ring_like_others() {
    let (mut tx, mut rx) = line_channel::<[u8; 13]>(Options::new(4).wait(Wait::Sleep)).unwrap();
    (0..4).for_each(|value| tx.push([value; 13]).unwrap());
    assert!(matches!(tx.push([4; 13]), Err(PushError::Full(_))));
    (0..4).for_each(|value| assert_eq!(rx.pop().unwrap(), [value; 13]));
    let count: u32 = if cfg!(miri) { 50 } else { 20_000 };
    std::thread::scope(|scope| {
        scope.spawn(move || (0..count).for_each(|value| tx.send([value.to_le_bytes()[0]; 13]).unwrap()));
        (0..count).for_each(|value| assert_eq!(rx.recv().unwrap(), [value.to_le_bytes()[0]; 13]));
        assert!(matches!(rx.recv(), Err(PopError::Closed)));
    });
    assert!(line_channel::<u64>(Options::new(4).overflow(Overflow::DropOldest)).is_err());
}
