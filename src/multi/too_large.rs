//! Values that do not fit where they are to go.

use super::message::{Message, Reader, Writer};

/// A value needs more bytes than its place has: those that its type gives it (the `N` of a [`Serde`](super::Serde)), or those of a pool's
/// task ([`slot_bytes`](super::PoolBuilder::slot_bytes)). What has no bounds goes in a [`Blob`](super::Blob).
///
/// ```
/// use pinring::multi::{Pool, Serde, TaskError};
///
/// let pool = Pool::with_processes(1)?;
/// let long = pool.apply(|n: usize| Serde::<_, 100>("x".repeat(n)), 1000);
/// let Err(TaskError::ResultTooLarge(size)) = long else { unreachable!() };
/// assert_eq!((size.needed, size.slot), (1002, 100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it needs {needed} bytes and its place has {slot}: the limit is the `N` of its `Serde<_, N>`, the `slot_bytes` of its pool, or {} for a \
     process's argument and result; a `Blob` of any size goes by handle",
    super::member::ANSWER
)]
pub struct TooLarge {
    /// Bytes it needs.
    pub needed: usize,
    /// Bytes there are.
    pub slot: usize,
}

impl TooLarge {
    /// Bytes that [`Self::note`] takes.
    pub(super) const NOTE: usize = <(u64, u64)>::SLOT;

    /// Writes it, for who waited for the value, where the value should have been; how many bytes it took. Where there is no room for that
    /// either, it is not known.
    pub(super) fn note(self, place: &mut [u8]) -> usize {
        let mut out = Writer::new(place);
        let _ = (self.needed as u64, self.slot as u64).encode(&mut out);
        out.len()
    }

    /// What was noted.
    pub(super) fn noted(bytes: &[u8]) -> Self {
        let (needed, slot) = <(u64, u64)>::decode(&mut Reader::new(bytes)).unwrap_or_default();
        let size = |size| usize::try_from(size).unwrap_or(usize::MAX);
        Self { needed: size(needed), slot: size(slot) }
    }
}
