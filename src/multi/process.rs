//! A process, as Python's `multiprocessing.Process`.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::bell::Limit;
use super::child;
use super::error::{ExitStatus, JoinError, PanicInfo, SpawnError, TooLarge};
use super::family;
use super::left_alone;
use super::member::{Answer, DAEMON, Member};
use super::message::{Message, receive};
use super::object::is_bequeathing;
use super::process_builder::ProcessBuilder;
use crate::sys::pidfd::PidFd;
use crate::sys::wait;

/// How long a daemon has to end when it is told to, before it is killed.
const GRACE: Duration = Duration::from_millis(500);

/// A child process and the value it will return. It runs from the moment it is made.
///
/// A handle that is dropped joins its process, as the end of a Python program does; a daemon it ends first. [`Self::detach`] leaves it
/// alone.
///
/// If the parent is killed a child goes on, as in Python, unless it is a [daemon](ProcessBuilder::daemon) or is to
/// [die with its parent](ProcessBuilder::die_with_parent): so it is for all children of a program whose first process is killed, and they
/// keep what they share until the last of them ends. [`parent_process`](super::parent_process) tells a child of it.
///
/// ```
/// use pinring::multi::Process;
///
/// let child = Process::spawn(|| 6u64 * 7)?;
/// assert_eq!(child.join(), Ok(42));
/// # Ok::<(), pinring::multi::SpawnError>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it waits for the process"]
pub struct Process<R: Message = ()> {
    place: usize,
    generation: u32,
    /// Readable once it has ended.
    pidfd: PidFd,
    launched: bool,
    left_alone: bool,
    status: std::cell::Cell<Option<ExitStatus>>,
    value: PhantomData<fn() -> R>,
}

impl Process<()> {
    /// Says more of a process than what it is to do.
    pub fn builder() -> ProcessBuilder {
        ProcessBuilder::default()
    }
}

impl<R: Message> Process<R> {
    /// Forks a child that calls `work` and returns what it returns.
    ///
    /// The child is a copy of this process: all that `work` has captured is there, and the ends of queues and pipes among it belong to the
    /// child from now on. In this process what was captured is dropped. Work that never returns says what it would: `|| -> () { loop {..} }`.
    ///
    /// # Errors
    /// If this process has other threads (then see [`Self::spawn_fn`]), is a daemon, or the system refuses.
    pub fn spawn(work: impl FnOnce() -> R + Send + 'static) -> Result<Self, SpawnError> {
        ProcessBuilder::default().spawn(work)
    }

