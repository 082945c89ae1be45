//! A line to a sentence.

use super::field::Fields;
use super::{Date, Gga, Gll, Gns, Gsa, Gsv, Header, NmeaError, Pgrmz, Rmc, SatelliteInView, Sentence, Vtg, Zda};

/// What to do with a sentence that has no `*hh` at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// Refuse it: the `*hh` may have been cut off, and nothing tells whether the rest is right. In the recordings of
    /// `tests/data/nmea` only cut sentences lack it, and gpsd refused them too.
    #[default]
    Required,
    /// Take it: for receivers from before NMEA 2.0, which never send one. A `*` without two digits is refused still.
    Optional,
}

/// Reads one line; white space at its end and anything before the last `$` is skipped.
///
/// A sentence that begins in the middle of a line (the line end before it was lost) is taken: its
/// checksum decides.
///
/// ```
/// use pinring::codec::nmea::{self, Checksum, Sentence};
///
/// let line = b"$GPGLL,4916.45,N,12311.12,W,225444,A*31\r\n";
/// let Sentence::Gll(gll) = nmea::parse(line, Checksum::Required)? else { panic!() };
/// assert!((gll.longitude_deg.unwrap() + 123.185_333).abs() < 1e-6);
/// # Ok::<(), nmea::NmeaError>(())
/// ```
///
/// # Errors
/// The line is no sentence, is damaged, or too short for its type. A single field that cannot be read
/// is missing, not an error.
pub fn parse(line: &[u8], checksum: Checksum) -> Result<Sentence, NmeaError> {
    let body = checked_body(line, checksum)?;
    let fields = Fields::new(body);
    let tag = fields.bytes(0);
    if tag.len() < 3 || !tag.iter().all(u8::is_ascii_alphanumeric) {
        return Err(NmeaError::Tag);
    }
    if tag == b"PGRMZ" {
        return Ok(Sentence::Pgrmz(pgrmz(&fields)));
    }
    if tag.len() != 5 || tag[0] == b'P' || line.first() == Some(&b'!') {
        return Ok(Sentence::Other);
    }
    let header = Header { talker: [tag[0], tag[1]] };
    let need = |needed: u8| match u8::try_from(fields.count()).unwrap_or(u8::MAX) {
        found if found < needed => Err(NmeaError::TooFewFields { found, needed }),
        _ => Ok(()),
    };
    Ok(match &tag[2..] {
        b"RMC" => need(9).map(|()| Sentence::Rmc(rmc(header, &fields)))?,
        b"GGA" => need(9).map(|()| Sentence::Gga(gga(header, &fields)))?,
        b"GNS" => need(9).map(|()| Sentence::Gns(gns(header, &fields)))?,
        b"GSA" => need(17).map(|()| Sentence::Gsa(gsa(header, &fields)))?,
        b"GSV" => need(3).map(|()| Sentence::Gsv(gsv(header, &fields)))?,
        b"VTG" => need(4).map(|()| Sentence::Vtg(vtg(header, &fields)))?,
        b"GLL" => need(4).map(|()| Sentence::Gll(gll(header, &fields)))?,
        b"ZDA" => need(4).map(|()| Sentence::Zda(zda(header, &fields)))?,
        _ => Sentence::Other,
    })
}

/// What stands between `$` and `*`, if the checksum is right.
fn checked_body(line: &[u8], checksum: Checksum) -> Result<&[u8], NmeaError> {
    let line = line.trim_ascii_end();
    let start = match line.first() {
        Some(b'!') => 0,
        _ => line.iter().rposition(|&byte| byte == b'$').ok_or(NmeaError::NotNmea)?,
    };
    let sentence = &line[start + 1..];
    let Some(star) = sentence.iter().rposition(|&byte| byte == b'*') else {
        return match checksum {
            Checksum::Required => Err(NmeaError::NoChecksum),
            Checksum::Optional => Ok(sentence),
        };
    };
    let (body, stated) = (&sentence[..star], hex_byte(&sentence[star + 1..]).ok_or(NmeaError::NoChecksum)?);
    let computed = body.iter().fold(0, |sum, byte| sum ^ byte);
    if stated == computed { Ok(body) } else { Err(NmeaError::Checksum { stated, computed }) }
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let &[high, low] = digits else {
        return None;
    };
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(nibble(high)? << 4 | nibble(low)?)
}

fn small(value: Option<u32>) -> Option<u8> {
    value.and_then(|value| u8::try_from(value).ok())
}

fn medium(value: Option<u32>) -> Option<u16> {
    value.and_then(|value| u16::try_from(value).ok())
}

/// A course; some receivers send 360 for north, a few send more than a turn.
fn course(value: Option<f64>) -> Option<f64> {
    value.filter(|degrees| (0.0..=360.0).contains(degrees))
}

fn rmc(header: Header, fields: &Fields<'_>) -> Rmc {
    let place = fields.place(3);
    Rmc {
        header,
        time: fields.time(1),
        valid: fields.letter(2) == Some(b'A'),
        latitude_deg: place.map(|place| place.0),
        longitude_deg: place.map(|place| place.1),
        speed_knots: fields.number(7).filter(|knots| *knots >= 0.0),
        track_deg: course(fields.number(8)),
        date: fields.date(9),
        mode: fields.letter(12),
    }
}

