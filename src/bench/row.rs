//! The operations that are compared.

use super::{channel, lock, pool, process, sum};

/// What came of an operation: nanoseconds each, or why there are none.
pub(super) type Sample = Result<f64, Box<dyn std::error::Error + Send + Sync>>;

/// An operation as it is done here: so many times, nanoseconds each.
pub type Way = fn(u64) -> Result<f64, Box<dyn std::error::Error + Send + Sync>>;

/// An operation.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// For machines; also the name of its function in the Python program.
    pub key: &'static str,
    /// For people.
    pub name: &'static str,
    /// Done here.
    pub way: Way,
    /// How often in a sample here.
    pub count: u64,
    /// How often in a sample in Python; 0: it is not done there.
    pub python: u64,
}

impl Row {
    /// Whether `part` is in its key or its name, in large letters or small.
    pub fn has(&self, part: &str) -> bool {
        [self.key, self.name].iter().any(|name| name.to_lowercase().contains(&part.to_lowercase()))
    }

    /// How often in a sample, here and in Python; `quick` makes do with a tenth of what is not one piece of work.
    pub(super) fn counts(&self, quick: bool) -> (u64, u64) {
        let less = |count: u64| if quick { count.div_ceil(10) } else { count };
        (less(self.count), less(self.python))
    }
}

const fn row(key: &'static str, name: &'static str, way: Way, count: u64, python: u64) -> Row {
    Row { key, name, way, count, python }
}

/// All of them, in the order of the table.
pub const ROWS: &[Row] = &[
    row("sum_normal", "sum, normal", sum::normal, 1, 1),
    row("sum_threads", "sum, multithread", sum::threads, 1, 1),
    row("sum_processes", "sum, multicore", sum::processes, 1, 1),
    row("hundred_normal", "100 such sums, normal", |_| sum::hundred(sum::normal_times), 1, 0),
    row("hundred_threads", "100 such sums, multithread", |_| sum::hundred(sum::threads_times), 1, 0),
    row("hundred_processes", "100 such sums, multicore", |_| sum::hundred(sum::processes_times), 1, 0),
    row("queue_1", "Queue, an item of 64 B, 1 -> 1", |count| channel::queue(1, count), 1_000_000, 50_000),
    row("simple_queue", "SimpleQueue, an item of 64 B, 1 -> 1", channel::spsc, 10_000_000, 50_000),
    row("queue_4", "Queue, an item of 64 B, 4 -> 1", |count| channel::queue(4, count), 1_000_000, 50_000),
    row("pipe", "Pipe, there and back", channel::pipe, 20_000, 4_000),
    row("pool_map_default", "Pool.map, one number", |count| pool::map(count, 0), 1_000_000, 1_000_000),
    row("pool_map_1", "Pool.map, one number, chunk size 1", |count| pool::map(count, 1), 200_000, 10_000),
    row("pool_apply", "Pool.apply, one task and its result", pool::apply, 10_000, 2_000),
    row("lock", "Lock, taken and given back", lock::alone, 2_000_000, 200_000),
    row("lock_2", "Lock, by two at once", lock::contended, 1_000_000, 100_000),
    row("value_add", "Value += 1", lock::add, 2_000_000, 100_000),
    row("process", "Process, start and join", process::start_and_join, 200, 50),
    row("manager_dict", "Manager, dict set", process::manager_dict, 10_000, 4_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_python_knows_those_it_is_to_do() {
        for (place, row) in ROWS.iter().enumerate() {
            assert!(!ROWS[..place].iter().any(|other| other.key == row.key), "{}", row.key);
            let known = crate::bench::python::PROGRAM.contains(&format!("def {}(", row.key));
            assert_eq!(known, row.python > 0, "{}", row.key);
        }
    }

    #[test]
    fn a_quick_sample_is_never_empty() {
        for row in ROWS {
            assert!(row.counts(true).0 > 0, "{}", row.key);
        }
    }
}
