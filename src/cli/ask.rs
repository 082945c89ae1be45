//! What people ask of a running system: status, restart, stop, start, reload, log-level, send, upgrade.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use super::arguments::{LogLevelArguments, NodeArguments, SendArguments, StatusArguments, UpgradeArguments};
use super::bytes::bytes_of;
use super::columns::columns;
use super::exit;
use crate::control::{Surroundings, ask};
use crate::dash::{count, nanos};
use crate::pipeline::Request;

/// How long what is new may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks the system that `wanted` means; its answer, or what it objects to.
fn request(wanted: Option<&Path>, request: &Request) -> anyhow::Result<Value> {
    let path = Surroundings::here().find(wanted)?;
    let answer = ask(&path, &serde_json::to_string(request)?).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            anyhow!(
                "{}: not allowed; ask as the user it runs as, as root, or as a member of its `[control] group`",
                path.display()
            )
        }
        std::io::ErrorKind::WouldBlock => anyhow!("{}: the system does not answer", path.display()),
        _ => anyhow!("{}: {error}", path.display()),
    })?;
    let answer: Value = serde_json::from_str(&answer).context("the system's answer makes no sense")?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => bail!("{error}"),
        None => Ok(answer),
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or("-")
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or(0)
}

pub(super) fn status(arguments: &StatusArguments) -> anyhow::Result<u8> {
    let system = arguments.system.as_deref();
    if let Some(node) = &arguments.last_death {
        let death = request(system, &Request::LastDeath { node: node.clone() })?;
        let text = if arguments.json { format!("{death:#}\n") } else { death_text(node, &death) };
        return super::show(|out| Ok(out.write_all(text.as_bytes())?));
    }
    let status = request(system, &Request::Status)?;
    let degraded = status["degraded"].as_bool() == Some(true);
    let text = if arguments.json { format!("{status:#}\n") } else { status_text(&status) };
    super::show(|out| Ok(out.write_all(text.as_bytes())?))?;
    Ok(if degraded { exit::LOSS } else { exit::OK })
}

fn status_text(status: &Value) -> String {
    let bold =
        |text: &str| if std::io::stdout().is_terminal() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() };
    let mut out =
        format!("{}   (pid {}, pinring {})\n\n", bold(text(status, "state")), status["pid"], text(status, "version"));
    let mut rows = vec![["worker", "core", "pid", "state", "up", "restarts"].map(str::to_owned)];
    let none = Vec::new();
    let workers = status["workers"].as_array().unwrap_or(&none);
    for worker in workers {
        let up = worker["up_s"].as_f64().map_or_else(|| "-".into(), |up| format!("{up:.1} s"));
        let next = worker["next_start_s"].as_f64().map_or_else(String::new, |next| format!(" ({next:.1} s)"));
        rows.push([
            text(worker, "name").into(),
            worker["core"].to_string(),
            worker["pid"].as_i64().map_or_else(|| "-".into(), |pid| pid.to_string()),
            format!("{}{next}", text(worker, "state")),
            up,
            worker["restarts"].to_string(),
        ]);
    }
    out += &columns(&rows);
    let header = ["node", "type", "worker", "messages", "lag", "dropped", "rejected", "p50", "p99", ""];
    let mut rows = vec![header.map(str::to_owned)];
    for node in status["nodes"].as_array().unwrap_or(&none) {
        let note = match (node["stopped"].as_bool(), node["finished"].as_bool()) {
            (Some(true), _) => "stopped",
            (_, Some(true)) => "finished",
            _ => "",
        };
        rows.push([
            text(node, "name").into(),
            text(node, "type").into(),
            text(node, "worker").into(),
            count(number(node, "emitted")),
            count(number(node, "lag")),
            count(number(node, "dropped")),
            count(number(node, "rejected") + number(node, "cut")),
            nanos(number(&node["age_ns"], "p50")),
            nanos(number(&node["age_ns"], "p99")),
            note.into(),
        ]);
    }
    out += "\n";
    out += &columns(&rows);
    for worker in workers.iter().filter(|worker| worker["last_death"].is_string()) {
        out += &format!("\nlast death of `{}`: {}\n", text(worker, "name"), text(worker, "last_death"));
    }
    out
}

fn death_text(node: &str, death: &Value) -> String {
    if death.is_null() {
        return format!("the worker of `{node}` has not died\n");
    }
    let utc = death["utc_ns"].as_u64().unwrap_or(0);
    let when = humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + Duration::from_nanos(utc));
    let mut out = format!(
        "worker `{}`, pid {}, start {}\n  when     {when}\n  cause    {}\n",
        text(death, "worker"),
        death["pid"],
        death["incarnation"],
        text(death, "cause")
    );
    for (key, title) in [("hang", "hung"), ("node", "node"), ("message", "message"), ("last_words", "said")] {
        if let Some(value) = death[key].as_str().filter(|value| !value.is_empty()) {
            out += &format!("  {title:<8} {value}\n");
        }
    }
    for event in death["events"].as_array().into_iter().flatten() {
        out += &format!("  {}\n", event.as_str().unwrap_or_default());
    }
    out
}

