//! The flight recorder: what a worker was doing, in words that outlive it.
//!
//! The worker stores, the supervisor reads after its death. Nothing here is ever waited for; a worker killed between two stores
//! leaves a picture that is one store old.

use crate::prim::{AtomicU64, CachePadded, Ordering};
use crate::shm::Shared;

/// Events kept.
const EVENTS: usize = 32;
/// Eight bytes each: what fits of a panic's message.
const WORDS: usize = 64;

/// What happened to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum FlightEvent {
    /// The incarnation began; the value is its number.
    Begin = 1,
    /// A node opens what it works with.
    Resume = 2,
    /// All nodes are ready.
    Ready = 3,
    /// A node could not do what it should and tries again later.
    Failing = 4,
    /// It works again.
    Recovered = 5,
    /// A node has ended for good.
    Finished = 6,
    /// The worker was asked to drain, to pause or to stop; the value is the command.
    Asked = 7,
    /// The worker gave up: a node returned an error.
    GaveUp = 8,
    /// The supervisor found it hanging.
    Aborted = 9,
}

impl FlightEvent {
    fn from_number(number: u64) -> Option<Self> {
        use FlightEvent::*;
        let all = [Begin, Resume, Ready, Failing, Recovered, Finished, Asked, GaveUp, Aborted];
        all.into_iter().find(|event| *event as u64 == number)
    }

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Begin => "began",
            Self::Resume => "opens",
            Self::Ready => "ready",
            Self::Failing => "failing",
            Self::Recovered => "works again",
            Self::Finished => "finished",
            Self::Asked => "asked to stop",
            Self::GaveUp => "gave up",
            Self::Aborted => "told to abort",
        }
    }
}

/// No node.
const NONE: u64 = 0;

/// The recorder's words. One worker stores, the supervisor reads.
#[repr(C)]
#[derive(Debug)]
pub struct FlightWords {
    /// The node whose step is under way, plus one; and the message it has in hand. On lines of their own: stored per message.
    step: CachePadded<[AtomicU64; 3]>,
    next: AtomicU64,
    events: [[AtomicU64; 4]; EVENTS],
    said: AtomicU64,
    words: [AtomicU64; WORDS],
}

// SAFETY: `repr(C)` of atomics and padding.
unsafe impl Shared for FlightWords {}

impl Default for FlightWords {
    fn default() -> Self {
        let zero = |_| AtomicU64::new(0);
        Self {
            step: CachePadded(std::array::from_fn(zero)),
            next: AtomicU64::new(0),
            events: std::array::from_fn(|_| std::array::from_fn(zero)),
            said: AtomicU64::new(0),
            words: std::array::from_fn(zero),
        }
    }
}

/// One event, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flown {
    /// CLOCK_MONOTONIC in ns.
    pub at_ns: u64,
    /// What happened.
    pub event: FlightEvent,
    /// To which node; `None`: to the worker.
    pub node: Option<usize>,
    /// How much, or which; its meaning is the event's.
    pub value: u64,
}

/// What a recorder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flight {
    /// The node whose step was under way.
    pub node: Option<usize>,
    /// Of that step, the input and the position of the message in hand; `None` if it had none.
    pub message: Option<(usize, u64)>,
    /// The last events, oldest first.
    pub events: Vec<Flown>,
    /// What the worker said last: the message and place of a panic, or the error it gave up for.
    pub last_words: String,
}

impl FlightWords {
    /// Node `node` begins a step.
    pub fn begin_step(&self, node: u32) {
        // ORDER(flight): Relaxed; read after the death of the worker, whose end orders all it stored. So for all stores here.
        self.step.0[0].store(u64::from(node) + 1, Ordering::Relaxed);
    }

    /// The step under way turns to the messages of input `input`, from `position` on.
    pub fn input(&self, input: usize, position: u64) {
        self.message(position);
        // ORDER(flight): Relaxed, see `begin_step`.
        self.step.0[1].store(input as u64 + 1, Ordering::Relaxed);
    }

    /// It has message `position` of that input in hand. Called for each message: one store.
    #[inline]
    pub fn message(&self, position: u64) {
        // ORDER(flight): Relaxed, see `begin_step`.
        self.step.0[2].store(position, Ordering::Relaxed);
    }

    /// The step is over.
    pub fn end_step(&self) {
        // ORDER(flight): Relaxed, see `begin_step`.
        self.step.0[1].store(NONE, Ordering::Relaxed);
        // ORDER(flight): Relaxed, see `begin_step`.
        self.step.0[0].store(NONE, Ordering::Relaxed);
    }

