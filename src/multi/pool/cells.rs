//! Where tasks lie from their submission until their result is taken: cells in shared memory, each with one word that says everything.
//!
//! ```text
//! Free -> Filling(submitter) -> Submitted -> Leased(worker) -> Done | Panicked | TooLarge | Unreadable -> Free
//!                                |     |          |    |
//!                      cancelled |     |          |    +-> Died (its worker died) | Overdue (at its deadline)
//!                                v     v          v
//!                              Free  Errand -> Orphan(worker) -> Free      the two for which nobody waits any more
//! ```
//!
//! The word has a number besides, another for each task, so that nobody takes a task for one that was there before.

use std::io;

use super::cell::{Cell, waybills_at};
pub(super) use super::phase::Phase;
use super::phase::State;
use super::segment::{FIRST, Measures, SEGMENT};
use super::sheet::Sheet;
pub(super) use super::task_id::TaskId;
use crate::multi::arena::{BlockId, Kind, Words};
use crate::multi::bell::Bell;
use crate::multi::error::{ExitStatus, TooLarge};
use crate::multi::family;
use crate::multi::message::Message;
use crate::multi::object::{BODY, Handle, Object, Role};
use crate::multi::waybill::Waybill;
use crate::multi::word::{Word32, Word64};

/// Most segments of a pool; they are made as they are needed.
const SEGMENTS: usize = 64;
/// Most tasks that a pool can have at a time.
pub(super) const MOST: usize = SEGMENT * SEGMENTS;

/// First words of a pool.
#[repr(C)]
pub(super) struct Head {
    /// Bytes for an argument or a result.
    size: Word32,
    /// Where the search for a free cell begins.
    hint: Word32,
    /// Number of the next task.
    number: Word32,
    /// 1: no task will be run any more.
    pub(super) ended: Word32,
    /// Most times that a task that has killed its worker is tried again.
    pub(super) retries: Word32,
    /// Tasks after which a worker is replaced; 0: never.
    pub(super) most_tasks: Word32,
    /// 1: the workers cannot be started; they have said why.
    pub(super) broken: Word32,
    /// 1: its workers are started by a foreman, who holds the pool as they do.
    pub(super) overseen: Word32,
    /// What was done, for the statistics.
    pub(super) completed: Word64,
    pub(super) crashed: Word64,
    pub(super) retried: Word64,
    /// The function that every worker calls first, and the block of the tasks' queue.
    pub(super) init: Word64,
    pub(super) tasks: Word32,
    segments: [Word32; SEGMENTS],
    /// Rung when a task is over.
    pub(super) over: Bell,
}

// SAFETY: words only.
unsafe impl Words for Head {}

/// The cells of a pool, as this process sees them.
#[derive(Clone, Copy)]
pub(super) struct Cells {
    object: Object,
    pub(super) head: &'static Head,
}

fn me() -> u8 {
    u8::try_from(family::me()).unwrap_or(0)
}

impl Cells {
    /// Makes a pool's object, for tasks of `size` bytes.
    pub(super) fn create(size: u32) -> io::Result<Handle> {
        let handle = Handle::create(Kind::Pool, size_of::<Head>(), Role::First, |object| {
            object.body::<Head>().size.set(size);
        })?;
        Ok(handle)
    }

    pub(super) fn of(object: Object) -> Self {
        Self { object, head: object.body() }
    }

    pub(super) fn size(&self) -> usize {
        self.head.size.get() as usize
    }

    /// Where the result is, behind the argument: in its place, unless that may be needed again.
    fn result_at(&self) -> usize {
        if self.head.retries.get() > 0 { self.size() } else { 0 }
    }

    fn stride(&self) -> usize {
        (size_of::<Cell>() + self.result_at() + self.size()).next_multiple_of(64)
    }

    fn place(&self, cell: u32) -> Option<(BlockId, usize)> {
        let (segment, index) = (cell as usize / SEGMENT, cell as usize % SEGMENT);
        let block = self.head.segments.get(segment)?.get();
        (block != 0).then(|| (BlockId(block), FIRST + index * self.stride()))
    }

