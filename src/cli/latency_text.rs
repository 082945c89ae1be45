//! Wake-up latencies as a table and a chart, or as JSON.

use std::fmt::Write as _;

use serde_json::json;

use super::columns::columns;
use crate::doctor::{CoreLatency, Latency};

/// Nanoseconds in microseconds with a decimal.
fn microseconds(nanoseconds: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "what is shown has one decimal")]
    let exact = nanoseconds as f64 / 1000.0;
    format!("{exact:.1}")
}

fn head(latency: &Latency) -> String {
    let refused = latency.cores.iter().find_map(|core| core.refused.as_deref());
    let priority = match refused {
        None => format!("SCHED_FIFO {}", latency.priority),
        Some(error) => format!("no real-time priority ({error}): the kernel may let each sleep take 50 \u{b5}s longer"),
    };
    let memory = match &latency.unlocked {
        None => "memory locked".to_owned(),
        Some(error) => format!("memory not locked ({error})"),
    };
    let time = humantime::format_duration(latency.duration);
    format!("wake-up latency, from one millisecond to the next for {time}\n  {priority}; {memory}\n")
}

/// `screen`: bars for eyes; otherwise numbers.
pub(super) fn readable(latency: &Latency, screen: bool) -> String {
    let mut text = head(latency);
    let titles = ["core", "wake-ups", "missed", "min \u{b5}s", "avg \u{b5}s", "p99 \u{b5}s", "max \u{b5}s"];
    let rows = latency.cores.iter().map(|core| {
        let times = [core.min, core.mean, core.summary.p99, core.summary.max].map(microseconds);
        let [min, mean, p99, max] = times;
        [core.core.to_string(), core.summary.count.to_string(), core.missed.to_string(), min, mean, p99, max]
    });
    text += &columns(&std::iter::once(titles.map(str::to_owned)).chain(rows).collect::<Vec<_>>());
    for (core, error) in &latency.failed {
        // Writing to a String cannot fail; so throughout.
        let _ = writeln!(text, "  core {core} could not be measured: {error}");
    }
    text + &chart(&latency.cores, screen)
}

/// For each core, how many wake-ups were late by less than so many microseconds.
fn chart(cores: &[CoreLatency], screen: bool) -> String {
    let used = |core: &CoreLatency| core.bins.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    let bins = cores.iter().map(used).max().unwrap_or(0);
    if bins == 0 {
        return String::new();
    }
    let titles: Vec<String> = (0..bins).map(|bin| format!("<{}", 1_u64 << bin)).collect();
    let cell = |count: u64, all: u64| if screen { bar(count, all) } else { count.to_string() };
    let cells =
        |core: &CoreLatency| core.bins[..bins].iter().map(|count| cell(*count, core.summary.count)).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = cores.iter().map(cells).collect();
    let longest = rows.iter().flatten().chain(&titles).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let line = |title: &str, cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>longest$}")).collect();
        format!("  {title:<4}  {}\n", cells.join(" "))
    };
    let mut text = "\n  wake-ups that were late by less than so many \u{b5}s (each counted once)\n".to_owned();
    text += &line("core", &titles);
    for (core, cells) in cores.iter().zip(&rows) {
        text += &line(&core.core.to_string(), cells);
    }
    text
}

/// Eighths of a block, from the lowest.
const BARS: [&str; 8] =
    ["\u{2581}", "\u{2582}", "\u{2583}", "\u{2584}", "\u{2585}", "\u{2586}", "\u{2587}", "\u{2588}"];

/// A bar whose height is the count's logarithm: the one late wake-up in a million is what one looks for.
fn bar(count: u64, all: u64) -> String {
    match (count.checked_ilog2(), all.checked_ilog2()) {
        (Some(_), Some(0)) => BARS[7].repeat(3),
        (Some(own), Some(full)) => BARS[(own * 7 / full).min(7) as usize].repeat(3),
        _ => "   ".into(),
    }
}

pub(super) fn machine_readable(latency: &Latency) -> serde_json::Value {
    #[allow(clippy::cast_precision_loss, reason = "latencies are far below 2^53 ns")]
    let us = |nanoseconds: u64| nanoseconds as f64 / 1000.0;
    let cores = latency.cores.iter().map(|core| {
        let bins = core.bins.iter().enumerate().filter(|(_, count)| **count > 0);
        let bins = bins.map(|(bin, count)| json!({ "below_us": 1_u64 << bin, "count": count }));
        json!({
            "core": core.core, "wake_ups": core.summary.count, "missed": core.missed, "min_us": us(core.min),
            "avg_us": us(core.mean), "p99_us": us(core.summary.p99), "max_us": us(core.summary.max),
            "realtime_priority": core.refused.is_none().then_some(latency.priority),
            "histogram": bins.collect::<Vec<_>>(),
        })
    });
    let failed = latency.failed.iter().map(|(core, error)| json!({ "core": core, "error": error }));
    json!({
        "seconds": latency.duration.as_secs_f64(), "period_us": 1000, "memory_locked": latency.unlocked.is_none(),
        "cores": cores.collect::<Vec<_>>(), "not_measured": failed.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Summary;
    use std::time::Duration;

    fn latency(refused: Option<&str>) -> Latency {
        let core = CoreLatency {
            core: 3,
            min: 1234,
            mean: 2000,
            summary: Summary { count: 1000, p50: 1900, p99: 4000, max: 9000 },
            missed: 0,
            bins: vec![0, 900, 99, 0, 1, 0],
            refused: refused.map(str::to_owned),
        };
        let failed = vec![(7, "no such core".to_owned())];
        Latency { duration: Duration::from_secs(10), priority: 80, unlocked: None, cores: vec![core], failed }
    }

    #[test]
    fn a_pipe_gets_numbers() {
        let expected = "wake-up latency, from one millisecond to the next for 10s
  SCHED_FIFO 80; memory locked
  core  wake-ups  missed  min \u{b5}s  avg \u{b5}s  p99 \u{b5}s  max \u{b5}s
  3     1000      0       1.2     2.0     4.0     9.0
  core 7 could not be measured: no such core

  wake-ups that were late by less than so many \u{b5}s (each counted once)
  core   <1  <2  <4  <8 <16
  3       0 900  99   0   1
";
        assert_eq!(readable(&latency(None), false), expected);
    }

    #[test]
    fn a_screen_gets_bars_in_which_a_single_late_one_shows() {
        let shown = readable(&latency(Some("no")), true);
        assert!(!shown.contains("<32") && shown.contains("no real-time priority (no)"), "{shown}");
        assert!(shown.lines().last().unwrap().ends_with("\u{2581}\u{2581}\u{2581}"), "{shown}");
        assert_eq!((bar(0, 9), bar(9, 9), bar(1, 1)), ("   ".into(), BARS[7].repeat(3), BARS[7].repeat(3)));
    }

    #[test]
    fn programs_get_microseconds() {
        let value = machine_readable(&latency(None));
        assert_eq!(value["cores"][0]["max_us"], 9.0);
        assert_eq!(value["cores"][0]["histogram"][0], json!({ "below_us": 2, "count": 900 }));
        assert_eq!(value["cores"][0]["realtime_priority"], 80);
        assert_eq!(value["not_measured"][0]["core"], 7);
    }
}
