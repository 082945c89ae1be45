//! pinring turns a multicore Linux board into a dependable data-acquisition machine.
//!
//! # Plan of the house
//!
//! A module imports only from lower floors; `scripts/check-layers` reads this table and holds the
//! code to it. A file that may contain `unsafe` carries a star.
//!
//! ```text
//! F0 prim sys*
//! F1 shm
//! F2 message ring
//! F3 topology trace
//! F4 process
//! F5 supervisor
//! F6 serial sensor codec
//! F7 pipeline source stage sink
//! F8 config dash demo cli
//! ```
#![deny(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod codec;
#[cfg(feature = "cli")]
pub mod config;
#[cfg(feature = "cli")]
pub mod dash;
#[cfg(feature = "cli")]
pub mod demo;
pub mod message;
pub mod pipeline;
pub mod prim;
pub mod process;
#[allow(unsafe_code)]
pub mod ring;
pub mod sensor;
pub mod serial;
#[allow(unsafe_code)]
pub mod shm;
pub mod sink;
pub mod source;
pub mod stage;
pub mod supervisor;
#[allow(unsafe_code)]
pub mod sys;
pub mod topology;
pub mod trace;
