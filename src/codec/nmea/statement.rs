//! What one sentence adds to a position, whatever its type.

use super::position::quality_of;
use super::{Date, Gga, Gll, Gns, Rmc, Sentence, TimeOfDay};

const METRES_PER_FOOT: f64 = 0.3048;

/// Types of sentence that add something to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rmc,
    Gga,
    Gns,
    Gll,
    Zda,
    Vtg,
    Gsa,
    Pgrmz,
}

impl Kind {
    /// How many there are.
    pub(super) const COUNT: usize = 8;

    /// Its place in a table per kind.
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// Whether it carries a position.
    pub(super) fn has_place(self) -> bool {
        matches!(self, Self::Rmc | Self::Gga | Self::Gns | Self::Gll)
    }
}

/// What one sentence says, whatever its type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement {
    pub(super) kind: Kind,
    pub(super) time: Option<TimeOfDay>,
    /// Only if the sentence vouches for it.
    pub(super) date: Option<Date>,
    pub(super) talker: u16,
    /// Whether there is a fix; `None` if the sentence does not say.
    pub(super) fix: Option<bool>,
    pub(super) place: Option<(f64, f64)>,
    pub(super) altitude_m: Option<f64>,
    pub(super) speed_knots: Option<f64>,
    pub(super) track_deg: Option<f64>,
    pub(super) quality: Option<u8>,
    pub(super) satellites: Option<u16>,
    pub(super) hdop: Option<f64>,
    pub(super) gsa_mode: Option<u8>,
}

impl Statement {
    /// `None` for sentences that add nothing (GSV, other types).
    pub(super) fn of(sentence: &Sentence) -> Option<Self> {
        Some(match sentence {
            Sentence::Rmc(rmc) => Self::of_rmc(rmc),
            Sentence::Gga(gga) => Self::of_gga(gga),
            Sentence::Gns(gns) => Self::of_gns(gns),
            Sentence::Gll(gll) => Self::of_gll(gll),
            Sentence::Zda(zda) => Self {
                time: zda.time.filter(|_| zda.date.is_some()),
                date: zda.date.filter(|_| zda.time.is_some()),
                ..Self::empty(Kind::Zda, zda.header.talker)
            },
            Sentence::Vtg(vtg) => {
                let valid = !matches!(vtg.mode, Some(b'N' | b'E'));
                Self {
                    speed_knots: vtg.speed_knots.filter(|_| valid),
                    track_deg: vtg.track_deg.filter(|_| valid),
                    ..Self::empty(Kind::Vtg, vtg.header.talker)
                }
            }
            Sentence::Gsa(gsa) => Self {
                satellites: Some(u16::from(gsa.used)),
                hdop: gsa.hdop,
                gsa_mode: gsa.mode,
                ..Self::empty(Kind::Gsa, gsa.header.talker)
            },
            Sentence::Pgrmz(pgrmz) => Self {
                altitude_m: pgrmz.altitude_feet.filter(|_| pgrmz.mode != Some(1)).map(|feet| feet * METRES_PER_FOOT),
                ..Self::empty(Kind::Pgrmz, *b"PG")
            },
            Sentence::Gsv(_) | Sentence::Other => return None,
        })
    }

    fn of_rmc(rmc: &Rmc) -> Self {
        let place = rmc.latitude_deg.zip(rmc.longitude_deg);
        let valid = rmc.valid.then_some(());
        Self {
            time: rmc.time,
            date: valid.and(rmc.date),
            fix: Some(rmc.valid && place.is_some()),
            place: valid.and(place),
            speed_knots: valid.and(rmc.speed_knots),
            track_deg: valid.and(rmc.track_deg),
            quality: quality_of(rmc.mode),
            ..Self::empty(Kind::Rmc, rmc.header.talker)
        }
    }

    fn of_gga(gga: &Gga) -> Self {
        let place = gga.latitude_deg.zip(gga.longitude_deg);
        let fix = gga.quality.map(|quality| quality > 0 && place.is_some());
        Self {
            time: gga.time,
            fix,
            place: place.filter(|_| fix == Some(true)),
            altitude_m: gga.altitude_m.filter(|_| fix == Some(true)),
            quality: gga.quality,
            satellites: gga.satellites,
            hdop: gga.hdop,
            ..Self::empty(Kind::Gga, gga.header.talker)
        }
    }

    fn of_gns(gns: &Gns) -> Self {
        let place = gns.latitude_deg.zip(gns.longitude_deg);
        let fix = place.is_some() && gns.mode.is_some_and(|mode| mode != b'N');
        Self {
            time: gns.time,
            fix: Some(fix),
            place: place.filter(|_| fix),
            altitude_m: gns.altitude_m.filter(|_| fix),
            quality: quality_of(gns.mode),
            satellites: gns.satellites,
            hdop: gns.hdop,
            ..Self::empty(Kind::Gns, gns.header.talker)
        }
    }

    fn of_gll(gll: &Gll) -> Self {
        let fix = gll.valid && gll.mode != Some(b'N');
        let place = gll.latitude_deg.zip(gll.longitude_deg).filter(|_| fix);
        let (quality, said) = (quality_of(gll.mode), Self::empty(Kind::Gll, gll.header.talker));
        Self { time: gll.time, fix: Some(place.is_some()), place, quality, ..said }
    }

    fn empty(kind: Kind, talker: [u8; 2]) -> Self {
        Self {
            kind,
            time: None,
            date: None,
            talker: u16::from_le_bytes(talker),
            fix: None,
            place: None,
            altitude_m: None,
            speed_knots: None,
            track_deg: None,
            quality: None,
            satellites: None,
            hdop: None,
            gsa_mode: None,
        }
    }
}