    /// The cell of that number.
    pub(super) fn cell(&self, cell: u32) -> Option<&'static Cell> {
        let (block, at) = self.place(cell)?;
        Some(family::get().arena.view(block, at))
    }

    /// Takes a free cell for a new task; makes more of them if all are taken. `None`: the pool has all that it can have.
    pub(super) fn claim(&self) -> io::Result<Option<TaskId>> {
        loop {
            if let Some(task) = self.claim_free() {
                return Ok(Some(task));
            }
            if !self.grow()? {
                return Ok(None);
            }
        }
    }

    fn claim_free(&self) -> Option<TaskId> {
        let made = self.head.segments.iter().take_while(|segment| segment.get() != 0).count() * SEGMENT;
        let hint = self.head.hint.get() as usize;
        for step in 0..made {
            let number = u32::try_from((hint + step) % made).unwrap_or(0);
            let cell = self.cell(number)?;
            let found = State::unpack(cell.state.get());
            if found.phase == Phase::Free {
                let new = State { number: self.head.number.add(1) + 1, owner: me(), phase: Phase::Filling };
                if cell.state.replace(found.pack(), new.pack()).is_ok() {
                    self.head.hint.set(number + 1);
                    cell.attempts.set(0);
                    return Some(TaskId { cell: number, number: new.number });
                }
            }
        }
        None
    }

    /// Makes another segment, unless there are as many as there can be.
    fn grow(&self) -> io::Result<bool> {
        let Some(place) = self.head.segments.iter().position(|segment| segment.get() == 0) else { return Ok(false) };
        let (stride, measure) = (self.stride(), |bytes| u32::try_from(bytes).unwrap_or(u32::MAX));
        let bytes = FIRST - BODY + SEGMENT * stride;
        let segment = Handle::create(Kind::Tasks, bytes, Role::First, |object| {
            let measures: &Measures = object.body();
            measures.size.set(measure(self.size()));
            measures.result_at.set(measure(self.result_at()));
            measures.stride.set(measure(stride));
        })?;
        // Another may have been quicker; then it is dropped again.
        if self.head.segments[place].replace(0, segment.object().block.0).is_ok() {
            self.head.hint.set(u32::try_from(place * SEGMENT).unwrap_or(0));
            // It is the pool's from now on, and freed with it.
            std::mem::forget(segment);
        }
        Ok(true)
    }

    /// Frees what [`Self::claim`] has made. By the pool's owner, when no worker is left.
    pub(super) fn free_segments(&self) {
        for segment in &self.head.segments {
            let block = segment.swap(0);
            if block != 0 {
                drop(Handle::assume(Object::in_block(BlockId(block)), Role::First));
            }
        }
    }

    pub(super) fn state(&self, task: TaskId) -> Option<State> {
        let state = State::unpack(self.cell(task.cell)?.state.get());
        (state.number == task.number).then_some(state)
    }

    /// From one phase to another; false if it is in another one.
    pub(super) fn change(&self, task: TaskId, from: Phase, to: Phase) -> bool {
        let Some(cell) = self.cell(task.cell) else { return false };
        let found = State::unpack(cell.state.get());
        let is_ours = to == Phase::Filling || matches!(from, Phase::Submitted | Phase::Errand);
        let owner = if is_ours { me() } else { found.owner };
        let new = State { number: task.number, owner, phase: to };
        found.number == task.number && found.phase == from && cell.state.replace(found.pack(), new.pack()).is_ok()
    }

    /// What a task's argument has on board, and its result.
    fn waybills(&self, task: TaskId) -> Option<(Waybill, Waybill)> {
        let (block, at) = self.place(task.cell)?;
        Some(waybills_at(block, at, self.size(), self.result_at()))
    }

    /// From one phase to free: what it still has on board goes; false if it is in another one.
    pub(super) fn free(&self, task: TaskId, from: Phase) -> bool {
        let Some((argument, result)) = self.waybills(task) else { return false };
        if argument.is_empty() && result.is_empty() {
            return self.change(task, from, Phase::Free);
        }
        // Nobody else may have the cell before that is done.
        if !self.change(task, from, Phase::Filling) {
            return false;
        }
        argument.settle();
        result.settle();
        self.change(task, Phase::Filling, Phase::Free)
    }

    /// Takes a task to run it; false if it is not there to be run.
    pub(super) fn lease(&self, task: TaskId) -> bool {
        self.change(task, Phase::Submitted, Phase::Leased) || self.change(task, Phase::Errand, Phase::Orphan)
    }

    /// Nobody will take the result: frees the task if it has not begun, else whoever runs it does. If it is over, how: then that is for the
    /// caller to do.
    pub(super) fn abandon(&self, task: TaskId) -> Option<Phase> {
        loop {
            let phase = self.state(task)?.phase;
            let done = match phase {
                Phase::Filling | Phase::Submitted => self.free(task, phase),
                Phase::Leased => self.change(task, phase, Phase::Orphan),
                over => return over.is_over().then_some(over),
            };
            // Else it has gone on meanwhile.
            if done {
                return None;
            }
        }
    }

    /// Has the task run, though nobody will take the result; false if it is over.
    pub(super) fn detach(&self, task: TaskId) -> bool {
        let detached = |phase| match phase {
            Phase::Submitted => self.change(task, phase, Phase::Errand),
            Phase::Leased => self.change(task, phase, Phase::Orphan),
            _ => false,
        };
        let waiting = || {
            self.state(task).map(|state| state.phase).filter(|phase| matches!(phase, Phase::Submitted | Phase::Leased))
        };
        std::iter::from_fn(waiting).any(detached)
    }

    /// What a task is written on, for who has it in hand: who fills it, runs it, or reads its result.
    ///
    /// # Safety
    /// Nobody else may have it in hand, as long as the sheet is used: its state says so.
    pub(super) unsafe fn sheet(&self, task: TaskId) -> Option<Sheet> {
        let (block, at) = self.place(task.cell)?;
        let bills = waybills_at(block, at, self.size(), self.result_at());
        let (at, len) = (at + size_of::<Cell>(), self.result_at() + self.size());
        let start = family::get().arena.place(block, at, len);
        // SAFETY: within the arena, as `place` has checked; that all of it is ours for now is the caller's promise.
        Some(unsafe { Sheet::new(start, self.size(), self.result_at(), bills) })
    }

    /// Writes the argument of a task that this process is filling; its bytes.
    ///
    /// # Errors
    /// If it does not fit.
    pub(super) fn fill<A: Message>(&self, task: TaskId, argument: &A) -> Result<usize, TooLarge> {
        // SAFETY: it is being filled, by us.
        let Some(mut sheet) = (unsafe { self.sheet(task) }) else { return Ok(0) };
        sheet.fill(argument)
    }

    /// A worker has died: what it was running is tried again, or has died with it. The tasks that are to be tried again go to `again`,
    /// which says whether they can be.
    pub(super) fn bereave(
        &self,
        dead: usize,
        pid: u32,
        status: Option<ExitStatus>,
        mut again: impl FnMut(TaskId) -> bool,
    ) {
        for number in self.numbers() {
            let Some(cell) = self.cell(number) else { continue };
            // Once more if whoever waited for it has abandoned it meanwhile.
            while !self.bereave_cell(number, cell, dead, (pid, status), &mut again) {}
        }
        self.head.over.ring_all();
    }

    /// The tasks that are to be tried again.
    pub(super) fn begun_before(&self) -> impl Iterator<Item = TaskId> {
        self.numbers().filter_map(|number| {
            let cell = self.cell(number)?;
            let found = State::unpack(cell.state.get());
            let is_waiting = matches!(found.phase, Phase::Submitted | Phase::Errand) && cell.attempts.get() > 0;
            is_waiting.then_some(TaskId { cell: number, number: found.number })
        })
    }

    /// Of all cells that were ever made.
    fn numbers(&self) -> std::ops::Range<u32> {
        let made = self.head.segments.iter().take_while(|segment| segment.get() != 0).count() * SEGMENT;
        0..u32::try_from(made).unwrap_or(0)
    }

    /// Whether nothing is left to be done there.
    fn bereave_cell(
        &self,
        number: u32,
        cell: &Cell,
        dead: usize,
        (pid, status): (u32, Option<ExitStatus>),
        again: &mut impl FnMut(TaskId) -> bool,
    ) -> bool {
        let found = State::unpack(cell.state.get());
        let task = TaskId { cell: number, number: found.number };
        match found.phase {
            _ if usize::from(found.owner) != dead => true,
            Phase::Filling | Phase::Orphan => self.free(task, found.phase),
            Phase::Leased => {
                cell.pid.set(pid);
                cell.set_status(status);
                let overdue = cell.deadline().is_over();
                let retried = !overdue && cell.attempts.get() <= cell.retries.get();
                if let Some((argument, result)) = self.waybills(task) {
                    result.settle();
                    if !retried {
                        argument.settle();
                    }
                }
                let lost = if overdue { Phase::Overdue } else { Phase::Died };
                if !self.change(task, Phase::Leased, if retried { Phase::Submitted } else { lost }) {
                    return false;
                }
                self.head.crashed.add(u64::from(!overdue));
                if retried {
                    self.head.retried.add(1);
                    if !again(task) {
                        self.change(task, Phase::Submitted, Phase::Died);
                    }
                }
                true
            }
            _ => true,
        }
    }
}

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cells").field("object", &self.object).finish_non_exhaustive()
    }
}
