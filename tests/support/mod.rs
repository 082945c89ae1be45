//! What the forking tests share: a runner without threads, a watchdog, a random number.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub(crate) mod forked;
pub(crate) mod length_file;
pub(crate) mod nodes;
pub(crate) mod processes;
pub(crate) mod ptrace;
pub(crate) mod pty;
pub(crate) mod random;

use std::panic::{AssertUnwindSafe, catch_unwind};

#[allow(unused_imports, reason = "each test uses its part")]
pub(crate) use random::Random;

/// A test: the fact that must hold, and the code that tries it.
pub(crate) type Test = (&'static str, fn());

/// Runs the tests one after another in this process, which has one thread, so they may fork. A test that takes longer than
/// `watchdog_s` seconds ends the run. Ends with the line `N passed, N failed`; the arguments select tests by part of their
/// name.
pub(crate) fn run(tests: &[Test], watchdog_s: u32) -> std::process::ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in tests {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        // SIGALRM's default ends the process: a hang is a failure that names itself in the line before.
        nix::unistd::alarm::set(watchdog_s);
        print!("test {name} ... ");
        let _ = std::io::Write::flush(&mut std::io::stdout());
        match catch_unwind(AssertUnwindSafe(test)) {
            Ok(()) => {
                println!("ok");
                passed += 1;
            }
            Err(_) => {
                println!("FAILED");
                failed += 1;
            }
        }
        nix::unistd::alarm::cancel();
    }
    println!("\n{passed} passed, {failed} failed");
    if failed == 0 { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
