//! Log records to stderr: for a person with the time of day, for journald with the priority it understands.

use std::sync::{Arc, Mutex};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::sys::clock::realtime_ns;
use crate::sys::stderr;

/// Lines waiting for the live table, which owns the screen.
pub(super) type Screen = Arc<Mutex<Option<Vec<String>>>>;

struct Logger {
    journal: bool,
    screen: Screen,
}

/// Logs from now on. While the returned screen holds a list, lines are put there instead of on stderr.
pub(super) fn install() -> Screen {
    let screen = Screen::default();
    // systemd says so when stderr is its journal (sd-daemon(3)).
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    // The level is given as for most Rust programs; what it cannot read counts as info.
    let level = std::env::var("PINRING_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::Info);
    let logger = Logger { journal, screen: Arc::clone(&screen) };
    // A second call (in a test) keeps the first logger.
    let _ = crate::trace::set_parent_logger(Box::new(logger), level);
    screen
}

/// Priority of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// `21:05:07.123`, UTC.
pub(super) fn time_of_day(utc_ns: i64) -> String {
    let millis = utc_ns.div_euclid(1_000_000).rem_euclid(86_400_000);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = if self.journal {
            format!("<{}>{}", priority(record.level()), record.args())
        } else {
            format!("{} {:<5} {}", time_of_day(realtime_ns()), record.level().as_str().to_lowercase(), record.args())
        };
        if let Ok(mut screen) = self.screen.lock() {
            if let Some(lines) = screen.as_mut() {
                lines.push(line);
                return;
            }
        }
        stderr::say(&line);
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_shown_to_the_millisecond() {
        assert_eq!(time_of_day(1_700_000_000_123_000_000), "22:13:20.123");
        assert_eq!(time_of_day(-1_000_000), "23:59:59.999");
    }
}
