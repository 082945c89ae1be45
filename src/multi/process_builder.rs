//! How a process is to be, and its start.

use std::io;

use super::child;
use super::cpu::Core;
use super::error::{SpawnError, TooLarge};
use super::family;
use super::launcher::{Request, has_gone};
use super::left_alone;
use super::member::{ANSWER, BOUND, DAEMON, LAUNCHED, Member, State};
use super::message::{Message, Writer, receive};
use super::no_size::conjure;
use super::object::bequeath;
use super::process::Process;
use crate::sys::fork::{Side, fork, own_pid};
use crate::sys::pidfd::PidFd;
use crate::sys::{affinity, fd, stderr, wait};

/// How a process is to be: made by [`Process::builder`].
///
/// ```
/// use pinring::multi::{Process, current_process};
///
/// let builder = Process::builder().name("logger").daemon(true).stdin_null();
/// assert!(builder.spawn(|| current_process().daemon)?.join()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ProcessBuilder {
    name: Option<String>,
    daemon: bool,
    bound: bool,
    core: Option<Core>,
    stdin_null: bool,
}

impl ProcessBuilder {
    /// Names it; else it is `Process-1`, `Process-2`, its children `Process-1:1`.
    pub fn name(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// A daemon is ended when its handle is dropped or its parent ends, also if that is killed, and cannot start others; a pool or a
    /// [`Manager`](super::Manager) that it makes ends with it. What is none outlives a parent that is killed.
    pub fn daemon(self, daemon: bool) -> Self {
        Self { daemon, ..self }
    }

    /// It is killed when its parent ends, however that ends. What the parent held is given back after that: till then it is in use.
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

    fn reserve(&self, launched: bool) -> Result<(usize, &'static Member), SpawnError> {
        family::join()?;
        left_alone::reap();
        let own = family::member(family::me());
        if own.is(DAEMON) {
            return Err(SpawnError::DaemonMayNotHaveChildren(own.name()));
        }
        let daemon = if self.daemon { DAEMON | BOUND } else { 0 };
        let bound = if self.bound { BOUND } else { 0 };
        let name = self.name.as_deref();
        if launched { family::engage(LAUNCHED | daemon | bound, name) } else { family::reserve(daemon | bound, name) }
    }

    /// As [`Process::spawn`].
    ///
    /// # Errors
    /// As [`Process::spawn`].
    pub fn spawn<R: Message>(self, work: impl FnOnce() -> R + Send + 'static) -> Result<Process<R>, SpawnError> {
        family::refuse_threads()?;
        let (place, member) = self.reserve(false)?;
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
                let pidfd = PidFd::open(pid).inspect_err(|_| {
                    // It waits for its release, and nobody knows of it.
                    let _ = wait::end(pid);
                    member.set_state(State::Free);
                })?;
                member.set_state(State::Running);
                // Without the launcher nobody gives back what it holds when it is killed; it can work all the same.
                let _ = family::ask(Request::Watch, place);
                bequeath(place, work);
                member.release();
                Ok(Process::new(place, member, pidfd, false))
            }
        }
    }

    /// In the child: what concerns it alone.
    fn settle(&self) {
        let name = || family::member(family::me()).name();
        if let Some(Err(error)) = self.core.map(|core| affinity::pin_to(core.cpu)) {
            stderr::say(&format!("[{}] cannot be pinned to {:?}: {error}; it runs anywhere", name(), self.core));
        }
        if let Some(Err(error)) = self.stdin_null.then(fd::empty_stdin) {
            stderr::say(&format!("[{}] cannot close its standard input: {error}", name()));
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
        let mut bytes = [0; ANSWER];
        let mut out = Writer::new(&mut bytes[..child::room_for::<A>()]);
        argument.encode(&mut out)?;
        let len = out.len();
        let core = Core::pack(self.core) | u64::from(self.stdin_null) << 32;
        let work: child::Work = call::<A, R, F>;
        let (place, member, pidfd) = self.launch([work as usize as u64, len as u64, core], &bytes[..len])?;
        if A::OBJECTS > 0 {
            family::waybill(place).load(|sending| argument.sent(sending));
        }
        drop(argument);
        member.release();
        Ok(Process::new(place, member, pidfd, true))
    }

    /// Has the launcher start a process, or engages one that stands by: it waits for its release.
    fn launch(&self, job: [u64; 3], argument: &[u8]) -> Result<(usize, &'static Member, PidFd), SpawnError> {
        loop {
            let (place, member) = self.reserve(true)?;
            let stood_by = family::pid_of(place) != 0;
            child::write_argument(place, argument);
            for (word, value) in member.job.iter().zip(job) {
                word.set(value);
            }
            family::start(place).inspect_err(|_| member.set_state(State::Free))?;
            let opened = PidFd::open(family::pid_of(place));
            // It waits for us. If somebody kills it all the same, its status is there before its pid can be another's.
            let is_killed = member.status().is_some();
            let is_lost = is_killed || opened.as_ref().is_err_and(has_gone);
            match opened {
                Ok(pidfd) if !is_killed => return Ok((place, member, pidfd)),
                opened => {
                    // Nobody could wait for it. It has not begun.
                    family::doom(place);
                    family::detach(place);
                    if !(stood_by && is_lost) {
                        return Err(opened.err().unwrap_or(io::ErrorKind::NotFound.into()).into());
                    }
                }
            }
        }
    }
}

/// In a launched child: calls the function with its argument.
fn call<A: Message, R: Message, F: Fn(A) -> R + Copy>(place: usize) -> Result<usize, TooLarge> {
    let member = family::member(place);
    let settings = member.job[2].get();
    let core = Core::unpack(settings);
    ProcessBuilder { core, stdin_null: settings >> 32 != 0, ..ProcessBuilder::default() }.settle();
    // SAFETY: whoever asked for this had one.
    let work: F = unsafe { conjure() };
    let len = usize::try_from(member.job[1].get()).unwrap_or(0);
    let argument = child::with_written(place, len, |bytes| receive(bytes, || family::waybill(place)));
    let argument = argument.unwrap_or_else(|error| panic!("the argument: {error}"));
    child::leave_answer(place, &work(argument))
}
