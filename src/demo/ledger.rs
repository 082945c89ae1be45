//! What the instruments have sent, in memory that the demo sees, too.

use crate::prim::{AtomicU64, Ordering, fence};
use crate::shm::{Layout, RegionKind, Segment, SegmentError, SharedRef};

/// An instrument of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrument {
    /// Recorded NMEA sentences at their own pace.
    Gps,
    /// 1,000 binary frames a second.
    Imu,
    /// Lines of text.
    Weather,
}

impl Instrument {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gps, Self::Imu, Self::Weather];

    /// Its name, and that of its port's link.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gps => "gps",
            Self::Imu => "imu",
            Self::Weather => "weather",
        }
    }
}

/// What is counted for each instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Frames handed to the line whole.
    Sent,
    /// Of these, damaged on purpose.
    Corrupted,
    /// Of these, in the cable when it was unplugged: nobody could read them.
    LostInCable,
    /// Frames of which a part only was handed to the line.
    Cut,
    /// Frames not sent because the line had been full for seconds.
    NotAccepted,
}

const COUNTS: usize = 5;

/// A fault on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An instrument was unplugged.
    Unplugged,
    /// It was plugged in again.
    Plugged,
    /// Bits of a frame were flipped.
    BitsFlipped,
    /// A worker was killed; the detail is its pid.
    Killed,
}

impl Fault {
    const ALL: [Self; 4] = [Self::Unplugged, Self::Plugged, Self::BitsFlipped, Self::Killed];
}

/// A fault and when it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultEvent {
    /// What.
    pub fault: Fault,
    /// When, CLOCK_MONOTONIC in ns.
    pub at_ns: u64,
    /// The pid of a killed worker, else 0.
    pub detail: u64,
}

/// Places for faults: the latest ones are kept. An endless demo fills them in about twenty minutes; its reader looks ten times
/// a second.
pub const EVENTS: usize = 256;

const STOP: usize = COUNTS * Instrument::ALL.len();
const DONE: usize = STOP + 1;
const LEN: usize = STOP + 2;
const FIRST_EVENT: usize = STOP + 3;
const WORDS: usize = FIRST_EVENT + 3 * EVENTS;

/// The instruments' own books: written by their process, read by the demo (which writes the request to stop).
#[derive(Clone, Debug)]
pub struct Ledger(SharedRef<[AtomicU64; WORDS]>);

