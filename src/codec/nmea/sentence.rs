//! The sentences, as structures with units in the names.

use super::{Date, TimeOfDay};

/// Who sent a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Talker: `GP`, `GL`, `GA`, `GB`, `GN` ...; `P` and the maker's first letter for proprietary ones.
    pub talker: [u8; 2],
}

/// One sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Sentence {
    /// Recommended minimum data.
    Rmc(Rmc),
    /// Fix data.
    Gga(Gga),
    /// Fix data of several systems.
    Gns(Gns),
    /// Dilution of precision and satellites used.
    Gsa(Gsa),
    /// Satellites in view.
    Gsv(Gsv),
    /// Track and speed over ground.
    Vtg(Vtg),
    /// Latitude and longitude.
    Gll(Gll),
    /// Date and time.
    Zda(Zda),
    /// Garmin's altitude.
    Pgrmz(Pgrmz),
    /// A sentence of another type, whole by its checksum.
    Other,
}

/// RMC: recommended minimum data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rmc {
    /// Who sent it.
    pub header: Header,
    /// UTC of the fix.
    pub time: Option<TimeOfDay>,
    /// `A` valid (true), `V` or anything else not.
    pub valid: bool,
    /// Degrees, north positive.
    pub latitude_deg: Option<f64>,
    /// Degrees, east positive.
    pub longitude_deg: Option<f64>,
    /// Speed over ground.
    pub speed_knots: Option<f64>,
    /// True course over ground, 0 to 360.
    pub track_deg: Option<f64>,
    /// UTC date.
    pub date: Option<Date>,
    /// Mode indicator (NMEA 2.3): `A`, `D`, `E`, `F`, `M`, `N`, `P`, `R`, `S`.
    pub mode: Option<u8>,
}

/// GGA: fix data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gga {
    /// Who sent it.
    pub header: Header,
    /// UTC of the fix.
    pub time: Option<TimeOfDay>,
    /// Degrees, north positive.
    pub latitude_deg: Option<f64>,
    /// Degrees, east positive.
    pub longitude_deg: Option<f64>,
    /// 0 no fix, 1 GPS, 2 differential, 3 PPS, 4 RTK, 5 float RTK, 6 estimated, 7 manual, 8 simulator.
    pub quality: Option<u8>,
    /// Satellites in use.
    pub satellites: Option<u16>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Altitude above mean sea level.
    pub altitude_m: Option<f64>,
    /// Height of the geoid above the WGS 84 ellipsoid.
    pub geoid_separation_m: Option<f64>,
    /// Age of the differential corrections.
    pub correction_age_s: Option<f64>,
    /// Reference station.
    pub station: Option<u16>,
}

/// GNS: fix data of several systems.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gns {
    /// Who sent it.
    pub header: Header,
    /// UTC of the fix.
    pub time: Option<TimeOfDay>,
    /// Degrees, north positive.
    pub latitude_deg: Option<f64>,
    /// Degrees, east positive.
    pub longitude_deg: Option<f64>,
    /// The best mode indicator of all systems, `N` if none has a fix.
    pub mode: Option<u8>,
    /// Satellites in use.
    pub satellites: Option<u16>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Altitude above mean sea level.
    pub altitude_m: Option<f64>,
    /// Height of the geoid above the WGS 84 ellipsoid.
    pub geoid_separation_m: Option<f64>,
}

/// GSA: dilution of precision and satellites used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gsa {
    /// Who sent it.
    pub header: Header,
    /// Whether the receiver chooses between 2D and 3D itself.
    pub automatic: bool,
    /// 1 no fix, 2 2D, 3 3D.
    pub mode: Option<u8>,
    /// Numbers of the satellites used, in the order sent; see `used`.
    pub satellites: [u16; Self::MAX_SATELLITES],
    /// How many of `satellites` there are.
    pub used: u8,
    /// Position dilution of precision.
    pub pdop: Option<f64>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Vertical dilution of precision.
    pub vdop: Option<f64>,
    /// System (NMEA 4.1): 1 GPS, 2 GLONASS, 3 Galileo, 4 BeiDou, 5 QZSS, 6 NavIC.
    pub system: Option<u8>,
}

impl Gsa {
    /// Most satellites in one sentence; the standard says 12, some receivers send 24.
    pub const MAX_SATELLITES: usize = 24;
}

/// One satellite of a GSV.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SatelliteInView {
    /// Its number.
    pub number: u16,
    /// Elevation, 0 to 90.
    pub elevation_deg: Option<u8>,
    /// True azimuth, 0 to 359.
    pub azimuth_deg: Option<u16>,
    /// Carrier to noise density; missing when not tracked.
    pub snr_db: Option<u8>,
}

/// GSV: satellites in view, up to four a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gsv {
    /// Who sent it.
    pub header: Header,
    /// How many sentences make the whole list.
    pub parts: u8,
    /// Which of them this is, from 1.
    pub part: u8,
    /// Satellites in view in all.
    pub in_view: Option<u16>,
    /// The satellites of this sentence.
    pub satellites: [Option<SatelliteInView>; 4],
    /// Signal (NMEA 4.1).
    pub signal: Option<u8>,
}

/// VTG: track and speed over ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vtg {
    /// Who sent it.
    pub header: Header,
    /// True track, 0 to 360.
    pub track_deg: Option<f64>,
    /// Magnetic track, 0 to 360.
    pub magnetic_track_deg: Option<f64>,
    /// Speed over ground.
    pub speed_knots: Option<f64>,
    /// The same in km/h.
    pub speed_kmh: Option<f64>,
    /// Mode indicator (NMEA 2.3).
    pub mode: Option<u8>,
}

/// GLL: latitude and longitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gll {
    /// Who sent it.
    pub header: Header,
    /// Degrees, north positive.
    pub latitude_deg: Option<f64>,
    /// Degrees, east positive.
    pub longitude_deg: Option<f64>,
    /// UTC of the fix.
    pub time: Option<TimeOfDay>,
    /// `A` valid (true), `V` or anything else not; also true for the old form without this field.
    pub valid: bool,
    /// Mode indicator (NMEA 2.3).
    pub mode: Option<u8>,
}

/// ZDA: date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zda {
    /// Who sent it.
    pub header: Header,
    /// UTC.
    pub time: Option<TimeOfDay>,
    /// UTC date.
    pub date: Option<Date>,
}

/// PGRMZ: altitude of Garmin handhelds. Some of them send GLL and this between two GGA.
///
/// Source: "Garmin Proprietary NMEA 0183 Sentences", 190-00684-00.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pgrmz {
    /// Altitude above mean sea level, in whole feet.
    pub altitude_feet: Option<f64>,
    /// 1 no fix, 2 2D, 3 3D.
    pub mode: Option<u8>,
}
