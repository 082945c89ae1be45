//! A value that was got and is not done with yet.

use std::ops::Deref;

use super::{Claim, Consumer};
use crate::multi::bell::Limit;
use crate::multi::error::GetError;
use crate::multi::family;
use crate::multi::message::Message;

/// A value on lease: [`Consumer::lease`]. Dropped without [`Self::ack`] it goes back, as with [`Self::nack`].
///
/// Until it is acknowledged it keeps its place in the queue. It stays with its process: one that is moved into the work of a child has gone
/// back, and whatever the child does with its copy changes nothing.
///
/// ```
/// use pinring::multi::queue;
///
/// let (producer, consumer) = queue::<u32>(4)?;
/// producer.put(7)?;
/// let lease = consumer.lease()?;
/// drop(lease);
/// let again = consumer.lease()?;
/// assert_eq!((*again, again.attempt()), (7, 2));
/// again.ack();
/// // All is done with.
/// consumer.join();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Leased<'c, T: Message> {
    consumer: &'c Consumer<T>,
    claim: Option<Claim>,
    /// Whose it is.
    member: usize,
    value: T,
}

impl<'c, T: Message> Leased<'c, T> {
    pub(super) fn take(consumer: &'c Consumer<T>, limit: Limit) -> Result<Self, GetError> {
        let mut claim = consumer.core.take(limit)?;
        let value = consumer.core.decode(&mut claim)?;
        Ok(Self { consumer, claim: Some(claim), member: family::me(), value })
    }

    /// It is done with.
    #[doc(alias = "task_done")]
    pub fn ack(mut self) {
        if let Some(claim) = self.take_claim() {
            self.consumer.core.slots.finish(&claim);
        }
    }

    /// What is to be settled, once, and not by a child that was forked with it.
    fn take_claim(&mut self) -> Option<Claim> {
        self.claim.take().filter(|_| self.member == family::me())
    }

    /// It goes back, to be got by the next who asks.
    pub fn nack(self) {}

    /// 1 the first time; one more for each time that it was got and came back.
    pub fn attempt(&self) -> u32 {
        self.claim.as_ref().map_or(1, |claim| claim.attempts() + 1)
    }
}

impl<T: Message> Deref for Leased<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Message> Drop for Leased<'_, T> {
    fn drop(&mut self) {
        if let Some(claim) = self.take_claim() {
            self.consumer.core.slots.give_back(&claim);
        }
    }
}

impl<T: Message + std::fmt::Debug> std::fmt::Debug for Leased<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leased").field("value", &self.value).field("attempt", &self.attempt()).finish()
    }
}
