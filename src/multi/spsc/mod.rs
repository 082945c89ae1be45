//! Queues from one process to one other: the fast path.
//!
//! [`multi::queue`](crate::multi::queue()) lets anybody put and get, and pays for it at each value with exchanges that nobody else may be in
//! the middle of. Here each end has one holder, which the compiler sees to: neither can be cloned, and both take `&mut self`. So a value
//! costs what it takes to copy it, and a look or two at words that stay in the cache. An end can be given away like any other object: by
//! [`Process::spawn`](crate::multi::Process::spawn), or as a message; it goes on where it was.
//!
//! ```
//! use pinring::multi::{Process, spsc};
//!
//! let (mut tx, mut rx) = spsc::queue::<[f64; 4]>(1024)?;
//! let child = Process::spawn(move || {
//!     for n in 0..10_000 {
//!         tx.put([f64::from(n), 0.0, 0.0, 9.81]).unwrap();
//!     }
//! })?;
//! // It ends when the producer has gone.
//! assert_eq!(rx.iter().count(), 10_000);
//! child.join()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When somebody is killed
//!
//! A value that was being put is there or it is not; what was put before is. What a consumer had taken is gone with it. Whoever is left gets
//! [`Closed`](crate::multi::GetError::Closed), also out of its sleep; values that nobody will get any more are dropped by the producer.
//!
//! # How it works
//!
//! It is a lane of [`crate::ring`], its words and slots laid into the family's memory: the same positions, the same
//! [cursors](crate::ring::ProducerCursor), the same way to know that the other end sleeps without a fence at each value. Two things differ.
//! Who sleeps does so on a bell of this module, so that [`wait`](crate::multi::wait()) hears it among others. And the consumer gives back each
//! value at once, so that a queue is full when it is full, whatever the consumer is busy with; but it tells so, in a word that the
//! producer looks at first, only a quarter of the queue at a time, because whoever looks takes the line away from who writes (three times
//! the time for a value without that word).
//!
//! | label | store | load | what becomes visible |
//! |---|---|---|---|
//! | `multi.spsc.told` | the consumer, a quarter at a time | the producer, before it looks at `head` | that the slots before it are read |

#[allow(unsafe_code)]
mod lane;
mod passing;
mod rx;
#[cfg(test)]
#[cfg(not(miri))]
mod schedules;
mod tx;

use std::io;

pub(super) use lane::{role_is_gone, waybills};
pub use rx::{Iter, Rx};
pub use tx::Tx;

use super::message::Message;
use lane::Lane;

/// Looks at the other end's position before anything else is thought of, as long as a quarter of a long queue may take.
const LOOKS: u32 = if cfg!(test) { 2 } else { 256 };

/// Makes a queue from one producer to one consumer, with room for `capacity` values, rounded up to a power of two.
///
/// # Errors
/// If there is no memory for it; InvalidInput for a capacity of 0.
pub fn queue<T: Message>(capacity: usize) -> io::Result<(Tx<T>, Rx<T>)> {
    let (producer, consumer) = Lane::create(capacity)?;
    Ok((Tx::of(producer), Rx::of(consumer)))
}
