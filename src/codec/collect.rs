//! Frames that end at a delimiter byte: lines, COBS, SLIP.
//!
//! Bytes are kept raw until the delimiter and decoded in place then. The state's mark is 1 while the rest of a frame
//! too long for the buffer is passed over.

use super::frame_state::FrameState;
use super::{Crc, FrameEvent, RejectReason, cobs, slip};

const SKIPPING: usize = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Line,
    Cobs,
    Slip,
}

#[derive(Clone, Debug)]
pub(super) struct Collector {
    pub(super) coding: Coding,
    /// Most bytes of payload.
    pub(super) max: usize,
    pub(super) crc: Option<Crc>,
}

impl Collector {
    /// Most raw bytes of a frame without its delimiter.
    pub(super) fn capacity(&self) -> usize {
        let decoded = self.max + self.crc_size();
        match self.coding {
            Coding::Line => decoded + 1,
            Coding::Cobs => cobs::max_encoded(decoded),
            Coding::Slip => 2 * decoded,
        }
    }

    /// Fewest bytes of a frame with its delimiter.
    pub(super) fn min_wire_size(&self) -> usize {
        let code = usize::from(self.coding == Coding::Cobs);
        code + 1 + self.crc_size() + 1
    }

    /// Most bytes that cannot give more than `room` frames: the first delimiter may end a frame that the state holds.
    pub(super) fn read_limit(&self, room: usize) -> usize {
        if room == 0 { 0 } else { (room - 1) * self.min_wire_size() + 1 }
    }

    pub(super) fn feed(
        &self,
        state: &mut FrameState<'_>,
        bytes: &[u8],
        room: usize,
        on_event: &mut dyn FnMut(FrameEvent<'_>),
    ) -> usize {
        let (mut used, mut given) = (0, 0);
        while used < bytes.len() && given < room {
            let rest = &bytes[used..];
            let Some(len) = rest.iter().position(|&byte| byte == self.delimiter()) else {
                self.keep(state, rest, on_event);
                return bytes.len();
            };
            used += len + 1;
            if let Some(event) = self.end(state, &rest[..len], on_event) {
                given += usize::from(matches!(event, FrameEvent::Frame(_)));
                on_event(event);
            }
        }
        used
    }

    pub(super) fn flush(&self, state: &mut FrameState<'_>) -> bool {
        let is_cut = state.len() > 0;
        state.clear();
        is_cut
    }

    pub(super) fn encode(&self, payload: &[u8], out: &mut Vec<u8>) {
        let is_line = self.coding == Coding::Line;
        assert!(!is_line || !payload.contains(&b'\n') && !payload.ends_with(b"\r"), "a line's end within a line");
        let mut frame = payload.to_vec();
        if let Some(crc) = &self.crc {
            crc.append(&mut frame);
        }
        match self.coding {
            Coding::Line => out.extend_from_slice(&[&frame[..], b"\r\n"].concat()),
            Coding::Cobs => cobs::cobs_encode(&frame, out),
            Coding::Slip => slip::slip_encode(&frame, out),
        }
    }

    fn delimiter(&self) -> u8 {
        match self.coding {
            Coding::Line => b'\n',
            Coding::Cobs => cobs::DELIMITER,
            Coding::Slip => slip::END,
        }
    }

    fn keep(&self, state: &mut FrameState<'_>, piece: &[u8], on_event: &mut dyn FnMut(FrameEvent<'_>)) {
        if state.mark() != SKIPPING && !state.push(piece) {
            state.set_len(0);
            state.set_mark(SKIPPING);
            on_event(FrameEvent::Rejected { reason: RejectReason::TooLong });
        }
    }

    /// The delimiter came behind `piece`: what the frame turns out to be.
    fn end<'a>(
        &self,
        state: &'a mut FrameState<'_>,
        piece: &'a [u8],
        on_event: &mut dyn FnMut(FrameEvent<'_>),
    ) -> Option<FrameEvent<'a>> {
        if self.coding == Coding::Line && state.len() == 0 && state.mark() != SKIPPING {
            return self.judge_line(piece);
        }
        self.keep(state, piece, on_event);
        let is_skipped = state.mark() == SKIPPING;
        let len = state.len();
        state.clear();
        if is_skipped {
            return None;
        }
        // `clear` resets the length alone; the bytes are still there.
        let raw = state.taken(len);
        if self.coding == Coding::Line { self.judge_line(raw) } else { self.judge_stuffed(raw) }
    }

    fn judge_line<'a>(&self, raw: &'a [u8]) -> Option<FrameEvent<'a>> {
        let line = raw.strip_suffix(b"\r").unwrap_or(raw);
        match line.len() {
            0 => None,
            len if len > self.max => Some(FrameEvent::Rejected { reason: RejectReason::TooLong }),
            _ => Some(FrameEvent::Frame(line)),
        }
    }

    /// Empty frames are passed over: senders put delimiters in front of a frame, too.
    fn judge_stuffed<'a>(&self, raw: &'a mut [u8]) -> Option<FrameEvent<'a>> {
        let rejected = |reason| Some(FrameEvent::Rejected { reason });
        let decoded = if self.coding == Coding::Cobs { cobs::decode(raw) } else { slip::decode(raw) };
        let Some(len) = decoded else {
            return rejected(RejectReason::Encoding);
        };
        if len == 0 {
            return None;
        }
        let Some(payload_len) = len.checked_sub(self.crc_size()) else {
            return rejected(RejectReason::TooShort);
        };
        if payload_len > self.max {
            return rejected(RejectReason::TooLong);
        }
        let (payload, trailer) = raw[..len].split_at(payload_len);
        if self.crc.as_ref().is_some_and(|crc| !crc.matches(payload, trailer)) {
            return rejected(RejectReason::Crc);
        }
        (payload_len > 0).then_some(FrameEvent::Frame(payload))
    }

    fn crc_size(&self) -> usize {
        self.crc.as_ref().map_or(0, Crc::size)
    }
}
