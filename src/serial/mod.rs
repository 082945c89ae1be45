//! Serial ports: settings, opening, stable names.

mod port;
mod ports;

pub use crate::sys::termios::{DataBits, Flow, Parity};
pub use port::{OpenError, Port, PortSettings};
pub use ports::{PortInfo, PortList, ports};