    /// Has the launcher fork a child that calls `work` with `argument`: also from a program with threads.
    ///
    /// `work` must not capture anything, which is checked when the program is built. Statics, the working directory and the environment are
    /// those of [`init`](super::init), and files that were open then are not there.
    ///
    /// # Errors
    /// If the argument does not fit, this process is a daemon, or the system refuses.
    pub fn spawn_fn<A: Message, F>(work: F, argument: A) -> Result<Self, SpawnError>
    where
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        ProcessBuilder::default().spawn_fn(work, argument)
    }

    pub(super) fn new(place: usize, member: &'static Member, pidfd: PidFd, launched: bool) -> Self {
        let status = std::cell::Cell::new(None);
        Self { place, generation: member.generation(), pidfd, launched, left_alone: false, status, value: PhantomData }
    }

    pub(super) fn member(&self) -> &'static Member {
        family::member(self.place)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.member().pid()
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.member().name()
    }

    /// Whether it runs.
    pub fn is_alive(&self) -> bool {
        self.exit_status().is_none()
    }

    /// How it ended; `None` while it runs.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        if self.status.get().is_none() && self.pidfd.wait(Some(Duration::ZERO)).unwrap_or(true) {
            self.status.set(Some(self.look()));
        }
        self.status.get()
    }

    /// It has ended: how.
    fn look(&self) -> ExitStatus {
        let member = self.member();
        if !self.launched && self.is_ours() {
            // It stays a zombie until the launcher has given back what it held.
            if let Some(ended) = wait::peek(self.raw_pid()).ok().flatten() {
                member.set_status(ended.into());
            }
        } else {
            child::wait_for_burial(self.place, Limit::NEVER);
        }
        // Who is not its parent may come before that has looked.
        member.status().unwrap_or(match member.answer() {
            Answer::Value | Answer::TooLarge => ExitStatus::Code(0),
            Answer::Panicked => ExitStatus::Code(child::PANICKED),
            Answer::None => ExitStatus::Unknown,
        })
    }

    /// Whether this process started it: a child may have inherited the handle.
    fn is_ours(&self) -> bool {
        self.member().is_child_of(family::me(), family::member(family::me()))
    }

    fn raw_pid(&self) -> i32 {
        i32::try_from(self.pid()).unwrap_or(0)
    }

    /// As Python has it: the code, minus the number of the signal that ended it, 255 where [nobody knows](ExitStatus::Unknown), or `None`
    /// while it runs.
    pub fn exitcode(&self) -> Option<i32> {
        self.exit_status().map(|status| status.exitcode())
    }

    /// Waits until it has ended; the value it returned.
    ///
    /// # Errors
    /// If it panicked or ended without a value.
    pub fn join(self) -> Result<R, JoinError> {
        let status = self.wait(Limit::NEVER).unwrap_or(ExitStatus::Unknown);
        self.value(status)
    }

    /// As [`Self::join`], at most so long.
    ///
    /// # Errors
    /// The process itself, if it still runs then.
    pub fn join_timeout(self, time: Duration) -> Result<Result<R, JoinError>, Self> {
        match self.wait(Limit::after(time)) {
            Some(status) => Ok(self.value(status)),
            None => Err(self),
        }
    }

    /// Waits until it has ended and what it held is given back.
    fn wait(&self, limit: Limit) -> Option<ExitStatus> {
        if self.launched && self.status.get().is_none() {
            // One sleep instead of two, for those that end soon.
            child::rest_until_burial(self.place, limit);
        }
        while self.exit_status().is_none() {
            // An error cannot be mended by waiting less.
            let _ = self.pidfd.wait(limit.left()?);
        }
        child::wait_for_burial(self.place, Limit::NEVER);
        self.exit_status()
    }

    fn value(&self, status: ExitStatus) -> Result<R, JoinError> {
        let member = self.member();
        let len = member.answer_len.get() as usize;
        match member.answer() {
            Answer::Value => {
                let bytes = child::read_answer(self.place, len);
                // It can be taken once.
                member.set_answer(Answer::None, 0);
                Ok(receive(&bytes, || family::waybill(self.place))?)
            }
            Answer::Panicked => {
                let (message, location) = child::read_panic(&child::read_answer(self.place, len));
                Err(JoinError::Panicked(PanicInfo { message, location, pid: member.pid() }))
            }
            Answer::TooLarge => Err(JoinError::TooLarge(TooLarge::noted(&child::read_answer(self.place, len)), status)),
            Answer::None => Err(JoinError::Exited(status)),
        }
    }

    /// Asks it to end: SIGTERM. Nothing happens if it has ended already.
    ///
    /// # Errors
    /// What the system answered.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(PidFd::terminate)
    }

    /// Ends it: SIGKILL. Nothing happens if it has ended already.
    ///
    /// # Errors
    /// What the system answered.
    pub fn kill(&self) -> io::Result<()> {
        self.signal(PidFd::kill)
    }

    /// Interrupts it, as Ctrl-C would: SIGINT. Nothing happens if it has ended already.
    ///
    /// # Errors
    /// What the system answered.
    pub fn interrupt(&self) -> io::Result<()> {
        self.signal(PidFd::interrupt)
    }

    fn signal(&self, send: impl FnOnce(&PidFd) -> io::Result<()>) -> io::Result<()> {
        match send(&self.pidfd) {
            // ESRCH: it has been reaped.
            Err(error) if error.raw_os_error() == Some(3) => Ok(()),
            other => other,
        }
    }

    /// A descriptor that becomes readable when it has ended.
    pub fn sentinel(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Leaves it alone: nobody waits for it, and nobody will know how it ended. It is reaped when this process starts another, or ends.
    pub fn detach(mut self) {
        self.left_alone = true;
        if self.member().generation() != self.generation || !self.is_ours() {
            return;
        }
        let pid = self.raw_pid();
        family::detach(self.place);
        if !self.launched {
            left_alone::leave(self.place, self.generation, pid);
        }
    }
}

impl<R: Message> Drop for Process<R> {
    fn drop(&mut self) {
        let member = self.member();
        if self.left_alone || member.generation() != self.generation || !self.is_ours() || is_bequeathing() {
            return;
        }
        if self.exit_status().is_none() && member.is(DAEMON) {
            let _ = self.terminate();
            if self.wait(Limit::after(GRACE)).is_none() {
                let _ = self.kill();
            }
        }
        if let Some(status) = self.wait(Limit::NEVER) {
            // What nobody has taken may hold memory.
            let _ = self.value(status);
        }
        if !self.launched {
            let _ = wait::reap(self.raw_pid());
        }
        family::vacate(self.place);
    }
}