    /// Notes an event at `now_ns`.
    pub fn note(&self, now_ns: u64, event: FlightEvent, node: Option<u32>, value: u64) {
        // ORDER(flight): Relaxed; one writer. So for the stores below.
        let next = self.next.load(Ordering::Relaxed);
        let place = &self.events[usize::try_from(next).unwrap_or(0) % EVENTS];
        let node = node.map_or(NONE, |node| u64::from(node) + 1);
        for (word, value) in place.iter().zip([now_ns, event as u64, node, value]) {
            // ORDER(flight): Relaxed, see `begin_step`.
            word.store(value, Ordering::Relaxed);
        }
        // ORDER(flight): Relaxed, as above.
        self.next.store(next.wrapping_add(1), Ordering::Relaxed);
    }

    /// Keeps the last words, as far as they fit. What was said first stays: a panic's cause, not what came of it.
    pub fn say(&self, text: &str) {
        // ORDER(flight): Relaxed; one writer. So for the stores below.
        if self.said.load(Ordering::Relaxed) != 0 {
            return;
        }
        let bytes = &text.as_bytes()[..text.len().min(8 * WORDS)];
        for (word, chunk) in self.words.iter().zip(bytes.chunks(8)) {
            let mut padded = [0; 8];
            padded[..chunk.len()].copy_from_slice(chunk);
            // ORDER(flight): Relaxed, see `begin_step`.
            word.store(u64::from_ne_bytes(padded), Ordering::Relaxed);
        }
        // ORDER(flight): Relaxed, as above.
        self.said.store(bytes.len() as u64, Ordering::Relaxed);
    }

    /// A number that changes as long as the worker gets on with its messages.
    pub fn progress(&self) -> u64 {
        // ORDER(flight): Relaxed; a picture of a living worker. So for all loads here.
        let load = |place: usize| self.step.0[place].load(Ordering::Relaxed);
        load(2) ^ load(1).rotate_left(48) ^ load(0).rotate_left(56)
    }

    /// Forgets the last words and the step of an incarnation that has ended.
    pub fn clear(&self) {
        self.end_step();
        // ORDER(flight): Relaxed; the worker has ended, its successor is not born.
        self.said.store(0, Ordering::Relaxed);
    }

    /// What it holds. Any content gives something: the worker may have gone mad.
    pub fn read(&self) -> Flight {
        // ORDER(flight): Relaxed; after the worker's death, or a picture of a living one. So for all loads here.
        let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let index = |plus_one: u64| plus_one.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        let [node, input, position] = std::array::from_fn(|place| load(&self.step.0[place]));
        let next = load(&self.next);
        let first = next.saturating_sub(EVENTS as u64);
        // A number gone mad must not make this loop long.
        let events = (first..next).take(EVENTS).filter_map(|number| {
            let place = &self.events[usize::try_from(number % EVENTS as u64).unwrap_or(0)];
            let [at_ns, event, node, value] = std::array::from_fn(|word| load(&place[word]));
            Some(Flown { at_ns, event: FlightEvent::from_number(event)?, node: index(node), value })
        });
        let events = events.collect();
        let len = usize::try_from(load(&self.said)).unwrap_or(0).min(8 * WORDS);
        let bytes: Vec<u8> = self.words.iter().flat_map(|word| load(word).to_ne_bytes()).take(len).collect();
        Flight {
            node: index(node),
            message: index(input).map(|input| (input, position)),
            events,
            last_words: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_under_way_is_seen_with_its_message() {
        let words = FlightWords::default();
        assert_eq!(words.read(), Flight::default());
        words.begin_step(3);
        assert_eq!((words.read().node, words.read().message), (Some(3), None));
        words.input(1, 98);
        words.message(99);
        assert_eq!(words.read().message, Some((1, 99)));
        words.end_step();
        assert_eq!(words.read().node, None);
    }

    #[test]
    fn the_last_events_are_kept_in_order() {
        let words = FlightWords::default();
        (0..40).for_each(|at| words.note(at, FlightEvent::Failing, Some(2), at));
        let events = words.read().events;
        assert_eq!((events.len(), events[0].at_ns, events[31].at_ns), (32, 8, 39));
        assert_eq!(events[0].node, Some(2));
    }

    #[test]
    fn the_first_last_words_stay_until_they_are_cleared() {
        let words = FlightWords::default();
        words.say("panicked at src/x.rs:1:2: no");
        words.say("something else");
        assert_eq!(words.read().last_words, "panicked at src/x.rs:1:2: no");
        words.clear();
        words.say(&"x".repeat(1000));
        assert_eq!(words.read().last_words.len(), 512);
    }
}
