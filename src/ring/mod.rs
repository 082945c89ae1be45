//! Single-producer single-consumer lanes of fixed-size slots, and the transaction that ties them together.
//!
//! A lane is three pairs of cache lines of words and a power of two of slots. Positions are free-running 64-bit
//! counters; slot `position & mask` holds the message of that position.
//!
//! | words | written by | holds |
//! |---|---|---|
//! | [`ProducerWords`] | producer | `tail` (messages published), `reserved`, `dropped`, `closed` |
//! | [`ConsumerWords`] | consumer | `head` (messages consumed), `skipped` |
//! | [`BellWords`] | both | `data_at`, `space_at`: at which position a sleeping side wants to be woken |
//!
//! # Orderings
//!
//! | label | store | load | what becomes visible |
//! |---|---|---|---|
//! | `tail` | [`ProducerCursor::publish`], [`Transaction::commit`] | [`ConsumerCursor::available`] | the slots below `tail` |
//! | `head` | [`ConsumerCursor::release`], [`Transaction::commit`] | [`ProducerCursor::room`] | that the slots below `head` are read |
//! | `reserved` | [`ProducerCursor::announce`] | [`ConsumerCursor::still_valid`] | that slots are about to be overwritten |
//! | `data_at` | [`ConsumerCursor::sleep_until`] | [`ProducerCursor::consumer_wants_bell`] | that the consumer may sleep |
//! | `space_at` | [`ProducerCursor::sleep_until`] | [`ConsumerCursor::producer_wants_bell`] | that the producer may sleep |
//! | `closed` | [`ProducerCursor::close`] | [`ConsumerCursor::is_closed`] | that `tail` is final |
//! | `phase` | [`Transaction::commit`] | [`Transaction::recover`] | the values of the intent |
//! | `skip` | [`ConsumerCursor::skip_to`] | [`ConsumerCursor::recover`] | how far a skip has come, after a kill |
//! | `counts` | the producer or consumer, by its commit | observers | nothing: counters |

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
mod store;
mod tap;
#[allow(unsafe_code)]
mod words;

pub use batch::{Batch, Reserved};
pub use cells::Cells;
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
pub use slots::Slots;
pub use step::{Input, Output, Step, StepBuilder, StepRegions};
pub use tap::{Latest, Tap, TapError, attach_latest, attach_tap, latest};
pub use words::{ConsumerWords, Corrupt, LaneWords, ProducerWords};
