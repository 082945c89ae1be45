//! One sentence.

/// Why a line is no sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NmeaError {
    /// It does not begin with `$`.
    #[error("it does not begin with `$`")]
    NoSentence,
    /// The two digits behind `*` are not the exclusive or of what is between.
    #[error("its checksum is wrong")]
    Checksum,
    /// A field that is not empty does not hold what it must.
    #[error("field {0} is not what it must be")]
    Field(usize),
}

/// Position, speed and date: the recommended minimum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rmc {
    /// UTC as ns since midnight.
    pub time_ns: Option<i64>,
    /// Whether the receiver calls it valid.
    pub is_valid: bool,
    /// Latitude and longitude, degrees, north and east positive.
    pub position: Option<(f64, f64)>,
    /// Speed over ground.
    pub speed_knots: Option<f64>,
    /// Course over ground, true.
    pub track_deg: Option<f64>,
    /// Days since 1970-01-01.
    pub date_days: Option<i64>,
}

/// Fix data.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gga {
    /// UTC as ns since midnight.
    pub time_ns: Option<i64>,
    /// Latitude and longitude, degrees.
    pub position: Option<(f64, f64)>,
    /// 0 no fix, 1 GPS, 2 differential, 4 RTK ...
    pub quality: Option<u8>,
    /// Satellites used.
    pub satellites: Option<u8>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Height above mean sea level.
    pub altitude_m: Option<f64>,
}

/// Mode and dilutions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gsa {
    /// 1 no fix, 2 two-dimensional, 3 three-dimensional.
    pub mode: Option<u8>,
    /// Satellites named as used.
    pub satellites: u8,
    /// Position dilution of precision.
    pub pdop: Option<f64>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Vertical dilution of precision.
    pub vdop: Option<f64>,
}

/// Satellites in view (one of several sentences; the satellites themselves are not decoded).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gsv {
    /// Sentences that belong together.
    pub sentences: Option<u8>,
    /// Which of them this is, from 1.
    pub number: Option<u8>,
    /// Satellites in view.
    pub in_view: Option<u8>,
}

/// Course and speed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vtg {
    /// Course over ground, true.
    pub track_deg: Option<f64>,
    /// Speed over ground.
    pub speed_knots: Option<f64>,
    /// Speed over ground, again.
    pub speed_kmh: Option<f64>,
    /// Whether the receiver calls it valid (old receivers do not say: valid).
    pub is_valid: bool,
}

/// Position.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gll {
    /// Latitude and longitude, degrees.
    pub position: Option<(f64, f64)>,
    /// UTC as ns since midnight.
    pub time_ns: Option<i64>,
    /// Whether the receiver calls it valid (old receivers do not say: valid).
    pub is_valid: bool,
}

/// Time and date.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Zda {
    /// UTC as ns since midnight.
    pub time_ns: Option<i64>,
    /// Days since 1970-01-01.
    pub date_days: Option<i64>,
}

/// A sentence, by its last three letters; the talker does not matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sentence {
    /// Recommended minimum.
    Rmc(Rmc),
    /// Fix data.
    Gga(Gga),
    /// Mode and dilutions.
    Gsa(Gsa),
    /// Satellites in view.
    Gsv(Gsv),
    /// Course and speed.
    Vtg(Vtg),
    /// Position.
    Gll(Gll),
    /// Time and date.
    Zda(Zda),
    /// Any other, proprietary ones included; its checksum was right.
    Other,
}

/// Reads one sentence without its line's end. A checksum that is there must be right; old receivers send none.
///
/// # Errors
/// If it is no sentence, damaged, or a field holds something else than it must.
pub fn parse(line: &[u8]) -> Result<Sentence, NmeaError> {
    let [b'$', rest @ ..] = line else { return Err(NmeaError::NoSentence) };
    let body = match rest.iter().rposition(|byte| *byte == b'*') {
        Some(star) => checked(&rest[..star], &rest[star + 1..])?,
        None => rest,
    };
    let body = std::str::from_utf8(body).map_err(|_| NmeaError::Field(0))?;
    let fields = Fields(body);
    let name = fields.text(0);
    // `$PGRMZ` is Garmin's own, not an `RMZ` of talker PG.
    if name.len() != 5 || name.starts_with('P') {
        return Ok(Sentence::Other);
    }
    match name.get(2..) {
        Some("RMC") => rmc(&fields).map(Sentence::Rmc),
        Some("GGA") => gga(&fields).map(Sentence::Gga),
        Some("GSA") => gsa(&fields).map(Sentence::Gsa),
        Some("GSV") => gsv(&fields).map(Sentence::Gsv),
        Some("VTG") => vtg(&fields).map(Sentence::Vtg),
        Some("GLL") => gll(&fields).map(Sentence::Gll),
        Some("ZDA") => zda(&fields).map(Sentence::Zda),
        _ => Ok(Sentence::Other),
    }
}

