//! The rings beside others and beside the machine's limits. The rivals live in a package of their own, `benches/compare`, so that
//! they are no dependency of pinring; this builds and runs it. Arguments after `--` go to it: `cargo bench --bench ring -- --rounds 3`.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to know that it runs.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    arguments.retain(|argument| argument != "--bench");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/Cargo.toml");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let run = Command::new(cargo)
        .args(["run", "--release", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir"])
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/target/compare"), "--"])
        .args(arguments)
        .status();
    match run {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        // A goal that was missed is marked in the table; it is no reason not to print the next.
        Ok(status) if status.code() == Some(1) => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("benches/compare: {status}; its rivals need Rust 1.89");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("cannot run cargo for benches/compare: {error}");
            ExitCode::FAILURE
        }
    }
}
