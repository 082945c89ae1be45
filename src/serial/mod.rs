//! Serial ports: settings, opening, stable names.

mod port;

pub use crate::sys::termios::{DataBits, Flow, Parity};
pub use port::{OpenError, Port, PortSettings};