impl Ledger {
    /// Empty books, shared with children forked later.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn new() -> Result<Self, SegmentError> {
        let mut layout = Layout::default();
        let size = WORDS * size_of::<AtomicU64>();
        let at = layout.reserve(RegionKind::Words, 0, size).expect("some kilobytes can be addressed");
        Ok(Self(Segment::create(&layout)?.shared(at)))
    }

    /// Adds to a count. Instruments only.
    pub fn add(&self, instrument: Instrument, count: Count, number: u64) {
        let word = &self.0[instrument as usize * COUNTS + count as usize];
        // ORDER(ledger): Relaxed; one writer, and whoever reads while it writes gets a picture.
        word.store(word.load(Ordering::Relaxed) + number, Ordering::Relaxed);
    }

    /// A count.
    pub fn get(&self, instrument: Instrument, count: Count) -> u64 {
        // ORDER(ledger): Relaxed; final once `is_done` has been seen.
        self.0[instrument as usize * COUNTS + count as usize].load(Ordering::Relaxed)
    }

    /// Notes a fault. Instruments only.
    pub fn note(&self, event: FaultEvent) {
        // ORDER(ledger.events): Relaxed; our own word.
        let len = self.0[LEN].load(Ordering::Relaxed);
        // ORDER(ledger.events): Release, the length before the words: whoever sees one of them sees that the place was taken.
        fence(Ordering::Release);
        let words = [event.fault as u64, event.at_ns, event.detail];
        for (word, value) in self.event(len).iter().zip(words) {
            // ORDER(ledger.events): Relaxed, between the fence and the new length.
            word.store(value, Ordering::Relaxed);
        }
        // ORDER(ledger.events): Release, the event before it.
        self.0[LEN].store(len + 1, Ordering::Release);
    }

    /// The faults noted so far, from number `first` on, without those that newer ones have displaced: at least the latest
    /// `EVENTS - 1` are there.
    pub fn events(&self, first: usize) -> Vec<FaultEvent> {
        // ORDER(ledger.events): Acquire, the events after it.
        let len = self.0[LEN].load(Ordering::Acquire);
        let read = |number: u64| {
            // ORDER(ledger.events): Relaxed, between the length's Acquire and the fence.
            let [fault, at_ns, detail] = [0, 1, 2].map(|part| self.event(number)[part].load(Ordering::Relaxed));
            let fault = Fault::ALL.into_iter().find(|known| *known as u64 == fault)?;
            Some((number, FaultEvent { fault, at_ns, detail }))
        };
        let events: Vec<_> = (oldest(len).max(first as u64)..len).filter_map(read).collect();
        // ORDER(ledger.events): Acquire, the second look at the length after the words.
        fence(Ordering::Acquire);
        // ORDER(ledger.events): Relaxed, behind the fence.
        let oldest = oldest(self.0[LEN].load(Ordering::Relaxed));
        events.into_iter().filter(|(number, _)| *number >= oldest).map(|(_, event)| event).collect()
    }

    /// The words of event `number`.
    fn event(&self, number: u64) -> &[AtomicU64] {
        let place = usize::try_from(number % EVENTS as u64).expect("a remainder of a usize fits one");
        let at = FIRST_EVENT + 3 * place;
        &self.0[at..at + 3]
    }

    /// Asks the instruments to end.
    pub fn stop(&self) {
        // ORDER(ledger.stop): Release; nothing but the request itself matters.
        self.0[STOP].store(1, Ordering::Release);
    }

    /// Whether the instruments were asked to end.
    pub fn is_stopped(&self) -> bool {
        // ORDER(ledger.stop): Acquire.
        self.0[STOP].load(Ordering::Acquire) != 0
    }

    /// The books are closed. Instruments only.
    pub fn close(&self) {
        // ORDER(ledger.done): Release, all counts before it.
        self.0[DONE].store(1, Ordering::Release);
    }

    /// Whether the books are closed.
    pub fn is_closed(&self) -> bool {
        // ORDER(ledger.done): Acquire, all counts after it.
        self.0[DONE].load(Ordering::Acquire) != 0
    }
}

/// The oldest event that is surely whole while number `len` is perhaps being written into the place of an older one.
fn oldest(len: u64) -> u64 {
    (len + 1).saturating_sub(EVENTS as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_a_word_of_its_own() {
        let ledger = Ledger::new().unwrap();
        ledger.add(Instrument::Imu, Count::Sent, 3);
        ledger.add(Instrument::Imu, Count::Sent, 4);
        ledger.add(Instrument::Weather, Count::Cut, 1);
        assert_eq!(ledger.get(Instrument::Imu, Count::Sent), 7);
        assert_eq!((ledger.get(Instrument::Gps, Count::Sent), ledger.get(Instrument::Weather, Count::Cut)), (0, 1));
    }

    #[test]
    fn the_latest_faults_displace_the_oldest() {
        let ledger = Ledger::new().unwrap();
        let event = |at_ns| FaultEvent { fault: Fault::Killed, at_ns, detail: 9 };
        for (seen, at) in (0..3 * EVENTS as u64).enumerate() {
            ledger.note(event(at));
            // A reader that keeps up sees each of them once.
            assert_eq!(ledger.events(seen), [event(at)]);
        }
        let kept: Vec<u64> = ledger.events(0).iter().map(|event| event.at_ns).collect();
        assert_eq!(kept, (2 * EVENTS as u64 + 1..3 * EVENTS as u64).collect::<Vec<_>>());
        assert_eq!(ledger.events(3 * EVENTS), []);
    }
}
