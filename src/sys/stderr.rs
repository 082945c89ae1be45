//! The last place to say something.

use std::io::Write;

/// Writes a line to stderr. If that is full or closed there is nobody left to tell, and unlike with `eprintln!` that is no
/// reason to panic.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", line.trim_end());
}
