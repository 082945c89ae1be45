//! A system as its supervisor sees it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use super::core::Core;
use super::graph::NodeKind;
use super::messages::{self, DESERTED, FORGET, KEEP, MAD, READY};
use super::system::System;
use super::worker::Ending;
use super::{fence, last_words};
use crate::control::Server;
use crate::process::{ExitCause, WorkerWords, codes};
use crate::supervisor::{Crew, Hang, Reply, Said, State};
use crate::sys::clock::monotonic_ns;
use crate::sys::eventfd::EventFd;
use crate::sys::socket::Channel;
use crate::sys::wait::Ended;
use crate::trace::{FlightEvent, LogReader};

impl Crew for System {
    fn deposit(&self) {
        for (name, fd) in self.heirlooms() {
            self.notify.forget(&name);
            self.notify.store(&name, fd);
        }
    }

    fn len(&self) -> usize {
        self.plan.workers.len()
    }

    fn name(&self, worker: usize) -> &str {
        &self.plan.workers[worker].name
    }

    fn core(&self, worker: usize) -> usize {
        self.plan.workers[worker].core
    }

    fn descriptors(&self, worker: usize) -> Vec<RawFd> {
        let mut keep: Vec<RawFd> = self.bells.iter().map(|bell| bell.as_fd().as_raw_fd()).collect();
        keep.push(self.log_bell.as_fd().as_raw_fd());
        for (node, (_, kind)) in self.nodes.iter().enumerate() {
            if let (NodeKind::Source(source), true) = (kind, self.plan.nodes[node].worker == worker) {
                keep.extend(source.descriptors());
            }
        }
        keep
    }

    fn words(&self, worker: usize) -> &WorkerWords {
        &self.words[worker]
    }

    fn log(&mut self, worker: usize) -> &mut LogReader {
        &mut self.logs[worker]
    }

    fn log_bell(&self) -> &EventFd {
        &self.log_bell
    }

    fn wake_all(&self) {
        self.bells.iter().for_each(EventFd::ring);
    }

    fn message(&mut self, worker: usize, message: &[u8], fd: Option<OwnedFd>) -> Said {
        let Some((what, node)) = messages::read(message) else { return Said::Nothing };
        if what == READY {
            return Said::Ready;
        }
        if what == MAD {
            return self.accuse(worker, node).map_or(Said::Nothing, Said::Mad);
        }
        // A worker speaks for its own nodes only.
        if self.plan.nodes.get(node).is_none_or(|node| node.worker != worker) {
            return Said::Nothing;
        }
        match (what, &mut self.nodes[node].1) {
            (KEEP, NodeKind::Source(_)) => self.keep_port(node, fd),
            (FORGET, NodeKind::Source(_)) => self.keep_port(node, None),
            (DESERTED, NodeKind::Sink(_)) => return self.sink_deserted(node),
            _ => return Said::Nothing,
        }
        Said::Changed
    }

    fn autopsy(&mut self, worker: usize, pid: i32, cause: ExitCause, hang: Option<Hang>) {
        // An end that was asked for needs no explanation.
        if !cause.is_done() && cause.0 != Ended::Code(codes::STOPPED) {
            self.deaths[worker] = Some(self.look_at_the_dead(worker, pid, cause, hang));
        }
        self.flights[worker].clear();
        self.alive[worker] = false;
    }

    fn abandon(&mut self, worker: usize) {
        for node in (0..self.nodes.len()).filter(|node| self.plan.nodes[*node].worker == worker) {
            let mut core = Core::recover(&self.plan, &self.regions, &self.segment, node);
            if !core.is_finished() {
                core.begin(0);
                // A ring that makes no sense has no reader that could wait for its end.
                let _ = core.finish(0, &self.bells);
            }
            core.inlets.iter().for_each(|inlet| inlet.cursor().desert());
        }
        self.wake_all();
    }

    fn progress(&self, worker: usize) -> u64 {
        self.flights[worker].progress()
    }

    fn is_quiet(&self) -> bool {
        (0..self.plan.edges.len()).all(|edge| self.edge_status(edge).waiting == 0)
    }

    fn goes_on(&self) -> bool {
        self.leave.is_some()
    }

    fn control(&mut self) -> &mut Option<Server> {
        &mut self.control
    }

    fn request(&mut self, peer: &str, line: &str, state: &State) -> Reply {
        self.answer(peer, line, state)
    }

    fn begin(&mut self, worker: usize) -> bool {
        // Should a fork have failed, it was not.
        self.alive[worker] = false;
        self.mend();
        self.alive[worker] = true;
        self.change(worker)
    }

    fn work(&mut self, worker: usize, channel: Channel) -> i32 {
        let name = self.plan.workers[worker].name.clone();
        self.install_logger(worker);
        self.install_panic_hook(worker);
        let flight = self.flights[worker].clone();
        flight.note(monotonic_ns(), FlightEvent::Begin, None, self.words[worker].incarnation());
        last_words::on_abort(flight.clone());
        self.realtime[worker].take(&name, self.words[worker].incarnation() == 1);
        match self.work_on(worker, &channel) {
            Ok(Ending::Done) => codes::DONE,
            Ok(Ending::Stopped) => codes::STOPPED,
            Err(error) => {
                flight.note(monotonic_ns(), FlightEvent::GaveUp, None, 0);
                flight.say(&error.to_string());
                log::error!("worker `{name}`: {error}");
                if let Some(edge) = fence::damaged_edge(&error) {
                    // If the supervisor cannot be told, it will be by the next incarnation.
                    let _ = messages::tell(&channel, MAD, u32::try_from(edge).unwrap_or(u32::MAX), None);
                    return codes::FENCED;
                }
                codes::FAILED
            }
        }
    }
}
