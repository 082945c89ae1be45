//! The child's side of a start: from the fork to the exit.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use super::bell::Limit;
use super::error::TooLarge;
use super::family;
use super::left_alone;
use super::logging;
use super::member::{ANSWER, ANSWER_AT, Answer, BOUND, DETACHED, Member, State};
use super::message::{Message, Reader, Writer, hand_over};
use super::waybill;
use crate::sys::fork::{exit_now, own_pid, parent_pid};
use crate::sys::{prctl, signal, stderr};

/// What a child that panicked exits with, as Rust programs do.
pub(super) const PANICKED: i32 = 101;
/// What a child exits with that could not be set up.
const STILLBORN: i32 = 125;
/// Why a process was not set up: who started it has ended, as [`family::hang_on`] says it, too.
const ORPHANED: std::io::ErrorKind = std::io::ErrorKind::BrokenPipe;

/// What is said of a panic that says nothing.
const NO_TEXT: &str = "a panic";
/// Most characters of a panic's message that are shown.
const SHOWN: usize = 4000;

/// What a launched process does, given its place: its address is the first word of the job. How many bytes the answer takes.
pub(super) type Work = fn(usize) -> Result<usize, TooLarge>;

thread_local! {
    /// What this thread's last panic said, and where it was.
    static PANIC: RefCell<(String, Option<String>)> = const { RefCell::new((String::new(), None)) };
}

/// What is to be done before this process exits, last first.
static HOOKS: Mutex<Vec<Box<dyn FnOnce() + Send>>> = Mutex::new(Vec::new());

/// Has `hook` called when this process comes to its end by returning from its work, by [`exit`] or, in the main process, by
/// [`run_exit_hooks`]; the last registered first. Children do not inherit it.
pub fn at_exit(hook: impl FnOnce() + Send + 'static) {
    hooks().push(Box::new(hook));
}

fn hooks() -> std::sync::MutexGuard<'static, Vec<Box<dyn FnOnce() + Send>>> {
    // A hook that panicked has been taken out already.
    HOOKS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Calls what [`at_exit`] has registered, once. Called by the end of every child; call it at the end of `main`.
pub fn run_exit_hooks() {
    loop {
        // Not held during the call: a hook may register another.
        let Some(hook) = hooks().pop() else { return };
        let _ = catch_unwind(AssertUnwindSafe(hook));
    }
}

/// Ends this process with `code`, as Python's `sys.exit`: its hooks are called and its standard output is flushed.
pub fn exit(code: i32) -> ! {
    run_exit_hooks();
    flush();
    exit_now(code)
}

/// Has what is buffered for the standard output written: a fork would double it.
pub(super) fn flush() {
    let _ = std::io::stdout().flush();
}

/// The life of a child forked by the one that asked for it, the process `parent`.
pub(super) fn forked<R: Message>(place: usize, parent: i32, work: impl FnOnce() -> R) -> ! {
    let member = family::member(place);
    let generation = member.generation();
    cast_off();
    be_born(place, || {
        if member.is(BOUND) {
            prctl::die_with_parent()?;
        }
        // Mostly so, where it is a standby's turn at once: without a look at the clock.
        if parent_pid() == parent && member.released.get() != 0 && member.generation() == generation {
            return Ok(());
        }
        // Should it end before that, nobody may know of us, and the place can be another's. After that we live on, unless we are bound.
        let released = || (member.released.get() != 0).then(|| member.generation() == generation);
        for slice in Limit::NEVER.slices() {
            let is_orphaned = parent_pid() != parent;
            match member.news.wait(if is_orphaned { Limit::after(Duration::ZERO) } else { slice }, released) {
                Some(true) if !is_orphaned || !member.is(BOUND) => return Ok(()),
                None if !is_orphaned => {}
                _ => break,
            }
        }
        Err(ORPHANED.into())
    });
    live(place, || leave_answer(place, &work()))
}

