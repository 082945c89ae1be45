//! Sentences of one epoch to one position.
//!
//! # When an epoch ends
//!
//! A sentence with another hhmmss begins a new epoch, so the old one is complete then; but at one fix a
//! second that is nearly a second late. Receivers send the same sentences in the same order every
//! time, so, as gpsd does, the assembler learns which one comes last and gives the position away with it:
//!
//! 1. (`close`) A sentence was the last of an epoch for the second time: it becomes an *ender*. Unlike
//!    gpsd, which learns from sentences with a time alone and then reports once more for a VTG or GSA
//!    behind them, an ender may be any sentence that adds something, and it counts: "the second GSA".
//!    There may be several: some receivers send RMC with one second and GGA with the next. And there is
//!    one position per epoch, also in the first epochs, where gpsd reports every sentence.
//! 2. (`push`) An ender arrives: the position is given away at once.
//! 3. (`push`) A sentence of the same hhmmss comes still (a receiver that adds RMC to every tenth GGA, say),
//!    or two epochs in a row are followed by one without a time: what ended this epoch is no ender, and its type
//!    is never trusted again. Such epochs come out whole, at the price of coming with the next one; the sentence
//!    that proved it is lost, except for its date.
//! 4. (`push`) The ender was lost on the way: the epoch is given away when the next one begins.
//!
//! 5. (`finish`) The recording ends: what is under way is given away as it is.
//!
//! A sentence without a time (VTG, GSA, or RMC and GGA before the first fix) belongs to the epoch under way, or,
//! behind the ender, to the next. Two RMC, GGA, GNS or GLL of which one has no time are two epochs.
//!
//! # What is taken from where
//!
//! The newest sentence of an epoch wins, so a position that RMC gives with three decimals and GGA with
//! five is the one sent last. Whether there is a fix at all, the newest of RMC, GGA, GNS, GLL and GSA
//! decides. An RMC marked `V` gives its time of day but neither its date nor its position: receivers fill them with
//! what they last knew, or from a clock that nobody set. A GGA that comes a second time with the same time
//! is a receiver that lost its satellites and repeats itself: no fix.
//!
//! The date comes from RMC or ZDA and is carried over midnight: a time of day that falls back by more than
//! twelve hours is the next day.

use bytemuck::{Pod, Zeroable};

use super::calendar::{DAY_NS, undo_rollover, utc_ns};
use super::draft::Draft;
use super::position::distance_m;
use super::statement::{Kind, Statement};
use super::{Date, Position, Sentence, Settings, TimeOfDay};

/// Two sentences of one epoch agree in their time within this; receivers cut decimals differently.
const SAME_EPOCH_NS: i64 = 5_000_000;
/// A speed is computed from two positions only if they are at most this far apart in time.
const LONGEST_STEP_NS: i64 = 60 * 1_000_000_000;

/// Merges sentences into positions. Plain words, so that it can live in a node's state: all zero is
/// fresh, a copy taken at any moment goes on exactly as the original, and no content makes it panic.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Assembler {
    draft: Draft,
    /// Days since 1970 of the newest sentence; valid with `dated`.
    day: i64,
    /// Time of day of the newest sentence; valid with `timed`.
    newest_ns: i64,
    /// UTC, latitude and longitude of the position before; valid with `moved`.
    before_ns: i64,
    before_latitude_deg: f64,
    before_longitude_deg: f64,
    /// Per [`Kind`]: the how-manieth of it ends an epoch, 0 for none.
    enders: [u8; Kind::COUNT],
    /// Per kind: the how-manieth of it was the last of an epoch once.
    candidates: [u8; Kind::COUNT],
    /// Per kind: 1 if it proved to be no ender.
    distrusted: [u8; Kind::COUNT],
    /// Epochs in a row that a sentence without a time followed.
    trailed: u8,
    dated: u8,
    timed: u8,
    moved: u8,
    reserved: [u8; 4],
}

impl Default for Assembler {
    fn default() -> Self {
        Self::zeroed()
    }
}

