//! A weather station: ten lines a second, `WX,21.53,48.2,1013.25,3.4,182*5A`, with the checksum of NMEA 0183.

use std::fmt::Write;

/// Time from line to line.
const PERIOD_NS: u64 = 100_000_000;

/// Makes lines on an absolute schedule.
#[derive(Debug)]
pub(super) struct Weather {
    count: u32,
    began_ns: u64,
    line: String,
}

impl Weather {
    pub(super) fn start(now_ns: u64) -> Self {
        Self { count: 0, began_ns: now_ns, line: String::with_capacity(64) }
    }

    /// When the next line is due.
    pub(super) fn due_ns(&self) -> u64 {
        self.began_ns + u64::from(self.count) * PERIOD_NS
    }

    /// Lets the lines pass that were due while it was unplugged.
    pub(super) fn skip_to(&mut self, now_ns: u64) {
        while self.due_ns() < now_ns {
            self.count += 1;
        }
    }

    /// The next line, with its end.
    pub(super) fn line(&mut self) -> &[u8] {
        let seconds = f64::from(self.count) / 10.0;
        let wave = |period: f64| (std::f64::consts::TAU * seconds / period).sin();
        let direction = (182.0 + 25.0 * wave(40.0)).rem_euclid(360.0);
        self.line.clear();
        // Writing to a String cannot fail.
        let _ = write!(
            self.line,
            "WX,{:.2},{:.1},{:.2},{:.1},{direction:.0}",
            21.5 + wave(60.0),
            48.0 + 3.0 * wave(90.0),
            1013.25 + 0.4 * wave(120.0),
            3.4 + 1.5 * wave(7.0)
        );
        let sum = self.line.bytes().fold(0, |sum, byte| sum ^ byte);
        let _ = write!(self.line, "*{sum:02X}\r\n");
        self.count += 1;
        self.line.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_five_numbers_a_checksum_and_the_end() {
        let mut weather = Weather::start(5);
        for number in 0..5000u64 {
            assert_eq!(weather.due_ns(), 5 + number * PERIOD_NS);
            let line = std::str::from_utf8(weather.line()).unwrap();
            let (body, sum) = line.strip_suffix("\r\n").unwrap().split_once('*').unwrap();
            assert_eq!(body.bytes().fold(0, |sum, byte| sum ^ byte), u8::from_str_radix(sum, 16).unwrap());
            let values: Vec<f64> =
                body.strip_prefix("WX,").unwrap().split(',').map(|value| value.parse().unwrap()).collect();
            let ranges = [20.0..=23.0, 44.0..=52.0, 1012.0..=1014.0, 1.8..=5.0, 0.0..=360.0];
            assert_eq!(values.len(), ranges.len());
            assert!(values.iter().zip(&ranges).all(|(value, range)| range.contains(value)), "{line}");
        }
    }

    #[test]
    fn lines_due_while_it_was_unplugged_are_not_made_up_for() {
        let mut weather = Weather::start(0);
        weather.line();
        weather.skip_to(1_050_000_000);
        assert_eq!(weather.due_ns(), 1_100_000_000);
    }
}
