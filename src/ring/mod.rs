//! Rings: messages from one process (or thread) to another through shared memory, without a lock and without a syscall.
//!
//! # In one page
//!
//! ```
//! use pinring::ring::{PopError, channel};
//!
//! // A ring of 1,024 messages: one end writes, one reads.
//! let (mut tx, mut rx) = channel::<[f32; 4]>(1024)?;
//! let sender = std::thread::spawn(move || {
//!     for sample in 0..10_000 {
//!         tx.send([sample as f32, 0.0, 0.0, 9.81]).expect("a reader"); // waits while the ring is full
//!     }
//! }); // dropping the producer ends the ring
//! let mut count = 0;
//! loop {
//!     match rx.recv() { // waits while it is empty
//!         Ok(_) => count += 1,
//!         Err(PopError::Closed) => break,
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//! assert_eq!(count, 10_000);
//! # sender.join().unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - A **message** is any [`bytemuck::Pod`] type: numbers, arrays of them, structs that derive it. Any bit pattern is valid, so what
//!   another process writes can be wrong but not undefined.
//! - **Between threads** as above; **between processes** make the ring, then fork: each process uses one end and drops the other
//!   (`examples/ring_fork.rs`). **Between programs** hand over [`Producer::descriptor`] and [`attach_consumer`] to it
//!   (`examples/ring_attach.rs`).
//! - **One at a time**: [`Producer::push`], [`Consumer::pop`] never wait; [`Producer::send`], [`Consumer::recv`] do. **Many at once, in
//!   place**: [`Producer::reserve`] and [`Reserved::commit`], [`Consumer::peek`] and [`Batch::release`].
//! - **When the ring is full** the producer waits, or the oldest or the newest message gives way and is counted: [`Overflow`].
//! - **Waiting** is looking, sleeping, or first one and then the other: [`Wait`]. Who waits for other descriptors, too, asks for a
//!   [`doorbell`](Options::doorbell). An idle ring costs nothing.
//! - [`latest()`] holds a state of which only the newest value matters. A [`Tap`] looks at a ring without taking part in it.
//!   [`line_channel`] has the lowest latency, [`channel()`] the highest throughput: `docs/performance.md`.
//! - **Kill -9** of either end tears and loses no message; another process that uses the same end goes on where the dead one
//!   was. Messages that a dead consumer had read but not yet given back (a quarter of the ring at most) come again, and what it
//!   did with them may have happened: [`Step`] makes inputs, outputs and a state change together, exactly once
//!   (`examples/exactly_once.rs`).
//!
//! # How it works
//!
//! A lane is four pairs of cache lines of words ([`LaneWords`]) and a power of two of slots. Positions are free-running 64-bit
//! counters; slot `position & mask` holds the message of that position. Each word has one writer.
//!
//! | words | written by | holds |
//! |---|---|---|
//! | [`ProducerWords`] | producer | `tail` (messages published), `reserved`, `dropped`, `closed`, `owner`, `rings` |
//! | [`ConsumerWords`] | consumer | `head` (messages given back), `skipped`, `closed`, `owner`, `rings` |
//! | `space_at` | producer | at which `head` it wants to be woken |
//! | `data_at` | consumer | at which `tail` it wants to be woken |
//!
//! # Orderings
//!
//! | label | store | load | what becomes visible |
//! |---|---|---|---|
//! | `tail` | [`ProducerCursor::publish`], [`Transaction::commit`] | [`ConsumerCursor::available`] | the slots below `tail` |
//! | `head` | [`ConsumerCursor::acknowledge`], [`Transaction::commit`] | [`ProducerCursor::room`] | that the slots below `head` are read |
//! | `reserved` | [`ProducerCursor::announce`] | [`ConsumerCursor::still_valid`], [`Tap`] | that slots are about to be overwritten |
//! | `mark` | a line's producer | its consumer | the value behind the mark |
//! | `data_at` | [`ConsumerCursor::sleep_until`] | [`ProducerCursor::consumer_wants_bell`] | that the consumer may sleep |
//! | `space_at` | [`ProducerCursor::sleep_until`] | [`ConsumerCursor::producer_wants_bell`] | that the producer may sleep |
//! | `rings` | who wakes | who is about to sleep | what it is woken for |
//! | `closed` | [`ProducerCursor::close`], [`ConsumerCursor::desert`] | the other end | that `tail` is final |
//! | `owner` | who begins to use an end | who wants to | what the user before left in the words |
//! | `phase` | [`Transaction::commit`] | [`Transaction::recover`] | the values of the intent |
//! | `skip` | [`ConsumerCursor::skip_to`] | [`ConsumerCursor::recover`] | how far a skip has come, after a kill |
//! | `info` | who makes a ring | who attaches to it | nothing: the descriptor comes later |
//! | `counts` | the producer or consumer, by its commit | observers | nothing: counters |
//!
//! # What proves it
//!
//! `scripts/loom` runs these very sources under a model checker, `scripts/miri` under an interpreter that knows weak memory,
//! `scripts/mutants` shows that both notice when an ordering is weakened; `scripts/killpoints` kills each operation after each of
//! its instructions; `scripts/qemu-user` runs the tests as 64-bit and 32-bit ARM programs.

#[cfg(all(test, loom))]
mod loom_channel;
#[cfg(all(test, loom))]
mod loom_lane;
#[cfg(all(test, loom))]
mod loom_store;

mod batch;
mod bell;
#[allow(unsafe_code)]
mod cells;
mod channel;
#[cfg(test)]
mod channel_tests;
mod consumer;
mod consumer_end;
mod fault;
mod fences;
#[allow(unsafe_code)]
mod intent;
mod lane;
mod lane_regions;
mod line;
mod marked;
#[cfg(test)]
mod model_tests;
mod options;
mod owner;
mod patience;
mod position;
mod producer;
mod producer_end;
mod settings;
#[allow(unsafe_code)]
mod slots;
mod step;
#[cfg(test)]
mod step_tests;
mod store;
mod tap;
#[allow(unsafe_code)]
mod words;

pub use batch::{Batch, Reserved};
pub use channel::{Consumer, Producer, attach_consumer, attach_producer, channel};
pub use consumer::ConsumerCursor;
pub use fault::{Fault, PopError, PushError};
pub use intent::{IntentWords, MAX_TARGETS, Transaction};
pub use lane_regions::LaneRegions;
pub use line::{LineConsumer, LineProducer, attach_line_consumer, attach_line_producer, line_channel};
pub use options::{ChannelError, Options};
pub use position::{AWAKE, Peer};
pub use producer::ProducerCursor;
pub use settings::{Overflow, Wait};
pub use step::{Input, Output, Step, StepBuilder, StepRegions};
pub use tap::{Latest, Tap, TapError, attach_latest, attach_tap, latest};
// Safe to use only for who keeps to the protocol, so not for everybody.
pub(crate) use cells::Cells;
#[cfg(not(loom))]
pub(crate) use fences::Fences;
pub(crate) use slots::Slots;
#[cfg(not(loom))]
pub(crate) use slots::slots_ahead;
pub use words::{ConsumerWords, Corrupt, LaneWords, ProducerWords};
