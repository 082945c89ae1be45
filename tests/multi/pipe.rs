//! A21 to A36: pipes, and waiting for several things at once.

use std::time::{Duration, Instant};

use pinring::multi::{Process, PutError, RecvError, Sender, Serde, duplex, pipe, queue, wait};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("a21_what_is_echoed_is_equal", a21),
    ("a22_poll_says_whether_there_is_a_message_and_takes_none", a22),
    ("a24_the_end_of_the_other_end_is_seen_without_a_close", a24),
    ("a26_messages_keep_their_borders", a26),
    ("a28_what_was_sent_before_the_end_comes_before_it", a28),
    ("a29_a_receiver_that_has_gone_gives_the_message_back", a29),
    ("a32_signals_disturb_nothing", a32),
    ("a33_an_end_of_a_pipe_goes_through_a_pipe", a33),
    ("a34_four_pipes_are_waited_for_at_once", a34),
    ("a35_a_wait_for_nothing_takes_its_time", a35),
    ("a36_a_wait_names_all_that_are_there_in_order", a36),
    ("a_killed_peer_is_named", killed_peer),
];

const MS: Duration = Duration::from_millis(1);

fn a21() {
    let (ours, theirs) = duplex::<(u64, Serde<String>), (u64, Serde<String>)>().unwrap();
    let child = Process::spawn(move || {
        while let Ok(message) = theirs.recv() {
            theirs.send(message).unwrap();
        }
    });
    for message in [(7, Serde(String::new())), (u64::MAX, Serde("hello".into()))] {
        ours.send(message.clone()).unwrap();
        assert_eq!(ours.recv(), Ok(message));
    }
    drop(ours);
    child.unwrap().join().unwrap();
}

fn a22() {
    let (sender, receiver) = pipe::<u8>().unwrap();
    let start = Instant::now();
    assert!(!receiver.poll(Duration::ZERO));
    assert!(!receiver.poll(100 * MS));
    assert!(start.elapsed() >= 100 * MS);
    sender.send(1).unwrap();
    assert!(receiver.poll(Duration::ZERO) && receiver.poll(100 * MS));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(RecvError::Empty));
    drop(sender);
    assert!(receiver.poll(Duration::ZERO), "the end, too");
}

fn a24() {
    let (ours, theirs) = duplex::<u8, u8>().unwrap();
    let child = Process::spawn(move || drop(theirs)).unwrap();
    assert_eq!(ours.recv(), Err(RecvError::Eof));
    child.join().unwrap();
    // A sibling that did not capture it does not keep it open.
    let (sender, receiver) = pipe::<u8>().unwrap();
    let sibling = Process::spawn(|| std::thread::sleep(Duration::from_secs(100))).unwrap();
    let child = Process::spawn(move || sender.send(1).unwrap()).unwrap();
    child.join().unwrap();
    assert_eq!([receiver.recv(), receiver.recv()], [Ok(1), Err(RecvError::Eof)]);
    sibling.kill().unwrap();
}

fn a26() {
    let (sender, receiver) = pipe::<Serde<Vec<u8>>>().unwrap();
    for bytes in [&b"a"[..], b"b", b"cd", b""] {
        sender.send(Serde(bytes.to_vec())).unwrap();
    }
    let all: Vec<Vec<u8>> = (0..4).map(|_| receiver.recv().unwrap().0).collect();
    assert_eq!(all, [&b"a"[..], b"b", b"cd", b""]);
}

fn a28() {
    let (sender, receiver) = pipe::<u32>().unwrap();
    Process::spawn(move || (1..=3).for_each(|n| sender.send(n).unwrap())).unwrap().join().unwrap();
    let all: Vec<_> = (0..4).map(|_| receiver.recv()).collect();
    assert_eq!(all, [Ok(1), Ok(2), Ok(3), Err(RecvError::Eof)]);
}

fn a29() {
    let (sender, receiver) = pipe::<u32>().unwrap();
    drop(receiver);
    assert_eq!(sender.send(5), Err(PutError::Closed(5)));
    // While it waits for room.
    let (sender, receiver) = pipe::<u32>().unwrap();
    let child = Process::spawn(move || {
        let first = receiver.recv().unwrap();
        std::thread::sleep(50 * MS);
        first
    });
    let refused = (0..).find_map(|n| sender.send(n).err()).unwrap();
    assert!(matches!(refused, PutError::Closed(_)));
    child.unwrap().join().unwrap();
}

