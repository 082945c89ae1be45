//! Frames found by what they begin with: sync bytes, a fixed size or a length field.
//!
//! A candidate that fails its check is given up one byte at a time: the next is searched from its second byte on, so
//! that a good frame hidden behind a false sync or a damaged length is found. The state's mark counts the bytes that a
//! refused candidate claimed and that are not yet passed: what is found bad among them has been reported with it.
//! The next good frame proves the claim wrong or ended, and sets it to 0.

use std::ops::Range;

use super::frame_state::FrameState;
use super::{Crc, CrcCoverage, Endian, FrameEvent, LengthCounts, RejectReason};

#[derive(Clone, Debug)]
pub(super) enum Extent {
    /// So many bytes of payload.
    Fixed { payload: usize },
    /// A length field says.
    Length { max: usize, size: usize, endian: Endian, counts: LengthCounts },
}

#[derive(Clone, Debug)]
pub(super) struct Scanner {
    pub(super) sync: Vec<u8>,
    pub(super) extent: Extent,
    pub(super) crc: Option<Crc>,
}

/// What the first bytes of a window are.
enum Look {
    /// Perhaps a frame, to be known with so many bytes in all.
    More(usize),
    /// So many bytes that begin no frame.
    Stray(usize),
    /// No frame, though so many bytes claim to be one.
    Bad { claimed: usize, reason: RejectReason },
    /// A frame of `total` bytes.
    Frame { payload: Range<usize>, total: usize },
}

impl Scanner {
    /// Most bytes of a frame.
    pub(super) fn capacity(&self) -> usize {
        self.head() + self.max_payload() + self.crc_size()
    }

    /// Fewest bytes of a frame that holds anything.
    pub(super) fn min_wire_size(&self) -> usize {
        match self.extent {
            Extent::Fixed { .. } => self.capacity(),
            Extent::Length { .. } => self.head() + 1 + self.crc_size(),
        }
    }

    /// Most bytes of payload.
    pub(super) fn max_payload(&self) -> usize {
        match self.extent {
            Extent::Fixed { payload } => payload,
            Extent::Length { max, .. } => max,
        }
    }

    /// Most bytes that `feed` takes for sure, whatever they are, with `kept` in the state.
    ///
    /// Either all that is kept and fed cannot hold more than `room` frames, or the bytes only complete the candidate in
    /// the buffer and stay there.
    pub(super) fn read_limit(&self, kept: &[u8], room: usize) -> usize {
        let wanted = match (room, kept) {
            (0, _) => return 0,
            (_, []) => self.head().max(1),
            _ => match self.look(kept) {
                Look::More(total) => total - kept.len(),
                _ => return 0,
            },
        };
        wanted.max((room * self.min_wire_size()).saturating_sub(kept.len()))
    }

