//! Bytes as they come in, cut into messages. No syscalls.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the message, big-endian |
//! | length | the message |

use std::ops::Range;

/// Length of what stands before each message.
pub(super) const HEAD: usize = 4;
/// How much room is made for bytes that a length announces but that have not come: a length may be a lie.
const STEP: usize = 64 << 10;
/// A buffer that has grown larger is given back after the message that needed it.
const KEPT: usize = 256 << 10;

/// A message longer than is wanted, of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong(pub(super) usize);

/// Collects bytes until a message is complete.
///
/// Asks for the bytes of one message only, unless it may read ahead: whoever waits for the descriptor to become readable must not
/// wait for what has been read already.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: Vec<u8>,
    /// What of the buffer holds bytes that have come and are not yet used up.
    held: Range<usize>,
    /// How many bytes are asked for at a time; 0: only those that are needed.
    ahead: usize,
}

impl Frames {
    /// From now on asks for up to `bytes` at a time.
    pub(super) fn read_ahead(&mut self, bytes: usize) {
        self.ahead = bytes;
    }

    /// Where the next bytes go; never empty while no message is complete. At most [`STEP`] bytes, or as many as have come, are
    /// allocated in advance.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.held.start > 0 {
            self.buffer.copy_within(self.held.clone(), 0);
            self.held = 0..self.held.len();
        }
        let have = self.held.end;
        let missing = match self.length() {
            None => HEAD.saturating_sub(have),
            Some(length) => HEAD.saturating_add(length).saturating_sub(have),
        };
        let asked = missing.min(STEP.max(have)).max(self.ahead);
        let end = have + asked;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        &mut self.buffer[have..end]
    }

    /// The first `count` bytes of [`Self::space`] have come.
    pub(super) fn came(&mut self, count: usize) {
        self.held.end = (self.held.end + count).min(self.buffer.len());
    }

    /// How many bytes of an incomplete message are here, its length not counted; `None`: of no message at all.
    pub(super) fn started(&self) -> Option<usize> {
        (!self.held.is_empty()).then(|| self.held.len().saturating_sub(HEAD))
    }

    /// Whether a whole message is here, or one that is longer than `max`.
    pub(super) fn is_ready(&self, max: usize) -> bool {
        self.length().is_some_and(|length| length > max || self.held.len() - HEAD >= length)
    }

    /// Takes the next message out if it is complete. It stays readable as long as nothing else is done here.
    pub(super) fn next(&mut self, max: usize) -> Result<Option<&[u8]>, TooLong> {
        match self.length() {
            Some(length) if length > max => Err(TooLong(length)),
            Some(length) if self.held.len() - HEAD >= length => {
                let start = self.held.start + HEAD;
                self.held.start = start + length;
                Ok(Some(&self.buffer[start..start + length]))
            }
            _ => Ok(None),
        }
    }

    /// Gives a large buffer back if nothing is in it.
    pub(super) fn tidy(&mut self) {
        if self.held.is_empty() {
            self.held = 0..0;
            if self.buffer.capacity() > KEPT {
                self.buffer = Vec::new();
            }
        }
    }

    fn length(&self) -> Option<usize> {
        let head = self.buffer.get(self.held.clone())?.first_chunk::<HEAD>()?;
        Some(usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn on_the_wire(messages: &[Vec<u8>]) -> Vec<u8> {
        let head = |message: &Vec<u8>| u32::try_from(message.len()).unwrap().to_be_bytes();
        messages.iter().flat_map(|message| [&head(message)[..], message].concat()).collect()
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in_however_the_bytes_are_split(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12),
            splits in prop::collection::vec(1usize..200, 1..50),
            ahead in prop_oneof![Just(0usize), 1usize..700],
        ) {
            let wire = on_the_wire(&messages);
            let mut frames = Frames::default();
            frames.read_ahead(ahead);
            let (mut rest, mut got, mut splits) = (&wire[..], Vec::new(), splits.iter().cycle());
            while !rest.is_empty() {
                let space = frames.space();
                let count = space.len().min(rest.len()).min(*splits.next().unwrap());
                prop_assert!(count > 0);
                space[..count].copy_from_slice(&rest[..count]);
                frames.came(count);
                rest = &rest[count..];
                while let Some(message) = frames.next(1000).unwrap() {
                    got.push(message.to_vec());
                }
                // Without reading ahead nothing is held back from who waits for the descriptor.
                prop_assert!(ahead > 0 || !frames.is_ready(1000));
                frames.tidy();
            }
            prop_assert_eq!(got, messages);
            prop_assert_eq!(frames.started(), None);
        }

        #[test]
        fn no_bytes_make_it_panic_or_allocate_more_than_has_come(
            bytes in prop::collection::vec(any::<u8>(), 0..2000), max in 0usize..3000,
        ) {
            let (mut frames, mut rest) = (Frames::default(), &bytes[..]);
            while !rest.is_empty() {
                let space = frames.space();
                let count = space.len().min(rest.len());
                space[..count].copy_from_slice(&rest[..count]);
                frames.came(count);
                rest = &rest[count..];
                if frames.next(max).is_err() {
                    break;
                }
                prop_assert!(frames.buffer.capacity() <= 2 * (STEP + bytes.len()));
            }
        }
    }
}
