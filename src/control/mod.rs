//! The control socket: a stream socket in the file system over which people ask a running system.
//!
//! One request a line, a JSON object; one answer a line, a JSON object; in order. The server never waits for a client and does a
//! bounded amount of work at a time, so that nobody who connects can disturb the loop it lives in.

mod client;
mod connection;
mod lines;
mod place;
mod server;
#[cfg(test)]
mod server_tests;

pub use client::{Client, ask};
pub use place::{FindError, Surroundings};
pub use server::Server;

/// Longest request, in bytes, its newline not counted.
const MAX_REQUEST: usize = 64 << 10;
/// Longest answer, in bytes, its newline not counted.
const MAX_ANSWER: usize = 1 << 20;
