//! The processes that share one memory: the one that called [`init`], the launcher, and all that descend from them through this module.

use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::arena::{Arena, MEMBERS, UNIT};
use super::bell::Limit;
use super::child;
use super::error::SpawnError;
use super::guardian;
use super::launcher;
use super::member::{DETACHED, DOOMED, Member, NAME, State};
use super::thread;
use super::waybill::Waybill;
#[cfg(not(test))]
use crate::prim::AtomicU32;
use crate::prim::Ordering;
use crate::ring::Fences;
use crate::sys::fork::{Side, exit_now, fork, has_one_thread, own_pid, thread_count};
use crate::sys::lifeline::Lifeline;
use crate::sys::signal;
use crate::sys::socket::Channel;

/// Place of the process that called [`init`]; 0 is nobody's.
pub(super) const MAIN: usize = 1;
/// Place of the launcher.
pub(super) const LAUNCHER: usize = 2;

/// What all of them have.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) arena: Arena,
    /// The line to the launcher.
    requests: Channel,
    /// Held by all but those that must not outlive the others: they hang on it.
    lifeline: Lifeline,
    /// Who pays for the fence between a change and the look at who sleeps, where changes are many and sleeps are few.
    pub(super) fences: Fences,
}

static FAMILY: OnceLock<Family> = OnceLock::new();
/// The launcher's end of the line, if the system had no process for it: for who tries again.
static UNBORN: Mutex<Option<Channel>> = Mutex::new(None);
/// This process's place.
#[cfg(not(test))]
static ME: AtomicU32 = AtomicU32::new(0);
#[cfg(test)]
static ME: super::alone::PerThread = super::alone::PerThread;

/// Makes the memory that all processes of the program will share, and forks the *launcher*: a small process without threads that starts
/// others for [`Pool`](super) and `spawn_fn`, and gives back what the dead held. Its parent, the *guardian*, does nothing but take its place
/// when it is killed.
///
/// Call it first in `main`, before any thread is started and any file is opened. What the launcher starts (by `spawn_fn`, and a pool's
/// workers) has the statics, the working directory and the environment of this moment, and none of the descriptors that were open then,
/// except 0, 1 and 2: what a static holds can be neither read nor written there (or, where `ulimit -n` leaves no room for that, its number
/// may have become another's). If SIGCHLD was ignored that ends, as else nobody could see how a child ended.
///
/// Without threads every other function of this module does it when it is needed; again it does nothing. (A `#[test]` runs in a thread:
/// tests of what uses this module need `harness = false` and a `main` of their own.)
///
/// # Errors
/// If there are other threads already, or the system refuses memory or a process. Then it can be tried again.
pub fn init() -> Result<(), SpawnError> {
    if is_founded() {
        return Ok(());
    }
    refuse_threads()?;
    signal::stop_ignoring_children()?;
    let unborn = UNBORN.lock().unwrap_or_else(PoisonError::into_inner).take();
    let theirs = match unborn {
        Some(theirs) => theirs,
        None => {
            let (ours, theirs) = Channel::pair()?;
            found(Arena::create()?, ours, Lifeline::new()?);
            member(LAUNCHER).reserve((MAIN, member(MAIN)), 0, "launcher");
            theirs
        }
    };
    // All that the launcher starts would write it again.
    child::flush();
    // SAFETY: no other threads, as just counted.
    #[allow(unsafe_code)]
    match unsafe { fork() } {
        Err(error) => {
            *UNBORN.lock().unwrap_or_else(PoisonError::into_inner) = Some(theirs);
            Err(error.into())
        }
        Ok(Side::Parent(pid)) => {
            member(LAUNCHER).pid.set(pid.unsigned_abs());
            member(LAUNCHER).set_state(State::Running);
            Ok(())
        }
        Ok(Side::Child) => {
            let run = || {
                become_member(LAUNCHER);
                child::cast_off();
                guardian::run(&theirs)
            };
            // Never into the program's frames.
            exit_now(catch_unwind(AssertUnwindSafe(run)).unwrap_or(child::PANICKED))
        }
    }
}

/// A family of this process alone.
pub(super) fn found(arena: Arena, requests: Channel, lifeline: Lifeline) {
    // All others are forked from this process, and take part in what it has registered for.
    FAMILY.get_or_init(|| Family { arena, requests, lifeline, fences: Fences::cheapest() });
    become_member(MAIN);
    let main = member(MAIN);
    main.reserve((0, member(0)), 0, "MainProcess");
    main.pid.set(own_pid().unsigned_abs());
    main.set_state(State::Running);
}

