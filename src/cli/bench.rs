//! `pinring bench`: what operations cost here, beside Python.

use std::fmt::Write as _;
use std::io::IsTerminal;

use super::arguments::{BenchArguments, BenchWhat, MultiArguments};
use super::columns::columns;
use super::{exit, show};
use crate::bench::{Measured, Progress, Python, ROWS, Report, Settings, measure};
use crate::sys::stderr;

pub(super) fn run(arguments: &BenchArguments) -> anyhow::Result<u8> {
    match &arguments.what {
        BenchWhat::Multi(multi) => run_multi(multi),
    }
}

/// What is in the name of an operation, for `--only`.
pub(super) fn part_of_a_name(text: &str) -> Result<String, String> {
    if ROWS.iter().any(|row| row.has(text)) {
        return Ok(text.to_owned());
    }
    let keys: Vec<&str> = ROWS.iter().map(|row| row.key).collect();
    Err(format!("no operation has that in its name; there are {}", keys.join(", ")))
}

fn run_multi(arguments: &MultiArguments) -> anyhow::Result<u8> {
    let python = if arguments.no_python { None } else { Python::find() };
    let settings = Settings { quick: arguments.quick, python, only: arguments.only.clone() };
    let terminal = std::io::stderr().is_terminal();
    let report = measure(&settings, |progress| tell(progress, terminal))?;
    if terminal {
        eprint!("\r\x1b[K");
    }
    let text = if arguments.json { format!("{:#}\n", report.json()) } else { readable(&report, arguments.no_python) };
    show(|out| Ok(out.write_all(text.as_bytes())?))?;
    Ok(exit::OK)
}

/// On a terminal one line that changes, else a line for each round.
fn tell(progress: Progress, terminal: bool) {
    let Progress { round, rounds, row } = progress;
    if terminal {
        eprint!("\r\x1b[Kround {round} of {rounds}: {}", row.name);
    } else if row.key == ROWS[0].key {
        stderr::say(&format!("round {round} of {rounds}"));
    }
}

fn readable(report: &Report, unwanted: bool) -> String {
    let machine = &report.machine;
    let theirs = report.python.as_ref().map_or("Python", |python| &python.version);
    let head = ["", "pinring", theirs, "Python takes"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(report.rows.iter().map(cells)).collect();
    let mut text = columns(&rows);
    text.push('\n');
    for sentence in [in_parallel(report), caveats(report, unwanted)].concat() {
        let _ = writeln!(text, "{sentence}");
    }
    let _ = writeln!(
        text,
        "Measured now, pinring {} on {} ({} hardware threads, {} cores for us), Linux {}: medians of {} rounds, in each of which\n\
         both did every operation once, in turns. Nothing is pinned but the workers of our pools, which are so by default.\n\
         sum: i + i^2 + i^3 for all i below 1,000,000, twice; the starts of threads and processes are part of it.\n\
         The rest: one operation, of many in a row, without what it takes to set up.",
        env!("CARGO_PKG_VERSION"),
        machine.model,
        machine.cpus,
        machine.cores,
        machine.kernel,
        report.rounds,
    );
    text
}

fn cells(measured: &Measured) -> [String; 4] {
    let time = |nanoseconds: Option<f64>| nanoseconds.map_or_else(|| "-".to_owned(), duration);
    let ratio = measured.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{} x as long", digits(ratio)));
    [measured.row.name.to_owned(), time(measured.median()), time(measured.python_median()), ratio]
}

/// What several cores bring, which is the tutorials' point.
fn in_parallel(report: &Report) -> Vec<String> {
    let ratio = |median: fn(&Measured) -> Option<f64>, what: &str, how: &str| {
        let of = |way: &str| median(report.row(&format!("{what}_{way}"))?);
        Some(digits(of("normal")? / of(how)?))
    };
    let sentence = |name: &str, what: &str, median| {
        let (threads, processes) = (ratio(median, what, "threads")?, ratio(median, what, "processes")?);
        Some(format!(
            "{name}: two threads are {threads} x as fast as one after the other, two processes {processes} x."
        ))
    };
    let sentences = [
        sentence("In Python", "sum", Measured::python_median),
        sentence("Here", "sum", Measured::median),
        sentence("Here, a hundred such sums", "hundred", Measured::median),
    ];
    sentences.into_iter().flatten().collect()
}

/// What the reader has to know before believing a number.
fn caveats(report: &Report, unwanted: bool) -> Vec<String> {
    let mut sentences = Vec::new();
    if !report.is_optimised() {
        sentences.push("THIS IS A DEBUG BUILD: our times are many times too long. Build with --release.".to_owned());
    }
    if report.machine.load > 0.3 {
        let load = report.machine.load;
        sentences.push(format!(
            "The machine had other work when this began (load {load}): what needs several cores is too slow."
        ));
    }
    if report.quick {
        sentences.push("Quick: few rounds of few operations; single numbers may be off by a half.".to_owned());
    }
    if report.python.is_none() && !unwanted {
        sentences.push("There is no python3 here that could be asked.".to_owned());
    }
    let failed = report.rows.iter().filter_map(|measured| Some((measured.row.name, measured.failure.as_ref()?)));
    sentences.extend(failed.map(|(name, why)| format!("{name}: in Python it failed: {why}")));
    sentences
}

/// Three digits, in the unit that fits.
fn duration(nanoseconds: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "us")];
    let (unit, name) = units.into_iter().find(|(unit, _)| nanoseconds >= *unit).unwrap_or((1.0, "ns"));
    format!("{} {name}", digits(nanoseconds / unit))
}

/// Three digits, if it is less than a thousand.
fn digits(number: f64) -> String {
    let places = if number >= 99.95 {
        0
    } else if number >= 9.995 {
        1
    } else {
        2
    };
    format!("{number:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_the_unit_that_fits() {
        let times = [0.5, 9.999, 64.0, 1_000.0, 281_000_000.0, 2_000_000_000.0].map(duration);
        assert_eq!(times, ["0.50 ns", "10.0 ns", "64.0 ns", "1.00 us", "281 ms", "2.00 s"]);
    }
}
