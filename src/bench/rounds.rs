//! Taking turns: every round does each operation once here and once in Python.

use super::report::{Machine, Measured, Report};
use super::{Python, ROWS, Row};
use crate::multi::{available_cores, init};

/// Rounds; odd, so that there is a middle.
const ROUNDS: usize = 9;
const QUICK_ROUNDS: usize = 3;

/// What is to be measured.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Fewer rounds of fewer operations: less exact.
    pub quick: bool,
    /// Whom to compare with.
    pub python: Option<Python>,
    /// Only the operations with one of these in their key or name; all if there are none.
    pub only: Vec<String>,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Round, from 1 on.
    pub round: usize,
    /// Of so many.
    pub rounds: usize,
    /// What is done now.
    pub row: &'static Row,
}

/// An operation failed.
#[derive(Debug, thiserror::Error)]
#[error("{row}: {source}")]
pub struct BenchError {
    /// Its name.
    pub row: &'static str,
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Measures. Must be called while this process has one thread, for it forks.
///
/// # Errors
/// If an operation fails here. Where one fails in Python the report says so.
pub fn measure(settings: &Settings, mut progress: impl FnMut(Progress)) -> Result<Report, BenchError> {
    init().map_err(|error| BenchError { row: "start", source: error.into() })?;
    // Before we make load ourselves.
    let machine = Machine::look();
    let rounds = if settings.quick { QUICK_ROUNDS } else { ROUNDS };
    let wanted = |row: &&Row| settings.only.is_empty() || settings.only.iter().any(|part| row.has(part));
    let mut rows: Vec<Measured> = ROWS.iter().filter(wanted).map(Measured::new).collect();
    for round in 1..=rounds {
        for measured in &mut rows {
            progress(Progress { round, rounds, row: measured.row });
            // Who is first has the colder machine: they take turns in that, too.
            if round % 2 == 0 {
                theirs(measured, settings);
            }
            ours(measured, settings)?;
            if round % 2 == 1 {
                theirs(measured, settings);
            }
        }
    }
    Ok(Report { machine, python: settings.python.clone(), rounds, quick: settings.quick, rows })
}

fn ours(measured: &mut Measured, settings: &Settings) -> Result<(), BenchError> {
    let row = measured.row;
    let (count, _) = row.counts(settings.quick);
    let sample = (row.way)(count).map_err(|source| BenchError { row: row.name, source })?;
    measured.ours.push(sample);
    Ok(())
}

fn theirs(measured: &mut Measured, settings: &Settings) {
    let (_, count) = measured.row.counts(settings.quick);
    let Some(python) = settings.python.as_ref().filter(|_| count > 0 && measured.failure.is_none()) else { return };
    match python.sample(measured.row.key, count, available_cores().len()) {
        Ok(sample) => measured.python.push(sample),
        Err(error) => measured.failure = Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_threads_is_refused_and_not_measured() {
        // The test harness has threads.
        assert!(measure(&Settings { quick: true, ..Settings::default() }, |_| {}).is_err());
    }
}
