//! What can be asked of a running system through its control socket.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::autopsy::LastDeath;
use super::graph::NodeKind;
use super::reload::{Change, Leave};
use super::system::System;
use crate::prim::Ordering;
use crate::supervisor::{Crew, Input, Mode, Reply, State};
use crate::sys::clock::monotonic_ns;

/// A request, as JSON: `{"do":"restart","node":"gps"}`.
#[derive(Debug, Deserialize, serde::Serialize, PartialEq, Eq)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How everything is.
    Status,
    /// How the worker of a node died last.
    LastDeath {
        /// The node, or its worker.
        node: String,
    },
    /// Stops and starts the worker of a node.
    Restart {
        /// The node, or its worker.
        node: String,
    },
    /// Has a node pause; a source lets go of its device.
    Stop {
        /// The node.
        node: String,
    },
    /// Has a stopped node go on.
    Start {
        /// The node.
        node: String,
    },
    /// Reads the configuration again.
    Reload,
    /// Says from which level on messages are logged.
    LogLevel {
        /// `off`, `error`, `warn`, `info`, `debug` or `trace`.
        level: String,
    },
    /// Sends bytes out through the port of a source.
    Send {
        /// The source.
        node: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Hands everything over to another version of the program.
    Upgrade {
        /// Its file.
        binary: PathBuf,
    },
}

/// What went wrong, for people.
type Refusal = String;

impl System {
    pub(super) fn answer(&mut self, peer: &str, line: &str, state: &State) -> Reply {
        let mut reply = Reply::default();
        let answer = match serde_json::from_str(line) {
            Ok(request) => {
                if request != Request::Status {
                    log::info!("{peer} asks: {line}");
                }
                self.obey(request, state, &mut reply)
            }
            Err(error) => Err(format!("this is no request: {error}")),
        };
        reply.text = match answer {
            Ok(answer) => answer.to_string(),
            Err(error) => json!({ "error": error }).to_string(),
        };
        reply
    }

    fn obey(&mut self, request: Request, state: &State, reply: &mut Reply) -> Result<Value, Refusal> {
        match request {
            Request::Status => Ok(self.picture(state)),
            Request::LastDeath { node } => {
                let worker = self.worker_of(&node)?;
                Ok(self.last_death(worker).as_ref().map_or(Value::Null, death_json))
            }
            Request::Restart { node } => {
                let worker = self.worker_of(&node)?;
                self.must_run(state)?;
                if state.is_busy(worker) {
                    return Err(format!("worker `{}` is being restarted already", self.name(worker)));
                }
                reply.inputs.push(Input::Restart(worker));
                let nodes: Vec<&str> = self.nodes_of(worker).map(|node| self.nodes[node].0.as_str()).collect();
                Ok(json!({ "worker": self.name(worker), "nodes": nodes }))
            }
            Request::Stop { node } => self.hold(&node, true),
            Request::Start { node } => self.hold(&node, false),
            Request::Reload => {
                self.must_run(state)?;
                self.reload(reply)
            }
            Request::LogLevel { level } => {
                let level = level.parse().map_err(|_| "levels are off, error, warn, info, debug, trace".to_owned())?;
                log::set_max_level(level);
                // Those that run took over the level when they were forked.
                self.words.iter().for_each(|words| words.set_log_level(level as u64));
                self.wake_all();
                reply.changed = true;
                Ok(json!({ "level": level.as_str().to_lowercase() }))
            }
            Request::Send { node, bytes } => self.send(&node, &bytes),
            Request::Upgrade { binary } => {
                self.must_run(state)?;
                if !binary.is_file() {
                    return Err(format!("{}: there is no such program", binary.display()));
                }
                self.leave = Some(Leave::Upgrade(binary));
                // Should the new version refuse the segment, nothing must be left in it.
                reply.inputs.push(Input::Park);
                Ok(json!({ "upgrade": "begins" }))
            }
        }
    }

    fn must_run(&self, state: &State) -> Result<(), Refusal> {
        if state.mode() == Mode::Run { Ok(()) } else { Err("the system is about to stop".into()) }
    }

    fn node_of(&self, name: &str) -> Result<usize, Refusal> {
        self.nodes.iter().position(|(own, _)| own == name).ok_or_else(|| {
            let names: Vec<&str> = self.nodes.iter().map(|(name, _)| name.as_str()).collect();
            format!("there is no node `{name}`; the nodes are: {}", names.join(", "))
        })
    }

    /// By its own name, or that of one of its nodes.
    fn worker_of(&self, name: &str) -> Result<usize, Refusal> {
        match self.plan.workers.iter().position(|worker| worker.name == name) {
            Some(worker) => Ok(worker),
            None => Ok(self.plan.nodes[self.node_of(name)?].worker),
        }
    }

    fn nodes_of(&self, worker: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(move |node| self.plan.nodes[*node].worker == worker)
    }

