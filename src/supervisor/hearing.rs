//! What comes to the supervisor: signals, messages and ends of workers, log records, requests.

use std::time::Duration;

use super::crew::{Crew, Event, Said, Wish};
use super::input::{End, Input, Mode};
use super::life::Life;
use super::reactor::{CONTROL, FIRST_WORKER, LOGS, Reactor, SIGNALS, SPARE, SuperviseError, TIMER, doing};
use crate::process::ExitCause;
use crate::sys::clock::monotonic_ns;
use crate::sys::socket::{MAX_MESSAGE, Received};
use crate::sys::wait;

impl<C: Crew, O: FnMut(&mut C, Event<'_>) -> Wish> Reactor<'_, C, O> {
    pub(super) fn handle(&mut self, token: u64) -> Result<(), SuperviseError> {
        match token {
            SIGNALS => {
                while let Some(signal) = self.signals.next().map_err(doing("reading a signal"))? {
                    self.stop_asked(signal);
                }
            }
            TIMER => self.timer.silence().map_err(doing("reading its timer"))?,
            LOGS => drop(self.crew.log_bell().silence().map_err(doing("reading the log bell"))?),
            SPARE => self.spare.reap(),
            CONTROL => self.serve(),
            token => {
                let worker = usize::try_from((token - FIRST_WORKER) / 2).unwrap_or(usize::MAX);
                // What a worker said last comes before its death.
                self.read_channel(worker);
                if token % 2 == 0 {
                    self.reap(worker)?;
                }
            }
        }
        Ok(())
    }

    /// Answers what is asked through the control socket.
    pub(super) fn serve(&mut self) {
        let Some(mut control) = self.crew.control().take() else { return };
        let (crew, state, mut inputs, mut changed) = (&mut *self.crew, &self.state, Vec::new(), false);
        control.serve(monotonic_ns(), &mut |peer, line| {
            let reply = crew.request(&format!("pid {}, uid {}", peer.pid, peer.uid), line, state);
            inputs.extend(reply.inputs);
            changed |= reply.changed;
            reply.text
        });
        *self.crew.control() = Some(control);
        if changed {
            self.spare.discard();
        }
        inputs.into_iter().for_each(|input| self.feed(input));
    }

    fn stop_asked(&mut self, signal: &'static str) {
        self.tell();
        let wish = (self.observe)(self.crew, Event::StopAsked { signal });
        match wish {
            _ if self.state.mode() != Mode::Run || self.asked_to_stop => self.feed(Input::Drain),
            Wish::Stop => self.feed(Input::Drain),
            Wish::Park => self.feed(Input::Park),
            Wish::Continue => {}
        }
        self.asked_to_stop = true;
    }

    fn read_channel(&mut self, worker: usize) {
        let mut buffer = [0; MAX_MESSAGE];
        while let Some(hand) = self.hands.get(worker).and_then(Option::as_ref) {
            match hand.channel.receive(&mut buffer) {
                Ok(Received::Message(len, fd)) => {
                    let said = self.crew.message(worker, &buffer[..len], fd);
                    self.heard(worker, said);
                }
                Ok(Received::Nothing) => return,
                // The worker has ended or closed its end: its pidfd tells the rest.
                Ok(Received::Closed) | Err(_) => {
                    let _ = self.epoll.remove(&hand.channel);
                    return;
                }
            }
        }
    }

    fn heard(&mut self, worker: usize, said: Said) {
        match said {
            Said::Nothing => {}
            Said::Ready => {
                self.events.push(Event::Ready { worker });
                self.feed(Input::Ready(worker));
            }
            Said::Changed => self.spare.discard(),
            Said::Stop if self.state.mode() == Mode::Run => {
                // Why comes before what.
                self.drain_logs();
                self.feed(Input::Drain);
            }
            Said::Stop => {}
            Said::Mad(fenced) => {
                // All of its neighbours may say so; once is enough.
                if !self.state.is_busy(fenced.worker) {
                    self.events.push(Event::Fenced { worker: fenced.worker });
                }
                self.feed(Input::Mad(fenced));
            }
        }
    }

    fn reap(&mut self, worker: usize) -> Result<(), SuperviseError> {
        let Some(Some(hand)) = self.hands.get(worker) else { return Ok(()) };
        let pid = hand.child.pid;
        let noticed_ns = monotonic_ns();
        let Some(ended) = wait::peek(pid).map_err(doing("looking at an end"))? else { return Ok(()) };
        let cause = ExitCause(ended);
        let Some(dead) = self.hands[worker].take() else { return Ok(()) };
        self.crew.words(worker).set_pid(0);
        // Its last records, before those of its successor.
        self.collect_logs(worker);
        self.crew.autopsy(worker, pid, cause, dead.hang);
        let end = match cause {
            _ if cause.is_done() => End::Done,
            _ if cause.is_refusal() => End::Refused,
            _ => End::Failed,
        };
        let place = self.events.len();
        let now = monotonic_ns();
        self.feed(Input::Ended(worker, end));
        // Its successor is on its way: now there is time for the kernel's last errands. Closing pidfd and channel also takes them out
        // of the epoll set.
        drop(dead);
        wait::reap(pid).map_err(doing("reaping a worker"))?;
        let due = match self.state.life(worker) {
            Life::Running { .. } => Some(now),
            life => life.start_due(),
        };
        let restart_in = due.map(|due| Duration::from_nanos(due.saturating_sub(now)));
        self.events.insert(place, Event::Ended { worker, pid, cause, noticed_ns, restart_in });
        // The dead worker may have published without ringing: its neighbours look for themselves.
        self.crew.wake_all();
        Ok(())
    }

    fn collect_logs(&mut self, worker: usize) {
        while let Some(record) = self.crew.log(worker).pop() {
            self.events.push(Event::Log { worker, record });
        }
        let count = self.crew.log(worker).newly_dropped();
        if count > 0 {
            self.events.push(Event::LogDropped { worker, count });
        }
    }

    pub(super) fn drain_logs(&mut self) {
        (0..self.crew.len()).for_each(|worker| self.collect_logs(worker));
        self.tell();
    }

    /// Tells the observer what has happened.
    pub(super) fn tell(&mut self) {
        for event in std::mem::take(&mut self.events) {
            (self.observe)(self.crew, event);
        }
    }
}
