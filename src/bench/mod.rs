//! What `multi` costs, beside Python's `multiprocessing` in the same minutes on the same machine.
//!
//! Each [`Row`] is one operation, done here and, by the program in `operations.py`, in Python. [`measure`] takes them in rounds, so
//! that both have the machine in the same moods, and keeps all samples. Nothing is pinned, and nothing is known beforehand: every number
//! in a [`Report`] was measured by the run that made it.

mod channel;
mod lock;
mod pool;
mod process;
mod python;
mod report;
mod rounds;
mod row;
mod sum;

pub use python::Python;
pub use report::{Machine, Measured, Report};
pub use rounds::{BenchError, Progress, Settings, measure};
pub use row::{ROWS, Row, Way};
