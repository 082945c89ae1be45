//! The sentences of one moment, put together into one fix.
//!
//! A receiver tells each moment (*epoch*) in several sentences, in an order of its own. A fix is given once per epoch, as
//! soon as its last sentence has come. Which one is the last is learnt: the kind that ended two epochs in a row ends the
//! next ones. Until that is known, and whenever the expected end stays out, a fix is given when the next epoch begins.
//! (The idea is that of gpsd's cycle-end detection, <https://gpsd.gitlab.io/gpsd/client-howto.html>.)

use bytemuck::{Pod, Zeroable};

use super::sentence::{Gga, Gll, Gsa, Rmc, Sentence, Vtg, Zda};

const DAY_NS: i64 = 86_400_000_000_000;
const KNOT: f64 = 1852.0 / 3600.0;

/// One moment's fix.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fix {
    /// UTC in ns since 1970, where a date is known.
    pub utc_ns: Option<i64>,
    /// Latitude, degrees, north positive.
    pub latitude_deg: Option<f64>,
    /// Longitude, degrees, east positive.
    pub longitude_deg: Option<f64>,
    /// Height above mean sea level.
    pub altitude_m: Option<f64>,
    /// Speed over ground.
    pub speed_mps: Option<f64>,
    /// Course over ground, true.
    pub track_deg: Option<f64>,
    /// 1 no fix, 2 two-dimensional, 3 three-dimensional.
    pub mode: u8,
    /// GGA's quality.
    pub quality: Option<u8>,
    /// Satellites used.
    pub satellites: Option<u8>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
}

/// Bits of [`Epoch::has`].
mod has {
    pub(super) const TIME: u32 = 1;
    pub(super) const DATE: u32 = 2;
    pub(super) const POSITION: u32 = 4;
    pub(super) const ALTITUDE: u32 = 8;
    pub(super) const SPEED: u32 = 16;
    pub(super) const TRACK: u32 = 32;
    pub(super) const QUALITY: u32 = 64;
    pub(super) const SATELLITES: u32 = 128;
    pub(super) const HDOP: u32 = 256;
    /// The fix of this epoch has been given.
    pub(super) const GIVEN: u32 = 512;
    /// A sentence said that there is no fix.
    pub(super) const INVALID: u32 = 1024;
    /// What stays from one epoch to the next.
    pub(super) const KEPT: u32 = DATE;
}

/// What has come of the current epoch, and what is known of the receiver. Plain words, all zero at first, so that it can
/// live in a node's state.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Epoch {
    /// UTC of the epoch, ns since midnight.
    time_ns: i64,
    /// Days since 1970.
    date: i64,
    latitude: f64,
    longitude: f64,
    altitude: f64,
    speed: f64,
    track: f64,
    hdop: f64,
    has: u32,
    /// 0 unknown, else as GSA says.
    mode: u32,
    quality: u32,
    satellites: u32,
    /// Kind of the latest sentence (1 to 6), 0 for none.
    latest: u32,
    /// Kind that ended the previous epoch.
    ender: u32,
    /// How many epochs in a row it ended.
    ended: u32,
    reserved: u32,
}

/// Epochs that a kind of sentence must have ended before it is believed.
const LEARNT: u32 = 2;

impl Epoch {
    /// Takes a sentence; gives the fix that it completes, or that of the epoch before if it begins the next one.
    pub fn take(&mut self, sentence: &Sentence) -> Option<Fix> {
        let (kind, time_ns) = match sentence {
            Sentence::Rmc(rmc) => (1, rmc.time_ns),
            Sentence::Gga(gga) => (2, gga.time_ns),
            Sentence::Gll(gll) => (3, gll.time_ns),
            Sentence::Zda(zda) => (4, zda.time_ns),
            Sentence::Vtg(_) => (5, None),
            Sentence::Gsa(_) => (6, None),
            Sentence::Gsv(_) | Sentence::Other => return None,
        };
        let begins = time_ns.is_some_and(|time| self.has & has::TIME == 0 || time != self.time_ns);
        let before = if begins { self.begin(time_ns.unwrap_or(0)) } else { None };
        self.latest = kind;
        match sentence {
            Sentence::Rmc(rmc) => self.rmc(rmc),
            Sentence::Gga(gga) => self.gga(gga),
            Sentence::Gll(gll) => self.gll(gll),
            Sentence::Zda(zda) => self.zda(zda),
            Sentence::Vtg(vtg) => self.vtg(vtg),
            Sentence::Gsa(gsa) => self.gsa(gsa),
            Sentence::Gsv(_) | Sentence::Other => {}
        }
        let completes = kind == self.ender && self.ended >= LEARNT && before.is_none();
        if completes { self.give() } else { before }
    }

