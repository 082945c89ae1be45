//! The worker's side of a pool: it takes tasks and runs them until there are no more.

use std::cell::Cell as LocalCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::WorkerContext;
use super::cells::{Cells, Phase, TaskId};
use super::sheet::Sheet;
use crate::multi::arena::BlockId;
use crate::multi::bell::Limit;
use crate::multi::child;
use crate::multi::cpu::Core;
use crate::multi::error::TooLarge;
use crate::multi::family;
use crate::multi::member::{Member, REVIVE};
use crate::multi::message::Message;
use crate::multi::no_size::conjure;
use crate::multi::object::{Handle, Object, Role};
use crate::multi::queue::Consumer;
use crate::sys::fork::own_pid;
use crate::sys::kill_timer::KillTimer;
use crate::sys::{affinity, signal};

/// What a worker exits with whose `init` failed.
pub(super) const INIT_FAILED: i32 = 124;

/// How much a task's result takes, or what is the matter with it and how many bytes tell of that.
pub(super) type Answer = Result<usize, (Phase, usize)>;

/// How a task's function is called: with its sheet, and how many bytes its argument has.
pub(super) type Shim = fn(&mut Sheet, usize) -> Answer;

thread_local! {
    /// Which attempt at the task under way this is.
    static ATTEMPT: LocalCell<u32> = const { LocalCell::new(0) };
}

/// Which attempt at the task under way, in a map at the value, this is, 1 the first time: more if its worker died and it is
/// [tried again](super::Retry). 0 outside of a task.
pub fn task_attempt() -> u32 {
    ATTEMPT.get()
}

/// Does `work`, which is that attempt at something within the task under way.
pub(super) fn as_attempt<T>(attempt: u32, work: impl FnOnce() -> T) -> T {
    let outer = ATTEMPT.replace(attempt);
    let done = work();
    ATTEMPT.set(outer);
    done
}

/// Runs `work` on the argument on the sheet and puts the result there.
pub(super) fn run<A: Message, R: Message, F: Fn(A) -> R + Copy>(sheet: &mut Sheet, len: usize) -> Answer {
    // SAFETY: whoever submitted the task had one.
    let work: F = unsafe { conjure() };
    let Ok(argument) = sheet.read::<A>(len) else { return Err((Phase::Unreadable, 0)) };
    answer(sheet, catch_unwind(AssertUnwindSafe(|| work(argument))))
}

/// Puts a result, or what a panic said, on the sheet.
pub(super) fn answer<R: Message>(sheet: &mut Sheet, result: std::thread::Result<R>) -> Answer {
    match result.map(|result| sheet.answer(&result)) {
        Ok(Ok(len)) => Ok(len),
        Ok(Err(too_large)) => Err((Phase::TooLarge, too_large.note(sheet.result()))),
        Err(payload) => Err((Phase::Panicked, child::write_panic(sheet.result(), payload.as_ref()))),
    }
}

/// The function of tasks whose workers know what to do.
pub(super) fn nothing(_: &mut Sheet, _: usize) -> Answer {
    Err((Phase::Unreadable, 0))
}

/// A worker's hold on its pool, which the owner holds as long as it has workers, and the tasks there.
pub(super) fn join(pool: Object) -> (Handle, Cells, Consumer<u64>) {
    let held = Handle::join(pool, Role::Second);
    let cells = Cells::of(pool);
    (held, cells, Consumer::join_block(Object::in_block(BlockId(cells.head.tasks.get()))))
}

/// What the launcher starts in a worker's process.
pub(super) fn main(place: usize) -> Result<usize, TooLarge> {
    let member = family::member(place);
    // Ctrl-C is the owner's business.
    let _ = signal::ignore_interrupt();
    let pool =
        Object { block: BlockId(u32::try_from(member.job[1].get()).unwrap_or(0)), generation: member.job[3].get() };
    let settings = member.job[2].get();
    let (index, core) = (settings >> 32, Core::unpack(settings));
    let (_held, cells, tasks) = join(pool);
    if let Some(Err(error)) = core.map(|core| affinity::pin_to(core.cpu)) {
        log::warn!("a pool's worker cannot be pinned to {core:?}: {error}; it runs anywhere");
    }
    let context =
        WorkerContext { index: usize::try_from(index).unwrap_or(0), core, incarnation: member.restarts.get() + 1 };
    initialise(&cells, context);
    let call = |shim: u64, sheet: &mut Sheet, len: usize| {
        // SAFETY: the task was submitted by a process of this same image: the address of a function of this type.
        let shim: Shim = unsafe { std::mem::transmute(usize::try_from(shim).unwrap_or(0)) };
        shim(sheet, len)
    };
    if work(&cells, &tasks, member, call) {
        // Nobody is to take our place.
        member.clear_flag(REVIVE);
    }
    Ok(0)
}