/// The life of a child forked by the launcher, the process `launcher`: `prepare` lets go of what is the launcher's. It may have to stand by.
// Inlined as what it calls, and the launcher has cast off what it would have to: each page that it is the first to touch is a fault, of
// which its birth mostly consists.
#[inline]
pub(super) fn launched(place: usize, (launcher, stands_by): (i32, bool), prepare: impl FnOnce()) -> ! {
    let member = family::member(place);
    be_born(place, || {
        prepare();
        if stands_by {
            prctl::die_with_parent()?;
            if parent_pid() != launcher {
                exit_now(STILLBORN);
            }
        }
        // Who takes over from a launcher that was killed has another in our place if it does not know of us.
        if !member.claim(own_pid().unsigned_abs(), || parent_pid() == launcher) {
            exit_now(STILLBORN);
        }
        if stands_by {
            stand_by(place)?;
        }
        if member.is(BOUND) {
            family::hang_on()?;
        }
        wait_for_release(place);
        signal::heed_stop_signals()
    });
    let work = usize::try_from(family::member(place).job[0].get()).unwrap_or(0);
    // SAFETY: the job was written by `Process::spawn_fn` (or a pool) of a process of this same image: the address is that of a function
    // of this type, and a fork has the same functions at the same addresses.
    let work: Work = unsafe { std::mem::transmute(work) };
    live(place, || work(place))
}

/// Until the parent has put down whose we are. Should it end before, the launcher ends us.
fn wait_for_release(place: usize) {
    let member = family::member(place);
    member.news.wait(Limit::NEVER, || (member.released.get() != 0).then_some(()));
}

/// Until somebody has engaged us and has put down what we are to do. We end with the launcher, as long as we are nobody's.
fn stand_by(place: usize) -> std::io::Result<()> {
    let member = family::member(place);
    let generation = member.generation();
    prctl::set_name("pinring-standby")?;
    member.news.rest(Limit::NEVER, || (member.released.get() != 0).then_some(()));
    // Who engaged us has found the launcher gone, and has given the place up.
    if member.generation() != generation {
        exit_now(STILLBORN);
    }
    prctl::live_on()
}

/// Forgets what concerned the parent alone: in the launcher, for all that it starts, and in who is forked by another. What the parent's
/// hooks hold is not ours to drop.
pub(super) fn cast_off() {
    std::mem::forget(std::mem::take(&mut *hooks()));
    left_alone::forget();
    std::mem::forget(std::panic::take_hook());
    std::panic::set_hook(Box::new(say_panic));
}

fn be_born(place: usize, set_up: impl FnOnce() -> std::io::Result<()>) {
    family::become_member(place);
    let member = family::member(place);
    // Named at the end: who stands by has no name before. Without the heap, a page of which would have to be copied.
    if let Err(error) = set_up().and_then(|()| prctl::set_name(member.name_bytes())) {
        // Who ends while it starts others has no use for them: nobody is to be told.
        if error.kind() != ORPHANED {
            stderr::say(&format!("pinring: process `{}`: cannot be set up: {error}", member.name()));
        }
        exit_now(STILLBORN);
    }
    logging::take_over();
}

fn say_panic(info: &std::panic::PanicHookInfo<'_>) {
    let message = text_of(info.payload()).unwrap_or_else(|| NO_TEXT.into());
    let location = info.location().map(ToString::to_string);
    let at = location.as_ref().map_or_else(String::new, |at| format!(" at {at}"));
    let name = family::member(family::me()).name();
    // One write: other processes' lines cannot come between.
    let shown: String = message.chars().take(SHOWN).collect();
    let trace = Backtrace::capture();
    let trace = if trace.status() == BacktraceStatus::Captured { format!("\n{trace}") } else { String::new() };
    stderr::say(&format!("[{name}] panicked{at}: {shown}{trace}"));
    PANIC.set((message, location));
}

/// What a panic said.
fn text_of(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}

/// The same of one that was caught, and where it was: if our hook has seen one of this text last. The process's own may be another by now,
/// and what is thrown on is not seen again.
fn look_at(payload: &(dyn Any + Send)) -> (String, Option<String>) {
    let (text, (seen, location)) = (text_of(payload), PANIC.take());
    let location = location.filter(|_| text.as_ref() == Some(&seen));
    (text.unwrap_or_else(|| NO_TEXT.into()), location)
}

/// Writes what the work has returned, unless nobody will take it: it may hold memory. How many bytes that took. The page holds the argument
/// until the work has read it, no longer.
pub(super) fn leave_answer<R: Message>(place: usize, answer: &R) -> Result<usize, TooLarge> {
    if family::member(place).is(DETACHED) {
        return Ok(0);
    }
    with_answer(place, room_for::<R>(), |room| {
        let mut out = Writer::new(room);
        hand_over(answer, &mut out, || family::waybill(place)).map(|()| out.len())
    })
}