/// The family, made if there is none.
///
/// # Errors
/// As [`init`].
pub(super) fn join() -> io::Result<&'static Family> {
    if !is_founded() {
        init().map_err(io::Error::other)?;
    }
    Ok(get())
}

/// Whether there is a family, and a launcher was to be had for it.
fn is_founded() -> bool {
    FAMILY.get().is_some() && member(LAUNCHER).state() != State::Reserved
}

/// What is known of this process, if it is in a family.
pub(super) fn own() -> Option<&'static Member> {
    FAMILY.get().map(|_| member(me()))
}

/// How much of the family's memory is taken, in blocks of 4096 bytes: 0 when nobody holds anything. For who looks for what was left
/// behind. What a process held that has just ended may be counted for a moment.
pub fn blocks_in_use() -> usize {
    FAMILY.get().map_or(0, |family| family.arena.taken())
}

/// The family, of whoever holds something of it.
///
/// # Panics
/// If there is none.
pub(super) fn get() -> &'static Family {
    FAMILY.get().expect("whoever holds something of a family is in one")
}

/// This process's place.
pub(super) fn me() -> usize {
    // ORDER(multi.me): Relaxed; written at the process's birth, while it has one thread.
    ME.load(Ordering::Relaxed) as usize
}

/// The same, as the arena's table has it.
pub(super) fn me16() -> u16 {
    u16::try_from(me()).unwrap_or(0)
}

/// At the birth of a process: this is its place.
pub(super) fn become_member(place: usize) {
    // ORDER(multi.me): Relaxed, see `me`.
    ME.store(u32::try_from(place).unwrap_or(0), Ordering::Relaxed);
    thread::forget_number();
}

/// The page of a member.
#[inline]
pub(super) fn member(place: usize) -> &'static Member {
    let arena = &get().arena;
    arena.view(arena.member_page(place), 0)
}

/// Pid of the process there; 0: there is none, or it is not there any more.
pub(super) fn pid_of(place: usize) -> i32 {
    i32::try_from(member(place).pid.get()).unwrap_or(0)
}

/// What a member's argument has on board, then its answer.
pub(super) fn waybill(place: usize) -> Waybill {
    Waybill::behind(&member(place).goods, get().arena.member_page(place), UNIT)
}

/// Nobody is there any more, and nobody will take what is left in its page.
pub(super) fn vacate(place: usize) {
    waybill(place).settle();
    member(place).set_state(State::Free);
}

/// Nobody will ask how the process there ended: its place is free when it has.
pub(super) fn detach(place: usize) {
    member(place).set_flag(DETACHED);
    vacate_if_detached(place);
}

/// It has ended. Whoever comes last, who detaches it or who buries it, frees its place.
pub(super) fn vacate_if_detached(place: usize) {
    member(place).free_if_detached((me(), member(me())), || waybill(place).settle());
}

/// All members but the first, which is nobody.
pub(super) fn members() -> impl Iterator<Item = (usize, &'static Member)> {
    (1..MEMBERS).map(|place| (place, member(place)))
}

/// Takes a free place for a process that is to be started.
pub(super) fn reserve(flags: u32, name: Option<&str>) -> Result<(usize, &'static Member), SpawnError> {
    named(name, |own, name| reserve_named(own, flags, name))
}

/// Takes the process that stands by, or else as [`reserve`].
pub(super) fn engage(flags: u32, name: Option<&str>) -> Result<(usize, &'static Member), SpawnError> {
    named(name, |own, name| {
        let mut ready = standing_by().map(|place| (place, member(place)));
        match ready.find(|(_, member)| member.engage((me(), own), flags, name)) {
            Some(engaged) => Ok(engaged),
            None => reserve_named(own, flags, name),
        }
    })
}

fn reserve_named(own: &Member, flags: u32, name: &str) -> Result<(usize, &'static Member), SpawnError> {
    let free = members().skip(LAUNCHER).find(|(_, member)| member.reserve((me(), own), flags, name));
    free.ok_or(SpawnError::TooMany { most: MEMBERS - 1 - LAUNCHER })
}

/// Counts one more child of this process, for `take` to take with its name.
fn named<T>(name: Option<&str>, take: impl FnOnce(&Member, &str) -> T) -> T {
    let own = member(me());
    let number = own.children.add(1) + 1;
    match name {
        Some(name) => take(own, name),
        None => take(own, &default_name(&own.short_name(), number)),
    }
}

