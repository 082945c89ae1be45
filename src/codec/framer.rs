//! Cuts a byte stream into frames.

use super::collect::{Coding, Collector};
use super::frame_settings::{FrameKind, FrameSettings, FrameSettingsError};
use super::frame_state::{FrameState, kept_bytes};
use super::scan::{Extent, Scanner};
use super::{Crc, FrameEvent};
use crate::message::{Field, FieldType, RecordMut, Schema};

/// Cuts a byte stream into frames; all it must remember between two reads lives in a byte slice of the caller's.
///
/// ```
/// use pinring::codec::{FrameEvent, FrameKind, FrameSettings, Framer};
///
/// let framer = Framer::new(&FrameSettings { kind: FrameKind::Line { max: 80 }, crc: None })?;
/// let mut state = vec![0; framer.state_size()];
/// let mut lines = Vec::new();
/// for piece in [&b"$GPGGA,12"[..], b"5106\r\n\r\n$GP"] {
///     let used = framer.feed(&mut state, piece, usize::MAX, &mut |event| {
///         if let FrameEvent::Frame(line) = event {
///             lines.push(line.to_vec());
///         }
///     });
///     assert_eq!(used, piece.len());
/// }
/// assert_eq!(lines, [b"$GPGGA,125106"]);
/// # Ok::<(), pinring::codec::FrameSettingsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Framer {
    engine: Engine,
    schema: Schema,
}

#[derive(Clone, Debug)]
enum Engine {
    Collect(Collector),
    Scan(Scanner),
}

impl Framer {
    /// Checks the settings and builds the CRC's table.
    ///
    /// # Errors
    /// The option at fault and what it must be.
    pub fn new(settings: &FrameSettings) -> Result<Self, FrameSettingsError> {
        let crc = settings.crc.as_ref().map(Crc::new).transpose()?;
        let crc_size = crc.as_ref().map_or(0, Crc::size);
        settings.check(crc_size)?;
        let collect = |coding, max: u16| Engine::Collect(Collector { coding, max: max.into(), crc: crc.clone() });
        let engine = match &settings.kind {
            FrameKind::Line { max } => collect(Coding::Line, *max),
            FrameKind::Cobs { max } => collect(Coding::Cobs, *max),
            FrameKind::Slip { max } => collect(Coding::Slip, *max),
            FrameKind::Fixed { size, sync } => {
                let payload = usize::from(*size) - sync.len() - crc_size;
                Engine::Scan(Scanner { sync: sync.clone(), extent: Extent::Fixed { payload }, crc })
            }
            FrameKind::LengthPrefixed { max, sync, length_size, endian, counts } => {
                let (max, size) = (usize::from(*max), usize::from(*length_size));
                let extent = Extent::Length { max, size, endian: *endian, counts: *counts };
                Engine::Scan(Scanner { sync: sync.clone(), extent, crc })
            }
        };
        let schema = schema(&engine)?;
        Ok(Self { engine, schema })
    }

    /// Bytes of state: eight and room for the longest frame. All zeros is a fresh start.
    pub fn state_size(&self) -> usize {
        FrameState::HEAD + self.capacity()
    }

    /// Most bytes of a frame as it is given on.
    pub fn max_frame(&self) -> usize {
        match &self.engine {
            Engine::Collect(collector) => collector.max,
            Engine::Scan(scanner) => scanner.max_payload(),
        }
    }

    /// Fewest bytes that a frame takes on the wire, at least 1.
    pub fn min_wire_size(&self) -> usize {
        match &self.engine {
            Engine::Collect(collector) => collector.min_wire_size(),
            Engine::Scan(scanner) => scanner.min_wire_size(),
        }
    }

    /// Most bytes to read from a device that cannot take them back: [`Self::feed`] with the same `room` uses so many to
    /// the last, whatever they are.
    ///
    /// 0 means that `room` is 0 or that the state still holds whole frames: feed it with nothing first.
    ///
    /// # Panics
    /// If `state` is shorter than [`Self::state_size`]; so do the other methods that take it.
    pub fn read_limit(&self, state: &[u8], room: usize) -> usize {
        match &self.engine {
            Engine::Collect(collector) => collector.read_limit(room),
            Engine::Scan(scanner) => scanner.read_limit(kept_bytes(state, self.capacity()), room),
        }
    }

