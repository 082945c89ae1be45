//! What a worker says when its supervisor tells it to abort: where it is.

use std::backtrace::Backtrace;
use std::sync::OnceLock;

use crate::shm::SharedRef;
use crate::sys::clock::monotonic_ns;
use crate::sys::signal;
use crate::trace::{FlightEvent, FlightWords};

static FLIGHT: OnceLock<SharedRef<FlightWords>> = OnceLock::new();

/// Has SIGABRT write a backtrace into the log before it ends the worker. In a worker, once.
pub(super) fn on_abort(flight: SharedRef<FlightWords>) {
    let _ = FLIGHT.set(flight);
    // Without it the worker dies without last words.
    let _ = signal::on_abort(say_where);
}

/// In the signal's context. To make a backtrace takes memory and locks, which the interrupted code may hold: then this hangs, and
/// the SIGKILL that follows ends it. There is nothing to lose.
fn say_where() {
    let Some(flight) = FLIGHT.get() else { return };
    flight.note(monotonic_ns(), FlightEvent::Aborted, None, 0);
    flight.say("aborted; the log has the backtrace");
    let text = Backtrace::force_capture().to_string();
    // A frame is two lines: what, and where. The frames of the handler itself are of no use.
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        log::error!("at {line}");
    }
}