/// As Python names them: `Process-1`, its first child `Process-1:1`; as far as there is room.
fn default_name(parent: &str, number: u32) -> heapless::String<NAME> {
    let mut name = heapless::String::new();
    // An error says that something was left out.
    let _ = match parent.strip_prefix("Process-") {
        Some(path) => write!(name, "Process-{path}:{number}"),
        None => write!(name, "Process-{number}"),
    };
    name
}

/// Places of the processes that stand by.
pub(super) fn standing_by() -> impl Iterator<Item = usize> {
    get().arena.standby().iter().filter_map(|word| stands_by(word.get() as usize))
}

/// That place, if the process there stands by.
pub(super) fn stands_by(place: usize) -> Option<usize> {
    ((1..MEMBERS).contains(&place) && member(place).state() == State::StandingBy).then_some(place)
}

/// Asks the launcher for something concerning a member.
///
/// # Errors
/// If it has gone.
pub(super) fn ask(request: launcher::Request, place: usize) -> Result<(), SpawnError> {
    let mut message = [0; 8];
    message[..4].copy_from_slice(&(request as u32).to_ne_bytes());
    message[4..].copy_from_slice(&u32::try_from(place).unwrap_or(0).to_ne_bytes());
    loop {
        match get().requests.send(&message, None) {
            Ok(()) => return Ok(()),
            // Many ask at once: it will come to it.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => get().requests.wait_for_room()?,
            Err(_) => return Err(SpawnError::LauncherGone),
        }
    }
}

/// Has the launcher kill the process there, which it forked; or who takes over from it.
pub(super) fn doom(place: usize) {
    member(place).set_flag(DOOMED);
    // Without it: there is nobody whom it could be asked of.
    let _ = ask(launcher::Request::Kill, place);
}

/// Has the launcher start the process of a place that was [reserved](reserve); one that was [engaged](engage) is there already.
///
/// # Errors
/// If it has gone, or there was no fork: the place is still the caller's.
pub(super) fn start(place: usize) -> Result<(), SpawnError> {
    let member = member(place);
    if pid_of(place) != 0 {
        // It ended with the launcher, and its pid may be another's, if that has gone.
        return if launcher_lives() { Ok(()) } else { Err(SpawnError::LauncherGone) };
    }
    let successors = &self::member(LAUNCHER).restarts;
    let mut asked = successors.get();
    ask(launcher::Request::Start, place)?;
    let begun = || (member.state() != State::Reserved).then_some(());
    for slice in Limit::NEVER.slices() {
        if member.news.wait(slice, begun).is_some() {
            break;
        }
        if !launcher_lives() {
            return Err(SpawnError::LauncherGone);
        }
        // Killed, it may have taken what it was asked for with it.
        if asked != successors.get() {
            asked = successors.get();
            ask(launcher::Request::Start, place)?;
        }
    }
    // Without a fork it has no pid, and its status is what the system said.
    match (pid_of(place), member.status()) {
        (0, Some(status)) => Err(io::Error::from_raw_os_error(status.exitcode()).into()),
        _ => Ok(()),
    }
}

/// What all members keep: the line to the launcher, the memory, and the lifeline.
pub(super) fn descriptors() -> [RawFd; 4] {
    let Family { arena, requests, lifeline, .. } = get();
    let [reader, writer] = lifeline.descriptors();
    [requests.as_fd(), arena.descriptor(), reader, writer].map(|fd| fd.as_raw_fd())
}

/// In a process that the launcher ends when its parent has ended: that the kernel does so when neither the launcher is left nor anybody
/// else who is not such a process.
///
/// # Errors
/// As [`Lifeline::hang_on`].
pub(super) fn hang_on() -> io::Result<()> {
    get().lifeline.hang_on()
}

/// Refuses if other threads exist. One that has just been joined may still be on its way out of the kernel: it gets a moment.
pub(super) fn refuse_threads() -> Result<(), SpawnError> {
    if has_one_thread() {
        return Ok(());
    }
    for _ in 0..100 {
        match thread_count() {
            Some(1) => return Ok(()),
            Some(_) => std::thread::sleep(std::time::Duration::from_micros(100)),
            // Out of descriptors, say.
            None => {
                return Err(
                    io::Error::other("/proc/self/task, which says how many threads there are, cannot be read").into()
                );
            }
        }
    }
    Err(SpawnError::MultiThreaded { threads: thread_count().unwrap_or(0) })
}

/// Whether there is somebody to give back what the dead held.
pub(super) fn launcher_lives() -> bool {
    get().requests.has_peer()
}
