//! What the supervisor does by the clock: the watch over hanging workers, ticks for the observer, signs of life for the service manager.

use std::time::Duration;

use super::crew::{Crew, Event, Wish};
use super::input::{Input, Mode};
use super::life::Life;
use super::nanos;
use super::reactor::Reactor;
use super::vigil::Look;
use crate::control::Server;
use crate::process::look;
use crate::sys::clock::monotonic_ns;

/// How often the service manager is asked for more time while the system stops, and for how much.
const EXTEND_EVERY_NS: u64 = 1_000_000_000;
const EXTENSION: Duration = Duration::from_secs(5);

impl<C: Crew, O: FnMut(&mut C, Event<'_>) -> Wish> Reactor<'_, C, O> {
    pub(super) fn by_the_clock(&mut self) {
        let now = monotonic_ns();
        if matches!(self.state.mode(), Mode::Park(_)) {
            // Twice: a step that is being committed has taken its input and not yet shown its output.
            self.quiet_looks = if self.crew.is_quiet() { self.quiet_looks + 1 } else { 0 };
            if self.quiet_looks == 2 {
                self.feed(Input::Halt);
            }
        }
        self.keep_vigil(now);
        if self.crew.control().as_ref().and_then(Server::deadline_ns).is_some_and(|due| now >= due) {
            self.serve();
        }
        if now >= self.next_tick_ns {
            self.next_tick_ns = now + nanos(self.settings.tick);
            self.tell();
            if (self.observe)(self.crew, Event::Tick) == Wish::Stop && self.state.mode() == Mode::Run {
                self.feed(Input::Drain);
            }
            if self.spare.is_dying() {
                self.spare.reap();
            }
        }
    }

    fn keep_vigil(&mut self, now_ns: u64) {
        let Some(vigil) = &mut self.vigil else { return };
        let (crew, hands, state) = (&self.crew, &self.hands, &self.state);
        let running = (0..crew.len()).filter(|worker| matches!(state.life(*worker), Life::Running { .. }));
        let looks = running.map(|worker| Look {
            worker,
            pulse_ns: crew.words(worker).pulse(),
            progress: crew.progress(worker),
        });
        let mut found = Vec::new();
        let doing = |worker: usize| look(hands[worker].as_ref()?.child.pid);
        vigil.look(now_ns, looks, doing, |worker, why| found.push((worker, why)));
        for (worker, why) in found {
            if let Some(hand) = &mut self.hands[worker] {
                hand.hang = Some(why);
            }
            self.events.push(Event::Hung { worker, why });
            self.feed(Input::Hung(worker));
        }
    }

    /// Tells the service manager.
    pub(super) fn announce(&mut self) {
        if !self.notify.is_heard() {
            return;
        }
        let now = monotonic_ns();
        if self.notify.owes() {
            self.crew.deposit();
        }
        if !self.is_announced && self.state.is_ready() {
            self.is_announced = self.notify.ready();
        }
        if let (Some(every), Some(due)) = (self.notify.alive_every(), self.next_alive_ns) {
            if now >= due {
                self.notify.alive();
                self.next_alive_ns = Some(now + nanos(every));
            }
        }
        if self.state.mode() != Mode::Run && now >= self.next_extension_ns {
            self.notify.more_time(EXTENSION);
            self.next_extension_ns = now + EXTEND_EVERY_NS;
        }
        self.notify.status(&self.state.sentence(|worker| self.crew.name(worker).to_owned()));
    }
}
