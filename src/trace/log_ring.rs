//! Log records of a worker, on their way to the supervisor, which alone writes to the terminal or the journal.
//!
//! A worker that logged by itself could block on a full pipe, or tear another's line. Here a record is one slot of a
//! small lane; if the supervisor is behind, new records are dropped and counted.

use std::fmt::{self, Write as _};
use std::sync::Mutex;

use crate::prim::{Ordering, fence};
use crate::ring::{ConsumerCursor, LaneWords, ProducerCursor, Slots};
use crate::shm::SharedRef;
use crate::sys::eventfd::EventFd;

/// Bytes of a record's slot; a longer text is cut.
pub const SLOT_SIZE: usize = 512;
/// Records a worker can have under way.
pub const SLOT_COUNT: u64 = 64;

const TEXT: usize = 16;

/// One record, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// CLOCK_MONOTONIC in ns.
    pub at_ns: u64,
    /// How grave it is.
    pub level: log::Level,
    /// What it says.
    pub text: String,
}

/// The worker's end: a logger for the `log` facade.
#[derive(Debug)]
pub struct LogWriter {
    lane: Mutex<(ProducerCursor<SharedRef<LaneWords>>, Slots)>,
    bell: EventFd,
    clock: fn() -> u64,
}

impl LogWriter {
    /// Writes into the lane; `bell` wakes the supervisor, `clock` is CLOCK_MONOTONIC in ns.
    pub(crate) fn new(words: SharedRef<LaneWords>, slots: Slots, bell: EventFd, clock: fn() -> u64) -> Self {
        let cursor = ProducerCursor::attach(words, slots.capacity());
        Self { lane: Mutex::new((cursor, slots)), bell, clock }
    }
}

/// Makes `writer` this process's logger, in place of whatever its parent had installed. Called once per forked worker;
/// the writer lives as long as the process.
pub fn install(writer: LogWriter) {
    static WORKER: std::sync::OnceLock<LogWriter> = std::sync::OnceLock::new();
    super::facade::route_to(WORKER.get_or_init(|| writer));
}

impl log::Log for LogWriter {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // A panic inside `write!` below cannot happen (a slot's text is cut, not refused), so the lock is never poisoned;
        // should it be, the record is not worth a second panic.
        let Ok(mut lane) = self.lane.lock() else { return };
        let (cursor, slots) = &mut *lane;
        if cursor.room(1).unwrap_or(0) == 0 {
            let dropped = &cursor.words().producer.0.dropped;
            // ORDER(counts): Relaxed; a counter with one writer.
            dropped.store(dropped.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            return;
        }
        let mut slot = SlotText { bytes: [0; SLOT_SIZE], len: TEXT };
        // A text that is too long is cut, which `write_str` reports as an error only to stop early.
        let _ = write!(slot, "{}", record.args());
        slot.bytes[..8].copy_from_slice(&(self.clock)().to_ne_bytes());
        slot.bytes[8] = record.level() as u8;
        let len = u16::try_from(slot.len - TEXT).unwrap_or(0);
        slot.bytes[10..12].copy_from_slice(&len.to_ne_bytes());
        slots.write(cursor.position(), &slot.bytes[..slot.len]);
        cursor.publish(1);
        // ORDER(data_at): SeqCst, between the publication and the look at the sleeper's word.
        fence(Ordering::SeqCst);
        if cursor.consumer_wants_bell() {
            self.bell.ring();
        }
    }

    fn flush(&self) {}
}

struct SlotText {
    bytes: [u8; SLOT_SIZE],
    len: usize,
}

impl fmt::Write for SlotText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = SLOT_SIZE - self.len;
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes[self.len..self.len + end].copy_from_slice(&text.as_bytes()[..end]);
        self.len += end;
        if end < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The supervisor's end.
#[derive(Debug)]
pub struct LogReader {
    cursor: ConsumerCursor<SharedRef<LaneWords>>,
    slots: Slots,
    dropped_seen: u64,
}

