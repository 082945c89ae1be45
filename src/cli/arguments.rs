//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0   all went well
  1   messages were lost without an explanation, or workers had to be killed at the end; status: the system is degraded;
      doctor: something will cost data or time
  2   the command line is wrong
  3   doctor: something will not work
  70  it could not do what was asked (a file, a terminal, the system), or failures stopped it (escalate = \"exit\")
  78  the configuration is wrong; nothing was started";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  pinring doctor station.toml              what stands in the way of this pipeline
  pinring doctor --latency 10s             and how late its workers would wake up
  pinring doctor --json | jq -r .worst     for scripts";

const DOCTOR_EXIT_CODES: &str = "\
Exit codes:
  0   nothing worse than notes
  1   warnings: data or deadlines are at risk
  2   the command line is wrong
  3   faults: something will not work
  70  it could not do what was asked
  78  the configuration is wrong";

const EXAMPLES: &str = "\
Examples:
  pinring                        watch it work: no configuration, no hardware, no root
  pinring check station.toml     see what a configuration means
  pinring run station.toml       run it
  pinring status                 see how it is doing";

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
    /// Examine this machine for what data acquisition needs
    ///
    /// Rights, ports, consoles on them, clocks, cores, disks, limits. Each finding says what is the case, why that matters and, where
    /// it can be mended, the command or line that does so; the worst come first. It changes nothing and opens no port. What it cannot
    /// look at is called `unknown`. With a configuration it looks at the ports, folders and priorities named there, without one at all
    /// ports and the current folder.
    #[command(after_help = format!("{DOCTOR_EXAMPLES}\n\n{DOCTOR_EXIT_CODES}"))]
    Doctor(DoctorArguments),
    /// List the serial ports: stable names, drivers, who holds them
    #[command(after_help = "Example:\n  pinring ports")]
    Ports {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Show how a running system is doing
    ///
    /// Workers, nodes, what has failed. SYSTEM is its configuration file, or the name of that without `.toml`; where only one runs it
    /// need not be said. Exit code 1 if the system is degraded.
    #[command(
        after_help = "Examples:\n  pinring status\n  pinring status station --json\n  pinring status --last-death gps"
    )]
    Status(StatusArguments),
    /// Stop and start the worker of a node
    ///
    /// It stops between two steps: nothing is lost, ports stay open. Also ends its quarantine.
    #[command(after_help = "Example:\n  pinring restart gps")]
    Restart(NodeArguments),
    /// Have a node pause; a source lets go of its port
    ///
    /// What feeds it fills its rings meanwhile, as if it were slow.
    #[command(
        after_help = "Example (use the port for something else meanwhile):\n  pinring stop gps && ubxtool -f /dev/ttyUSB0 -p RESET; pinring start gps"
    )]
    Stop(NodeArguments),
    /// Have a stopped node go on
    #[command(after_help = "Example:\n  pinring start gps")]
    Start(NodeArguments),
    /// Have a running system read its configuration again
    ///
    /// Only what changed is restarted. A wrong file changes nothing.
    #[command(after_help = "Example:\n  pinring reload station")]
    Reload {
        /// The system; may be left out where only one runs
        #[arg(value_name = "SYSTEM")]
        system: Option<PathBuf>,
    },
    /// Say from which level on a running system logs
    #[command(after_help = "Example:\n  pinring log-level debug")]
    LogLevel(LogLevelArguments),
    /// Send bytes out through the port of a source
    ///
    /// Text with the escapes \r \n \t \0 \\ and \xNN, or hexadecimal digits with --hex.
    #[command(
        after_help = "Examples:\n  pinring send gps '$PMTK220,200*2C\\r\\n'\n  pinring send modem --hex '02 41 03'"
    )]
    Send(SendArguments),
    /// Replace a running system's program by another version, without a gap
    ///
    /// The new version takes over the rings and the open ports and goes on where the old one stopped. It is tried out before: a program
    /// that does not accept the configuration changes nothing.
    #[command(after_help = "Example:\n  pinring upgrade ./pinring-new")]
    Upgrade(UpgradeArguments),
    /// Measure what operations cost on this machine
    #[command(after_help = "Examples:\n  pinring bench multi\n  pinring bench multi --quick --only queue")]
    Bench(BenchArguments),
    /// Print the systemd unit that runs a configuration as a service
    ///
    /// With readiness, watchdog, descriptors kept over a restart, an unprivileged user, and as few rights as serial ports and real-time
    /// priorities need. It installs nothing by itself.
    #[command(
        after_help = "Example:\n  pinring install --print-unit station.toml | sudo tee /etc/systemd/system/pinring-station.service\n  sudo systemctl daemon-reload && sudo systemctl enable --now pinring-station"
    )]
    Install(InstallArguments),
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
pub(super) struct StatusArguments {
    /// The system; may be left out where only one runs
    #[arg(value_name = "SYSTEM")]
    pub(super) system: Option<PathBuf>,
    /// Show how the worker of this node died last, and what it was doing
    #[arg(long, value_name = "NODE")]
    pub(super) last_death: Option<String>,
    /// For machines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct NodeArguments {
    /// The node (or, where a worker is meant, its name)
    #[arg(value_name = "NODE")]
    pub(super) node: String,
    /// The system; may be left out where only one runs
    #[arg(long, value_name = "SYSTEM")]
    pub(super) system: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct LogLevelArguments {
    /// off, error, warn, info, debug or trace
    #[arg(value_name = "LEVEL")]
    pub(super) level: String,
    /// The system; may be left out where only one runs
    #[arg(long, value_name = "SYSTEM")]
    pub(super) system: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct SendArguments {
    /// The source
    #[arg(value_name = "NODE")]
    pub(super) node: String,
    /// What to send
    #[arg(value_name = "BYTES", allow_hyphen_values = true)]
    pub(super) bytes: String,
    /// BYTES are hexadecimal digits
    #[arg(long)]
    pub(super) hex: bool,
    /// The system; may be left out where only one runs
    #[arg(long, value_name = "SYSTEM")]
    pub(super) system: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct UpgradeArguments {
    /// The new program
    #[arg(value_name = "BINARY")]
    pub(super) binary: PathBuf,
    /// The system; may be left out where only one runs
    #[arg(long, value_name = "SYSTEM")]
    pub(super) system: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct InstallArguments {
    /// Print the unit
    #[arg(long, required = true)]
    pub(super) print_unit: bool,
    /// Run as this user instead of one that systemd makes up
    #[arg(long, value_name = "USER")]
    pub(super) user: Option<String>,
    /// The configuration
    #[arg(value_name = "FILE.toml")]
    pub(super) file: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct DoctorArguments {
    /// The configuration to examine the machine for
    #[arg(value_name = "FILE.toml")]
    pub(super) file: Option<PathBuf>,
    /// For machines
    #[arg(long)]
    pub(super) json: bool,
    /// Measure for this time how late a sleeper wakes up on each core, for example 10s
    ///
    /// One thread a core sleeps to the next millisecond, again and again, with SCHED_FIFO 80 and locked memory where this user may
    /// have them. The longer, the rarer the delays it sees.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(super) latency: Option<Duration>,
}

#[derive(Args, Debug)]
pub(super) struct BenchArguments {
    /// What
    #[command(subcommand)]
    pub(super) what: BenchWhat,
}

#[derive(Debug, Subcommand)]
pub(super) enum BenchWhat {
    /// Processes, queues, pipes, locks and pools, beside Python's multiprocessing
    ///
    /// The tutorials' comparison (a sum computed normally, by threads and by processes), then what one operation costs. Where python3
    /// is found the same is done there, round by round, and the table has the medians of both and their ratio.
    Multi(MultiArguments),
}

#[derive(Args, Debug)]
pub(super) struct MultiArguments {
    /// For machines, with all samples
    #[arg(long)]
    pub(super) json: bool,
    /// Fewer rounds of fewer operations
    #[arg(long)]
    pub(super) quick: bool,
    /// Do not compare with Python
    #[arg(long)]
    pub(super) no_python: bool,
    /// Only what has TEXT in its name; may be said several times
    #[arg(long, value_name = "TEXT", value_parser = super::bench::part_of_a_name)]
    pub(super) only: Vec<String>,
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
