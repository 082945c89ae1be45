//! The last place to say something.

use std::io::Write;

/// Writes a line to stderr, by one write: lines of other processes cannot come between its parts. If that is full or closed there is nobody left to tell, and unlike with `eprintln!` that is no
/// reason to panic.
pub fn say(line: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{}\n", line.trim_end()).as_bytes());
}