impl LogReader {
    /// Reads the lane from where it stands.
    pub(crate) fn new(words: SharedRef<LaneWords>, slots: Slots) -> Self {
        Self { cursor: ConsumerCursor::attach(words, slots.capacity()), slots, dropped_seen: 0 }
    }

    /// The next record, if there is one. A slot that makes no sense (its writer has gone mad) is skipped.
    pub fn pop(&mut self) -> Option<LogRecord> {
        loop {
            if self.cursor.available(1).unwrap_or(0) == 0 {
                self.cursor.acknowledge();
                return None;
            }
            let record = parse(self.slots.read(self.cursor.position()));
            self.cursor.release(1);
            if record.is_some() {
                return record;
            }
        }
    }

    /// Records dropped since the last call because this reader was behind.
    pub fn newly_dropped(&mut self) -> u64 {
        // ORDER(counts): Relaxed; a counter.
        let dropped = self.cursor.words().producer.0.dropped.load(Ordering::Relaxed);
        let new = dropped.saturating_sub(self.dropped_seen);
        self.dropped_seen = dropped;
        new
    }

    /// Asks for the bell at the next record. Returns whether one has come meanwhile, so that the caller must not sleep.
    pub fn sleep(&mut self) -> bool {
        self.cursor.sleep_until(1);
        // ORDER(data_at): SeqCst, between the announcement and the second look.
        fence(Ordering::SeqCst);
        self.cursor.available(1).unwrap_or(0) > 0
    }
}

fn parse(slot: &[u8]) -> Option<LogRecord> {
    let at_ns = u64::from_ne_bytes(slot[..8].try_into().ok()?);
    let level = log::Level::iter().find(|level| *level as u8 == slot[8])?;
    let len = usize::from(u16::from_ne_bytes([slot[10], slot[11]]));
    let text = slot.get(TEXT..TEXT + len)?;
    Some(LogRecord { at_ns, level, text: String::from_utf8_lossy(text).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shm::{Layout, RegionKind, Segment};
    use log::Log as _;

    fn lane() -> (LogWriter, LogReader) {
        let mut layout = Layout::default();
        let words = layout.reserve(RegionKind::LogWords, 0, size_of::<LaneWords>()).unwrap();
        let slots = layout.reserve(RegionKind::LogSlots, 0, SLOT_SIZE * 64).unwrap();
        let segment = Segment::create(&layout).unwrap();
        let view = || Slots::new(&segment, slots, SLOT_COUNT, SLOT_SIZE);
        let writer = LogWriter::new(segment.shared(words), view(), EventFd::new().unwrap(), || 5);
        (writer, LogReader::new(segment.shared(words), view()))
    }

    fn say(writer: &LogWriter, text: &str) {
        log::set_max_level(log::LevelFilter::Info);
        writer.log(&log::Record::builder().level(log::Level::Warn).args(format_args!("{text}")).build());
    }

    #[test]
    fn a_record_arrives_as_it_was_written() {
        let (writer, mut reader) = lane();
        say(&writer, "port gone");
        let expected = LogRecord { at_ns: 5, level: log::Level::Warn, text: "port gone".into() };
        assert_eq!(reader.pop(), Some(expected));
        assert_eq!(reader.pop(), None);
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let (writer, mut reader) = lane();
        say(&writer, &"\u{e4}".repeat(SLOT_SIZE));
        assert_eq!(reader.pop().unwrap().text.chars().count(), (SLOT_SIZE - TEXT) / 2);
    }

    #[test]
    fn records_beyond_the_ring_are_counted() {
        let (writer, mut reader) = lane();
        (0..SLOT_COUNT + 3).for_each(|_| say(&writer, "x"));
        assert_eq!(reader.newly_dropped(), 3);
        assert_eq!(std::iter::from_fn(|| reader.pop()).count(), 64);
        assert_eq!(reader.newly_dropped(), 0);
    }
}
