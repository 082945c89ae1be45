//! Rings and channels of others, each as its documentation shows it.

use crate::harness::{End, Way, insist, round_trip, stream};
use crate::message::{Message, check, message};
use crate::pinring::slots;

type M<const W: usize> = Message<W>;

/// A stream through two closures that try.
fn tried<const W: usize>(
    count: u64,
    mut push: impl FnMut(M<W>) -> bool + Send,
    mut pop: impl FnMut() -> Option<M<W>>,
) -> f64 {
    let send = move || {
        move |next| {
            insist(|| push(message::<W>(next)));
            next + 1
        }
    };
    let receive = move || {
        move |next| {
            loop {
                if let Some(message) = pop() {
                    check(&message, next);
                    return next + 1;
                }
                std::hint::spin_loop();
            }
        }
    };
    stream(Way::Threads, count, send, receive)
}

/// An end of a round trip from two closures that try.
fn end<const W: usize>(
    mut push: impl FnMut(M<W>) -> bool,
    mut pop: impl FnMut() -> Option<M<W>>,
) -> End<impl FnMut(u64), impl FnMut(u64)> {
    End {
        send: move |number| insist(|| push(message::<W>(number))),
        receive: move |number| loop {
            if let Some(message) = pop() {
                check(&message, number);
                return;
            }
            std::hint::spin_loop();
        },
    }
}

pub fn rtrb<const W: usize>(count: u64) -> f64 {
    let (mut tx, mut rx) = rtrb::RingBuffer::<M<W>>::new(slots(W));
    tried(count, move |message| tx.push(message).is_ok(), move || rx.pop().ok())
}

pub fn rtrb_batch<const W: usize>(count: u64) -> f64 {
    let (mut tx, mut rx) = rtrb::RingBuffer::<M<W>>::new(slots(W));
    let send = move || {
        move |next: u64| {
            let many = tx.slots().min(32).min((count - next) as usize);
            let Ok(chunk) = tx.write_chunk_uninit(many) else { return next };
            next + chunk.fill_from_iter((next..next + many as u64).map(message::<W>)) as u64
        }
    };
    let receive = move || {
        move |next: u64| {
            let many = rx.slots().min(32);
            let Ok(chunk) = rx.read_chunk(many) else { return next };
            let mut number = next;
            for message in chunk {
                check(&message, number);
                number += 1;
            }
            number
        }
    };
    stream(Way::Threads, count, send, receive)
}

pub fn rtrb_trip<const W: usize>(count: u64) -> [f64; 2] {
    let (mut tx, mut their_rx) = rtrb::RingBuffer::<M<W>>::new(64);
    let (mut their_tx, mut rx) = rtrb::RingBuffer::<M<W>>::new(64);
    let there = move || end::<W>(move |message| their_tx.push(message).is_ok(), move || their_rx.pop().ok());
    round_trip(Way::Threads, count, there, || end::<W>(move |message| tx.push(message).is_ok(), move || rx.pop().ok()))
}

pub fn array_queue<const W: usize>(count: u64) -> f64 {
    let queue = crossbeam_queue::ArrayQueue::<M<W>>::new(slots(W));
    tried(count, |message| queue.push(message).is_ok(), || queue.pop())
}

pub fn array_queue_trip<const W: usize>(count: u64) -> [f64; 2] {
    let [to, fro] = [(); 2].map(|()| crossbeam_queue::ArrayQueue::<M<W>>::new(64));
    let there = || end::<W>(|message| fro.push(message).is_ok(), || to.pop());
    round_trip(Way::Threads, count, there, || end::<W>(|message| to.push(message).is_ok(), || fro.pop()))
}

pub fn crossbeam_channel<const W: usize>(count: u64) -> f64 {
    let (tx, rx) = crossbeam_channel::bounded::<M<W>>(slots(W));
    tried(count, move |message| tx.try_send(message).is_ok(), move || rx.try_recv().ok())
}

pub fn kanal<const W: usize>(count: u64) -> f64 {
    let (tx, rx) = kanal::bounded::<M<W>>(slots(W));
    tried(count, move |message| tx.try_send(message).unwrap_or(false), move || rx.try_recv().ok().flatten())
}

