//! pinring's own rings.

use std::time::Duration;

use pinring::ring::{Consumer, LaneRegions, Options, Producer, Step, StepRegions, Wait, line_channel};
use pinring::shm::{Comfort, Layout, Segment};

use crate::harness::{End, Way, insist, round_trip, stream};
use crate::message::{Message, check, message};

fn ring<const W: usize>(capacity: usize, wait: Wait) -> (Producer<Message<W>>, Consumer<Message<W>>) {
    let comfort = Comfort { prefault: true, ..Comfort::default() };
    Options::new(capacity).wait(wait).comfort(comfort).open().expect("memory")
}

/// Slots of a ring of 256 KiB.
pub const fn slots(words: usize) -> usize {
    256 * 1024 / (8 * words)
}

/// One message at a time.
pub fn one<const W: usize>(count: u64, wait: Wait, capacity: usize) -> f64 {
    let (mut tx, mut rx) = ring::<W>(capacity, wait);
    let send = move || {
        move |next| {
            insist(|| tx.push(message::<W>(next)).is_ok());
            next + 1
        }
    };
    let receive = move || {
        move |next| {
            loop {
                if let Ok(message) = rx.pop() {
                    check(&message, next);
                    return next + 1;
                }
                std::hint::spin_loop();
            }
        }
    };
    stream(Way::Processes, count, send, receive)
}

/// Thirty-two at a time, in place.
pub fn batch<const W: usize>(count: u64, wait: Wait) -> f64 {
    let (mut tx, mut rx) = ring::<W>(slots(W), wait);
    let send = move || {
        move |next: u64| {
            let mut reserved = tx.reserve(32.min((count - next) as usize)).expect("a whole ring");
            let many = reserved.len();
            if many == 0 {
                std::hint::spin_loop();
                return next;
            }
            let (first, second) = reserved.as_mut_slices();
            let mut number = next;
            for slot in first.iter_mut().chain(second) {
                *slot = message(number);
                number += 1;
            }
            reserved.commit(many);
            number
        }
    };
    let receive = move || {
        move |next: u64| {
            let Ok(batch) = rx.peek(32) else {
                std::hint::spin_loop();
                return next;
            };
            let many = batch.len();
            let (first, second) = batch.as_slices();
            let mut number = next;
            for message in first.iter().chain(second) {
                check(message, number);
                number += 1;
            }
            batch.release(many);
            number
        }
    };
    stream(Way::Processes, count, send, receive)
}

fn end<const W: usize>(
    mut tx: Producer<Message<W>>,
    mut rx: Consumer<Message<W>>,
) -> End<impl FnMut(u64), impl FnMut(u64)> {
    End {
        send: move |number| assert!(tx.push(message::<W>(number)).is_ok()),
        receive: move |number| check(&rx.recv().expect("a whole ring"), number),
    }
}

/// To and fro over two rings.
pub fn trip<const W: usize>(count: u64, wait: Wait) -> [f64; 2] {
    let ((tx, their_rx), (their_tx, rx)) = (ring::<W>(64, wait), ring::<W>(64, wait));
    round_trip(Way::Processes, count, || end(their_tx, their_rx), || end(tx, rx))
}

/// To and fro over two lines.
pub fn line_trip<const W: usize>(count: u64) -> [f64; 2] {
    let make = || line_channel::<Message<W>>(Options::new(64).wait(Wait::Busy)).expect("memory");
    let ((mut tx, mut their_rx), (mut their_tx, mut rx)) = (make(), make());
    let there = move || End {
        send: move |number| assert!(their_tx.push(message::<W>(number)).is_ok()),
        receive: move |number| check(&their_rx.recv().expect("a whole ring"), number),
    };
    let here = move || End {
        send: move |number| assert!(tx.push(message::<W>(number)).is_ok()),
        receive: move |number| check(&rx.recv().expect("a whole ring"), number),
    };
    round_trip(Way::Processes, count, there, here)
}

/// Thirty-two messages taken, and given on, without a transaction (`false`) or as a step with a state (`true`), in one process: nanoseconds a
/// message of the middle part alone.
pub fn step(count: u64, transaction: bool) -> f64 {
    let mut layout = Layout::default();
    let lanes = [0, 1].map(|index| LaneRegions::reserve(&mut layout, index, 1024, 64).expect("an address"));
    let regions = StepRegions::reserve::<[u64; 4]>(&mut layout, 0).expect("an address");
    let segment = Segment::create(&layout).expect("memory");
    let ends = |lane| Options::new(1024).wait(Wait::Busy).ends_in::<Message<8>>(&segment, lane).expect("a lane");
    let ((mut tx, mut own_rx), (mut own_tx, mut rx)) = (ends(lanes[0]), ends(lanes[1]));
    let mut builder = Step::<[u64; 4]>::builder(&segment, regions);
    let (input, output) = (builder.input::<Message<8>>(lanes[0]), builder.output::<Message<8>>(lanes[1]));
    let mut step = transaction.then(|| builder.recover().expect("free lanes"));
    let (mut nanoseconds, mut sum) = (0, 0);
    for round in 0..count / 512 {
        (0..512).for_each(|offset| assert!(tx.push(message(512 * round + offset)).is_ok()));
        let started = crate::harness::now();
        for _ in 0..16 {
            if let Some(step) = &mut step {
                for _ in 0..32 {
                    let message = step.take(input).expect("a whole ring").expect("a message");
                    step.state()[0] += message[0];
                    step.give(output, message).expect("room");
                }
                step.commit();
            } else {
                for _ in 0..32 {
                    let message = own_rx.pop().expect("a message");
                    sum += message[0];
                    own_tx.push(message).expect("room");
                }
            }
        }
        nanoseconds += crate::harness::now() - started;
        (0..512).for_each(|offset| check(&rx.pop().expect("a message"), 512 * round + offset));
        rx.acknowledge();
        own_rx.acknowledge();
    }
    std::hint::black_box(sum);
    nanoseconds as f64 / count as f64
}

