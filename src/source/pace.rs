//! How fast a recording is played.

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Pace {
    /// As fast as the pipeline takes it.
    #[default]
    AtOnce,
    /// As a serial port of so many bits per second would deliver it, ten bits a byte.
    Baud(u32),
    /// So many frames per second.
    FramesPerSecond(f64),
    /// By the time of day in NMEA sentences (GGA, RMC, GLL, ZDA); the others follow the one before them. A step back in
    /// time is not waited for.
    NmeaTime,
}

const SECOND_NS: u64 = 1_000_000_000;
const DAY_NS: u64 = 86_400 * SECOND_NS;

/// How long `bytes` bytes take at `baud`, in ns.
pub(super) fn wire_time_ns(bytes: u64, baud: u32) -> u64 {
    let ns = u128::from(bytes) * 10 * u128::from(SECOND_NS) / u128::from(baud.max(1));
    u64::try_from(ns).unwrap_or(u64::MAX)
}

/// How many bytes have come through after `elapsed_ns` at `baud`.
pub(super) fn wire_bytes(elapsed_ns: u64, baud: u32) -> u64 {
    let bytes = u128::from(elapsed_ns) * u128::from(baud) / (10 * u128::from(SECOND_NS));
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// When frame number `index` (from 0) is due, in ns after the start.
#[expect(clippy::cast_precision_loss, reason = "2^53 frames are not reached")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates; a rate is positive")]
pub(super) fn frame_due_ns(index: u64, rate: f64) -> u64 {
    (index as f64 / rate * SECOND_NS as f64) as u64
}

/// Time of day in an NMEA sentence, in ns since midnight UTC; `None` if it carries none.
pub(super) fn time_of_day_ns(sentence: &[u8]) -> Option<u64> {
    let mut fields = sentence.strip_prefix(b"$")?.split(|&byte| byte == b',' || byte == b'*');
    let name = fields.next()?;
    let field = match name.get(name.len().checked_sub(3)?..)? {
        b"GGA" | b"RMC" | b"ZDA" => fields.next()?,
        b"GLL" => fields.nth(4)?,
        _ => return None,
    };
    let (hms, decimals) = field.split_at_checked(6)?;
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
    let seconds = number(&hms[..2])? * 3600 + number(&hms[2..4])? * 60 + number(&hms[4..])?;
    let decimals = decimals.strip_prefix(b".").unwrap_or_default();
    let decimals = &decimals[..decimals.len().min(9)];
    let fraction = if decimals.is_empty() { 0 } else { number(decimals)? };
    let scale = 10u64.pow(9 - u32::try_from(decimals.len()).ok()?);
    Some((seconds * SECOND_NS + fraction * scale) % DAY_NS)
}

/// From one time of day to the next, over midnight; more than half a day is a step back, which takes no time.
pub(super) fn step_ns(from: u64, to: u64) -> u64 {
    let step = (to % DAY_NS + DAY_NS - from % DAY_NS) % DAY_NS;
    if step > DAY_NS / 2 { 0 } else { step }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_found_in_the_sentences_that_carry_it() {
        let time = Some((12 * 3600 + 51 * 60 + 6) * SECOND_NS + 250_000_000);
        for sentence in [
            "$GPRMC,125106.25,V,3854.5087,N,07726.4523,W,0.0,0.0,241011,10.5,W,S*28",
            "$GPGGA,125106.25,3854.5087,N,07726.4523,W,8,10,2.0,268.8,M,-33.9,M,,*7F",
            "$GNGLL,3854.5087,N,07726.4523,W,125106.250,A*00",
            "$GPZDA,125106.25*00",
        ] {
            assert_eq!(time_of_day_ns(sentence.as_bytes()), time, "{sentence}");
        }
        for sentence in
            ["$GPGSV,125106.25", "$GPRMC,,V", "$GPRMC,12x106", "$", "", "GPRMC,125106", "$GPGGA,1251\u{e9}6"]
        {
            assert_eq!(time_of_day_ns(sentence.as_bytes()), None, "{sentence}");
        }
    }

    #[test]
    fn midnight_is_passed_and_a_step_back_takes_no_time() {
        assert_eq!(step_ns(DAY_NS - SECOND_NS, SECOND_NS), 2 * SECOND_NS);
        assert_eq!(step_ns(5 * SECOND_NS, 4 * SECOND_NS), 0);
        assert_eq!(step_ns(5 * SECOND_NS, 5 * SECOND_NS), 0);
    }

    #[test]
    fn a_byte_has_ten_bits() {
        assert_eq!(wire_time_ns(960, 9600), SECOND_NS);
        assert_eq!(wire_bytes(SECOND_NS / 2, 9600), 480);
        assert_eq!(frame_due_ns(3, 2.0), 3 * SECOND_NS / 2);
    }
}
