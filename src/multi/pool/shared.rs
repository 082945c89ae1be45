//! What a pool and the results of its tasks have in common, and the pool's owner's part of its workers' lives.

use std::sync::{Arc, Mutex, PoisonError};

use super::cells::{Cells, MOST, Phase, TaskId};
use super::job::Room;
use super::late::Late;
use super::layout::Layout;
use super::task::{AsyncResult, TaskError};
use super::worker::{self, Shim};
use super::{PoolBuilder, PoolStats, Retry, WorkerInfo};
use crate::multi::arena::BlockId;
use crate::multi::bell::Limit;
use crate::multi::child;
use crate::multi::cpu::Core;
use crate::multi::error::{SpawnError, TooLarge};
use crate::multi::family;
use crate::multi::member::{BOUND, LAUNCHED, REVIVE, State};
use crate::multi::message::Message;
use crate::multi::object::{Handle, Object, Role};
use crate::multi::queue::{Consumer, Producer, Shutdown, queue};
use crate::prim::{AtomicU32, Ordering};
use crate::process::{Doing, look};
use crate::sys::wait;

/// A worker's place in the family.
#[derive(Clone, Copy, Debug)]
struct Worker {
    place: usize,
    generation: u32,
    core: Option<Core>,
}

/// Dropped with the last of the pool and its results.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) cells: Cells,
    handle: Handle,
    tasks: Producer<u64>,
    /// So that there is a consumer even while no worker lives.
    _consumer: Consumer<u64>,
    workers: Vec<Worker>,
    /// 1: no more tasks are taken.
    closed: AtomicU32,
    cancelled: Mutex<u64>,
    pub(super) retry: Retry,
    /// Memory of the last map, for the next.
    pub(super) room: Mutex<Option<Room>>,
    /// 1: the kernel does not let the workers write results where their owner wants them.
    refused: AtomicU32,
    /// Of maps that were given up.
    pub(super) late: Mutex<Vec<Late>>,
}

impl Shared {
    pub(super) fn create(builder: &PoolBuilder) -> Result<Self, SpawnError> {
        let size = u32::try_from(builder.slot_bytes.max(64))
            .map_err(|_| TooLarge { needed: builder.slot_bytes, slot: u32::MAX as usize })?;
        let handle = Cells::create(size)?;
        let cells = Cells::of(handle.object());
        let (tasks, consumer) = queue::<u64>(MOST)?;
        cells.head.tasks.set(consumer.block());
        cells.head.retries.set(builder.retry.times());
        cells.head.most_tasks.set(builder.most_tasks);
        cells.head.init.set(builder.init as u64);
        Ok(Self {
            cells,
            handle,
            tasks,
            _consumer: consumer,
            workers: Vec::new(),
            closed: AtomicU32::new(0),
            cancelled: Mutex::new(0),
            retry: builder.retry,
            room: Mutex::new(None),
            refused: AtomicU32::new(0),
            late: Mutex::new(Vec::new()),
        })
    }

    /// Whether workers may write results where their owner wants them, as far as is known.
    pub(super) fn lets_land(&self) -> bool {
        // ORDER(multi.pool.refused): Relaxed; a hint, for speed.
        self.refused.load(Ordering::Relaxed) == 0
    }

    /// They may not: it is not tried again.
    pub(super) fn note_refusal(&self) {
        // ORDER(multi.pool.refused): Relaxed, see `lets_land`.
        self.refused.store(1, Ordering::Relaxed);
    }

    /// Starts a worker; if that fails those before it are ended by the drop of this.
    pub(super) fn start(&mut self, index: usize, core: Option<Core>) -> Result<(), SpawnError> {
        let (place, member) = family::reserve(LAUNCHED | BOUND | REVIVE, Some(&format!("PoolWorker-{}", index + 1)))?;
        let work: child::Work = worker::main;
        let object = self.handle.object();
        let settings = (index as u64) << 32 | Core::pack(core);
        for (word, value) in
            member.job.iter().zip([work as usize as u64, u64::from(object.block.0), settings, object.generation])
        {
            word.set(value);
        }
        // What it holds it takes itself.
        member.released.set(1);
        self.workers.push(Worker { place, generation: member.generation(), core });
        family::start(place).inspect_err(|_| {
            member.clear_flag(REVIVE);
            member.set_state(State::Ended);
        })
    }