impl Assembler {
    /// Takes the next sentence; gives none, one or two positions, in order.
    ///
    /// Two come when this sentence shows that the epoch before had ended, and is the whole of its own.
    pub fn push(&mut self, sentence: &Sentence, settings: Settings) -> [Option<Position>; 2] {
        let Some(statement) = Statement::of(sentence) else {
            return [None; 2];
        };
        self.note_time(&statement);
        if self.draft.is_given() && self.is_same_moment(&statement) && !self.draft.repeats(&statement) {
            self.distrust_ender();
            return [None; 2];
        }
        self.note_trailer(&statement);
        let mut complete = None;
        if self.begins_epoch(&statement) {
            complete = self.close(settings);
            self.draft = Draft::opened(self.is_same_moment(&statement) && self.draft.repeats(&statement));
        }
        self.draft.merge(&statement);
        if self.dated != 0 && self.draft.has_time() {
            self.draft.set_day(self.day);
        }
        let (kind, nth) = self.draft.newest();
        let ended = if self.enders[kind] == nth { self.give(settings) } else { None };
        match complete {
            None => [ended, None],
            complete => [complete, ended],
        }
    }

    /// Nothing follows: gives the position of the epoch under way, if that was not done yet.
    pub fn finish(&mut self, settings: Settings) -> Option<Position> {
        self.close(settings)
    }

    /// Keeps the date, and carries it over midnight.
    fn note_time(&mut self, statement: &Statement) {
        if let Some(TimeOfDay { ns }) = statement.time {
            if self.timed != 0 && self.dated != 0 && self.newest_ns.saturating_sub(ns) > DAY_NS / 2 {
                self.day = self.day.saturating_add(1);
            }
            (self.newest_ns, self.timed) = (ns, 1);
        }
        if let Some(date) = statement.date {
            (self.day, self.dated) = (Date::days_since_1970(date), 1);
        }
    }

    fn is_same_moment(&self, statement: &Statement) -> bool {
        match (statement.time, self.draft.time_ns()) {
            (Some(time), Some(ns)) => time.ns.saturating_sub(ns).saturating_abs() < SAME_EPOCH_NS,
            _ => false,
        }
    }

    fn begins_epoch(&self, statement: &Statement) -> bool {
        if !self.draft.is_open() || self.draft.is_given() {
            return true;
        }
        match (statement.time, self.draft.time_ns()) {
            (Some(_), Some(_)) => !self.is_same_moment(statement) || self.draft.repeats(statement),
            _ => statement.kind.has_place() && self.draft.has_seen(statement.kind),
        }
    }

    /// The epoch under way is over: learns from it, and gives it away if that was not done yet.
    fn close(&mut self, settings: Settings) -> Option<Position> {
        if !self.draft.is_open() {
            return None;
        }
        let (kind, nth) = self.draft.newest();
        if self.candidates[kind] == nth && self.distrusted[kind] == 0 {
            self.enders[kind] = nth;
        }
        self.candidates[kind] = nth;
        if self.draft.is_given() { None } else { self.give(settings) }
    }

    /// Behind an ender nothing should come that belongs to its epoch. A sentence without a time may do, or
    /// be the first left of an epoch whose first was damaged; twice in a row it is no accident.
    fn note_trailer(&mut self, statement: &Statement) {
        if !self.draft.is_given() {
            return;
        }
        if statement.time.is_some() {
            self.trailed = 0;
            return;
        }
        self.trailed = self.trailed.saturating_add(1);
        if self.trailed == 2 {
            self.distrust_ender();
        }
    }

    fn distrust_ender(&mut self) {
        let (kind, _) = self.draft.newest();
        (self.distrusted[kind], self.enders[kind], self.trailed) = (1, 0, 0);
    }

    fn give(&mut self, settings: Settings) -> Option<Position> {
        let mut position = self.draft.position()?;
        self.draft.set_given();
        position.time_ns = self.draft.utc().map(|(day, ns)| utc_ns(undo_rollover(day, settings.not_before), ns));
        if let (Some(now_ns), Some(latitude), Some(longitude)) =
            (position.time_ns, position.latitude_deg, position.longitude_deg)
        {
            let step_ns = now_ns.saturating_sub(self.before_ns);
            let is_near = self.moved != 0 && (1..=LONGEST_STEP_NS).contains(&step_ns);
            if position.speed_mps.is_none() && settings.derive_speed && is_near {
                let before = (self.before_latitude_deg, self.before_longitude_deg);
                #[expect(clippy::cast_precision_loss, reason = "at most a minute, which a float holds exactly")]
                let step_s = step_ns as f64 / 1e9;
                position.speed_mps = Some(distance_m(before, (latitude, longitude)) / step_s);
            }
            (self.before_ns, self.before_latitude_deg, self.before_longitude_deg) = (now_ns, latitude, longitude);
            self.moved = 1;
        }
        Some(position)
    }
}