/// Calls an `init`, which has no size.
pub(super) fn call_init<F: Fn(WorkerContext) -> Result<(), String> + Copy>(
    context: WorkerContext,
) -> Result<(), String> {
    // SAFETY: as in `run`.
    let init: F = unsafe { conjure() };
    init(context)
}

fn initialise(cells: &Cells, context: WorkerContext) {
    let init = usize::try_from(cells.head.init.get()).unwrap_or(0);
    if init == 0 {
        return;
    }
    // SAFETY: written by `PoolBuilder::init` of a process of this same image: the address of a function of this type.
    let init: fn(WorkerContext) -> Result<(), String> = unsafe { std::mem::transmute(init) };
    if let Err(error) = init(context) {
        let name = family::member(family::me()).name();
        crate::sys::stderr::say(&format!("[{name}] its start failed: {error}"));
        child::exit(INIT_FAILED);
    }
}

/// Runs tasks by `call` (which gets the function's address, the sheet, and how many bytes the argument has) until there will be no more
/// (true) or the worker is to be replaced.
pub(super) fn work(
    cells: &Cells,
    tasks: &Consumer<u64>,
    member: &Member,
    mut call: impl FnMut(u64, &mut Sheet, usize) -> Answer,
) -> bool {
    let most = cells.head.most_tasks.get();
    let (mut done, mut keeper) = (0, Timekeeper::default());
    while most == 0 || done < most {
        let Ok(lease) = tasks.lease() else { return true };
        let task = TaskId::unpack(*lease);
        let ours = cells.lease(task);
        // What becomes of it is written in its cell from now on.
        lease.ack();
        if ours {
            member.tasks.add(1);
            run_task(cells, task, &mut keeper, &mut call);
            done += 1;
        }
    }
    false
}

/// Ends this worker at the deadline of the task that it is at.
#[derive(Debug, Default)]
pub(super) struct Timekeeper(Option<KillTimer>);

impl Timekeeper {
    /// Does `work`, unless it is too late for that. Who is still at it at the deadline is killed by the kernel.
    fn keep<T>(&mut self, deadline: Limit, work: impl FnOnce() -> T) -> Option<T> {
        let Some(at_ns) = deadline.at_ns() else { return Some(work()) };
        if deadline.is_over() {
            return None;
        }
        if let Err(error) = self.set(at_ns) {
            log::warn!("this worker cannot be ended at its task's deadline: {error}; see `ulimit -i`");
        }
        let done = work();
        // Before anybody hears of the result, so that it is this task and no other that it is killed with.
        if self.0.as_mut().is_some_and(|timer| timer.unset().is_err()) {
            self.0 = None;
        }
        Some(done)
    }

    fn set(&mut self, at_ns: u64) -> std::io::Result<()> {
        let timer = match self.0.take() {
            Some(timer) => timer,
            None => KillTimer::new()?,
        };
        self.0.insert(timer).set(at_ns)
    }
}

/// Runs a task that was [leased](Cells::lease).
pub(super) fn run_task(
    cells: &Cells,
    task: TaskId,
    keeper: &mut Timekeeper,
    call: &mut impl FnMut(u64, &mut Sheet, usize) -> Answer,
) {
    let Some(cell) = cells.cell(task.cell) else { return };
    cell.pid.set(own_pid().unsigned_abs());
    ATTEMPT.set(cell.attempts.add(1) + 1);
    // SAFETY: it is leased to us.
    let Some(mut sheet) = (unsafe { cells.sheet(task) }) else { return };
    let begun = keeper.keep(cell.deadline(), || call(cell.shim.get(), &mut sheet, cell.len.get() as usize));
    let (phase, len) = match begun {
        Some(Ok(len)) => (Phase::Done, len),
        Some(Err((phase, len))) => (phase, len),
        None => (Phase::Overdue, 0),
    };
    ATTEMPT.set(0);
    cell.answer_len.set(u32::try_from(len).unwrap_or(u32::MAX));
    cells.head.completed.add(u64::from(phase != Phase::Overdue));
    if !cells.change(task, Phase::Leased, phase) {
        // Nobody waits for it any more.
        cells.free(task, Phase::Orphan);
    }
    cells.head.over.ring_all();
}
