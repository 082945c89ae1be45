//! The supervisor's loop: what happens goes into the [`State`], what that says is done.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use super::crew::{Crew, Event, Said, Wish};
use super::hands::{Hand, Spare, fork_worker};
use super::input::{Action, End, Input, Mode};
use super::life::Life;
use super::nanos;
use super::notify::Notifier;
use super::policy::Policy;
use super::state::State;
use super::vigil::{Look, Vigil};
use crate::control::Server;
use crate::process::{Command, ExitCause, SpawnError, look};
use crate::sys::clock::monotonic_ns;
use crate::sys::epoll::Epoll;
use crate::sys::signal::StopSignals;
use crate::sys::socket::{MAX_MESSAGE, Received};
use crate::sys::timerfd::TimerFd;
use crate::sys::wait;

/// Why supervision ended early. Workers that ran are gone: they die with their supervisor.
#[derive(Debug, thiserror::Error)]
#[error("the supervisor cannot go on: {what}: {source}")]
pub struct SuperviseError {
    what: &'static str,
    source: io::Error,
}

pub(super) fn doing(what: &'static str) -> impl FnOnce(io::Error) -> SuperviseError {
    move |source| SuperviseError { what, source }
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Workers that did not end in time and were killed.
    pub killed: usize,
    /// Failures stopped it ([`super::Escalate::Exit`]).
    pub escalated: bool,
    /// The workers stopped between two steps, for a successor that goes on there.
    pub halted: bool,
}

/// How workers are supervised.
#[derive(Clone, Debug)]
pub struct Supervisor {
    /// Who is started again, when, and with whom.
    pub policy: Policy,
    /// How long a worker's loop may not come round before the worker counts as hanging; `None`: as long as it likes.
    pub hang: Option<Duration>,
    /// Whether a process is forked beforehand, so that a dead worker is replaced faster.
    pub spare: bool,
    /// How often the observer gets [`Event::Tick`].
    pub tick: Duration,
}

const SIGNALS: u64 = 0;
const TIMER: u64 = 1;
const LOGS: u64 = 2;
const SPARE: u64 = 3;
const CONTROL: u64 = 4;
const FIRST_WORKER: u64 = 16;

/// How often it is looked whether anything is still under way while the sources pause.
const QUIET_NS: u64 = 5_000_000;
/// How often the service manager is asked for more time while the system stops, and for how much.
const EXTEND_EVERY_NS: u64 = 1_000_000_000;
const EXTENSION: Duration = Duration::from_secs(5);
/// How long the end of the program waits for processes that were killed, ns.
const LAST_REAP_NS: u64 = 100_000_000;

impl Supervisor {
    /// Starts all workers of `crew` and looks after them until they are done or asked to stop. Every event goes to
    /// `observe`, in order, on this thread.
    ///
    /// # Errors
    /// If the supervisor's own descriptors fail; nothing a worker does is an error here.
    pub fn run<C: Crew>(
        self,
        crew: &mut C,
        notify: &Notifier,
        observe: impl FnMut(&mut C, Event<'_>) -> Wish,
    ) -> Result<Outcome, SuperviseError> {
        let mut reactor = Reactor::new(self, crew, notify, observe)?;
        while !reactor.state.is_over() {
            reactor.round()?;
        }
        reactor.end()
    }
}

struct Reactor<'r, C, O> {
    settings: Supervisor,
    crew: &'r mut C,
    notify: &'r Notifier,
    observe: O,
    state: State,
    epoll: Epoll,
    signals: StopSignals,
    timer: TimerFd,
    hands: Vec<Option<Hand>>,
    spare: Spare,
    vigil: Option<Vigil>,
    /// What the next round handles.
    ready: Vec<u64>,
    /// What the observer has not been told yet. Telling may take long (a terminal); restarting comes first.
    events: Vec<Event<'static>>,
    next_tick_ns: u64,
    next_alive_ns: Option<u64>,
    next_extension_ns: u64,
    is_announced: bool,
    asked_to_stop: bool,
    quiet_looks: u32,
}

