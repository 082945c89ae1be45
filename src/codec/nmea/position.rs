//! One fix, merged from the sentences of its epoch.

use super::Date;

/// How an [`Assembler`](super::Assembler) treats what receivers leave open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The earliest day that can be true. A receiver that reports an earlier one suffers from the GPS
    /// week rollover (its ten-bit week number overflowed): 1,024 weeks are added until it fits.
    /// `None` believes every date, which a replay of old recordings needs.
    pub not_before: Option<Date>,
    /// Where no sentence of an epoch tells the speed, compute it from this position and the one before.
    pub derive_speed: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { not_before: None, derive_speed: true }
    }
}

/// Where a receiver was at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Position {
    /// UTC in nanoseconds since 1970; `None` until a sentence has told the date.
    pub time_ns: Option<i64>,
    /// Degrees, north positive. Place and motion are `None` without a fix.
    pub latitude_deg: Option<f64>,
    /// Degrees, east positive.
    pub longitude_deg: Option<f64>,
    /// Altitude above mean sea level.
    pub altitude_m: Option<f64>,
    /// Speed over ground.
    pub speed_mps: Option<f64>,
    /// True course over ground, 0 to 360.
    pub track_deg: Option<f64>,
    /// 0 not told, 1 no fix, 2 a fix without altitude, 3 with: as the mode of gpsd's TPV.
    pub mode: u8,
    /// Kind of fix as GGA counts: 0 none, 1 GPS, 2 differential, 3 PPS, 4 RTK, 5 float RTK, 6 estimated,
    /// 7 manual, 8 simulator. From GGA, else from the mode indicator of RMC, GNS or GLL.
    pub quality: Option<u8>,
    /// Satellites used.
    pub satellites: Option<u16>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
}

/// What a mode indicator says in the numbers of GGA.
pub(super) fn quality_of(indicator: Option<u8>) -> Option<u8> {
    Some(match indicator? {
        b'N' => 0,
        b'A' => 1,
        b'D' => 2,
        b'P' => 3,
        b'R' => 4,
        b'F' => 5,
        b'E' => 6,
        b'M' => 7,
        b'S' => 8,
        _ => return None,
    })
}

/// Metres between two places close to each other, in degrees.
///
/// The ellipsoid's two radii of curvature at the middle latitude; over the distance of one epoch to the
/// next the error stays far below a millimetre. Constants: WGS 84.
pub(super) fn distance_m(from: (f64, f64), to: (f64, f64)) -> f64 {
    const EQUATOR_M: f64 = 6_378_137.0;
    const ECCENTRICITY_SQUARED: f64 = 6.694_379_990_141_33e-3;
    let latitude = f64::midpoint(from.0, to.0).to_radians();
    let bulge = 1.0 - ECCENTRICITY_SQUARED * latitude.sin().powi(2);
    let north_radius = EQUATOR_M * (1.0 - ECCENTRICITY_SQUARED) / bulge.powf(1.5);
    let east_radius = EQUATOR_M / bulge.sqrt();
    // Over the date line the short way counts.
    let turn = (to.1 - from.1 + 540.0).rem_euclid(360.0) - 180.0;
    (north_radius * (to.0 - from.0).to_radians()).hypot(east_radius * latitude.cos() * turn.to_radians())
}
