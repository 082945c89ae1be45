//! Days and times of day, without a clock.

use super::field::digits;

/// Nanoseconds of a day.
pub(super) const DAY_NS: i64 = 86_400 * 1_000_000_000;
/// Seconds in 1,024 weeks: how far a receiver falls back when its ten-bit GPS week number overflows.
const ROLLOVER_DAYS: i64 = 1024 * 7;

/// UTC time of day as a sentence gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    /// Nanoseconds since midnight, 0 to 86,400,999,999,999 (a leap second counts as second 60).
    pub ns: i64,
}

impl TimeOfDay {
    /// Reads `hhmmss` with any number of decimals; digits beyond the nanosecond are cut.
    pub(super) fn read(field: &[u8]) -> Option<Self> {
        let (whole, fraction) = match field.iter().position(|&byte| byte == b'.') {
            Some(dot) => (&field[..dot], &field[dot + 1..]),
            None => (field, &[][..]),
        };
        if whole.len() != 6 {
            return None;
        }
        let (hour, minute, second) = (digits(&whole[..2])?, digits(&whole[2..4])?, digits(&whole[4..])?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let mut ns = 0;
        for place in 0..9 {
            let digit = match fraction.get(place) {
                Some(byte @ b'0'..=b'9') => i64::from(byte - b'0'),
                Some(_) => return None,
                None => 0,
            };
            ns = ns * 10 + digit;
        }
        Some(Self { ns: (i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)) * 1_000_000_000 + ns })
    }
}

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// Full year.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to the length of the month.
    pub day: u8,
}

impl Date {
    /// A day that exists.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(leap),
            1..=12 => 31,
            _ => return None,
        };
        ((1..=length).contains(&day)).then_some(Self { year, month, day })
    }

    /// Reads the `ddmmyy` of RMC. GPS began in 1980, so 80 to 99 are years of the last century.
    pub(super) fn read_short(field: &[u8]) -> Option<Self> {
        if field.len() != 6 {
            return None;
        }
        let (day, month, year) = (digits(&field[..2])?, digits(&field[2..4])?, digits(&field[4..])?);
        let century = if year >= 80 { 1900 } else { 2000 };
        Self::new(century + u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
    }

    /// Days since 1970-01-01.
    ///
    /// Algorithm: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
    pub fn days_since_1970(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }
}

/// Moves `day` (days since 1970) forward by whole rollovers until it is not before `not_before`.
pub(super) fn undo_rollover(day: i64, not_before: Option<Date>) -> i64 {
    let behind = not_before.map_or(0, |earliest| earliest.days_since_1970().saturating_sub(day)).max(0);
    let rollovers = behind / ROLLOVER_DAYS + i64::from(behind % ROLLOVER_DAYS > 0);
    day.saturating_add(rollovers.saturating_mul(ROLLOVER_DAYS))
}

/// UTC in nanoseconds since 1970.
pub(super) fn utc_ns(day: i64, time_ns: i64) -> i64 {
    day.saturating_mul(DAY_NS).saturating_add(time_ns)
}