fn gga(header: Header, fields: &Fields<'_>) -> Gga {
    let place = fields.place(2);
    Gga {
        header,
        time: fields.time(1),
        latitude_deg: place.map(|place| place.0),
        longitude_deg: place.map(|place| place.1),
        quality: small(fields.unsigned(6)),
        satellites: medium(fields.unsigned(7)),
        hdop: fields.dilution(8),
        altitude_m: fields.number(9),
        geoid_separation_m: fields.number(11),
        correction_age_s: fields.number(13),
        station: medium(fields.unsigned(14)),
    }
}

fn gns(header: Header, fields: &Fields<'_>) -> Gns {
    let place = fields.place(2);
    let indicators = fields.bytes(6);
    Gns {
        header,
        time: fields.time(1),
        latitude_deg: place.map(|place| place.0),
        longitude_deg: place.map(|place| place.1),
        mode: indicators.iter().copied().find(|&mode| mode != b'N').or(indicators.first().copied()),
        satellites: medium(fields.unsigned(7)),
        hdop: fields.dilution(8),
        altitude_m: fields.number(9),
        geoid_separation_m: fields.number(10),
    }
}

fn gsa(header: Header, fields: &Fields<'_>) -> Gsa {
    // Behind the two modes stand the satellites, then three dilutions, and with NMEA 4.1 the system,
    // which shows by the count: 17 fields without, 18 with it, and 29 from receivers of 24 channels.
    let count = fields.count();
    let dilutions = if count == 18 { 15 } else { count - 2 };
    let mut satellites = [0; Gsa::MAX_SATELLITES];
    let mut used = 0;
    for number in (3..dilutions).filter_map(|index| medium(fields.unsigned(index))).filter(|&number| number > 0) {
        if let Some(place) = satellites.get_mut(usize::from(used)) {
            *place = number;
            used += 1;
        }
    }
    Gsa {
        header,
        automatic: fields.letter(1) == Some(b'A'),
        mode: small(fields.unsigned(2)).filter(|mode| (1..=3).contains(mode)),
        satellites,
        used,
        pdop: fields.dilution(dilutions),
        hdop: fields.dilution(dilutions + 1),
        vdop: fields.dilution(dilutions + 2),
        system: if count == 18 { small(fields.unsigned(18)) } else { None },
    }
}

fn gsv(header: Header, fields: &Fields<'_>) -> Gsv {
    let groups = (fields.count() - 3) / 4;
    let mut satellites = [None; 4];
    for (group, place) in satellites.iter_mut().enumerate().take(groups) {
        let at = 4 + 4 * group;
        *place = medium(fields.unsigned(at)).map(|number| SatelliteInView {
            number,
            elevation_deg: small(fields.unsigned(at + 1)),
            azimuth_deg: medium(fields.unsigned(at + 2)),
            snr_db: small(fields.unsigned(at + 3)),
        });
    }
    Gsv {
        header,
        parts: small(fields.unsigned(1)).unwrap_or(0),
        part: small(fields.unsigned(2)).unwrap_or(0),
        in_view: medium(fields.unsigned(3)),
        satellites,
        signal: if (fields.count() - 3) % 4 == 1 { small(fields.unsigned(fields.count())) } else { None },
    }
}

fn vtg(header: Header, fields: &Fields<'_>) -> Vtg {
    // Before NMEA 2.0 there were no unit letters: track, magnetic track, knots, km/h.
    let (magnetic, knots, kmh) = if fields.count() == 4 { (2, 3, 4) } else { (3, 5, 7) };
    let positive = |index| fields.number(index).filter(|speed| *speed >= 0.0);
    Vtg {
        header,
        track_deg: course(fields.number(1)),
        magnetic_track_deg: course(fields.number(magnetic)),
        speed_knots: positive(knots),
        speed_kmh: positive(kmh),
        mode: fields.letter(9),
    }
}

fn gll(header: Header, fields: &Fields<'_>) -> Gll {
    let place = fields.place(1);
    Gll {
        header,
        latitude_deg: place.map(|place| place.0),
        longitude_deg: place.map(|place| place.1),
        time: fields.time(5),
        // Before NMEA 2.0 it ended with the position or the time.
        valid: fields.letter(6) == Some(b'A') || (fields.count() < 6 && place.is_some()),
        mode: fields.letter(7),
    }
}

fn zda(header: Header, fields: &Fields<'_>) -> Zda {
    let date = medium(fields.unsigned(4))
        .filter(|year| (1980..2200).contains(year))
        .zip(small(fields.unsigned(3)).zip(small(fields.unsigned(2))))
        .and_then(|(year, (month, day))| Date::new(year, month, day));
    Zda { header, time: fields.time(1), date }
}

fn pgrmz(fields: &Fields<'_>) -> Pgrmz {
    Pgrmz {
        altitude_feet: fields.number(1).filter(|_| fields.letter(2) == Some(b'f')),
        mode: small(fields.unsigned(3)).filter(|mode| (1..=3).contains(mode)),
    }
}