pub fn std_mpsc<const W: usize>(count: u64) -> f64 {
    let (tx, rx) = std::sync::mpsc::sync_channel::<M<W>>(slots(W));
    tried(count, move |message| tx.try_send(message).is_ok(), move || rx.try_recv().ok())
}

pub fn heapless<const W: usize, const N: usize>(count: u64) -> f64 {
    let queue = Box::leak(Box::new(heapless::spsc::Queue::<M<W>, N>::new()));
    let (mut tx, mut rx) = queue.split();
    tried(count, move |message| tx.enqueue(message).is_ok(), move || rx.dequeue())
}

pub fn disruptor<const W: usize>(count: u64) -> f64 {
    use disruptor::{BusySpin, Producer};
    let (mut poller, builder) = disruptor::build_single_producer(slots(W), || [0; W], BusySpin).new_event_poller();
    let mut producer = builder.build();
    let send = move || {
        move |next| {
            producer.publish(|slot: &mut M<W>| *slot = message(next));
            next + 1
        }
    };
    let receive = move || {
        move |next: u64| {
            let Ok(mut events) = poller.poll() else { return next };
            let mut number = next;
            for event in &mut events {
                check(event, number);
                number += 1;
            }
            number
        }
    };
    stream(Way::Threads, count, send, receive)
}

pub fn disruptor_trip<const W: usize>(count: u64) -> [f64; 2] {
    use disruptor::{BusySpin, Producer};
    let make = || {
        let (poller, builder) = disruptor::build_single_producer(64, || [0; W], BusySpin).new_event_poller();
        (builder.build(), poller)
    };
    let ((mut tx, mut their_poller), (mut their_tx, mut poller)) = (make(), make());
    let there = move || End {
        send: move |number| their_tx.publish(|slot: &mut M<W>| *slot = message(number)),
        receive: move |number| {
            insist(|| {
                their_poller.poll().is_ok_and(|mut events| {
                    events.for_each(|event| check(event, number));
                    true
                })
            })
        },
    };
    let here = move || End {
        send: move |number| tx.publish(|slot: &mut M<W>| *slot = message(number)),
        receive: move |number| {
            insist(|| {
                poller.poll().is_ok_and(|mut events| {
                    events.for_each(|event| check(event, number));
                    true
                })
            })
        },
    };
    round_trip(Way::Threads, count, there, here)
}

/// Four threads into one channel.
pub mod fan_in {
    use crate::fan_in::run;
    use crate::message::Message;

    fn tagged(which: usize, number: u64) -> Message<8> {
        [number, which as u64, 0, 0, 0, 0, 0, number]
    }

    fn take(message: Option<Message<8>>, taken: &mut dyn FnMut(usize, u64)) -> bool {
        message.is_some_and(|message| {
            taken(message[1] as usize, message[0]);
            true
        })
    }

    pub fn array_queue(count: u64) -> f64 {
        let queue = crossbeam_queue::ArrayQueue::<Message<8>>::new(4096);
        let sender = |which| {
            let queue = &queue;
            move |number| {
                while queue.push(tagged(which, number)).is_err() {
                    std::thread::yield_now();
                }
            }
        };
        run(count, sender, |taken| take(queue.pop(), taken))
    }

    pub fn crossbeam_channel(count: u64) -> f64 {
        let (tx, rx) = crossbeam_channel::bounded::<Message<8>>(4096);
        let sender = |which| {
            let tx = tx.clone();
            move |number| tx.send(tagged(which, number)).expect("a receiver")
        };
        run(count, sender, |taken| take(rx.try_recv().ok(), taken))
    }

    pub fn std_mpsc(count: u64) -> f64 {
        let (tx, rx) = std::sync::mpsc::sync_channel::<Message<8>>(4096);
        let sender = |which| {
            let tx = tx.clone();
            move |number| tx.send(tagged(which, number)).expect("a receiver")
        };
        run(count, sender, |taken| take(rx.try_recv().ok(), taken))
    }

    pub fn kanal(count: u64) -> f64 {
        let (tx, rx) = kanal::bounded::<Message<8>>(4096);
        let sender = |which| {
            let tx = tx.clone();
            move |number| tx.send(tagged(which, number)).expect("a receiver")
        };
        run(count, sender, |taken| take(rx.try_recv().ok().flatten(), taken))
    }
}