    fn hold(&mut self, name: &str, hold: bool) -> Result<Value, Refusal> {
        let node = self.node_of(name)?;
        // ORDER(ask): Relaxed; the bell makes the worker look.
        let before = self.asks[node].load(Ordering::Relaxed) != 0;
        // ORDER(ask): Relaxed, as above.
        self.asks[node].store(u64::from(hold), Ordering::Relaxed);
        self.bells[self.plan.nodes[node].worker].ring();
        Ok(json!({ "node": name, "stopped": hold, "changed": before != hold }))
    }

    fn send(&mut self, name: &str, bytes: &[u8]) -> Result<Value, Refusal> {
        let node = self.node_of(name)?;
        let NodeKind::Source(source) = &self.nodes[node].1 else {
            return Err(format!("`{name}` is no source; bytes go out through the port of one"));
        };
        let sent = source.send(bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::Unsupported => format!("`{name}` has no port to send through"),
            std::io::ErrorKind::NotConnected => format!("the port of `{name}` is not open; is it plugged in?"),
            _ => format!("`{name}`: {error}"),
        })?;
        if sent < bytes.len() {
            let all = bytes.len();
            return Err(format!("the line took {sent} of {all} bytes and no more for now; send the rest later"));
        }
        Ok(json!({ "node": name, "sent": sent }))
    }

    fn reload(&mut self, reply: &mut Reply) -> Result<Value, Refusal> {
        let Some(reader) = &mut self.reader else { return Err("this system has no configuration file".into()) };
        self.notify.reloading();
        let change = reader().map(|(graph, plan)| self.compare(graph, plan));
        // What is laid out anew says so itself when it is ready.
        if !matches!(change, Ok(Change::All(_))) {
            self.notify.ready();
        }
        match change? {
            Change::Nothing => Ok(json!({ "changed": [] })),
            Change::Nodes(changes) => {
                let names: Vec<String> = changes.iter().map(|(node, _)| self.nodes[*node].0.clone()).collect();
                let mut workers: Vec<usize> = changes.iter().map(|(node, _)| self.plan.nodes[*node].worker).collect();
                workers.sort_unstable();
                workers.dedup();
                self.changes = changes;
                reply.inputs.extend(workers.iter().map(|worker| Input::Restart(*worker)));
                reply.changed = true;
                let workers: Vec<&str> = workers.iter().map(|worker| self.name(*worker)).collect();
                Ok(json!({ "changed": names, "restarts": workers }))
            }
            Change::All(new) => {
                let names: Vec<String> = new.0.nodes.iter().map(|node| node.name.clone()).collect();
                self.leave = Some(Leave::Reload(new));
                // What is under way from nodes that change must be handled by those it was meant for.
                reply.inputs.push(Input::Park);
                Ok(json!({ "changed": "layout", "nodes": names, "restarts": "all" }))
            }
        }
    }

    /// Everything a person may want to see.
    fn picture(&self, state: &State) -> Value {
        let status = self.status();
        let now = monotonic_ns();
        let worker = |(index, worker): (usize, &super::WorkerStatus)| {
            let life = state.life(index);
            let ready = worker.ready_at_ns.filter(|_| life.has_process());
            #[expect(clippy::cast_precision_loss, reason = "shown in seconds")]
            let seconds = |ns: u64| ns as f64 / 1e9;
            json!({
                "name": worker.name, "core": worker.core, "pid": worker.pid, "state": life.word(),
                "restarts": worker.restarts, "up_s": ready.map(|at| seconds(now.saturating_sub(at))),
                "next_start_s": life.start_due().map(|at| seconds(at.saturating_sub(now))),
                "last_death": self.last_death(index).map(|death| death.to_string()),
            })
        };
        let node = |(index, node): (usize, &super::NodeStatus)| {
            // ORDER(ask): Relaxed; our own word.
            let stopped = self.asks[index].load(Ordering::Relaxed) != 0;
            let counters = &node.counters;
            json!({
                "name": node.name, "type": node.kind, "worker": status.workers[node.worker].name,
                "taken": counters.taken, "emitted": counters.emitted, "lag": node.lag, "dropped": node.dropped,
                "rejected": counters.rejected, "cut": counters.cut, "reconnects": counters.reconnects,
                "overruns": counters.overruns, "stopped": stopped, "finished": node.finished,
                "age_ns": { "p50": node.age.p50, "p99": node.age.p99, "max": node.age.max },
            })
        };
        json!({
            "state": state.sentence(|worker| self.name(worker).to_owned()),
            "degraded": state.is_degraded(), "ready": state.is_ready(),
            "configuration": self.origin, "pid": crate::sys::fork::own_pid(), "started_ns": self.started_ns, "version": env!("CARGO_PKG_VERSION"),
            "workers": status.workers.iter().enumerate().map(worker).collect::<Vec<_>>(),
            "nodes": status.nodes.iter().enumerate().map(node).collect::<Vec<_>>(),
        })
    }
}

fn death_json(death: &LastDeath) -> Value {
    json!({
        "worker": death.worker, "pid": death.pid, "utc_ns": death.utc_ns, "incarnation": death.incarnation,
        "cause": death.cause, "hang": death.hang.map(|hang| hang.to_string()), "node": death.node,
        "message": death.message, "last_words": death.last_words, "events": death.events,
    })
}
