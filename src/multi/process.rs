//! A process, as Python's `multiprocessing.Process`.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::bell::Limit;
use super::child;
use super::cpu::Core;
use super::error::{ExitStatus, JoinError, PanicInfo, SpawnError, TooLarge};
use super::family;
use super::launcher::Request;
use super::member::{ANSWER, Answer, BOUND, DAEMON, DETACHED, LAUNCHED, Member, State};
use super::message::{Message, Reader, Writer};
use super::object::{bequeath, is_bequeathing};
use crate::sys::fork::{Side, fork, own_pid};
use crate::sys::pidfd::PidFd;
use crate::sys::{affinity, wait};

/// How long a daemon has to end when it is told to, before it is killed.
const GRACE: Duration = Duration::from_millis(500);

/// A child process and the value it will return. It runs from the moment it is made.
///
/// A handle that is dropped joins its process, as the end of a Python program does; a daemon it ends first. [`Self::detach`] leaves it
/// alone.
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
    status: std::cell::Cell<Option<ExitStatus>>,
    value: PhantomData<fn() -> R>,
}

/// How a process is to be: made by [`Process::builder`].
#[derive(Clone, Debug, Default)]
pub struct ProcessBuilder {
    name: Option<String>,
    daemon: bool,
    bound: bool,
    core: Option<Core>,
    stdin_null: bool,
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
    /// child from now on. In this process what was captured is dropped.
    ///
    /// # Errors
    /// If this process has other threads (then see [`Self::spawn_fn`]), is a daemon, or the system refuses.
    pub fn spawn(work: impl FnOnce() -> R + Send + 'static) -> Result<Self, SpawnError> {
        ProcessBuilder::default().spawn(work)
    }

    /// Has the launcher fork a child that calls `work` with `argument`: also from a program with threads.
    ///
    /// `work` must not capture anything, which is checked when the program is built. Statics have the values that they had at
    /// [`init`](super::init).
    ///
    /// # Errors
    /// If the argument does not fit, this process is a daemon, or the system refuses.
    pub fn spawn_fn<A: Message, F>(work: F, argument: A) -> Result<Self, SpawnError>
    where
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        ProcessBuilder::default().spawn_fn(work, argument)
    }

    pub(super) fn member(&self) -> &'static Member {
        family::member(self.place)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.member().pid.get()
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
            child::wait_for_burial(self.place);
        }
        // Who is not its parent may come before that has looked.
        member.status().unwrap_or(if member.answer() == Answer::Value {
            ExitStatus::Code(0)
        } else {
            ExitStatus::Code(1)
        })
    }

    /// Whether this process started it: a child may have inherited the handle.
    fn is_ours(&self) -> bool {
        self.member().parent.get() as usize == family::me()
    }

    fn raw_pid(&self) -> i32 {
        i32::try_from(self.pid()).unwrap_or(0)
    }

    /// As Python has it: the code, minus the number of the signal that ended it, or `None` while it runs.
    pub fn exitcode(&self) -> Option<i32> {
        self.exit_status().map(|status| status.exitcode())
    }

    /// Waits until it has ended; the value it returned.
    ///
    /// # Errors
    /// If it panicked or ended without a value.
    pub fn join(self) -> Result<R, JoinError> {
        let status = self.wait(Limit::NEVER).unwrap_or(ExitStatus::Code(0));
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
        while self.exit_status().is_none() {
            // An error cannot be mended by waiting less.
            let _ = self.pidfd.wait(limit.left()?);
        }
        child::wait_for_burial(self.place);
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
                Ok(R::decode(&mut Reader::new(&bytes))?)
            }
            Answer::Panicked => {
                let (message, location) = child::read_panic(&child::read_answer(self.place, len));
                Err(JoinError::Panicked(PanicInfo { message, location, pid: member.pid.get() }))
            }
            Answer::TooLarge => Err(JoinError::TooLarge(TooLarge { needed: len, slot: ANSWER }, status)),
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

    /// Leaves it alone: nobody waits for it, and nobody will know how it ended.
    pub fn detach(self) {
        self.member().set_flag(DETACHED);
        std::mem::forget(self);
    }
}

