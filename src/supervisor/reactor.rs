//! The supervisor's loop.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use super::crew::{Crew, Event, Wish};
use super::policy::Backoff;
use super::state::{Life, Worker};
use crate::process::{Command, ExitCause, Identity, spawn};
use crate::sys::clock::monotonic_ns;
use crate::sys::epoll::Epoll;
use crate::sys::signal::StopSignals;
use crate::sys::socket::{Channel, MAX_MESSAGE, Received};
use crate::sys::timerfd::TimerFd;
use crate::sys::wait;

/// Why supervision ended early. Workers that ran are gone: they die with their supervisor.
#[derive(Debug, thiserror::Error)]
#[error("the supervisor cannot go on: {what}: {source}")]
pub struct SuperviseError {
    what: &'static str,
    source: io::Error,
}

fn doing(what: &'static str) -> impl FnOnce(io::Error) -> SuperviseError {
    move |source| SuperviseError { what, source }
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Workers that did not end in time and were killed.
    pub killed: usize,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Supervisor {
    /// Delays between restarts.
    pub backoff: Backoff,
    /// How long an orderly stop may take.
    pub stop_timeout: Duration,
    /// How often the observer gets [`Event::Tick`].
    pub tick: Duration,
}

const SIGNALS: u64 = 0;
const TIMER: u64 = 1;
const LOGS: u64 = 2;
const FIRST_WORKER: u64 = 16;

impl Supervisor {
    /// Starts all workers of `crew` and looks after them until they are done or asked to stop. Every event goes to
    /// `observe`, in order, on this thread.
    ///
    /// # Errors
    /// If the supervisor's own descriptors fail; nothing a worker does is an error here.
    pub fn run<C: Crew>(
        self,
        crew: &mut C,
        mut observe: impl FnMut(&mut C, Event<'_>) -> Wish,
    ) -> Result<Outcome, SuperviseError> {
        let mut reactor = Reactor::new(self, crew.len())?;
        reactor.epoll.add(crew.log_bell(), LOGS).map_err(doing("watching the log rings"))?;
        while !reactor.is_over() {
            reactor.start_due(crew, &mut observe);
            reactor.drain_logs(crew, &mut observe)?;
            reactor.sleep(crew)?;
            let tokens = std::mem::take(&mut reactor.ready);
            for token in &tokens {
                reactor.handle(*token, crew, &mut observe)?;
            }
            reactor.ready = tokens;
            reactor.by_the_clock(crew, &mut observe);
        }
        reactor.drain_logs(crew, &mut observe)?;
        Ok(Outcome { killed: reactor.killed })
    }
}

struct Reactor {
    settings: Supervisor,
    epoll: Epoll,
    signals: StopSignals,
    timer: TimerFd,
    workers: Vec<Worker>,
    ready: Vec<u64>,
    next_tick_ns: u64,
    asked_to_stop: bool,
    drain_until_ns: Option<u64>,
    killed: usize,
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Reactor {
    fn new(settings: Supervisor, count: usize) -> Result<Self, SuperviseError> {
        let epoll = Epoll::new().map_err(doing("making its epoll set"))?;
        let signals = StopSignals::take_over().map_err(doing("taking over the stop signals"))?;
        epoll.add(&signals, SIGNALS).map_err(doing("watching the stop signals"))?;
        let timer = TimerFd::new().map_err(doing("making its timer"))?;
        epoll.add(&timer, TIMER).map_err(doing("watching its timer"))?;
        let worker = || Worker { life: Life::Waiting { until_ns: 0 }, backoff: settings.backoff };
        let workers = std::iter::repeat_with(worker).take(count).collect();
        let next_tick_ns = monotonic_ns() + nanos(settings.tick);
        let ready = Vec::with_capacity(32);
        Ok(Self {
            settings,
            epoll,
            signals,
            timer,
            workers,
            ready,
            next_tick_ns,
            asked_to_stop: false,
            drain_until_ns: None,
            killed: 0,
        })
    }

    fn is_over(&self) -> bool {
        self.workers.iter().all(Worker::is_done)
    }

    /// Starts every worker whose time has come.
    fn start_due<C: Crew>(&mut self, crew: &mut C, observe: &mut impl FnMut(&mut C, Event<'_>) -> Wish) {
        let now = monotonic_ns();
        for index in 0..self.workers.len() {
            if self.workers[index].start_due().is_none_or(|due| due > now) {
                continue;
            }
            if let Err(error) = self.start(index, crew, observe) {
                let retry_in = self.workers[index].backoff.delay(None);
                self.workers[index].life = Life::Waiting { until_ns: now + nanos(retry_in) };
                observe(crew, Event::SpawnFailed { error, retry_in });
            }
        }
    }

    fn start<C: Crew>(
        &mut self,
        index: usize,
        crew: &mut C,
        observe: &mut impl FnMut(&mut C, Event<'_>) -> Wish,
    ) -> Result<(), crate::process::SpawnError> {
        let name = crew.name(index).to_owned();
        let failed = |source| crate::process::SpawnError::System { name: name.clone(), source };
        let (ours, theirs) = Channel::pair().map_err(failed)?;
        crew.words(index).begin();
        let mut keep = crew.descriptors(index);
        keep.push(std::os::fd::AsRawFd::as_raw_fd(&theirs.as_fd()));
        let identity = Identity { name: &name, core: Some(crew.core(index)), keep: &keep };
        let mut theirs = Some(theirs);
        let child =
            spawn(identity, || theirs.take().map_or(crate::process::codes::FAILED, |end| crew.work(index, end)))?;
        crew.words(index).set_pid(child.pid);
        let token = FIRST_WORKER + 2 * index as u64;
        self.epoll.add(&child.pidfd, token).map_err(failed)?;
        self.epoll.add(&ours, token + 1).map_err(failed)?;
        let (pid, incarnation) = (child.pid, crew.words(index).incarnation());
        self.workers[index].life = Life::Running { child, channel: ours };
        observe(crew, Event::Started { worker: index, pid, incarnation });
        Ok(())
    }

    fn sleep<C: Crew>(&mut self, crew: &mut C) -> Result<(), SuperviseError> {
        self.ready.clear();
        if self.is_over() {
            return Ok(());
        }
        let starts = self.workers.iter().filter_map(Worker::start_due);
        let due = starts.chain(self.drain_until_ns).chain([self.next_tick_ns]).min();
        self.timer.set(due).map_err(doing("setting its timer"))?;
        // Every reader must announce its sleep, so this does not stop at the first that has something.
        let logged = (0..crew.len()).filter(|worker| crew.log(*worker).sleep()).count();
        let timeout = (logged > 0).then_some(Duration::ZERO);
        let ready = &mut self.ready;
        self.epoll.wait(timeout, |token| ready.push(token)).map_err(doing("waiting for events"))
    }

    fn handle<C: Crew>(
        &mut self,
        token: u64,
        crew: &mut C,
        observe: &mut impl FnMut(&mut C, Event<'_>) -> Wish,
    ) -> Result<(), SuperviseError> {
        match token {
            SIGNALS => {
                while let Some(signal) = self.signals.next().map_err(doing("reading a signal"))? {
                    self.stop_asked(signal, crew, observe);
                }
            }
            TIMER => self.timer.silence().map_err(doing("reading its timer"))?,
            LOGS => drop(crew.log_bell().silence().map_err(doing("reading the log bell"))?),
            token => {
                let index = usize::try_from((token - FIRST_WORKER) / 2).unwrap_or(usize::MAX);
                // What a worker said last comes before its death.
                if self.read_channel(index, crew) == Wish::Stop {
                    // Why comes before what.
                    self.drain_logs(crew, observe)?;
                    self.drain(crew, observe);
                }
                if token % 2 == 0 {
                    self.drain_logs(crew, observe)?;
                    self.reap(index, crew, observe)?;
                }
            }
        }
        Ok(())
    }

    fn stop_asked<C: Crew>(&mut self, signal: &str, crew: &mut C, observe: &mut impl FnMut(&mut C, Event<'_>) -> Wish) {
        let wish = observe(crew, Event::StopAsked { signal });
        if self.drain_until_ns.is_some() {
            // Asked once more while draining: whoever asks wants out.
            self.drain_until_ns = Some(monotonic_ns());
        } else if wish == Wish::Stop || self.asked_to_stop {
            self.drain(crew, observe);
        }
        self.asked_to_stop = true;
    }

    fn drain<C: Crew>(&mut self, crew: &mut C, observe: &mut impl FnMut(&mut C, Event<'_>) -> Wish) {
        if self.drain_until_ns.is_some() {
            return;
        }
        let now = monotonic_ns();
        self.drain_until_ns = Some(now + nanos(self.settings.stop_timeout));
        for (index, worker) in self.workers.iter_mut().enumerate() {
            crew.words(index).ask(Command::Drain);
            // What a dead worker has not handled yet must be handled, too, and now.
            if let Life::Waiting { until_ns } = &mut worker.life {
                *until_ns = now;
            }
        }
        crew.wake_all();
        observe(crew, Event::Draining);
    }

    fn read_channel<C: Crew>(&mut self, index: usize, crew: &mut C) -> Wish {
        let mut wish = Wish::Continue;
        let Some(Worker { life: Life::Running { channel, .. }, .. }) = self.workers.get(index) else { return wish };
        let mut buffer = [0; MAX_MESSAGE];
        loop {
            match channel.receive(&mut buffer) {
                Ok(Received::Message(len, fd)) => {
                    if crew.message(index, &buffer[..len], fd) == Wish::Stop {
                        wish = Wish::Stop;
                    }
                }
                Ok(Received::Nothing) => return wish,
                // The worker has ended or closed its end: its pidfd tells the rest.
                Ok(Received::Closed) | Err(_) => {
                    let _ = self.epoll.remove(channel);
                    return wish;
                }
            }
        }
    }

    fn reap<C: Crew>(
        &mut self,
        index: usize,
        crew: &mut C,
        observe: &mut impl FnMut(&mut C, Event<'_>) -> Wish,
    ) -> Result<(), SuperviseError> {
        let Some(worker) = self.workers.get_mut(index) else { return Ok(()) };
        let Life::Running { child, .. } = &worker.life else { return Ok(()) };
        let pid = child.pid;
        let Some(ended) = wait::reap(pid).map_err(doing("reaping a worker"))? else { return Ok(()) };
        let (now, cause) = (monotonic_ns(), ExitCause(ended));
        let ready_for = crew.words(index).ready_at().map(|at| Duration::from_nanos(now.saturating_sub(at)));
        crew.words(index).set_pid(0);
        let restart_in = if cause.is_done() {
            None
        } else if self.drain_until_ns.is_some() {
            // The stop has its own bound; waiting would only spend it.
            Some(Duration::ZERO)
        } else {
            Some(worker.backoff.delay(ready_for))
        };
        // Replacing the life closes pidfd and channel, which also takes them out of the epoll set.
        worker.life = match restart_in {
            None => Life::Done,
            Some(delay) => Life::Waiting { until_ns: now + nanos(delay) },
        };
        observe(crew, Event::Ended { worker: index, pid, cause, restart_in });
        // The dead worker may have published without ringing: its neighbours look for themselves.
        crew.wake_all();
        Ok(())
    }

    fn drain_logs<C: Crew>(
        &mut self,
        crew: &mut C,
        observe: &mut impl FnMut(&mut C, Event<'_>) -> Wish,
    ) -> Result<(), SuperviseError> {
        for worker in 0..crew.len() {
            while let Some(record) = crew.log(worker).pop() {
                observe(crew, Event::Log { worker, record });
            }
            let count = crew.log(worker).newly_dropped();
            if count > 0 {
                observe(crew, Event::LogDropped { worker, count });
            }
        }
        Ok(())
    }

    fn by_the_clock<C: Crew>(&mut self, crew: &mut C, observe: &mut impl FnMut(&mut C, Event<'_>) -> Wish) {
        let now = monotonic_ns();
        if now >= self.next_tick_ns {
            self.next_tick_ns = now + nanos(self.settings.tick);
            if observe(crew, Event::Tick) == Wish::Stop {
                self.drain(crew, observe);
            }
        }
        if self.drain_until_ns.is_some_and(|until| now >= until) {
            self.kill_the_rest(crew, observe);
        }
    }

    fn kill_the_rest<C: Crew>(&mut self, crew: &mut C, observe: &mut impl FnMut(&mut C, Event<'_>) -> Wish) {
        for index in 0..self.workers.len() {
            let worker = &mut self.workers[index];
            if worker.is_done() {
                continue;
            }
            if let Life::Running { child, .. } = &worker.life {
                // ESRCH: it has ended by itself meanwhile.
                let _ = child.pidfd.kill();
                // SIGKILL cannot be refused; the process may still be on its way out, and init or the exit of this process
                // reaps it.
                let _ = wait::reap(child.pid);
            }
            worker.life = Life::Done;
            self.killed += 1;
            observe(crew, Event::Killed { worker: index });
        }
    }
}
