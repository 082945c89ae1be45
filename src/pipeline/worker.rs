//! The loop of a worker: steps its nodes, and sleeps when there is nothing to do.

use std::io;
use std::time::Duration;

use super::core::Core;
use super::graph::NodeKind;
use super::messages::{READY, tell};
use super::run_sink::SinkRun;
use super::run_source::{Port, SourceRun};
use super::run_stage::StageRun;
use crate::prim::{Ordering, fence, spin_loop};
use crate::process::{Command, WorkerWords};
use crate::ring::Wait;
use crate::sys::clock::{coarse_ns, monotonic_ns};
use crate::sys::epoll::Epoll;
use crate::sys::eventfd::EventFd;
use crate::sys::socket::Channel;
use crate::trace::{FlightEvent, FlightWords};

/// Token of the worker's own bell; a node's token is its place in the worker plus one.
const BELL: u64 = 0;

pub(super) enum Run<'n> {
    Source(SourceRun<'n>),
    Stage(StageRun<'n>),
    Sink(SinkRun<'n>),
}

impl<'n> Run<'n> {
    pub(super) fn new(core: Core, kind: &'n mut NodeKind) -> Self {
        match kind {
            NodeKind::Source(source) => Self::Source(SourceRun::new(core, source.as_mut())),
            NodeKind::Stage(stage) => Self::Stage(StageRun::new(core, &**stage)),
            NodeKind::Sink(sink) => Self::Sink(SinkRun::new(core, sink.as_mut())),
        }
    }

    fn core(&self) -> &Core {
        match self {
            Self::Source(run) => &run.core,
            Self::Stage(run) => &run.core,
            Self::Sink(run) => &run.core,
        }
    }
}

/// How long a worker that never sleeps looks at its rings between two looks at its descriptors.
const BETWEEN_POLLS: Duration = Duration::from_micros(10);

/// What a worker's loop works with.
pub(super) struct Worker<'w, 'n> {
    /// Its nodes, each after its inputs.
    pub(super) runs: Vec<Run<'n>>,
    pub(super) words: &'w WorkerWords,
    /// Every worker's bell, by number.
    pub(super) bells: &'w [EventFd],
    /// Which of them is ours.
    pub(super) number: usize,
    pub(super) channel: &'w Channel,
    /// How to wait for work.
    pub(super) wait: Wait,
    pub(super) flight: &'w FlightWords,
}

/// Why a worker's loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// All of its nodes have ended.
    Done,
    /// It was asked to, between two steps.
    Stopped,
}

impl Worker<'_, '_> {
    /// Works until all nodes have ended, or it is asked to stop.
    ///
    /// # Errors
    /// What a node gave up for; the worker is then restarted.
    pub(super) fn work(mut self) -> io::Result<Ending> {
        let mut epoll = Epoll::new()?;
        epoll.add(&self.bells[self.number], BELL)?;
        self.resume(&epoll)?;
        self.words.set_ready(monotonic_ns());
        self.flight.note(monotonic_ns(), FlightEvent::Ready, None, 0);
        tell(self.channel, READY, 0, None)?;
        let (mut asked, mut log_level) = (Command::Run, None);
        while !self.runs.iter().all(|run| run.core().is_finished()) {
            self.words.beat(coarse_ns());
            let command = self.words.command();
            if self.words.log_level() != log_level {
                log_level = self.words.log_level();
                set_log_level(log_level);
            }
            if command != asked {
                asked = command;
                self.flight.note(monotonic_ns(), FlightEvent::Asked, None, command as u64);
            }
            if command == Command::Stop {
                return self.pause().map(|()| Ending::Stopped);
            }
            if self.step_all(&epoll, command)? || self.spin()? {
                continue;
            }
            if self.wait == Wait::Busy {
                self.listen(&mut epoll, Some(Duration::ZERO))?;
                self.awake();
            } else {
                self.sleep(&mut epoll)?;
            }
        }
        Ok(Ending::Done)
    }

    /// What the sinks have written is made durable before the end.
    fn pause(&mut self) -> io::Result<()> {
        for run in &mut self.runs {
            if let Run::Sink(run) = run {
                run.pause(self.bells)?;
            }
        }
        Ok(())
    }

    fn resume(&mut self, epoll: &Epoll) -> io::Result<()> {
        let port = Port { epoll, channel: self.channel, draining: false };
        for run in &mut self.runs {
            if run.core().is_finished() {
                continue;
            }
            // Opening may take its time, each of them.
            self.words.beat(coarse_ns());
            run.core().note(FlightEvent::Resume, 0);
            match run {
                Run::Source(run) => run.resume(&port, self.bells)?,
                Run::Sink(run) => run.resume(self.bells)?,
                Run::Stage(_) => {}
            }
        }
        Ok(())
    }

    fn step_all(&mut self, epoll: &Epoll, command: Command) -> io::Result<bool> {
        let port = Port { epoll, channel: self.channel, draining: command != Command::Run };
        let mut any = false;
        for (place, run) in self.runs.iter_mut().enumerate() {
            // What was stopped by hand must come to its end with the others.
            let held = command != Command::Drain && run.core().is_held();
            any |= match run {
                Run::Source(run) if held || command == Command::Park => {
                    run.hold(&port, held, self.bells)?;
                    false
                }
                _ if held => false,
                Run::Source(run) => run.step(&port, place as u64 + 1, self.bells)?,
                Run::Stage(run) => run.step(self.bells)?,
                Run::Sink(run) => run.step(&port, self.bells)?,
            };
        }
        Ok(any)
    }

    /// Looks for work for a while without giving the core away; whether there is some.
    fn spin(&mut self) -> io::Result<bool> {
        // Whoever never sleeps looks at the descriptors now and then, which only the kernel can.
        let spin = if self.wait == Wait::Busy { BETWEEN_POLLS } else { self.wait.alertness() };
        if spin.is_zero() {
            return Ok(false);
        }
        let until = monotonic_ns() + u64::try_from(spin.as_nanos()).unwrap_or(0);
        loop {
            let now = monotonic_ns();
            if now >= until {
                return Ok(false);
            }
            // It may look for longer than a worker may be silent.
            self.words.beat(now);
            if self.could_run()? {
                return Ok(true);
            }
            spin_loop();
        }
    }

    fn could_run(&mut self) -> io::Result<bool> {
        for run in &mut self.runs {
            if run.core().is_held() {
                continue;
            }
            let could = match run {
                Run::Source(run) => run.could_run()?,
                Run::Stage(run) => run.could_run()?,
                Run::Sink(run) => run.could_run()?,
            };
            if could {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Announce, fence, look again, sleep; awake again, take the announcement back.
    fn sleep(&mut self, epoll: &mut Epoll) -> io::Result<()> {
        for run in self.runs.iter().filter(|run| !run.core().is_held()) {
            match run {
                Run::Source(run) => run.arm(),
                Run::Stage(run) => run.arm(),
                Run::Sink(run) => run.arm(),
            }
        }
        // ORDER(data_at): SeqCst fence between our announcement and our second look; a producer fences between its
        // publication and its look at the announcement, so one of the two sees the other. ORDER(space_at): likewise.
        fence(Ordering::SeqCst);
        if !self.could_run()? {
            self.words.rest();
            self.listen(epoll, self.timeout())?;
            self.words.beat(coarse_ns());
        }
        self.awake();
        Ok(())
    }

    /// Takes the announcements of a sleep back.
    fn awake(&mut self) {
        for run in &mut self.runs {
            match run {
                Run::Source(run) => run.wake(),
                Run::Stage(run) => run.core.disarm(),
                Run::Sink(run) => run.core.disarm(),
            }
        }
    }

    /// Waits for the bell and the sources' descriptors, at most `timeout`.
    fn listen(&mut self, epoll: &mut Epoll, timeout: Option<Duration>) -> io::Result<()> {
        let (runs, mut rung) = (&mut self.runs, false);
        epoll.wait(timeout, |token| match token {
            BELL => rung = true,
            token => {
                let place = usize::try_from(token - 1).unwrap_or(usize::MAX);
                if let Some(Run::Source(run)) = runs.get_mut(place) {
                    run.ready = true;
                }
            }
        })?;
        if rung {
            self.bells[self.number].silence()?;
        }
        Ok(())
    }

    fn timeout(&self) -> Option<Duration> {
        let due = self.runs.iter().filter(|run| !run.core().is_held()).filter_map(|run| match run {
            Run::Source(run) => run.due_ns(),
            Run::Stage(_) => None,
            Run::Sink(run) => run.due_ns(),
        });
        due.min().map(|due| Duration::from_nanos(due.saturating_sub(monotonic_ns())))
    }
}

fn set_log_level(wanted: Option<u64>) {
    if let Some(level) = log::LevelFilter::iter().find(|level| Some(*level as u64) == wanted) {
        log::set_max_level(level);
    }
}
