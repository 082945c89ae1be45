//! `pinring run`: a configuration, until its sources end or somebody asks to stop.

use std::path::Path;

use super::arguments::RunArguments;
use super::observer::Observer;
use super::{exit, logger};
use crate::config::{self, Config};
use crate::dash::{closing_json, closing_text};
use crate::pipeline::{Plan, Report, System};
use crate::supervisor::{Event, Wish};
use crate::sys::{memory, stderr};
use crate::topology::Topology;

/// Prints a configuration's errors, in colour where a person reads; the exit code.
pub(super) fn refuse(error: &config::ConfigError) -> u8 {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    stderr::say(&error.render(colour));
    exit::CONFIG
}

/// The graph of a file with its plan, or the exit code after the errors were printed.
pub(super) fn load_and_plan(file: &Path) -> anyhow::Result<Result<(Config, Plan), u8>> {
    let mut config = match config::load(file) {
        Ok(config) => config,
        Err(error) => return Ok(Err(refuse(&error))),
    };
    let topology = Topology::detect()?;
    let planned = config.graph.plan(&topology);
    let checked = planned.and_then(|plan| plan.memory(memory::available()).map(|_| plan));
    match checked {
        Ok(plan) => Ok(Ok((config, plan))),
        Err(error) => Ok(Err(refuse(&config.source.explain(&error)))),
    }
}

pub(super) fn run(arguments: &RunArguments) -> anyhow::Result<u8> {
    let (config, plan) = match load_and_plan(&arguments.file)? {
        Ok(ready) => ready,
        Err(code) => return Ok(code),
    };
    let screen = logger::install();
    let title = arguments.file.display().to_string();
    let writes_to_stdout = plan.nodes.iter().any(|node| node.kind == "stdout");
    let mut observer = Observer::start(&title, screen, writes_to_stdout || arguments.json);
    let mut system = System::set_up(config.graph, plan)?;
    let supervisor = system.supervisor(observer.tick());
    let result = system.supervise(supervisor, |system, event| {
        let over = arguments.duration.is_some_and(|limit| observer.elapsed() >= limit);
        let wish = observer.event(system, &event);
        if matches!(event, Event::Tick) && over { Wish::Stop } else { wish }
    });
    observer.finish();
    let report = result?;
    conclude(&system, &report, arguments.json, writes_to_stdout);
    Ok(if report.unexplained_loss() == 0 && report.outcome.killed == 0 { exit::OK } else { exit::LOSS })
}

fn conclude(system: &System, report: &Report, json: bool, stdout_is_data: bool) {
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
}