fn checked<'l>(body: &'l [u8], digits: &[u8]) -> Result<&'l [u8], NmeaError> {
    let digits = std::str::from_utf8(digits).map_err(|_| NmeaError::Checksum)?.trim_end();
    let said = u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2).ok_or(NmeaError::Checksum)?;
    let is = body.iter().fold(0, |sum, byte| sum ^ byte);
    if is == said { Ok(body) } else { Err(NmeaError::Checksum) }
}

struct Fields<'l>(&'l str);

impl<'l> Fields<'l> {
    /// Field `index`, empty if there are not so many.
    fn text(&self, index: usize) -> &'l str {
        self.0.split(',').nth(index).unwrap_or("").trim()
    }

    fn parse<T: std::str::FromStr>(&self, index: usize) -> Result<Option<T>, NmeaError> {
        match self.text(index) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| NmeaError::Field(index)),
        }
    }

    fn number(&self, index: usize) -> Result<Option<f64>, NmeaError> {
        let number: Option<f64> = self.parse(index)?;
        if number.is_some_and(|number| !number.is_finite()) { Err(NmeaError::Field(index)) } else { Ok(number) }
    }

    /// `hhmmss` with any decimals.
    fn time(&self, index: usize) -> Result<Option<i64>, NmeaError> {
        let text = self.text(index);
        if text.is_empty() {
            return Ok(None);
        }
        time_of_day(text).map(Some).ok_or(NmeaError::Field(index))
    }

    /// `ddmm.mmm,N,dddmm.mmm,E` from field `index` on.
    fn position(&self, index: usize) -> Result<Option<(f64, f64)>, NmeaError> {
        let latitude = self.angle(index, 2, [("N", 1.0), ("S", -1.0)], 90.0)?;
        let longitude = self.angle(index + 2, 3, [("E", 1.0), ("W", -1.0)], 180.0)?;
        Ok(latitude.zip(longitude))
    }

    fn angle(&self, index: usize, digits: usize, signs: [(&str, f64); 2], most: f64) -> Result<Option<f64>, NmeaError> {
        let (text, side) = (self.text(index), self.text(index + 1));
        if text.is_empty() || side.is_empty() {
            return Ok(None);
        }
        let wrong = NmeaError::Field(index);
        let whole = text.find('.').unwrap_or(text.len());
        // Some receivers leave leading zeros out; the minutes are always the last two digits before the point.
        let split = whole.checked_sub(2).filter(|split| *split <= digits).ok_or(wrong)?;
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let degrees: f64 = if split == 0 { 0.0 } else { text[..split].parse().map_err(|_| wrong)? };
        let minutes: f64 = text[split..].parse().map_err(|_| wrong)?;
        let sign =
            signs.iter().find(|(own, _)| *own == side).map(|(_, sign)| *sign).ok_or(NmeaError::Field(index + 1))?;
        let angle = degrees + minutes / 60.0;
        if is_plain && minutes < 60.0 && angle <= most { Ok(Some(sign * angle)) } else { Err(wrong) }
    }
}

/// Nanoseconds since midnight of `hhmmss` or `hhmmss.sss`.
pub(super) fn time_of_day(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 6 || !is_digits(whole) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let part = |from: usize| whole[from..from + 2].parse::<i64>().ok();
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    // 60 is a leap second.
    if hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let digits = u32::try_from(fraction.len()).ok()?;
    let nanos = if fraction.is_empty() { 0 } else { fraction.parse::<i64>().ok()? * 10i64.pow(9 - digits) };
    Some((hours * 3600 + minutes * 60 + seconds) * 1_000_000_000 + nanos)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1970..=9999).contains(&year) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// `ddmmyy`; 80 to 99 mean the last century.
fn short_date(text: &str) -> Option<i64> {
    let part = |from: usize| text.get(from..from + 2)?.parse::<i64>().ok();
    if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let year = part(4)?;
    days(if year >= 80 { 1900 + year } else { 2000 + year }, part(2)?, part(0)?)
}

fn rmc(fields: &Fields<'_>) -> Result<Rmc, NmeaError> {
    let date = fields.text(9);
    Ok(Rmc {
        time_ns: fields.time(1)?,
        // D: differential, of some old receivers.
        is_valid: matches!(fields.text(2), "A" | "D"),
        position: fields.position(3)?,
        speed_knots: fields.number(7)?,
        track_deg: fields.number(8)?,
        date_days: if date.is_empty() { None } else { Some(short_date(date).ok_or(NmeaError::Field(9))?) },
    })
}

fn gga(fields: &Fields<'_>) -> Result<Gga, NmeaError> {
    Ok(Gga {
        time_ns: fields.time(1)?,
        position: fields.position(2)?,
        quality: fields.parse(6)?,
        satellites: fields.parse(7)?,
        hdop: fields.number(8)?,
        altitude_m: fields.number(9)?,
    })
}

