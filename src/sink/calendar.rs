//! UTC nanoseconds to calendar date and time of day.
//!
//! `humantime` does this too, but panics before 1970, which a board without a clock battery can reach.

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;
/// Nanoseconds in a day; UTC as the kernel counts it has no leap seconds.
pub(super) const DAY: i64 = 86_400 * SECOND;

/// A moment as a calendar shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) nanosecond: i64,
}

impl Moment {
    /// The moment `utc_ns` nanoseconds after 1970-01-01T00:00:00Z. Every `i64` is one, from 1677 to 2262.
    ///
    /// Days to date by Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`: years begin
    /// in March, so that the leap day is a year's last, and 400 years are one era.
    pub(super) fn from_utc_ns(utc_ns: i64) -> Self {
        let in_day = utc_ns.rem_euclid(DAY);
        let days = utc_ns.div_euclid(DAY) + 719_468;
        let (era, in_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
        let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * in_year + 2) / 153;
        let day = in_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let seconds = in_day / SECOND;
        Self {
            year,
            month,
            day,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            nanosecond: in_day % SECOND,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    fn rfc3339(utc_ns: i64) -> String {
        let Moment { year, month, day, hour, minute, second, nanosecond } = Moment::from_utc_ns(utc_ns);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanosecond:09}Z")
    }

    proptest! {
        #[test]
        fn after_1970_it_agrees_with_humantime(utc_ns in 0..=i64::MAX) {
            let time = UNIX_EPOCH + Duration::from_nanos(utc_ns.unsigned_abs());
            prop_assert_eq!(rfc3339(utc_ns), humantime::format_rfc3339_nanos(time).to_string());
        }
    }

    #[test]
    fn before_1970_it_counts_backwards() {
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(rfc3339(i64::MIN), "1677-09-21T00:12:43.145224192Z");
    }
}