    /// A new moment begins: the fix of the old one, if it was not given.
    fn begin(&mut self, time_ns: i64) -> Option<Fix> {
        let before = if self.has & has::TIME == 0 { None } else { self.give() };
        if self.latest != 0 {
            self.ended = if self.latest == self.ender { self.ended.saturating_add(1) } else { 1 };
            self.ender = self.latest;
        }
        // Midnight has passed, though no date has said so yet.
        if self.has & has::TIME != 0 && self.time_ns - time_ns > DAY_NS / 2 {
            self.date += 1;
        }
        self.has = (self.has & has::KEPT) | has::TIME;
        (self.time_ns, self.mode) = (time_ns, 0);
        before
    }

    /// Nothing follows: the fix of the last moment, if it was not given.
    pub fn finish(&mut self) -> Option<Fix> {
        self.give()
    }

    fn give(&mut self) -> Option<Fix> {
        if self.has & (has::TIME | has::GIVEN) != has::TIME {
            return None;
        }
        self.has |= has::GIVEN;
        let mode = self.fix_mode();
        let is_fix = mode > 1;
        let known = |bit: u32, value: f64| (self.has & bit != 0 && is_fix).then_some(value);
        let small = |bit: u32, value: u32| u8::try_from(value).ok().filter(|_| self.has & bit != 0);
        Some(Fix {
            utc_ns: (self.has & has::DATE != 0).then_some(self.date * DAY_NS + self.time_ns),
            latitude_deg: known(has::POSITION, self.latitude),
            longitude_deg: known(has::POSITION, self.longitude),
            altitude_m: known(has::ALTITUDE, self.altitude).filter(|_| mode == 3),
            speed_mps: known(has::SPEED, self.speed),
            track_deg: known(has::TRACK, self.track),
            mode,
            quality: small(has::QUALITY, self.quality),
            satellites: small(has::SATELLITES, self.satellites),
            hdop: (self.has & has::HDOP != 0).then_some(self.hdop),
        })
    }

    fn fix_mode(&self) -> u8 {
        if self.has & has::POSITION == 0 || (self.has & has::INVALID != 0) {
            return 1;
        }
        match self.mode {
            // A receiver that gives a height has a three-dimensional fix, whatever it does not say.
            0 if self.has & has::ALTITUDE != 0 => 3,
            0 | 1 => 2,
            mode => u8::try_from(mode).unwrap_or(3).min(3),
        }
    }

    fn set(&mut self, bit: u32) {
        self.has |= bit;
    }

    fn validity(&mut self, is_valid: bool) {
        if !is_valid {
            self.set(has::INVALID);
        }
    }

    fn position(&mut self, position: Option<(f64, f64)>) {
        if let Some((latitude, longitude)) = position {
            (self.latitude, self.longitude) = (latitude, longitude);
            self.set(has::POSITION);
        }
    }

    fn speed(&mut self, speed: Option<f64>) {
        if let Some(speed) = speed {
            self.speed = speed;
            self.set(has::SPEED);
        }
    }

    fn track(&mut self, track: Option<f64>) {
        if let Some(track) = track {
            self.track = track;
            self.set(has::TRACK);
        }
    }

    fn date(&mut self, date: Option<i64>) {
        if let Some(date) = date {
            self.date = date;
            self.set(has::DATE);
        }
    }

    fn hdop(&mut self, hdop: Option<f64>) {
        if let Some(hdop) = hdop {
            self.hdop = hdop;
            self.set(has::HDOP);
        }
    }

    fn rmc(&mut self, rmc: &Rmc) {
        self.date(rmc.date_days);
        self.validity(rmc.is_valid);
        if rmc.is_valid {
            self.position(rmc.position);
            self.speed(rmc.speed_knots.map(|knots| knots * KNOT));
            self.track(rmc.track_deg);
        }
    }