fn gsa(fields: &Fields<'_>) -> Result<Gsa, NmeaError> {
    let used = (3..15).filter(|index| !matches!(fields.text(*index), "" | "0" | "00")).count();
    Ok(Gsa {
        mode: fields.parse(2)?,
        satellites: u8::try_from(used).unwrap_or(u8::MAX),
        pdop: fields.number(15)?,
        hdop: fields.number(16)?,
        vdop: fields.number(17)?,
    })
}

fn gsv(fields: &Fields<'_>) -> Result<Gsv, NmeaError> {
    Ok(Gsv { sentences: fields.parse(1)?, number: fields.parse(2)?, in_view: fields.parse(3)? })
}

fn vtg(fields: &Fields<'_>) -> Result<Vtg, NmeaError> {
    // Without the unit letters it is the old form: true course, magnetic course, knots, km/h.
    let (knots, kmh) = if fields.text(2) == "T" { (5, 7) } else { (3, 4) };
    Ok(Vtg {
        track_deg: fields.number(1)?,
        speed_knots: fields.number(knots)?,
        speed_kmh: fields.number(kmh)?,
        is_valid: fields.text(9) != "N",
    })
}

fn gll(fields: &Fields<'_>) -> Result<Gll, NmeaError> {
    Ok(Gll {
        position: fields.position(1)?,
        time_ns: fields.time(5)?,
        is_valid: fields.text(6) != "V" && fields.text(7) != "N",
    })
}

fn zda(fields: &Fields<'_>) -> Result<Zda, NmeaError> {
    let (day, month, year) = (fields.parse(2)?, fields.parse(3)?, fields.parse(4)?);
    let date_days = match (day, month, year) {
        (Some(day), Some(month), Some(year)) => Some(days(year, month, day).ok_or(NmeaError::Field(2))?),
        _ => None,
    };
    Ok(Zda { time_ns: fields.time(1)?, date_days })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_recommended_minimum_is_read() {
        let line = b"$GPRMC,225446.33,A,4916.45,N,12311.12,W,000.5,054.7,191194,020.3,E*40";
        let sum = line[1..line.len() - 3].iter().fold(0, |sum, byte| sum ^ byte);
        let line = [&line[..line.len() - 2], format!("{sum:02X}").as_bytes()].concat();
        let Ok(Sentence::Rmc(rmc)) = parse(&line) else { panic!("{:?}", parse(&line)) };
        assert_eq!(rmc.time_ns, Some(82_486_330_000_000));
        assert_eq!(rmc.date_days, Some(9088));
        let (latitude, longitude) = rmc.position.unwrap();
        assert!((latitude - 49.274_166_667).abs() < 1e-9 && (longitude + 123.185_333_333).abs() < 1e-9);
        assert_eq!((rmc.speed_knots, rmc.track_deg, rmc.is_valid), (Some(0.5), Some(54.7), true));
    }

    #[test]
    fn a_wrong_checksum_is_refused_and_a_missing_one_is_not() {
        assert_eq!(parse(b"$GPZDA,223251.00,21,04,2016,-00,00*4D"), Err(NmeaError::Checksum));
        assert_eq!(parse(b"$GPZDA,223251.00,21,04,2016,-00,00*"), Err(NmeaError::Checksum));
        assert!(matches!(parse(b"$GPZDA,223251.00,21,04,2016,-00,00*4C"), Ok(Sentence::Zda(_))));
        assert!(matches!(parse(b"$GPZDA,223251.00,21,04,2016,-00,00"), Ok(Sentence::Zda(_))));
        assert_eq!(parse(b"hello"), Err(NmeaError::NoSentence));
    }

    #[test]
    fn nonsense_in_a_field_is_refused_by_its_number() {
        assert_eq!(parse(b"$GPGGA,256199,,,,,,,,,"), Err(NmeaError::Field(1)));
        assert_eq!(parse(b"$GPGGA,,9916.45,N,12311.12,W,1,,,,"), Err(NmeaError::Field(2)));
        assert_eq!(parse(b"$GPGLL,4916.45,N,12311.12,X,,A"), Err(NmeaError::Field(4)));
        assert_eq!(parse(b"$GPGGA,,,,,,1,nan,,,"), Err(NmeaError::Field(7)));
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!([days(1970, 1, 1), days(2000, 3, 1), days(2026, 11, 20)], [Some(0), Some(11_017), Some(20_777)]);
        assert_eq!(days(2026, 13, 1), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(line in proptest::collection::vec(any::<u8>(), 0..120), kind in 0usize..7) {
            let _ = parse(&line);
            let kinds = ["RMC", "GGA", "GSA", "GSV", "VTG", "GLL", "ZDA"];
            let sentence = [b"$GP", kinds[kind].as_bytes(), b",", &line[..]].concat();
            let _ = parse(&sentence);
        }

        #[test]
        fn no_text_makes_it_panic(fields in "[0-9.,NSEWAV+-]{0,90}", kind in 0usize..7) {
            let kinds = ["RMC", "GGA", "GSA", "GSV", "VTG", "GLL", "ZDA"];
            let _ = parse(format!("$GP{},{fields}", kinds[kind]).as_bytes());
        }
    }
}