    /// Takes bytes as they come, in pieces of any size, and reports what they hold. Returns how many it used: all,
    /// unless there were more than `room` frames in them.
    ///
    /// If it gave `room` frames there may be more in the state: call again, with no bytes if there are none.
    pub fn feed(&self, state: &mut [u8], bytes: &[u8], room: usize, on_event: &mut dyn FnMut(FrameEvent<'_>)) -> usize {
        let mut state = FrameState::new(state, self.capacity());
        match &self.engine {
            Engine::Collect(collector) => collector.feed(&mut state, bytes, room, on_event),
            Engine::Scan(scanner) => scanner.feed(&mut state, bytes, room, on_event),
        }
    }

    /// The stream has ended (unplugged, end of file): reports [`FrameEvent::Cut`] if a frame was broken off, and the
    /// good frames that a damaged one has kept waiting. Returns false if `room` ended first: call again. After true
    /// the state is fresh.
    pub fn flush(&self, state: &mut [u8], room: usize, on_event: &mut dyn FnMut(FrameEvent<'_>)) -> bool {
        let mut state = FrameState::new(state, self.capacity());
        match &self.engine {
            Engine::Scan(scanner) => scanner.flush(&mut state, room, on_event),
            Engine::Collect(collector) => {
                if collector.flush(&mut state) {
                    on_event(FrameEvent::Cut);
                }
                true
            }
        }
    }

    /// Drops what the state holds and starts afresh; whether that broke off a frame.
    pub fn reset(&self, state: &mut [u8]) -> bool {
        let mut state = FrameState::new(state, self.capacity());
        let holds_frame = match &self.engine {
            Engine::Collect(_) => state.len() > 0,
            // Below a mark lies the rest of a frame already reported as refused.
            Engine::Scan(scanner) => state.len() > state.mark() && state.len() >= scanner.sync.len(),
        };
        state.clear();
        holds_frame
    }

    /// What the frames become: `line`, a text, or `frame`, bytes.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Writes a frame into a record of [`Self::schema`].
    pub fn write(&self, frame: &[u8], record: &mut RecordMut<'_>) {
        record.set_bytes(0, frame);
    }

    /// Appends `payload` as a sender puts it on the wire: the inverse of [`Self::feed`]. A line gets CR LF.
    ///
    /// # Panics
    /// If the payload is empty or longer than [`Self::max_frame`], has another size than a fixed one, or is a line with
    /// a line's end in it: no receiver would get it back. So too if its length does not fit into the length field.
    pub fn encode(&self, payload: &[u8], out: &mut Vec<u8>) {
        assert!((1..=self.max_frame()).contains(&payload.len()), "a payload has 1 to {} bytes", self.max_frame());
        match &self.engine {
            Engine::Collect(collector) => collector.encode(payload, out),
            Engine::Scan(scanner) => scanner.encode(payload, out),
        }
    }

    fn capacity(&self) -> usize {
        match &self.engine {
            Engine::Collect(collector) => collector.capacity(),
            Engine::Scan(scanner) => scanner.capacity(),
        }
    }
}

fn schema(engine: &Engine) -> Result<Schema, FrameSettingsError> {
    let max = |max: usize| u16::try_from(max).unwrap_or(u16::MAX);
    let field = match engine {
        Engine::Collect(Collector { coding: Coding::Line, max: bytes, .. }) => {
            Field::new("line", "", FieldType::Text { max: max(*bytes) })
        }
        Engine::Collect(collector) => Field::new("frame", "", FieldType::Bytes { max: max(collector.max) }),
        Engine::Scan(scanner) => Field::new("frame", "", FieldType::Bytes { max: max(scanner.max_payload()) }),
    };
    Schema::new(vec![field]).map_err(|error| FrameSettingsError::new("max", error.to_string()))
}