pub(super) fn restart(arguments: &NodeArguments) -> anyhow::Result<u8> {
    let answer = request(arguments.system.as_deref(), &Request::Restart { node: arguments.node.clone() })?;
    let nodes: Vec<&str> = answer["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    say(&format!("worker `{}` is being restarted: {}", text(&answer, "worker"), nodes.join(", ")))
}

pub(super) fn stop(arguments: &NodeArguments) -> anyhow::Result<u8> {
    let answer = request(arguments.system.as_deref(), &Request::Stop { node: arguments.node.clone() })?;
    let node = text(&answer, "node");
    match answer["changed"].as_bool() {
        Some(true) => {
            say(&format!("`{node}` stops after the step it is in; a port is free then. Go on: pinring start {node}"))
        }
        _ => say(&format!("`{node}` was stopped already")),
    }
}

pub(super) fn start(arguments: &NodeArguments) -> anyhow::Result<u8> {
    let answer = request(arguments.system.as_deref(), &Request::Start { node: arguments.node.clone() })?;
    let node = text(&answer, "node");
    match answer["changed"].as_bool() {
        Some(true) => say(&format!("`{node}` goes on")),
        _ => say(&format!("`{node}` was not stopped")),
    }
}

pub(super) fn reload(system: Option<&Path>) -> anyhow::Result<u8> {
    let before = request(system, &Request::Status)?;
    let answer = request(system, &Request::Reload)?;
    let list = |key: &str| {
        let words = answer[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        words.collect::<Vec<_>>().join(", ")
    };
    match (answer["changed"].as_array().map(Vec::len), answer["restarts"].as_str()) {
        (Some(0), _) => say("nothing has changed"),
        (_, Some(_)) => {
            wait_for_successor(system, &before)?;
            say("nodes, rings or workers have changed: all workers were restarted where they were")
        }
        _ => say(&format!("changed: {}; restarts: {}", list("changed"), list("restarts"))),
    }
}

pub(super) fn log_level(arguments: &LogLevelArguments) -> anyhow::Result<u8> {
    let level = Request::LogLevel { level: arguments.level.clone() };
    let answer = request(arguments.system.as_deref(), &level)?;
    say(&format!("logs from level {} on", text(&answer, "level")))
}

pub(super) fn send(arguments: &SendArguments) -> anyhow::Result<u8> {
    let bytes = bytes_of(&arguments.bytes, arguments.hex).map_err(|error| anyhow!("{error}"))?;
    let sending = Request::Send { node: arguments.node.clone(), bytes };
    let answer = request(arguments.system.as_deref(), &sending)?;
    say(&format!("{} bytes sent through the port of `{}`", answer["sent"], text(&answer, "node")))
}

/// The new version must run, and understand the configuration, before the old one gives way.
fn try_out(binary: &Path, configuration: Option<&str>) -> anyhow::Result<()> {
    let shown = binary.display();
    let version = Command::new(binary).arg("--version").output().with_context(|| format!("{shown} cannot be run"))?;
    if !version.status.success() || !String::from_utf8_lossy(&version.stdout).starts_with("pinring ") {
        bail!("{shown} is no pinring");
    }
    if let Some(file) = configuration {
        let check = Command::new(binary).arg("check").arg(file).output()?;
        if !check.status.success() {
            bail!("{shown} does not accept {file}; nothing was changed:\n{}", String::from_utf8_lossy(&check.stderr));
        }
    }
    Ok(())
}

pub(super) fn upgrade(arguments: &UpgradeArguments) -> anyhow::Result<u8> {
    let system = arguments.system.as_deref();
    let before = request(system, &Request::Status)?;
    let binary: PathBuf = std::path::absolute(&arguments.binary)?;
    try_out(&binary, before["configuration"].as_str())?;
    request(system, &Request::Upgrade { binary: binary.clone() })?;
    let after = wait_for_successor(system, &before).with_context(|| format!("{}", binary.display()))?;
    let (old, new) = (text(&before, "version"), text(&after, "version"));
    say(&format!("pinring {new} goes on where {old} stopped (pid {})", after["pid"]))
}

/// The status of what goes on instead of the system that said `before`, once it is ready.
fn wait_for_successor(system: Option<&Path>, before: &Value) -> anyhow::Result<Value> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        // Nobody listens for a moment, while one program becomes the other.
        if let Ok(after) = request(system, &Request::Status) {
            if after["started_ns"] != before["started_ns"] && after["ready"].as_bool() == Some(true) {
                return Ok(after);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("it was asked to, but is not ready after {} s; look at the log", PATIENCE.as_secs())
}

fn say(text: &str) -> anyhow::Result<u8> {
    super::show(|out| Ok(writeln!(out, "{text}")?))
}
