//! The parent of all workers: starts, watches, restarts and stops them.
//!
//! One thread, one epoll loop over the stop signals, a pidfd and a control channel per worker, one timer and the bell
//! of the log rings. It never waits for anything a worker holds.
//!
//! Life of a worker as seen from here (names of `Life`):
//!
//! ```text
//!            spawn                    pidfd readable, exit 0 after its nodes ended
//! Waiting ----------> Running ------------------------------------------------> Done
//!    ^                   |
//!    |  policy::delay    | pidfd readable, any other end
//!    +-------------------+
//! ```

mod crew;
mod policy;
mod reactor;
mod state;

pub use crew::{Crew, Event, Wish};
pub use policy::Backoff;
pub use reactor::{Outcome, SuperviseError, Supervisor};
