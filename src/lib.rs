//! pinring turns a multicore Linux board into a dependable data-acquisition machine.
//!
//! # Plan of the house
//!
//! A module imports only from lower floors; `scripts/check-layers` reads this table and holds the
//! code to it.
//!
//! ```text
//! F0 prim sys
//! F1 shm
//! F2 message ring
//! F3 topology trace
//! F4 process
//! F5 supervisor control multi
//! F6 serial sensor codec
//! F7 pipeline source stage sink
//! F8 config dash demo doctor bench cli
//! ```
//!
//! Files that may contain `unsafe`:
//!
//! ```text
//! unsafe sys/ prim/prefetch.rs shm/segment.rs
//! unsafe ring/slots.rs ring/cells.rs ring/words.rs ring/intent.rs
//! unsafe process/spawn.rs process/words.rs trace/histogram.rs trace/flight.rs
//! unsafe multi/arena.rs multi/object.rs multi/bell.rs multi/member.rs multi/family.rs multi/launcher.rs multi/guardian.rs
//! unsafe multi/child.rs multi/process_builder.rs multi/plain.rs multi/room.rs multi/raw_lock.rs multi/mutex.rs
//! unsafe multi/reentrant.rs multi/permits.rs multi/waiting.rs multi/event.rs multi/rounds.rs
//! unsafe multi/barrier.rs multi/value.rs multi/array.rs multi/blob.rs multi/shared_memory.rs
//! unsafe multi/waybill.rs multi/queue/slots.rs multi/spsc/lane.rs multi/pool/ multi/no_size.rs
//! ```
#![deny(unsafe_code)]

/// Views a node's state as the words it is made of.
pub use bytemuck;

#[cfg(feature = "cli")]
pub mod bench;
#[cfg(feature = "cli")]
pub mod cli;
pub mod codec;
#[cfg(feature = "cli")]
pub mod config;
pub mod control;
#[cfg(feature = "cli")]
pub mod dash;
#[cfg(feature = "cli")]
pub mod demo;
#[cfg(feature = "cli")]
pub mod doctor;
pub mod message;
// Its words lie in memory of the system, where loom's cannot.
#[cfg(not(loom))]
pub mod multi;
pub mod pipeline;
pub mod prim;
pub mod process;
pub mod ring;
pub mod sensor;
pub mod serial;
pub mod shm;
pub mod sink;
pub mod source;
pub mod stage;
pub mod supervisor;
#[allow(unsafe_code)]
pub mod sys;
pub mod topology;
pub mod trace;
