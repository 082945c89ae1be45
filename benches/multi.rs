//! `pinring::multi` beside Rust's channels, locks and thread pools and beside CPython's `multiprocessing`. The rivals live in a package of
//! their own, `benches/compare`; this builds and runs it. Arguments after `--` go to it: `cargo bench --bench multi -- --rounds 3`.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to know that it runs.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    arguments.retain(|argument| argument != "--bench");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/Cargo.toml");
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/target/compare");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let build = ["build", "--release", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir", target];
    if !Command::new(cargo).args(build).status().is_ok_and(|status| status.success()) {
        eprintln!("benches/compare could not be built; its rivals need Rust 1.89");
        return ExitCode::FAILURE;
    }
    match Command::new(format!("{target}/release/pinring-compare")).arg("multi").args(arguments).status() {
        // 1: a goal was missed, which is marked in the table.
        Ok(status) if matches!(status.code(), Some(0 | 1)) => ExitCode::SUCCESS,
        other => {
            eprintln!("benches/compare failed: {other:?}");
            ExitCode::FAILURE
        }
    }
}