impl<'r, C: Crew, O: FnMut(&mut C, Event<'_>) -> Wish> Reactor<'r, C, O> {
    fn new(settings: Supervisor, crew: &'r mut C, notify: &'r Notifier, observe: O) -> Result<Self, SuperviseError> {
        let epoll = Epoll::new().map_err(doing("making its epoll set"))?;
        let signals = StopSignals::take_over().map_err(doing("taking over the stop signals"))?;
        epoll.add(&signals, SIGNALS).map_err(doing("watching the stop signals"))?;
        let timer = TimerFd::new().map_err(doing("making its timer"))?;
        epoll.add(&timer, TIMER).map_err(doing("watching its timer"))?;
        epoll.add(crew.log_bell(), LOGS).map_err(doing("watching the log rings"))?;
        if let Some(control) = crew.control() {
            epoll.add(&*control, CONTROL).map_err(doing("watching the control socket"))?;
        }
        let now = monotonic_ns();
        Ok(Self {
            state: State::new(settings.policy.clone()),
            hands: (0..crew.len()).map(|_| None).collect(),
            spare: Spare::default(),
            vigil: settings.hang.map(|limit| Vigil::new(crew.len(), limit, now)),
            ready: Vec::with_capacity(32),
            events: Vec::new(),
            next_tick_ns: now + nanos(settings.tick),
            next_alive_ns: notify.alive_every().map(|_| now),
            next_extension_ns: 0,
            is_announced: false,
            asked_to_stop: false,
            quiet_looks: 0,
            settings,
            crew,
            notify,
            observe,
            epoll,
            signals,
            timer,
        })
    }

    fn round(&mut self) -> Result<(), SuperviseError> {
        self.feed(Input::Tick);
        self.keep_spare();
        self.tell();
        self.drain_logs();
        self.sleep()?;
        let tokens = std::mem::take(&mut self.ready);
        for token in &tokens {
            self.handle(*token)?;
        }
        self.ready = tokens;
        self.by_the_clock();
        self.announce();
        Ok(())
    }

    /// Takes in what happened and does what follows.
    fn feed(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.state.step(input, monotonic_ns(), &mut actions);
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            if let Some(answer) = self.act(action) {
                let mut more = Vec::new();
                self.state.step(answer, monotonic_ns(), &mut more);
                actions.extend(more);
            }
        }
    }

    fn act(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Fork(worker) => return Some(self.fork(worker)),
            Action::Stop(worker) => {
                self.crew.words(worker).ask(Command::Stop);
                self.crew.wake_all();
            }
            // ESRCH, of both: it has ended by itself meanwhile.
            Action::Abort(worker) => drop(self.hands[worker].as_ref().map(|hand| hand.child.pidfd.abort())),
            Action::Kill(worker) => drop(self.hands[worker].as_ref().map(|hand| hand.child.pidfd.kill())),
            Action::Drain => self.ask_all(Command::Drain, Event::Draining),
            Action::Park => self.ask_all(Command::Park, Event::Parking),
            Action::Abandon(worker) => self.crew.abandon(worker),
            Action::Quarantined(worker) => self.events.push(Event::Quarantined { worker }),
            Action::Released(worker) => self.events.push(Event::Released { worker }),
            Action::Unreapable(worker) => self.events.push(Event::Unreapable { worker }),
            Action::Overdue(worker) => self.events.push(Event::Killed { worker }),
        }
        None
    }

    fn ask_all(&mut self, command: Command, event: Event<'static>) {
        self.notify.stopping();
        self.spare.discard();
        (0..self.crew.len()).for_each(|worker| self.crew.words(worker).ask(command));
        self.crew.wake_all();
        self.events.push(event);
    }

    /// What a worker that is started now is to do.
    fn command(&self) -> Command {
        match self.state.mode() {
            Mode::Run => Command::Run,
            Mode::Drain(_) => Command::Drain,
            Mode::Park(_) => Command::Park,
            Mode::Halt(_) => Command::Stop,
        }
    }

    fn fork(&mut self, worker: usize) -> Input {
        if self.crew.begin(worker) {
            self.spare.discard();
        }
        self.crew.words(worker).begin(self.command(), monotonic_ns());
        let hand = match self.spare.wake(worker, &self.epoll) {
            Some(hand) => Ok(hand),
            None => fork_worker(self.crew, worker),
        };
        match hand.and_then(|hand| self.watch(worker, hand)) {
            Ok(()) => {
                if let Some(vigil) = &mut self.vigil {
                    vigil.reset(worker);
                }
                Input::Forked(worker)
            }
            Err(error) => {
                self.events.push(Event::SpawnFailed { worker, error });
                Input::ForkFailed(worker)
            }
        }
    }

    fn watch(&mut self, worker: usize, hand: Hand) -> Result<(), SpawnError> {
        let pid = hand.child.pid;
        let words = self.crew.words(worker);
        words.set_pid(pid);
        let incarnation = words.incarnation();
        let token = FIRST_WORKER + 2 * worker as u64;
        let watched = self.epoll.add(&hand.child.pidfd, token).and_then(|()| self.epoll.add(&hand.channel, token + 1));
        if let Err(source) = watched {
            // Without its pidfd nobody would see it end.
            let _ = hand.child.pidfd.kill();
            self.spare.bury(hand);
            return Err(SpawnError::System { name: self.crew.name(worker).to_owned(), source });
        }
        self.hands[worker] = Some(hand);
        self.events.push(Event::Started { worker, pid, incarnation });
        Ok(())
    }

    /// Forks the next spare once everybody is at work.
    fn keep_spare(&mut self) {
        let starting = |worker| matches!(self.state.life(worker), Life::Running { ready_ns: None });
        let wanted = self.settings.spare && self.state.mode() == Mode::Run && !self.spare.is_ready();
        if wanted && !(0..self.crew.len()).any(starting) {
            // Without one a restart takes a little longer; that the system cannot fork will be seen then.
            let _ = self.spare.fork(self.crew, &self.epoll, SPARE);
        }
    }

    fn sleep(&mut self) -> Result<(), SuperviseError> {
        self.ready.clear();
        if self.state.is_over() {
            return Ok(());
        }
        let quiet = matches!(self.state.mode(), Mode::Park(_)).then(|| monotonic_ns() + QUIET_NS);
        let vigil = self.vigil.as_ref().map(Vigil::due_ns);
        let control = self.crew.control().as_ref().and_then(Server::deadline_ns);
        let extension = (self.state.mode() != Mode::Run && self.notify.is_heard()).then_some(self.next_extension_ns);
        let due =
            [self.state.deadline(), quiet, vigil, self.next_alive_ns, extension, control, Some(self.next_tick_ns)];
        self.timer.set(due.into_iter().flatten().min()).map_err(doing("setting its timer"))?;
        // Every reader must announce its sleep, so this does not stop at the first that has something.
        let logged = (0..self.crew.len()).filter(|worker| self.crew.log(*worker).sleep()).count();
        let timeout = (logged > 0).then_some(Duration::ZERO);
        let ready = &mut self.ready;
        self.epoll.wait(timeout, |token| ready.push(token)).map_err(doing("waiting for events"))
    }

    fn handle(&mut self, token: u64) -> Result<(), SuperviseError> {
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
    fn serve(&mut self) {
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
            Said::Mad(other) => {
                if let Some(hand) = self.hands.get(other).and_then(Option::as_ref) {
                    let _ = hand.child.pidfd.kill();
                }
            }
        }
    }

    fn reap(&mut self, worker: usize) -> Result<(), SuperviseError> {
        let Some(Some(hand)) = self.hands.get(worker) else { return Ok(()) };
        let (pid, hang) = (hand.child.pid, hand.hang);
        let Some(ended) = wait::reap(pid).map_err(doing("reaping a worker"))? else { return Ok(()) };
        let cause = ExitCause(ended);
        // Closes pidfd and channel, which also takes them out of the epoll set.
        self.hands[worker] = None;
        self.crew.words(worker).set_pid(0);
        // Its last records, before those of its successor.
        self.collect_logs(worker);
        self.crew.autopsy(worker, pid, cause, hang);
        let end = match cause {
            _ if cause.is_done() => End::Done,
            _ if cause.is_refusal() => End::Refused,
            _ => End::Failed,
        };
        let place = self.events.len();
        let now = monotonic_ns();
        self.feed(Input::Ended(worker, end));
        let due = match self.state.life(worker) {
            Life::Running { .. } => Some(now),
            life => life.start_due(),
        };
        let restart_in = due.map(|due| Duration::from_nanos(due.saturating_sub(now)));
        self.events.insert(place, Event::Ended { worker, pid, cause, restart_in });
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

    fn drain_logs(&mut self) {
        (0..self.crew.len()).for_each(|worker| self.collect_logs(worker));
        self.tell();
    }

    /// Tells the observer what has happened.
    fn tell(&mut self) {
        for event in std::mem::take(&mut self.events) {
            (self.observe)(self.crew, event);
        }
    }

    fn by_the_clock(&mut self) {
        let now = monotonic_ns();
        if matches!(self.state.mode(), Mode::Park(_)) {
            // Twice: a step that is being committed has taken its input and not yet shown its output.
            self.quiet_looks = if self.crew.is_quiet() { self.quiet_looks + 1 } else { 0 };
            if self.quiet_looks == 2 {
                self.feed(Input::Quiet);
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
        let looks = running.map(|worker| Look { worker, pulse_ns: crew.words(worker).pulse() });
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
    fn announce(&mut self) {
        if !self.notify.is_heard() {
            return;
        }
        let now = monotonic_ns();
        if !self.is_announced && self.state.is_ready() {
            self.is_announced = true;
            self.notify.ready();
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

    fn end(mut self) -> Result<Outcome, SuperviseError> {
        self.spare.discard();
        let until = monotonic_ns() + LAST_REAP_NS;
        while self.spare.is_dying() && monotonic_ns() < until {
            self.timer.set(Some(until)).map_err(doing("setting its timer"))?;
            let ready = &mut self.ready;
            self.epoll.wait(None, |token| ready.push(token)).map_err(doing("waiting for the spare"))?;
            self.spare.reap();
        }
        self.drain_logs();
        let halted = matches!(self.state.mode(), Mode::Halt(_));
        Ok(Outcome { killed: self.state.killed(), escalated: self.state.has_escalated(), halted })
    }
}
