//! The `pinring` program, one file a subcommand.

mod arguments;
mod ask;
mod bench;
mod bytes;
mod check;
mod columns;
mod demo;
mod doctor;
mod generate;
mod install;
mod latency_text;
mod logger;
mod observer;
mod ports;
mod run;
mod topology;
mod verdict;

use std::process::ExitCode;

use clap::Parser;

use crate::sys::stderr;

pub use arguments::Arguments;
use arguments::Verb;

/// Exit codes of the program, as the manual page lists them.
pub mod exit {
    /// All went well.
    pub const OK: u8 = 0;
    /// It ran, but messages were lost without an explanation, or workers had to be killed at the end; `status`: the system is degraded;
    /// `doctor`: something will cost data or time.
    pub const LOSS: u8 = 1;
    /// `doctor`: data or deadlines are at risk.
    pub const WARNINGS: u8 = 1;
    /// `doctor`: something will not work. (2 is a wrong command line.)
    pub const FAULTS: u8 = 3;
    /// It could not do what was asked: a file, a terminal, the system.
    pub const FAILED: u8 = 70;
    /// The configuration is wrong; nothing was started.
    pub const CONFIG: u8 = 78;
}

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.verb.unwrap_or_default() {
        Verb::Demo(demo) => demo::run(&demo),
        Verb::Run(run) => run::run(&run),
        Verb::Check(check) => check::run(&check),
        Verb::Topology { json } => show(|out| topology::print(json, out)),
        Verb::Ports { json } => show(|out| ports::print(json, out)),
        Verb::Status(status) => ask::status(&status),
        Verb::Restart(node) => ask::restart(&node),
        Verb::Stop(node) => ask::stop(&node),
        Verb::Start(node) => ask::start(&node),
        Verb::Reload { system } => ask::reload(system.as_deref()),
        Verb::LogLevel(level) => ask::log_level(&level),
        Verb::Send(send) => ask::send(&send),
        Verb::Upgrade(upgrade) => ask::upgrade(&upgrade),
        Verb::Doctor(doctor) => doctor::run(&doctor),
        Verb::Bench(bench) => bench::run(&bench),
        Verb::Install(install) => show(|out| install::print_unit(&install, out)),
        Verb::Completions { shell } => show(|out| generate::completions(shell, out)),
        Verb::Man => show(generate::man),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // The messages name their causes themselves.
            stderr::say(&format!("pinring: {error}"));
            ExitCode::from(exit::FAILED)
        }
    }
}

/// Writes to stdout; a reader that has seen enough (`pinring ports | head`) is no error.
fn show(print: impl FnOnce(&mut dyn std::io::Write) -> anyhow::Result<()>) -> anyhow::Result<u8> {
    let mut text = Vec::new();
    print(&mut text)?;
    match std::io::Write::write_all(&mut std::io::stdout(), &text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(exit::OK),
    }
}
