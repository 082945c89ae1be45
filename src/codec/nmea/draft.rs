//! The epoch under way.

use bytemuck::{Pod, Zeroable};

use super::Position;
use super::statement::{Kind, Statement};

/// Metres a second in one knot: a nautical mile of 1,852 m an hour.
const MPS_PER_KNOT: f64 = 1852.0 / 3600.0;

const OPEN: u32 = 1;
const GIVEN: u32 = 2;
const FROZEN: u32 = 4;
const TIMED: u32 = 8;
const DATED: u32 = 16;
const SAID_FIX: u32 = 32;
const FIX: u32 = 64;
const QUALITY: u32 = 128;
const QUALITY_BY_GGA: u32 = 256;
const SATELLITES: u32 = 512;
const GSA_SATELLITES: u32 = 1024;

/// What the sentences of an epoch have said so far. Numbers are NaN while not said.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Draft {
    time_ns: i64,
    day: i64,
    latitude_deg: f64,
    longitude_deg: f64,
    altitude_m: f64,
    speed_mps: f64,
    track_deg: f64,
    hdop: f64,
    flags: u32,
    quality: u16,
    satellites: u16,
    gsa_satellites: u16,
    gsa_mode: u16,
    gga_talker: u16,
    seen: [u8; Kind::COUNT],
    newest: u8,
    reserved: u8,
}

fn told(value: f64) -> Option<f64> {
    Some(value).filter(|value| !value.is_nan())
}

fn keep(place: &mut f64, value: Option<f64>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl Draft {
    /// A new epoch; `frozen` if the receiver only repeats an old one.
    pub(super) fn opened(frozen: bool) -> Self {
        Self {
            latitude_deg: f64::NAN,
            longitude_deg: f64::NAN,
            altitude_m: f64::NAN,
            speed_mps: f64::NAN,
            track_deg: f64::NAN,
            hdop: f64::NAN,
            flags: OPEN | if frozen { FROZEN } else { 0 },
            ..Self::zeroed()
        }
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn set(&mut self, flag: u32, on: bool) {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
    }

    pub(super) fn is_open(&self) -> bool {
        self.has(OPEN)
    }

    /// Whether its position has been given away.
    pub(super) fn is_given(&self) -> bool {
        self.has(GIVEN)
    }

    pub(super) fn set_given(&mut self) {
        self.set(GIVEN, true);
    }

    pub(super) fn has_time(&self) -> bool {
        self.has(TIMED)
    }

    pub(super) fn time_ns(&self) -> Option<i64> {
        self.has(TIMED).then_some(self.time_ns)
    }

    pub(super) fn set_day(&mut self, day: i64) {
        self.day = day;
        self.set(DATED, true);
    }

    /// Days since 1970 and nanoseconds of the day.
    pub(super) fn utc(&self) -> Option<(i64, i64)> {
        (self.has(DATED) && self.has(TIMED)).then_some((self.day, self.time_ns))
    }

    pub(super) fn has_seen(&self, kind: Kind) -> bool {
        self.seen[kind.index()] > 0
    }

    /// Whether the sentence is a GGA that this epoch has already, from the same system.
    pub(super) fn repeats(&self, said: &Statement) -> bool {
        said.kind == Kind::Gga && self.has_seen(Kind::Gga) && self.gga_talker == said.talker
    }

    /// The newest sentence: the index of its kind and the how-manieth of its kind it is.
    pub(super) fn newest(&self) -> (usize, u8) {
        let kind = usize::from(self.newest) % Kind::COUNT;
        (kind, self.seen[kind])
    }

    pub(super) fn merge(&mut self, said: &Statement) {
        let seen = &mut self.seen[said.kind.index()];
        *seen = seen.saturating_add(1);
        self.newest = said.kind as u8;
        if let Some(time) = said.time {
            if !self.has(TIMED) {
                self.time_ns = time.ns;
                self.set(TIMED, true);
            }
        }
        if said.kind == Kind::Gga {
            self.gga_talker = said.talker;
        }
        self.merge_fix(said);
        if let Some((latitude, longitude)) = said.place {
            (self.latitude_deg, self.longitude_deg) = (latitude, longitude);
        }
        // Whole feet are no news where GGA has told decimetres.
        if said.kind != Kind::Pgrmz || self.altitude_m.is_nan() {
            keep(&mut self.altitude_m, said.altitude_m);
        }
        keep(&mut self.speed_mps, said.speed_knots.map(|knots| knots * MPS_PER_KNOT));
        keep(&mut self.track_deg, said.track_deg);
        keep(&mut self.hdop, said.hdop);
        self.merge_counts(said);
    }

    fn merge_fix(&mut self, said: &Statement) {
        if let Some(mode) = said.gsa_mode {
            self.gsa_mode = self.gsa_mode.max(u16::from(mode));
        }
        // One system without a fix is no news while another has one.
        let lost = said.gsa_mode == Some(1) && self.gsa_mode == 1;
        if let Some(fix) = said.fix.or(lost.then_some(false)) {
            self.set(SAID_FIX, true);
            self.set(FIX, fix && !self.has(FROZEN));
        }
    }

    fn merge_counts(&mut self, said: &Statement) {
        let by_gga = said.kind == Kind::Gga;
        if let Some(quality) = said.quality.filter(|_| by_gga || !self.has(QUALITY_BY_GGA)) {
            self.quality = u16::from(quality);
            self.set(QUALITY, true);
            self.set(QUALITY_BY_GGA, by_gga);
        }
        match said.satellites {
            None => {}
            // Each system has a GSA of its own.
            Some(used) if said.kind == Kind::Gsa => {
                self.gsa_satellites = self.gsa_satellites.saturating_add(used);
                self.set(GSA_SATELLITES, true);
            }
            Some(used) => {
                self.satellites = used;
                self.set(SATELLITES, true);
            }
        }
    }

    fn mode(&self) -> u8 {
        let has_place = !self.latitude_deg.is_nan();
        match (self.has(SAID_FIX), self.has(FIX) && has_place) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) if self.gsa_mode >= 2 => {
                if self.gsa_mode == 2 {
                    2
                } else {
                    3
                }
            }
            (true, true) => {
                if self.altitude_m.is_nan() {
                    2
                } else {
                    3
                }
            }
        }
    }

    /// The position without its time; `None` if the epoch says nothing about time or place.
    pub(super) fn position(&self) -> Option<Position> {
        let mode = self.mode();
        if mode == 0 && !self.has(TIMED) {
            return None;
        }
        let fixed = |value| told(value).filter(|_| mode >= 2);
        let satellites = if self.has(SATELLITES) { Some(self.satellites) } else { None };
        Some(Position {
            time_ns: None,
            latitude_deg: fixed(self.latitude_deg),
            longitude_deg: fixed(self.longitude_deg),
            altitude_m: fixed(self.altitude_m),
            speed_mps: fixed(self.speed_mps),
            track_deg: fixed(self.track_deg),
            mode,
            quality: u8::try_from(self.quality).ok().filter(|_| self.has(QUALITY)),
            satellites: satellites.or_else(|| self.has(GSA_SATELLITES).then_some(self.gsa_satellites)),
            hdop: told(self.hdop),
        })
    }
}
