//! The supervisor's loop: what happens goes into the [`State`], what that says is done.

use std::io;
use std::time::Duration;

use super::crew::{Crew, Event, Wish};
use super::hands::{Hand, Spare, fork_worker};
use super::input::{Action, Input, Mode};
use super::life::Life;
use super::nanos;
use super::notify::Notifier;
use super::policy::Policy;
use super::state::State;
use super::vigil::Vigil;
use crate::control::Server;
use crate::process::{Command, SpawnError};
use crate::sys::clock::monotonic_ns;
use crate::sys::epoll::Epoll;
use crate::sys::signal::SignalInput;
use crate::sys::timerfd::TimerFd;

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

pub(super) const SIGNALS: u64 = 0;
pub(super) const TIMER: u64 = 1;
pub(super) const LOGS: u64 = 2;
pub(super) const SPARE: u64 = 3;
pub(super) const CONTROL: u64 = 4;
pub(super) const FIRST_WORKER: u64 = 16;

/// How often it is looked whether anything is still under way while the sources pause.
const QUIET_NS: u64 = 5_000_000;
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

pub(super) struct Reactor<'r, C, O> {
    pub(super) settings: Supervisor,
    pub(super) crew: &'r mut C,
    pub(super) notify: &'r Notifier,
    pub(super) observe: O,
    pub(super) state: State,
    pub(super) epoll: Epoll,
    pub(super) signals: SignalInput,
    pub(super) timer: TimerFd,
    pub(super) hands: Vec<Option<Hand>>,
    pub(super) spare: Spare,
    pub(super) vigil: Option<Vigil>,
    /// What the next round handles.
    pub(super) ready: Vec<u64>,
    /// What the observer has not been told yet. Telling may take long (a terminal); restarting comes first.
    pub(super) events: Vec<Event<'static>>,
    pub(super) next_tick_ns: u64,
    pub(super) next_alive_ns: Option<u64>,
    pub(super) next_extension_ns: u64,
    pub(super) is_announced: bool,
    pub(super) asked_to_stop: bool,
    pub(super) quiet_looks: u32,
}

impl<'r, C: Crew, O: FnMut(&mut C, Event<'_>) -> Wish> Reactor<'r, C, O> {
    fn new(settings: Supervisor, crew: &'r mut C, notify: &'r Notifier, observe: O) -> Result<Self, SuperviseError> {
        let epoll = Epoll::new().map_err(doing("making its epoll set"))?;
        let signals = SignalInput::of_stops().map_err(doing("taking over the stop signals"))?;
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
    pub(super) fn feed(&mut self, input: Input) {
        let (mut actions, mut done) = (Vec::new(), 0);
        self.state.step(input, monotonic_ns(), &mut actions);
        while let Some(action) = actions.get(done).copied() {
            done += 1;
            if let Some(answer) = self.act(action) {
                self.state.step(answer, monotonic_ns(), &mut actions);
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
        if !self.crew.goes_on() {
            self.notify.stopping();
        }
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
        let hand = match self.spare.wake(worker, self.crew.core(worker), &self.epoll) {
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