impl<R: Message> Drop for Process<R> {
    fn drop(&mut self) {
        let member = self.member();
        if member.generation() != self.generation || !self.is_ours() || is_bequeathing() {
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
        member.set_state(State::Free);
    }
}

impl ProcessBuilder {
    /// Names it; else it is `Process-1`, `Process-2`, its children `Process-1:1`.
    pub fn name(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// A daemon is ended when its handle is dropped or its parent ends, and can have no children.
    pub fn daemon(self, daemon: bool) -> Self {
        Self { daemon, ..self }
    }

    /// It is killed when its parent ends, however that ends.
    pub fn die_with_parent(self, bound: bool) -> Self {
        Self { bound, ..self }
    }

    /// Pins it to a core.
    pub fn core(self, core: Core) -> Self {
        Self { core: Some(core), ..self }
    }

    /// It finds the standard input empty, as in Python; else it shares its parent's.
    pub fn stdin_null(self) -> Self {
        Self { stdin_null: true, ..self }
    }

    fn reserve(&self, flags: u32) -> Result<(usize, &'static Member), SpawnError> {
        family::join()?;
        let own = family::member(family::me());
        if own.is(DAEMON) {
            return Err(SpawnError::DaemonMayNotHaveChildren(own.name()));
        }
        let daemon = if self.daemon { DAEMON | BOUND } else { 0 };
        let bound = if self.bound { BOUND } else { 0 };
        family::reserve(flags | daemon | bound, self.name.as_deref())
    }

    /// As [`Process::spawn`].
    ///
    /// # Errors
    /// As [`Process::spawn`].
    pub fn spawn<R: Message>(self, work: impl FnOnce() -> R + Send + 'static) -> Result<Process<R>, SpawnError> {
        family::refuse_threads()?;
        let (place, member) = self.reserve(0)?;
        child::flush();
        let parent = own_pid();
        // SAFETY: no other threads, as just counted.
        match unsafe { fork() } {
            Err(error) => {
                member.set_state(State::Free);
                Err(error.into())
            }
            Ok(Side::Child) => child::forked(place, parent, move || {
                self.settle();
                work()
            }),
            Ok(Side::Parent(pid)) => {
                member.pid.set(pid.unsigned_abs());
                member.set_state(State::Running);
                let pidfd = PidFd::open(pid);
                // Without the launcher nobody gives back what it holds when it is killed; it can work all the same.
                let _ = family::ask(Request::Watch, place);
                bequeath(place, work);
                member.released.set(1);
                member.news.ring_all();
                Ok(Process::new(place, member, pidfd?, false))
            }
        }
    }

    /// In the child: what concerns it alone.
    fn settle(&self) {
        let name = || family::member(family::me()).name();
        if let Some(Err(error)) = self.core.map(|core| affinity::pin_to(core.cpu)) {
            crate::sys::stderr::say(&format!(
                "[{}] cannot be pinned to {:?}: {error}; it runs anywhere",
                name(),
                self.core
            ));
        }
        if let Some(Err(error)) = self.stdin_null.then(crate::sys::fd::empty_stdin) {
            crate::sys::stderr::say(&format!("[{}] cannot close its standard input: {error}", name()));
        }
    }

    /// As [`Process::spawn_fn`].
    ///
    /// # Errors
    /// As [`Process::spawn_fn`].
    pub fn spawn_fn<A: Message, R: Message, F>(self, work: F, argument: A) -> Result<Process<R>, SpawnError>
    where
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        const { assert!(size_of::<F>() == 0, "what spawn_fn calls must not capture anything; pass data as the argument") }
        let _ = work;
        let (place, member) = self.reserve(LAUNCHED)?;
        let mut bytes = [0; ANSWER];
        let mut out = Writer::new(&mut bytes);
        let core = self.core.map_or(0, |core| core.cpu as u64 + 1) | u64::from(self.stdin_null) << 32;
        let shim: fn(usize, &mut Writer<'_>) -> Result<(), TooLarge> = call::<A, R, F>;
        if let Err(error) = argument.encode(&mut out) {
            member.set_state(State::Free);
            return Err(error.into());
        }
        let len = out.len();
        child::write_answer(place, &bytes[..len]);
        for (word, value) in member.job.iter().zip([shim as usize as u64, len as u64, core]) {
            word.set(value);
        }
        if let Err(error) = family::ask(Request::Start, place) {
            member.set_state(State::Free);
            return Err(error);
        }
        member.news.wait(Limit::NEVER, || (member.state() != State::Reserved).then_some(()));
        if member.state() == State::Ended {
            // There was no fork, and this is what the system said to it.
            let error = member.status().map_or(0, |status| status.exitcode());
            member.set_state(State::Free);
            return Err(io::Error::from_raw_os_error(error).into());
        }
        // It waits for us, so the number is still its.
        let pidfd = PidFd::open(i32::try_from(member.pid.get()).unwrap_or(0));
        argument.sent();
        drop(argument);
        member.released.set(1);
        member.news.ring_all();
        Ok(Process::new(place, member, pidfd?, true))
    }
}

/// In a launched child: calls the function with its argument.
fn call<A: Message, R: Message, F: Fn(A) -> R + Copy>(place: usize, out: &mut Writer<'_>) -> Result<(), TooLarge> {
    let member = family::member(place);
    let settings = member.job[2].get();
    let cpu = usize::try_from(settings & 0xffff_ffff).unwrap_or(0);
    let core = cpu.checked_sub(1).map(|cpu| Core { cpu });
    ProcessBuilder { core, stdin_null: settings >> 32 != 0, ..ProcessBuilder::default() }.settle();
    let bytes = child::read_answer(place, usize::try_from(member.job[1].get()).unwrap_or(0));
    // SAFETY: `F` has no size, so nothing is read, and whoever asked for this had one, which is Copy.
    let work: F = unsafe { std::ptr::NonNull::dangling().read() };
    let argument = A::decode(&mut Reader::new(&bytes)).unwrap_or_else(|error| panic!("the argument: {error}"));
    let value = work(argument);
    value.encode(out).map(|()| value.sent())
}

impl<R: Message> Process<R> {
    fn new(place: usize, member: &'static Member, pidfd: PidFd, launched: bool) -> Self {
        let status = std::cell::Cell::new(None);
        Self { place, generation: member.generation(), pidfd, launched, status, value: PhantomData }
    }
}