    pub(super) fn feed(
        &self,
        state: &mut FrameState<'_>,
        bytes: &[u8],
        room: usize,
        on_event: &mut dyn FnMut(FrameEvent<'_>),
    ) -> usize {
        let (mut used, mut given) = (0, 0);
        while given < room {
            let rest = &bytes[used..];
            if state.len() == 0 {
                match self.look(rest) {
                    Look::More(_) => {
                        let fits = state.push(rest);
                        debug_assert!(fits, "less than a whole frame fits into the buffer");
                        return bytes.len();
                    }
                    look => {
                        let passed = pass(&look, rest, state.mark(), on_event);
                        state.set_mark(passed.mark);
                        used += passed.bytes;
                        given += passed.frames;
                    }
                }
                continue;
            }
            match self.look(state.kept()) {
                Look::More(_) if rest.is_empty() => return used,
                Look::More(total) => {
                    let piece = &rest[..rest.len().min(total - state.len())];
                    let fits = state.push(piece);
                    debug_assert!(fits, "less than a whole frame fits into the buffer");
                    used += piece.len();
                }
                look => given += pass_kept(&look, state, on_event),
            }
        }
        used
    }

    /// No more bytes will come: gives the frames hidden in what is kept. False if `room` ended first.
    pub(super) fn flush(
        &self,
        state: &mut FrameState<'_>,
        room: usize,
        on_event: &mut dyn FnMut(FrameEvent<'_>),
    ) -> bool {
        let mut given = 0;
        while state.len() > 0 {
            if given == room {
                return false;
            }
            let len = state.len();
            match self.look(state.kept()) {
                Look::More(_) => {
                    if state.mark() == 0 && len >= self.sync.len() {
                        on_event(FrameEvent::Cut);
                        state.set_mark(len);
                    }
                    pass_kept(&Look::Stray(1), state, on_event);
                }
                look => given += pass_kept(&look, state, on_event),
            }
        }
        state.clear();
        true
    }

    pub(super) fn encode(&self, payload: &[u8], out: &mut Vec<u8>) {
        let is_fixed = matches!(self.extent, Extent::Fixed { .. });
        assert!(!is_fixed || payload.len() == self.max_payload(), "a payload has {} bytes", self.max_payload());
        let mut frame = self.sync.clone();
        if let Extent::Length { size, endian, counts, .. } = self.extent {
            let length = payload.len() + self.length_extra(counts);
            let bytes = (length as u64).to_le_bytes();
            assert!(bytes[size..].iter().all(|&byte| byte == 0), "a length of {length} needs more than {size} bytes");
            match endian {
                Endian::Little => frame.extend_from_slice(&bytes[..size]),
                Endian::Big => frame.extend(bytes[..size].iter().rev()),
            }
        }
        frame.extend_from_slice(payload);
        if let Some(crc) = &self.crc {
            let value = crc.compute(&frame[self.covered_from(crc)..]);
            crc.append_value(value, &mut frame);
        }
        out.extend_from_slice(&frame);
    }

    fn look(&self, window: &[u8]) -> Look {
        let begins = |at: &usize| {
            let tail = &window[*at..];
            let len = tail.len().min(self.sync.len());
            tail[..len] == self.sync[..len]
        };
        let skipped = (0..window.len()).find(begins).unwrap_or(window.len());
        if skipped > 0 {
            return Look::Stray(skipped);
        }
        if window.len() < self.head() {
            return Look::More(self.head());
        }
        match self.payload_len(window) {
            Err(reason) => Look::Bad { claimed: self.head().max(1), reason },
            Ok(len) => self.judge(window, len),
        }
    }

    fn judge(&self, window: &[u8], payload_len: usize) -> Look {
        let payload = self.head()..self.head() + payload_len;
        let total = payload.end + self.crc_size();
        if window.len() < total {
            return Look::More(total);
        }
        let fits = |crc: &Crc| crc.matches(&window[self.covered_from(crc)..payload.end], &window[payload.end..total]);
        if self.crc.as_ref().is_none_or(fits) {
            Look::Frame { payload, total }
        } else {
            Look::Bad { claimed: total, reason: RejectReason::Crc }
        }
    }

    /// Bytes of payload of the frame whose head stands at the window's beginning.
    fn payload_len(&self, window: &[u8]) -> Result<usize, RejectReason> {
        let (max, size, endian, counts) = match self.extent {
            Extent::Fixed { payload } => return Ok(payload),
            Extent::Length { max, size, endian, counts } => (max, size, endian, counts),
        };
        let field = &window[self.sync.len()..self.sync.len() + size];
        let fold = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
        let length = match endian {
            Endian::Little => field.iter().rev().fold(0, fold),
            Endian::Big => field.iter().fold(0, fold),
        };
        let length = usize::try_from(length).map_err(|_| RejectReason::TooLong)?;
        let payload = length.checked_sub(self.length_extra(counts)).ok_or(RejectReason::TooShort)?;
        if payload > max { Err(RejectReason::TooLong) } else { Ok(payload) }
    }

    /// What the length field counts besides the payload.
    fn length_extra(&self, counts: LengthCounts) -> usize {
        match counts {
            LengthCounts::Payload => 0,
            LengthCounts::PayloadAndCrc => self.crc_size(),
            LengthCounts::Frame => self.head() + self.crc_size(),
        }
    }

    /// Bytes before the payload.
    fn head(&self) -> usize {
        match self.extent {
            Extent::Fixed { .. } => self.sync.len(),
            Extent::Length { size, .. } => self.sync.len() + size,
        }
    }

    fn covered_from(&self, crc: &Crc) -> usize {
        match crc.covers() {
            CrcCoverage::Frame => 0,
            CrcCoverage::AfterSync => self.sync.len(),
            CrcCoverage::Payload => self.head(),
        }
    }

    fn crc_size(&self) -> usize {
        self.crc.as_ref().map_or(0, Crc::size)
    }
}

/// What is done with, and the mark that follows from it.
struct Passed {
    bytes: usize,
    frames: usize,
    mark: usize,
}

/// Reports what `look` found at the beginning of `window`.
fn pass(look: &Look, window: &[u8], mark: usize, on_event: &mut dyn FnMut(FrameEvent<'_>)) -> Passed {
    match look {
        Look::More(_) => Passed { bytes: 0, frames: 0, mark },
        &Look::Stray(bytes) => {
            if bytes > mark {
                on_event(FrameEvent::Stray(bytes - mark));
            }
            Passed { bytes, frames: 0, mark: mark.saturating_sub(bytes) }
        }
        &Look::Bad { claimed, reason } => {
            if mark == 0 {
                on_event(FrameEvent::Rejected { reason });
            }
            Passed { bytes: 1, frames: 0, mark: if mark == 0 { claimed } else { mark } - 1 }
        }
        Look::Frame { payload, total } => {
            if !payload.is_empty() {
                on_event(FrameEvent::Frame(&window[payload.clone()]));
            }
            Passed { bytes: *total, frames: usize::from(!payload.is_empty()), mark: 0 }
        }
    }
}

/// [`pass`] over the bytes kept; the number of frames given.
fn pass_kept(look: &Look, state: &mut FrameState<'_>, on_event: &mut dyn FnMut(FrameEvent<'_>)) -> usize {
    let mark = state.mark();
    let passed = pass(look, state.kept(), mark, on_event);
    state.set_mark(passed.mark);
    state.forget(passed.bytes);
    passed.frames
}