/// Four producers, a lane each, and one consumer that goes round: millions of messages a second.
pub fn lanes(count: u64) -> f64 {
    let (txs, mut rxs): (Vec<_>, Vec<_>) = (0..4).map(|_| ring::<8>(1024, Wait::SpinThenSleep(Duration::ZERO))).unzip();
    let mut txs = txs.into_iter();
    crate::fan_in::run(
        count,
        |_| {
            let mut tx = txs.next().expect("one each");
            move |number| {
                // As for the others that do not block: the core is given to who can use it.
                while tx.push(message::<8>(number)).is_err() {
                    std::thread::yield_now();
                }
            }
        },
        move |taken| {
            let mut any = false;
            for (which, rx) in rxs.iter_mut().enumerate() {
                if let Ok(batch) = rx.peek(256) {
                    let many = batch.len();
                    batch.iter().for_each(|message| taken(which, message[0]));
                    batch.release(many);
                    any = true;
                }
            }
            any
        },
    )
}

/// One producer that feeds `lanes` rings in turn, one consumer that empties them in turn.
pub fn round_robin(lanes: usize, count: u64) -> f64 {
    let (mut txs, mut rxs): (Vec<_>, Vec<_>) = (0..lanes).map(|_| ring::<8>(1024, Wait::Busy)).unzip();
    let send = move || {
        move |next: u64| {
            let tx = &mut txs[next as usize % lanes];
            insist(|| tx.push(message::<8>(next)).is_ok());
            next + 1
        }
    };
    let receive = move || {
        move |next: u64| {
            let rx = &mut rxs[next as usize % lanes];
            loop {
                if let Ok(message) = rx.pop() {
                    check(&message, next);
                    return next + 1;
                }
                std::hint::spin_loop();
            }
        }
    };
    stream(Way::Processes, count, send, receive)
}

/// `workers` processes in a row, each handing on what it gets, more of them than cores: they sleep when they have nothing to do.
/// Millions of messages a second that reach the end.
pub fn chain(workers: usize, count: u64) -> f64 {
    // SAFETY: only sets a timer: whoever hangs is ended by SIGALRM.
    unsafe { libc::alarm(60) };
    let mut links: Vec<_> = (1..workers).map(|_| Some(ring::<8>(1024, Wait::Sleep))).collect();
    let mut children = Vec::new();
    for worker in 0..workers - 1 {
        // SAFETY: this process has one thread; the child leaves without cleaning up.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
        if child == 0 {
            crate::harness::pin(worker % 2);
            let mut input = (worker > 0).then(|| links[worker - 1].take().expect("one each").1);
            let (mut output, _) = links[worker].take().expect("one each");
            hand_on(input.as_mut(), &mut output, count);
            std::mem::forget((input, output));
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(0) };
        }
        children.push(child);
    }
    crate::harness::pin((workers - 1) % 2);
    let (_, mut rx) = links[workers - 2].take().expect("one each");
    let started = std::time::Instant::now();
    (0..count).for_each(|number| check(&rx.recv().expect("a whole ring"), number));
    let seconds = started.elapsed().as_secs_f64();
    for child in children {
        // SAFETY: reaps our child.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    }
    count as f64 / seconds / 1e6
}

/// A worker of the chain: the first makes the messages.
fn hand_on(input: Option<&mut Consumer<Message<8>>>, output: &mut Producer<Message<8>>, count: u64) {
    let Some(input) = input else {
        return (0..count).for_each(|number| assert!(output.send(message(number)).is_ok()));
    };
    let mut batch = [[0; 8]; 64];
    let mut passed = 0;
    while passed < count {
        input.wait_for_data(1, None).expect("a whole ring");
        let got = input.pop_slice(&mut batch).expect("a whole ring");
        let mut given = 0;
        while given < got {
            given += output.push_slice(&batch[given..got]).expect("a whole ring");
            if given < got {
                // What was read is given back before we wait for others.
                input.acknowledge();
                output.wait_for_room(1, None).expect("a whole ring");
            }
        }
        passed += got as u64;
    }
}
