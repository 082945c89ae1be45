//! A framer's running state, viewed in the plain bytes that hold it.
//!
//! | offset | bytes | meaning |
//! |---|---|---|
//! | 0 | 4 | `len`: bytes kept of a frame not yet complete |
//! | 4 | 4 | `mark`: what the framing notes besides, see there |
//! | 8 | capacity | the bytes kept |
//!
//! All zeros is a fresh start. The bytes lie in shared memory, so `len` is clamped when read: no content can make the
//! framer panic or leave its buffer.

pub(super) struct FrameState<'a> {
    head: &'a mut [u8],
    buffer: &'a mut [u8],
}

impl<'a> FrameState<'a> {
    /// Bytes in front of the buffer.
    pub(super) const HEAD: usize = 8;

    pub(super) fn new(state: &'a mut [u8], capacity: usize) -> Self {
        let (head, rest) = state.split_at_mut(Self::HEAD);
        Self { head, buffer: &mut rest[..capacity] }
    }

    pub(super) fn len(&self) -> usize {
        kept(self.head, self.buffer.len())
    }

    pub(super) fn set_len(&mut self, len: usize) {
        // A capacity is below 2^18, so nothing is lost; a wrong length would only be clamped.
        self.put(0, u32::try_from(len).unwrap_or(0));
    }

    pub(super) fn mark(&self) -> usize {
        let mark = u32::from_ne_bytes([self.head[4], self.head[5], self.head[6], self.head[7]]);
        usize::try_from(mark).unwrap_or(usize::MAX)
    }

    pub(super) fn set_mark(&mut self, mark: usize) {
        self.put(4, u32::try_from(mark).unwrap_or(u32::MAX));
    }

    /// The bytes kept.
    pub(super) fn kept(&mut self) -> &mut [u8] {
        let len = self.len();
        &mut self.buffer[..len]
    }

    /// The first `len` bytes of the buffer, though they are no longer kept.
    pub(super) fn taken(&mut self, len: usize) -> &mut [u8] {
        &mut self.buffer[..len]
    }

    /// Keeps `bytes` too; false, and nothing kept, if they do not fit.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let len = self.len();
        let Some(target) = self.buffer.get_mut(len..len + bytes.len()) else {
            return false;
        };
        target.copy_from_slice(bytes);
        self.set_len(len + bytes.len());
        true
    }

    /// Forgets the first `count` bytes.
    pub(super) fn forget(&mut self, count: usize) {
        let len = self.len();
        self.buffer.copy_within(count..len, 0);
        self.set_len(len - count);
    }

    /// Back to a fresh start.
    pub(super) fn clear(&mut self) {
        self.head.fill(0);
    }

    fn put(&mut self, at: usize, value: u32) {
        self.head[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
}

/// The bytes kept, read only.
pub(super) fn kept_bytes(state: &[u8], capacity: usize) -> &[u8] {
    let (head, buffer) = state.split_at(FrameState::HEAD);
    &buffer[..kept(head, capacity)]
}

fn kept(head: &[u8], capacity: usize) -> usize {
    let len = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]);
    usize::try_from(len).unwrap_or(usize::MAX).min(capacity)
}
