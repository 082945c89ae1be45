//! Rings between forked processes: sleepers that must be woken, users that are killed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use pinring::process::{Child, Identity, spawn};
use pinring::ring::{Options, Overflow, PopError, TapError, Wait, attach_tap, channel, latest, line_channel};
use pinring::sys::socket::{Channel, MAX_MESSAGE, Received};
use pinring::sys::wait;

const COUNT: u64 = 100_000;

fn child(body: impl FnOnce()) -> Child {
    spawn(Identity { name: "ring-test", core: None, keep: &[] }, || {
        body();
        0
    })
    .unwrap()
}

fn reap(child: &Child) {
    while wait::reap(child.pid).unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A ring of two slots whose ends sleep at every opportunity, and only a bell wakes them.
fn forked_sleepers_lose_no_wake_up() {
    let (mut tx, mut rx) = Options::new(2).wait(Wait::Sleep).open::<u64>().unwrap();
    let sender = child(|| {
        (0..COUNT).for_each(|value| tx.send(value).unwrap());
        drop(tx);
    });
    (0..COUNT).for_each(|value| assert_eq!(rx.recv().unwrap(), value));
    assert!(matches!(rx.recv(), Err(PopError::Closed)));
    reap(&sender);
}

fn forked_sleepers_on_a_line_lose_no_wake_up() {
    let (mut tx, mut rx) = line_channel::<u64>(Options::new(2).wait(Wait::Sleep)).unwrap();
    let sender = child(|| {
        (0..COUNT).for_each(|value| tx.send(value).unwrap());
        drop(tx);
    });
    (0..COUNT).for_each(|value| assert_eq!(rx.recv().unwrap(), value));
    assert!(matches!(rx.recv(), Err(PopError::Closed)));
    reap(&sender);
}

/// Two processes that wait for each other in turn.
fn requests_and_replies_between_sleepers_do_not_stop() {
    let wait = Options::new(4).wait(Wait::SpinThenSleep(Duration::from_micros(1)));
    let ((mut ask, mut asked), (mut answer, mut answered)) = (wait.open::<u64>().unwrap(), wait.open::<u64>().unwrap());
    let server = child(|| {
        while let Ok(question) = asked.recv() {
            answer.send(question * 2).unwrap();
        }
    });
    for question in 0..COUNT / 4 {
        ask.send(question).unwrap();
        assert_eq!(answered.recv().unwrap(), question * 2);
    }
    drop(ask);
    reap(&server);
}

/// Senders are killed with -9 one after another; each goes on where the last one was.
fn killed_senders_leave_every_message_once() {
    let (mut tx, mut rx) = channel::<[u64; 8]>(64).unwrap();
    let progress = pinring_counter();
    let (mut next, mut kills) = (0u64, 0);
    while kills < 200 {
        let sender = child(|| {
            // Where the predecessor was is what it had sent; the reader has told.
            let mut value = progress.load();
            while tx.send([value; 8]).is_ok() {
                value += 1;
            }
        });
        for _ in 0..50 {
            let message = rx.recv().unwrap();
            assert_eq!(message, [message[0]; 8], "torn");
            assert_eq!(message[0], next, "lost or doubled");
            next += 1;
        }
        sender.pidfd.kill().unwrap();
        reap(&sender);
        while let Ok(message) = rx.pop() {
            assert_eq!(message, [next; 8]);
            next += 1;
        }
        progress.store(next);
        kills += 1;
    }
}

/// A process that shares nothing but a socket is sent the descriptor (SCM_RIGHTS), maps it read-only, and looks on.
fn a_descriptor_sent_over_a_socket_is_enough_to_look() {
    let (ours, theirs) = Channel::pair().unwrap();
    let keep = [theirs.as_fd().as_raw_fd()];
    let observer = spawn(Identity { name: "observer", core: None, keep: &keep }, || {
        let mut buffer = [0; MAX_MESSAGE];
        let fd = loop {
            match theirs.receive(&mut buffer).unwrap() {
                Received::Message(_, fd) => break fd.unwrap(),
                Received::Nothing => std::thread::yield_now(),
                Received::Closed => return 1,
            }
        };
        let mut tap = attach_tap::<[u64; 3]>(fd).unwrap();
        theirs.send(b"here", None).unwrap();
        let mut next = 0;
        loop {
            match tap.next() {
                Ok(message) if message == [next; 3] => next += 1,
                Ok(_) => return 2,
                Err(TapError::Lapped(missed)) => next += missed,
                Err(TapError::Empty) => std::thread::yield_now(),
                Err(TapError::Closed) => return i32::from(next != COUNT) * 3,
            }
        }
    });
    let observer = observer.unwrap();
    let (mut tx, mut rx) = Options::new(64).taps().open::<[u64; 3]>().unwrap();
    ours.send(b"ring", Some(tx.descriptor())).unwrap();
    while matches!(ours.receive(&mut [0; MAX_MESSAGE]).unwrap(), Received::Nothing) {
        std::thread::yield_now();
    }
    for value in 0..COUNT {
        tx.send([value; 3]).unwrap();
        assert_eq!(rx.pop().unwrap(), [value; 3]);
    }
    drop(tx);
    loop {
        if let Some(ended) = wait::reap(observer.pid).unwrap() {
            assert!(matches!(ended, wait::Ended::Code(0)), "{ended:?}");
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A number that forked processes share.
struct Counter(pinring::shm::SharedRef<pinring::prim::AtomicU64>);

impl Counter {
    fn load(&self) -> u64 {
        // ORDER(test.rings): the fork and the reaping order it.
        self.0.load(pinring::prim::Ordering::Relaxed)
    }

    fn store(&self, value: u64) {
        // ORDER(test.rings): as above.
        self.0.store(value, pinring::prim::Ordering::Relaxed);
    }
}

fn pinring_counter() -> Counter {
    let mut layout = pinring::shm::Layout::default();
    let at = layout.reserve(pinring::shm::RegionKind::Words, 0, 8).unwrap();
    Counter(pinring::shm::Segment::create(&layout).unwrap().shared(at))
}

/// A reader of a drop-oldest ring is slower than its writer: nothing is torn, everything is counted.
fn what_a_slow_reader_misses_is_counted() {
    let (mut tx, mut rx) = Options::new(16).overflow(Overflow::DropOldest).open::<[u64; 6]>().unwrap();
    let writer = child(|| {
        (0..COUNT).for_each(|value| tx.push([value; 6]).unwrap());
        drop(tx);
    });
    let mut seen = 0;
    loop {
        match rx.recv() {
            Ok(message) => {
                assert_eq!(message, [message[0]; 6], "torn");
                assert_eq!(message[0], seen + rx.skipped(), "unaccounted");
                seen += 1;
            }
            Err(PopError::Closed) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(seen + rx.skipped(), COUNT);
    println!("\n    {seen} seen, {} missed", rx.skipped());
    reap(&writer);
}

/// A writer is killed in the middle of its work: its readers go on seeing the last whole value.
fn a_killed_writer_leaves_the_last_whole_value() {
    for _ in 0..50 {
        let (mut writer, mut reader) = latest::<[u64; 32]>().unwrap();
        let process = child(|| (1..u64::MAX).for_each(|value| writer.push([value; 32]).unwrap()));
        let mut last = 0;
        while last < 1000 {
            if let Some(value) = reader.get() {
                assert!(value == [value[0]; 32] && value[0] >= last);
                last = value[0];
            }
        }
        process.pidfd.kill().unwrap();
        reap(&process);
        let value = reader.get().unwrap();
        assert!(value == [value[0]; 32] && value[0] >= last);
    }
}

fn main() -> std::process::ExitCode {
    let tests: [support::Test; 7] = [
        ("a_descriptor_sent_over_a_socket_is_enough_to_look", a_descriptor_sent_over_a_socket_is_enough_to_look),
        ("forked_sleepers_lose_no_wake_up", forked_sleepers_lose_no_wake_up),
        ("forked_sleepers_on_a_line_lose_no_wake_up", forked_sleepers_on_a_line_lose_no_wake_up),
        ("requests_and_replies_between_sleepers_do_not_stop", requests_and_replies_between_sleepers_do_not_stop),
        ("killed_senders_leave_every_message_once", killed_senders_leave_every_message_once),
        ("what_a_slow_reader_misses_is_counted", what_a_slow_reader_misses_is_counted),
        ("a_killed_writer_leaves_the_last_whole_value", a_killed_writer_leaves_the_last_whole_value),
    ];
    support::run(&tests, 120)
}