fn live(place: usize, work: impl FnOnce() -> Result<usize, TooLarge>) -> ! {
    let worked = catch_unwind(AssertUnwindSafe(work));
    if !matches!(worked, Ok(Ok(_))) {
        // It may have panicked when the answer was there already: what that has on board lies where the panic is to be written.
        family::waybill(place).settle();
    }
    let (answer, len) = match &worked {
        Ok(Ok(len)) => (Answer::Value, *len),
        Ok(Err(too_large)) => (Answer::TooLarge, with_answer(place, ANSWER, |room| too_large.note(room))),
        Err(payload) => (Answer::Panicked, with_answer(place, ANSWER, |room| write_panic(room, payload.as_ref()))),
    };
    family::member(place).set_answer(answer, len);
    run_exit_hooks();
    flush();
    exit_now(if worked.is_ok() { 0 } else { PANICKED })
}

/// The message, as much of it as there is room for, before it the place; how many bytes that took.
pub(super) fn write_panic(place: &mut [u8], payload: &(dyn Any + Send)) -> usize {
    let (message, location) = look_at(payload);
    let mut out = Writer::new(place);
    for (text, share) in [(location.unwrap_or_default(), 2), (message, 1)] {
        let room = out.room().saturating_sub(8) / share;
        let end = (0..=text.len().min(room)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let len = u32::try_from(end).unwrap_or(0);
        let _ = len.encode(&mut out).and_then(|()| out.put(&text.as_bytes()[..end]));
    }
    out.len()
}

/// What [`write_panic`] wrote.
pub(super) fn read_panic(bytes: &[u8]) -> (String, Option<String>) {
    let mut from = Reader::new(bytes);
    let mut text = || {
        let len = u32::decode(&mut from).ok()?;
        Some(String::from_utf8_lossy(from.take(len as usize).ok()?).into_owned())
    };
    let location = text().filter(|text| !text.is_empty());
    (text().unwrap_or_default(), location)
}

/// Bytes of a member's page for a value of that type: what it has on board comes behind it.
pub(super) fn room_for<T: Message>() -> usize {
    ANSWER.saturating_sub(waybill::entries(T::OBJECTS))
}

/// Has the first `len` bytes of a member's page written: its answer, or the argument of its work. At the place itself, not elsewhere
/// first: a page of the stack would have to be copied for it, as after each fork.
fn with_answer<T>(place: usize, len: usize, write: impl FnOnce(&mut [u8]) -> T) -> T {
    let arena = &family::get().arena;
    let target = arena.place(arena.member_page(place), ANSWER_AT, len);
    // SAFETY: within the page, as `place` has checked. Nobody else touches it now: the parent before the start, the child until it has
    // said that its answer is there; and `write` cannot come here again with the same bytes, as only values are encoded in it.
    write(unsafe { std::slice::from_raw_parts_mut(target.as_ptr(), len) })
}

/// Writes an argument.
pub(super) fn write_argument(place: usize, bytes: &[u8]) {
    with_answer(place, bytes.len(), |room| room.copy_from_slice(bytes));
}

/// Reads what was written there, at the place itself.
pub(super) fn with_written<T>(place: usize, len: usize, read: impl FnOnce(&[u8]) -> T) -> T {
    let (arena, len) = (&family::get().arena, len.min(ANSWER));
    let source = arena.place(arena.member_page(place), ANSWER_AT, len);
    // SAFETY: within the page, as `place` has checked. It was written before whoever reads it was told so: an argument before the child was
    // released, an answer before that said it is there; and the child overwrites the one only when it has read it.
    read(unsafe { std::slice::from_raw_parts(source.as_ptr(), len) })
}

/// The other end of [`leave_answer`].
pub(super) fn read_answer(place: usize, len: usize) -> Vec<u8> {
    with_written(place, len, <[u8]>::to_vec)
}

/// Waits until the launcher has given back what the process there held that has ended; false if it does not come to that in time, or ever:
/// because there is no launcher any more.
pub(super) fn wait_for_burial(place: usize, limit: Limit) -> bool {
    let member = family::member(place);
    for slice in limit.slices() {
        if member.news.wait(slice, || is_buried(member)).is_some() {
            return true;
        }
        if !family::launcher_lives() {
            return false;
        }
    }
    false
}

/// Sleeps until then, or for a slice of the time.
pub(super) fn rest_until_burial(place: usize, limit: Limit) {
    let member = family::member(place);
    if let Some(slice) = limit.slices().next() {
        member.news.rest(slice, || is_buried(member));
    }
}

fn is_buried(member: &Member) -> Option<()> {
    matches!(member.state(), State::Ended | State::Free).then_some(())
}