extern "C" fn nothing(_: i32) {}

fn a32() {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let me = nix::unistd::getpid();
    let (sender, receiver) = pipe::<u64>().unwrap();
    let (producer, consumer) = queue::<u64>(2).unwrap();
    let child = Process::spawn(move || {
        for n in 0..30 {
            std::thread::sleep(10 * MS);
            kill(me, Signal::SIGUSR1).unwrap();
            if n % 10 == 9 {
                sender.send(n).unwrap();
                consumer.get().unwrap();
            }
        }
    });
    for n in [9, 19, 29] {
        assert_eq!(receiver.recv(), Ok(n));
        producer.put_all([n, n, n]).unwrap_or_default();
    }
    child.unwrap().join().unwrap();
}

fn a33() {
    let (ours, theirs) = pipe::<Sender<u32>>().unwrap();
    let child = Process::spawn(move || {
        let sender = theirs.recv().unwrap();
        sender.send(7).unwrap();
    });
    let (sender, receiver) = pipe::<u32>().unwrap();
    ours.send(sender).unwrap();
    assert_eq!([receiver.recv(), receiver.recv()], [Ok(7), Err(RecvError::Eof)]);
    child.unwrap().join().unwrap();
    // What nobody has received is gone with the pipe.
    let (ours, theirs) = pipe::<Sender<u32>>().unwrap();
    let (sender, receiver) = pipe::<u32>().unwrap();
    ours.send(sender).unwrap();
    drop((ours, theirs));
    assert_eq!(receiver.recv(), Err(RecvError::Eof));
}

fn a34() {
    let (mut receivers, mut children) = (Vec::new(), Vec::new());
    for who in 0..4u64 {
        let (sender, receiver) = pipe::<u64>().unwrap();
        receivers.push(receiver);
        children.push(Process::spawn(move || {
            for n in 0..10 {
                std::thread::sleep(Duration::from_micros(300 * (who + 1)));
                sender.send(10 * who + n).unwrap();
            }
        }));
    }
    let (mut got, mut ends) = (Vec::new(), 0);
    while !receivers.is_empty() {
        let items: Vec<&dyn pinring::multi::Waitable> = receivers.iter().map(|receiver| receiver as _).collect();
        let ready = wait(&items, None);
        for index in ready.into_iter().rev() {
            match receivers[index].recv() {
                Ok(n) => got.push(n),
                Err(RecvError::Eof) => {
                    ends += 1;
                    receivers.remove(index);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    got.sort_unstable();
    assert_eq!((got, ends), ((0..40).collect(), 4));
    drop(children);
}

fn a35() {
    assert!(wait(&[], Some(Duration::ZERO)).is_empty());
    let (_sender, receiver) = pipe::<u8>().unwrap();
    let start = Instant::now();
    assert!(wait(&[&receiver], Some(500 * MS)).is_empty());
    assert!(start.elapsed() >= 500 * MS);
    assert!(wait(&[], Some(50 * MS)).is_empty());
    assert!(start.elapsed() >= 550 * MS);
}

fn a36() {
    let (first, one) = pipe::<u8>().unwrap();
    let (second, two) = pipe::<u8>().unwrap();
    let child = Process::spawn(|| std::thread::sleep(100 * MS)).unwrap();
    second.send(2).unwrap();
    assert_eq!(wait(&[&child, &one, &two], None), [2]);
    first.send(1).unwrap();
    assert_eq!(wait(&[&child, &one, &two], None), [1, 2]);
    drop((one.recv(), two.recv()));
    assert_eq!(wait(&[&one, &child, &two], None), [1], "the end of a process");
    drop(first);
    assert_eq!(wait(&[&one, &child, &two], Some(Duration::ZERO)), [0, 1]);
}

fn killed_peer() {
    for round in 0..crate::repeats() {
        let (sender, receiver) = pipe::<u64>().unwrap();
        let child = Process::spawn(move || {
            for n in 0.. {
                sender.send(n).unwrap();
            }
        });
        let child = child.unwrap();
        for n in 0..round {
            assert_eq!(receiver.recv(), Ok(n));
        }
        child.kill().unwrap();
        let end = (round..).find_map(|n| match receiver.recv() {
            Ok(found) => {
                assert_eq!(found, n);
                None
            }
            Err(error) => Some(error),
        });
        assert_eq!(end, Some(RecvError::PeerDied { pid: child.pid() }));
    }
}
