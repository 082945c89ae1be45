//! `pinring run`: a configuration, until its sources end or somebody asks to stop.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use super::arguments::RunArguments;
use super::observer::Observer;
use super::{exit, logger};
use crate::config::{self, Config, ControlSettings};
use crate::control::{Server, Surroundings};
use crate::dash::{closing_json, closing_text};
use crate::pipeline::{Inheritance, Leave, Plan, Report, System};
use crate::supervisor::{Event, Notifier, Wish};
use crate::sys::{heirlooms, memory, stderr};
use crate::topology::Topology;

/// Prints a configuration's errors, in colour where a person reads; the exit code.
pub(super) fn refuse(error: &config::ConfigError) -> u8 {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    stderr::say(&error.render(colour));
    exit::CONFIG
}

/// The graph of a file with its plan, or what is wrong with it.
fn load(file: &Path, topology: &Topology) -> Result<(Config, Plan), config::ConfigError> {
    let mut config = config::load(file)?;
    let planned = config.graph.plan(topology);
    let checked = planned.and_then(|plan| plan.memory(memory::available()).map(|_| plan));
    match checked {
        Ok(plan) => Ok((config, plan)),
        Err(error) => Err(config.source.explain(&error)),
    }
}

/// The graph of a file with its plan, or the exit code after the errors were printed.
pub(super) fn load_and_plan(file: &Path) -> anyhow::Result<Result<(Config, Plan), u8>> {
    Ok(load(file, &Topology::detect()?).map_err(|error| refuse(&error)))
}

pub(super) fn run(arguments: &RunArguments) -> anyhow::Result<u8> {
    // First of all: later, other descriptors could have the numbers of these.
    let left = heirlooms::from_environment();
    // The cores that may be used: asked now, while this process may use all of them.
    let topology = Topology::detect()?;
    let (config, plan) = match load(&arguments.file, &topology) {
        Ok(ready) => ready,
        Err(error) => return Ok(refuse(&error)),
    };
    let screen = logger::install();
    let notify = Rc::new(Notifier::from_environment());
    let control = listen(&config.control, &arguments.file);
    let (mut system, inheritance) = System::succeed(config.graph, plan, left, notify)?;
    tell(&inheritance);
    let file = std::path::absolute(&arguments.file)?;
    let again = file.clone();
    // For `pinring reload` the errors are the answer.
    let read_again = move || match load(&again, &topology) {
        Ok((config, plan)) => Ok((config.graph, plan)),
        Err(error) => Err(error.render(false)),
    };
    system.listen(control, file, Box::new(read_again));
    let (title, started) = (arguments.file.display().to_string(), Instant::now());
    loop {
        let writes_to_stdout = system.plan().nodes.iter().any(|node| node.kind == "stdout");
        let mut observer = Observer::start(&title, screen.clone(), writes_to_stdout || arguments.json);
        let supervisor = system.supervisor(observer.tick());
        let mut stopped = false;
        let result = system.supervise(supervisor, |system, event| {
            stopped |= matches!(event, Event::StopAsked { .. });
            let over = arguments.duration.is_some_and(|limit| started.elapsed() >= limit);
            let wish = observer.event(system, &event);
            if matches!(event, Event::Tick) && over { Wish::Stop } else { wish }
        });
        observer.finish();
        let report = result?;
        // Whoever asks to stop while one gives way to the other wants neither.
        match system.take_leave().filter(|_| !stopped) {
            Some(Leave::Reload(new)) => match system.give_way(new.0, new.1) {
                Ok((next, left)) => {
                    log::info!("reloaded; {left} messages of what is no longer there were dropped");
                    system = next;
                }
                Err(error) => log::error!("the new configuration cannot be set up, the old one goes on: {error}"),
            },
            // Comes back only if that failed.
            Some(Leave::Upgrade(binary)) => log::error!("{}; this version goes on", replace(&system, &binary)),
            None => return Ok(conclude(&system, &report, arguments.json, writes_to_stdout)),
        }
    }
}

/// The control socket of a system; none if it is not wanted, or cannot be had (which is said: recording is more important).
fn listen(settings: &ControlSettings, file: &Path) -> Option<Server> {
    if !settings.on {
        return None;
    }
    let name = file.file_stem().map_or_else(|| "pinring".into(), |stem| stem.to_string_lossy().into_owned());
    let bind = |name: &str| {
        let path = match &settings.socket {
            Some(path) => path.clone(),
            None => Surroundings::here().prepare(name)?,
        };
        Server::bind(&path, settings.group.as_deref())
            .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    };
    let bound = match bind(&name) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && settings.socket.is_none() => {
            let other = format!("{name}-{}", crate::sys::fork::own_pid());
            log::warn!("another system called `{name}` runs; ask this one as `{other}`");
            bind(&other)
        }
        other => other,
    };
    bound.inspect_err(|error| log::warn!("no control socket: {error}; `pinring status` will not find this system")).ok()
}

fn tell(inheritance: &Inheritance) {
    match inheritance {
        Inheritance::Nothing => {}
        Inheritance::Taken { waiting } => {
            log::info!("going on where the supervisor before stopped; {waiting} messages are under way");
        }
        Inheritance::Refused { why, lost } => {
            log::warn!(
                "what the supervisor before left does not fit: {why}; starting afresh, {lost} messages of it are lost"
            );
        }
    }
}

/// Has another program go on as this process; what kept it from that.
fn replace(system: &System, binary: &Path) -> String {
    let failed = |error: std::io::Error| format!("{} cannot take over: {error}", binary.display());
    let (duplicates, told) = match heirlooms::for_exec(&system.heirlooms()) {
        Ok(ready) => ready,
        Err(error) => return failed(error),
    };
    let mut command = Command::new(binary);
    command.args(std::env::args_os().skip(1)).env(heirlooms::VARIABLE, told);
    for variable in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
        command.env_remove(variable);
    }
    let error = command.exec();
    drop(duplicates);
    failed(error)
}

fn conclude(system: &System, report: &Report, json: bool, stdout_is_data: bool) -> u8 {
    if report.outcome.halted {
        // The service manager keeps everything for the next start.
        log::info!("stopped where a successor can go on");
    } else {
        system.leave_nothing();
    }
    let written = system.written();
    let text = if json {
        format!("{:#}\n", closing_json(system.plan(), report, &written))
    } else {
        closing_text(system.plan(), report, &written)
    };
    if stdout_is_data {
        stderr::say(&text);
    } else {
        // A reader that has gone does not change how the run went.
        let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    }
    match report {
        _ if report.outcome.escalated => exit::FAILED,
        _ if report.unexplained_loss() == 0 && report.outcome.killed == 0 => exit::OK,
        _ => exit::LOSS,
    }
}
