//! What was measured, and on what.

use serde_json::{Value, json};

use super::{Python, Row};
use crate::multi::cpu_count;

/// The samples of one operation, nanoseconds each.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The operation.
    pub row: &'static Row,
    /// Done here, one a round.
    pub ours: Vec<f64>,
    /// Done in Python; none without it.
    pub python: Vec<f64>,
    /// Why Python did not go on with it.
    pub failure: Option<String>,
}

/// Where it was measured.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Hardware threads it has.
    pub cpus: usize,
    /// Cores of them that we may use: so many processes have the pools.
    pub cores: usize,
    /// The processor, as it calls itself.
    pub model: String,
    /// The kernel's release.
    pub kernel: String,
}

/// All that a run has found out.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// Beside whom.
    pub python: Option<Python>,
    /// How often each.
    pub rounds: usize,
    /// Whether it was short.
    pub quick: bool,
    /// What, in the order of the table.
    pub rows: Vec<Measured>,
}

/// The middle of the samples.
fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

impl Measured {
    pub(super) fn new(row: &'static Row) -> Self {
        Self { row, ours: Vec::new(), python: Vec::new(), failure: None }
    }

    /// Median of ours, nanoseconds.
    pub fn median(&self) -> Option<f64> {
        median(&self.ours)
    }

    /// Median of Python's, nanoseconds; `None` where it failed.
    pub fn python_median(&self) -> Option<f64> {
        median(&self.python).filter(|_| self.failure.is_none())
    }

    /// How many times longer Python takes.
    pub fn ratio(&self) -> Option<f64> {
        Some(self.python_median()? / self.median()?)
    }
}

impl Machine {
    pub(super) fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            cpus: cpu_count().get(),
            cores: crate::multi::available_cores().len(),
            model: model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned()),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

impl Report {
    /// Whether the compiler optimised what was measured.
    pub fn is_optimised(&self) -> bool {
        !cfg!(debug_assertions)
    }

    /// The operation with this key, if it was measured.
    pub fn row(&self, key: &str) -> Option<&Measured> {
        self.rows.iter().find(|measured| measured.row.key == key)
    }

    /// For machines: all samples, in nanoseconds.
    pub fn json(&self) -> Value {
        let row = |measured: &Measured| {
            json!({
                "key": measured.row.key,
                "name": measured.row.name,
                "median_ns": measured.median(),
                "python_median_ns": measured.python_median(),
                "ratio": measured.ratio(),
                "samples_ns": measured.ours,
                "python_samples_ns": measured.python,
                "python_failure": measured.failure,
            })
        };
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "optimised": self.is_optimised(),
            "python": self.python.as_ref().map(|python| &python.version),
            "rounds": self.rounds,
            "quick": self.quick,
            "cpus": self.machine.cpus,
            "cores": self.machine.cores,
            "model": self.machine.model,
            "kernel": self.machine.kernel,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::ROWS;

    fn measured(ours: &[f64], python: &[f64]) -> Measured {
        Measured { ours: ours.to_vec(), python: python.to_vec(), ..Measured::new(&ROWS[0]) }
    }

    #[test]
    fn the_ratio_is_that_of_the_medians() {
        let measured = measured(&[2.0, 900.0, 1.0], &[40.0, 30.0, 20.0]);
        assert_eq!(measured.ratio(), Some(15.0));
    }

    #[test]
    fn without_python_there_is_no_ratio() {
        assert_eq!(measured(&[1.0], &[]).ratio(), None);
    }

    #[test]
    fn what_failed_in_python_has_no_median() {
        let failed = Measured { failure: Some("no".into()), ..measured(&[1.0], &[2.0]) };
        assert_eq!((failed.python_median(), failed.ratio()), (None, None));
    }
}
