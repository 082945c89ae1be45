//! Processes, and one that keeps objects for others.

use std::time::Instant;

use super::channel::each;
use super::row::Sample;
use crate::multi::{Manager, Process};

/// A process that does nothing is started and joined.
pub(super) fn start_and_join(count: u64) -> Sample {
    let start = Instant::now();
    for _ in 0..count {
        Process::spawn(|| ())?.join()?;
    }
    each(start, count)
}

/// One entry of a dict in a manager's process is set.
pub(super) fn manager_dict(count: u64) -> Sample {
    let manager = Manager::start()?;
    let dict = manager.dict::<String, u64>()?;
    let start = Instant::now();
    for number in 0..count {
        dict.insert("x".into(), number)?;
    }
    let taken = each(start, count);
    if dict.get(&"x".into())? != Some(count - 1) {
        return Err("the dict holds another number".into());
    }
    manager.shutdown()?;
    taken
}