    fn gga(&mut self, gga: &Gga) {
        let quality = gga.quality.unwrap_or(0);
        self.quality = u32::from(quality);
        self.set(has::QUALITY);
        self.validity(quality > 0);
        if let Some(satellites) = gga.satellites {
            self.satellites = u32::from(satellites);
            self.set(has::SATELLITES);
        }
        self.hdop(gga.hdop);
        if quality > 0 {
            self.position(gga.position);
            if let Some(altitude) = gga.altitude_m {
                self.altitude = altitude;
                self.set(has::ALTITUDE);
            }
        }
    }

    fn gll(&mut self, gll: &Gll) {
        self.validity(gll.is_valid);
        if gll.is_valid {
            self.position(gll.position);
        }
    }

    fn zda(&mut self, zda: &Zda) {
        self.date(zda.date_days);
    }

    fn vtg(&mut self, vtg: &Vtg) {
        if vtg.is_valid {
            self.speed(vtg.speed_knots.map(|knots| knots * KNOT).or(vtg.speed_kmh.map(|kmh| kmh / 3.6)));
            self.track(vtg.track_deg);
        }
    }

    fn gsa(&mut self, gsa: &Gsa) {
        // One sentence for each system: the best of them counts.
        self.mode = self.mode.max(u32::from(gsa.mode.unwrap_or(0)));
        self.hdop(gsa.hdop);
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn feed(epoch: &mut Epoch, line: &str) -> Option<Fix> {
        epoch.take(&parse(line.as_bytes()).unwrap())
    }

    fn cycle(epoch: &mut Epoch, time: &str) -> Vec<Option<Fix>> {
        let lines = [
            format!("$GPGGA,{time},4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,"),
            "$GPGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1".to_owned(),
            format!("$GPRMC,{time},A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W"),
        ];
        lines.iter().map(|line| feed(epoch, line)).collect()
    }

    #[test]
    fn a_fix_comes_once_per_epoch_and_with_its_last_sentence_once_that_is_learnt() {
        let mut epoch = Epoch::zeroed();
        assert!(cycle(&mut epoch, "120000").iter().all(Option::is_none));
        assert!(cycle(&mut epoch, "120001")[0].is_some(), "the first fix comes when the second epoch begins");
        let third = cycle(&mut epoch, "120002");
        assert!(third[0].is_some() && third[2].is_some(), "the end is learnt: both come");
        let fourth = cycle(&mut epoch, "120003");
        assert!(fourth[0].is_none() && fourth[1].is_none());
        let fix = fourth[2].unwrap();
        assert_eq!(fix.utc_ns, Some(764_424_003_000_000_000));
        assert_eq!((fix.mode, fix.quality, fix.satellites, fix.altitude_m), (3, Some(1), Some(8), Some(545.4)));
        assert!((fix.speed_mps.unwrap() - 11.523_555_555).abs() < 1e-6);
    }

    #[test]
    fn an_end_that_stays_out_is_made_up_for_by_the_next_epoch() {
        let mut epoch = Epoch::zeroed();
        for second in 0..4 {
            cycle(&mut epoch, &format!("12000{second}"));
        }
        assert_eq!(feed(&mut epoch, "$GPGGA,120004,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,"), None);
        let late = feed(&mut epoch, "$GPGGA,120005,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,");
        assert_eq!(late.unwrap().utc_ns, Some(764_424_004_000_000_000));
    }

    #[test]
    fn midnight_turns_the_date_before_a_sentence_says_so() {
        let mut epoch = Epoch::zeroed();
        cycle(&mut epoch, "235959");
        feed(&mut epoch, "$GPGGA,000000,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,");
        let fix = feed(&mut epoch, "$GPGGA,000001,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,").unwrap();
        assert_eq!(fix.utc_ns, Some(764_467_200_000_000_000));
    }

    #[test]
    fn without_a_fix_there_is_a_time_but_no_position() {
        let mut epoch = Epoch::zeroed();
        feed(&mut epoch, "$GPRMC,120000,V,4807.038,N,01131.000,E,,,230394,,");
        let fix = feed(&mut epoch, "$GPRMC,120001,V,,,,,,,230394,,").unwrap();
        assert_eq!((fix.mode, fix.latitude_deg, fix.speed_mps), (1, None, None));
        assert!(fix.utc_ns.is_some());
    }
}
