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
