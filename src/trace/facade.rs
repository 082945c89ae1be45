//! The `log` facade allows one logger per process for good, but a forked worker must log elsewhere than its parent. So the
//! logger is a switch: it leads to the parent's logger, and after the fork to the worker's ring.

use std::sync::OnceLock;

/// The parent's logger.
static PARENT: OnceLock<Box<dyn log::Log>> = OnceLock::new();
/// The worker's ring, in a worker.
static WORKER: OnceLock<&'static dyn log::Log> = OnceLock::new();

struct Switch;

impl Switch {
    fn target() -> Option<&'static dyn log::Log> {
        WORKER.get().copied().or_else(|| PARENT.get().map(AsRef::as_ref))
    }
}

impl log::Log for Switch {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        Self::target().is_some_and(|target| target.enabled(metadata))
    }

    fn log(&self, record: &log::Record<'_>) {
        if let Some(target) = Self::target() {
            target.log(record);
        }
    }

    fn flush(&self) {
        if let Some(target) = Self::target() {
            target.flush();
        }
    }
}

/// Makes `logger` the logger of this process, in a way that lets forked workers send their records to it through their
/// rings. A program that uses another logger instead keeps it; then the records of its workers go there as well, from the
/// worker's process.
///
/// # Errors
/// If this process has a logger already.
pub fn set_parent_logger(logger: Box<dyn log::Log>, level: log::LevelFilter) -> Result<(), log::SetLoggerError> {
    log::set_logger(&Switch)?;
    log::set_max_level(level);
    // Set once, as the line above succeeds once.
    let _ = PARENT.set(logger);
    Ok(())
}

/// In a worker: all records go to `ring` from now on.
pub(super) fn route_to(ring: &'static dyn log::Log) {
    if log::set_logger(&Switch).is_ok() {
        // The parent had no logger: the supervisor's observer still gets the records.
        log::set_max_level(log::LevelFilter::Info);
    }
    let _ = WORKER.set(ring);
}
