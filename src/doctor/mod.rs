//! What this machine lacks for data acquisition, and the command that mends it.
//!
//! Each check is a file: a reader (`look`) that collects what the machine says, and a pure function (`judge`) that makes a
//! [`Finding`] of it. A reader changes nothing and opens no port. What it cannot see is [`Level::Unknown`], never
//! [`Level::Ok`].

mod boot;
mod bus;
mod console;
mod device;
mod disk;
mod examine;
mod finding;
mod governor;
mod heat;
mod isolation;
mod latency;
mod limits;
mod mini_uart;
mod port;
mod preemption;
mod read;
mod realtime_share;
mod rights;
mod shell;
mod throttle;
mod time;
mod usb_timer;
mod wishes;

pub use examine::{examine, sort, worst};
pub use finding::{Finding, Level};
pub use latency::{CoreLatency, Latency, judge as judge_latency, measure};
pub use shell::quote;
pub use wishes::Wishes;
