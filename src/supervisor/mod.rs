//! The parent of all workers: starts, watches, restarts and stops them.
//!
//! What to do is decided by [`State`], which knows no syscall; the reactor does it: one thread, one epoll loop over the stop
//! signals, a pidfd and a control channel per worker, one timer and the bell of the log rings. It never waits for anything a
//! worker holds.

mod backoff;
mod crew;
mod hands;
mod hearing;
mod input;
mod intensity;
mod life;
mod notify;
#[cfg(test)]
mod otp_tests;
mod policy;
mod reactor;
mod rounds;
#[cfg(test)]
mod simulation_tests;
mod state;
#[cfg(test)]
mod state_tests;
mod stop;
mod view;
mod vigil;

pub use backoff::Backoff;
pub use crew::{Crew, Event, Reply, Said, Wish};
pub use input::{Action, End, Fenced, Input, Mode};
pub use intensity::Intensity;
pub use life::Life;
pub use notify::Notifier;
pub use policy::{Escalate, Group, Policy, Restart, Strategy};
pub use reactor::{Outcome, SuperviseError, Supervisor};
pub use state::State;
pub use vigil::Hang;

/// A duration in nanoseconds.
fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
