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
//! | `counts` | the producer or consumer, by its commit | observers | nothing: counters |

#[cfg(all(test, loom))]
mod loom_lane;

mod consumer;
#[allow(unsafe_code)]
mod intent;
mod producer;
#[allow(unsafe_code)]
mod slots;
#[allow(unsafe_code)]
mod words;

pub use consumer::ConsumerCursor;
pub use intent::{IntentWords, MAX_TARGETS, Transaction};
pub use producer::ProducerCursor;
pub use slots::{Cells, Slots};
pub use words::{AWAKE, BellWords, ConsumerWords, Corrupt, LaneWords, ProducerWords};