    pub(super) fn workers(&self) -> usize {
        self.workers.len()
    }

    pub(super) fn object(&self) -> Object {
        self.handle.object()
    }

    pub(super) fn worker_infos(&self) -> Vec<WorkerInfo> {
        let info = |worker: &Worker| {
            let member = family::member(worker.place);
            let (pid, tasks, restarts) = (member.pid(), member.tasks.get(), member.restarts.get());
            WorkerInfo { pid, core: worker.core, tasks, restarts }
        };
        self.workers.iter().map(info).collect()
    }

    pub(super) fn stats(&self) -> PoolStats {
        let head = self.cells.head;
        let cancelled = *self.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
        PoolStats {
            completed: head.completed.get(),
            crashed: head.crashed.get(),
            retried: head.retried.get(),
            cancelled,
        }
    }

    pub(super) fn count_cancelled(&self, count: u64) {
        *self.cancelled.lock().unwrap_or_else(PoisonError::into_inner) += count;
    }

    /// Submits a task that `shim` runs, to be tried again as the pool says.
    pub(super) fn submit<A: Message, R: Message>(
        self: &Arc<Self>,
        shim: Shim,
        argument: &A,
    ) -> Result<AsyncResult<R>, TaskError> {
        self.submit_for(shim, argument, self.retry, Limit::NEVER)
    }

    /// Submits a task that `shim` runs, whose worker is ended if it is at it at the deadline.
    pub(super) fn submit_for<A: Message, R: Message>(
        self: &Arc<Self>,
        shim: Shim,
        argument: &A,
        retry: Retry,
        deadline: Limit,
    ) -> Result<AsyncResult<R>, TaskError> {
        // ORDER(multi.pool.closed): Relaxed; one who closes and one who submits at the same time have no order.
        if self.closed.load(Ordering::Relaxed) != 0 || self.has_ended() {
            return Err(self.why_ended());
        }
        let task = self
            .cells
            .claim()
            .map_err(|error| TaskError::NoMemory(error.to_string()))?
            .ok_or(TaskError::TooMany(MOST))?;
        let result = AsyncResult::new(self, task);
        let Some(cell) = self.cells.cell(task.cell) else { return Err(TaskError::Cancelled) };
        let written = self.cells.fill(task, argument);
        match written {
            Ok(len) => cell.len.set(u32::try_from(len).unwrap_or(u32::MAX)),
            Err(too_large) => {
                self.cells.change(task, Phase::Filling, Phase::Free);
                return Err(too_large.into());
            }
        }
        cell.shim.set(shim as usize as u64);
        cell.retries.set(retry.times());
        cell.set_deadline(deadline);
        self.cells.change(task, Phase::Filling, Phase::Submitted);
        // There are as many places as there can be tasks; some may still have those that were cancelled, which are taken out soon.
        if self.tasks.put(task.pack()).is_err() {
            self.cells.free(task, Phase::Submitted);
            return Err(TaskError::PoolClosed);
        }
        Ok(result)
    }

    /// Memory for a job.
    pub(super) fn room_for<A: Message, R: Message>(&self, items: usize, layout: &Layout) -> std::io::Result<Room> {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        *late = std::mem::take(&mut *late).into_iter().filter_map(|late| late.vacate().err()).collect();
        drop(late);
        Room::for_job::<A, R>(|| self.room.lock().unwrap_or_else(PoisonError::into_inner).take(), items, layout)
    }

    /// No worker is left: what was kept because of them can go. (Their tickets hold this, so this would never be dropped.)
    pub(super) fn forget_late(&self) {
        let late = std::mem::take(&mut *self.late.lock().unwrap_or_else(PoisonError::into_inner));
        // What a worker may still write to stays, see there.
        drop(late.into_iter().map(Late::vacate).collect::<Vec<_>>());
    }

