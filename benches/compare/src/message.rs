//! The messages: so many bytes, with their number at both ends, which the receiver checks: who is fast because he is broken is
//! found out.

/// `WORDS` times eight bytes.
pub type Message<const WORDS: usize> = [u64; WORDS];

/// Message `number`.
#[inline(always)]
pub fn message<const WORDS: usize>(number: u64) -> Message<WORDS> {
    let mut message = [0x5a5a; WORDS];
    message[0] = number;
    message[WORDS - 1] = number;
    message
}

/// Panics if that is not message `number`.
#[inline(always)]
pub fn check<const WORDS: usize>(message: &Message<WORDS>, number: u64) {
    assert!(message[0] == number && message[WORDS - 1] == number, "message {number} is {:?}", message[0]);
}
