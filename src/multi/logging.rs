//! The `log` facade in every process of a family, as Python's `multiprocessing.log_to_stderr`.

use log::{LevelFilter, Log, Metadata, Record};

use super::error::SpawnError;
use super::family;
use crate::sys::stderr;

/// Writes each record as one line, `[LEVEL/process] text`, by one write: lines of different processes are never mixed.
struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let name = family::member(family::me()).name();
            // What one record says in several lines stays one line.
            let text = record.args().to_string().replace('\n', "\\n");
            stderr::say(&format!("[{}/{name}] {text}", record.level()));
        }
    }

    fn flush(&self) {}
}

static STDERR: Stderr = Stderr;

/// Has the `log` facade write to the standard error, in this process and in those that are started from now on, records of `level` and
/// above. If the program has a logger of its own, that stays, and only the level is set.
///
/// # Errors
/// If there is no family and none can be made.
#[doc(alias = "get_logger")]
pub fn log_to_stderr(level: LevelFilter) -> Result<(), SpawnError> {
    family::join()?.arena.log_level().set(level as u32 + 1);
    take_over();
    Ok(())
}

/// At the birth of a process: it logs as its parent does.
pub(super) fn take_over() {
    let wanted = family::get().arena.log_level().get();
    if let Some(level) = LevelFilter::iter().find(|level| *level as u32 + 1 == wanted) {
        // An error: there is a logger already, ours or the program's.
        let _ = log::set_logger(&STDERR);
        log::set_max_level(level);
    }
}