    pub(super) fn close(&self) {
        // ORDER(multi.pool.closed): Relaxed, see `submit`.
        self.closed.store(1, Ordering::Relaxed);
        self.tasks.shutdown(Shutdown::Drain);
    }

    /// Waits until `look` finds something, as tasks end; `None`: the time is over.
    pub(super) fn wait<T>(&self, limit: Limit, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        for slice in limit.slices() {
            if let Some(found) = self.cells.head.over.wait(slice, &mut look) {
                return Some(found);
            }
            // Nobody would tell of its task.
            if !family::launcher_lives() && self.has_unburied_worker() {
                gave_up(self.object());
            }
        }
        look()
    }

    fn has_unburied_worker(&self) -> bool {
        let is_gone = |pid: u32| matches!(look(i32::try_from(pid).unwrap_or(0)), None | Some(Doing::Ended));
        let is_worker = |place: usize| self.object().is_held_as(place, Role::Second);
        family::members().any(|(place, member)| is_worker(place) && is_gone(member.pid()))
    }

    /// Whether no task will be run any more.
    pub(super) fn has_ended(&self) -> bool {
        self.cells.head.ended.get() != 0 || self.cells.head.broken.get() != 0
    }

    /// Why that is so.
    pub(super) fn why_ended(&self) -> TaskError {
        if self.cells.head.broken.get() != 0 { TaskError::Broken } else { TaskError::PoolClosed }
    }

    /// Waits until no worker is left; whether that is so.
    pub(super) fn wait_for_workers(&self, limit: Limit) -> bool {
        self.workers.iter().all(|worker| child::wait_for_burial(worker.place, limit))
    }

    pub(super) fn terminate(&self) {
        self.close();
        self.cells.head.ended.set(1);
        self.tasks.shutdown(Shutdown::Immediate);
        for worker in &self.workers {
            let member = family::member(worker.place);
            if member.generation() == worker.generation && member.state() == State::Running {
                member.clear_flag(REVIVE);
                family::doom(worker.place);
            }
        }
        self.wait_for_workers(Limit::NEVER);
        self.cells.head.over.ring_all();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if crate::multi::object::is_bequeathing() {
            return;
        }
        self.terminate();
        for worker in &self.workers {
            let member = family::member(worker.place);
            if member.generation() == worker.generation {
                member.set_state(State::Free);
            }
        }
        self.cells.free_segments();
    }
}

/// The sweep's part: a worker, or who submitted tasks, has died.
pub(in crate::multi) fn bereave(object: Object, dead: usize) {
    let member = family::member(dead);
    let cells = Cells::of(object);
    let queue = BlockId(cells.head.tasks.get());
    let pid = member.pid();
    // One that the pool's foreman has forked is not the launcher's child.
    let of_zombie = || i32::try_from(pid).ok().and_then(wait::peek_at_other).map(Into::into);
    cells.bereave(dead, pid, member.status().or_else(of_zombie), |task: TaskId| {
        Producer::<u64>::lend(Object::in_block(queue), |producer| producer.put_again(task.pack()))
    });
}

/// The sweep's part: who was about to have tasks tried again was killed itself.
pub(in crate::multi) fn resume(object: Object) {
    let cells = Cells::of(object);
    Producer::<u64>::lend(Object::in_block(BlockId(cells.head.tasks.get())), |producer| {
        // What is there already is not run twice.
        for task in cells.begun_before() {
            let _ = producer.put_again(task.pack());
        }
    });
}

/// The sweep's part: if that was the foreman, with whom the workers have ended, nobody runs the tasks any more.
pub(in crate::multi) fn role_is_gone(object: Object) {
    let head = Cells::of(object).head;
    if head.overseen.get() != 0 && head.ended.get() == 0 && object.holders(Role::Second) == 0 {
        gave_up(object);
    }
}

/// The launcher's part: a worker ends again and again before it takes a task.
pub(in crate::multi) fn gave_up(object: Object) {
    let head = Cells::of(object).head;
    head.broken.set(1);
    head.over.ring_all();
}
