//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0   all went well
  1   messages were lost without an explanation, or workers had to be killed at the end
  2   the command line is wrong
  70  it could not do what was asked (a file, a terminal, the system)
  78  the configuration is wrong; nothing was started";

const EXAMPLES: &str = "\
Examples:
  pinring                        watch it work: no configuration, no hardware, no root
  pinring check station.toml     see what a configuration means
  pinring run station.toml       run it";

/// Dependable data acquisition on multicore Linux boards.
///
/// One TOML file names the serial ports and sensors, how to decode them, what to compute and where the data goes. A supervisor
/// pins one worker process to each core, joins them by lock-free rings in shared memory, and restarts whatever dies without
/// losing or doubling a message.
#[derive(Debug, Parser)]
#[command(name = "pinring", version, after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct Arguments {
    /// What to do; without it, `demo`.
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show what it does, on instruments it plays itself
    ///
    /// Opens real kernel terminals, plays a GPS, an IMU and a weather station into them, and runs a pipeline over them into CSV
    /// files. In the middle it unplugs one, flips bits on another and kills a worker, and shows that nothing is lost.
    #[command(
        after_help = "Examples:\n  pinring demo --for 20s\n  pinring demo --calm --data /tmp/data\n  pinring demo --print-config"
    )]
    Demo(DemoArguments),
    /// Run the pipeline of a configuration file
    ///
    /// Runs until its sources end, or SIGTERM, SIGINT or SIGHUP asks it to stop in order; a second signal kills.
    #[command(after_help = "Examples:\n  pinring run station.toml\n  pinring run station.toml --for 1h --json")]
    Run(RunArguments),
    /// Check a configuration file and print the plan; start nothing
    ///
    /// Prints nodes, cores, edges, schemas with units, slot sizes, ring depths in slots and in seconds at the rated load, and memory.
    #[command(after_help = "Example:\n  pinring check station.toml")]
    Check(CheckArguments),
    /// Show the board, its cores, and which worker would go where and why
    #[command(after_help = "Example:\n  pinring topology --json")]
    Topology {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// List the serial ports: stable names, drivers, who holds them
    #[command(after_help = "Example:\n  pinring ports")]
    Ports {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  pinring completions bash > ~/.local/share/bash-completion/completions/pinring")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example:\n  pinring man | man -l -")]
    Man,
}

impl Default for Verb {
    fn default() -> Self {
        Self::Demo(DemoArguments::default())
    }
}

#[derive(Args, Debug)]
pub(super) struct DemoArguments {
    /// End by itself after this time, for example 10s or 2m
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(super) duration: Option<Duration>,
    /// Leave the faults out
    #[arg(long)]
    pub(super) calm: bool,
    /// Where the CSV files go
    #[arg(long, value_name = "DIR", default_value = "pinring-data")]
    pub(super) data: PathBuf,
    /// Print the verdict as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Print the configuration it runs, and end
    #[arg(long)]
    pub(super) print_config: bool,
}

impl Default for DemoArguments {
    fn default() -> Self {
        Self { duration: None, calm: false, data: "pinring-data".into(), json: false, print_config: false }
    }
}

#[derive(Args, Debug)]
pub(super) struct RunArguments {
    /// The configuration
    #[arg(value_name = "FILE.toml")]
    pub(super) file: PathBuf,
    /// End by itself after this time, for example 10s or 2h
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(super) duration: Option<Duration>,
    /// Print the closing report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct CheckArguments {
    /// The configuration
    #[arg(value_name = "FILE.toml")]
    pub(super) file: PathBuf,
    /// Print the plan as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_verb_it_is_the_demo() {
        let arguments = Arguments::try_parse_from(["pinring"]).unwrap();
        assert!(matches!(arguments.verb.unwrap_or_default(), Verb::Demo(_)));
    }
}
