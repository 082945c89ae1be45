//! A task that was submitted, and its result.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::cells::{Phase, TaskId};
use crate::multi::bell::Limit;
use crate::multi::child;
use crate::multi::error::{DecodeError, ExitStatus, PanicInfo, TooLarge};
use crate::multi::message::Message;
use crate::multi::object::is_bequeathing;

/// Why a task has no result.
///
/// ```
/// use pinring::multi::{ExitStatus, Pool, TaskError, exit};
///
/// let pool = Pool::with_processes(1)?;
/// let lost = pool.apply(|()| -> () { exit(7) }, ());
/// assert!(matches!(lost, Err(TaskError::WorkerDied { status: ExitStatus::Code(7), attempt: 1, .. })));
/// assert_eq!(pool.apply(|n: u8| n + 1, 1), Ok(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// It panicked; its worker goes on.
    #[error("the task panicked: {0}")]
    Panicked(PanicInfo),
    /// Its worker died. It is not tried again, unless the pool is told to ([`super::Retry`]).
    #[error("the task's worker died, pid {pid}: {status}")]
    WorkerDied {
        /// The worker's pid.
        pid: u32,
        /// How it ended.
        status: ExitStatus,
        /// Which attempt that was.
        attempt: u32,
        /// Whether the task had been begun.
        started: bool,
    },
    /// So many workers died with it that it is not tried again.
    #[error("{crashes} workers died with the task; it is not tried again")]
    Quarantined {
        /// How many.
        crashes: u32,
    },
    /// It was not done in time.
    #[error("the task was not done in time")]
    DeadlineExceeded,
    /// It was cancelled before it was begun.
    #[error("the task was cancelled")]
    Cancelled,
    /// The pool runs no tasks any more.
    #[error("the pool is closed")]
    PoolClosed,
    /// The pool's workers cannot be started: each ended before its first task, and what they said is on the standard error; or the foreman
    /// of a [`TypedPool`](super::TypedPool) was killed, who starts them, or a worker after the launcher and its guardian.
    #[error(
        "the pool has lost workers, and can start none: they end before they take a task (see what they said), or their foreman or the \
         launcher has ended (was it killed?)"
    )]
    Broken,
    /// The pool has as many tasks as it can have.
    #[error("a pool can have {0} tasks at a time, and has them")]
    TooMany(usize),
    /// The argument does not fit. Outside of a map more [`slot_bytes`](super::PoolBuilder::slot_bytes) make room, too.
    #[error("the argument does not fit: {0}; outside of a map more `slot_bytes` for the pool's builder make room, too")]
    TooLarge(#[from] TooLarge),
    /// The task was run, and its result does not fit: it is lost. As above.
    #[error("the result does not fit: {0}; outside of a map more `slot_bytes` for the pool's builder make room, too")]
    ResultTooLarge(TooLarge),
    /// The argument, or the result, cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// No memory for more tasks.
    #[error("no memory for the task: {0}")]
    NoMemory(String),
}

/// The result of a task that will be there: [`super::Pool::apply_async`]. Dropped, it cancels a task that has not begun.
///
/// ```
/// use std::time::Duration;
/// use pinring::multi::Pool;
///
/// let pool = Pool::with_processes(1)?;
/// let mut result = pool.apply_async(|n: u64| n + 1, 1)?;
/// let value = loop {
///     match result.get_timeout(Duration::from_millis(10)) {
///         Ok(value) => break value,
///         // Not yet: it is given back, to be asked again.
///         Err(later) => result = later,
///     }
/// };
/// assert_eq!(value, Ok(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it cancels a task that has not begun"]
pub struct AsyncResult<R: Message> {
    shared: Arc<Shared>,
    task: TaskId,
    value: PhantomData<fn() -> R>,
    /// The result has been taken, or nobody will take it.
    taken: Cell<bool>,
    /// When there will be none any more.
    deadline: Limit,
}

impl<R: Message> AsyncResult<R> {
    pub(super) fn new(shared: &Arc<Shared>, task: TaskId) -> Self {
        let (value, taken) = (PhantomData, Cell::new(false));
        Self { shared: Arc::clone(shared), task, value, taken, deadline: Limit::NEVER }
    }

    /// It is over at the deadline, whatever its worker is at.
    pub(super) fn until(mut self, deadline: Limit) -> Self {
        self.deadline = deadline;
        self
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// Why there is none.
    pub fn get(self) -> Result<R, TaskError> {
        self.wait_over(Limit::NEVER);
        self.take()
    }

    /// As [`Self::get`], so long at most.
    ///
    /// # Errors
    /// The result itself, if it is not there in time.
    pub fn get_timeout(self, time: Duration) -> Result<Result<R, TaskError>, Self> {
        if self.wait_over(Limit::after(time)) { Ok(self.take()) } else { Err(self) }
    }

    /// Waits until the task is over, so long at most (`None`: for ever); whether it is.
    pub fn wait(&self, time: Option<Duration>) -> bool {
        self.wait_over(time.map_or(Limit::NEVER, Limit::after))
    }

    /// Whether the task is over.
    pub fn ready(&self) -> bool {
        self.is_over()
    }

    /// Whether the task has a result; `None`: it is not over.
    pub fn successful(&self) -> Option<bool> {
        self.is_over().then(|| self.phase() == Some(Phase::Done))
    }

    /// Cancels the task if it has not begun; whether that is so. [`Self::get`] then says so.
    pub fn cancel(&self) -> bool {
        let cancelled = self.shared.cells.free(self.task, Phase::Submitted);
        self.shared.count_cancelled(u64::from(cancelled));
        cancelled
    }

    /// Lets the task run though nobody will take its result.
    pub fn detach(self) {
        // If it is over, its result goes with this.
        self.taken.set(self.shared.cells.detach(self.task));
    }

    /// Calls `callback` with the result, on a thread of its own. A callback that panics harms nobody.
    ///
    /// From then on this process has threads, and cannot fork children by [`super::super::Process::spawn`] until the callback has been
    /// called.
    #[expect(
        clippy::disallowed_methods,
        reason = "a callback must not keep anybody waiting, and it says that there will be threads"
    )]
    pub fn then(self, callback: impl FnOnce(Result<R, TaskError>) + Send + 'static) {
        std::thread::spawn(move || callback(self.get()));
    }

    fn phase(&self) -> Option<Phase> {
        self.shared.cells.state(self.task).map(|state| state.phase)
    }

    fn is_over(&self) -> bool {
        self.is_settled() || self.shared.has_ended() || self.deadline.is_over()
    }

    /// Whether no worker is, or will be, at it. A pool can have ended before that.
    pub(super) fn is_settled(&self) -> bool {
        self.phase().is_none_or(|phase| phase.is_over() || phase == Phase::Free)
    }

    fn wait_over(&self, limit: Limit) -> bool {
        let limit = limit.or_sooner(self.deadline);
        self.shared.wait(limit, || self.is_over().then_some(())).is_some()
    }

    /// It is over: takes the result.
    fn take(&self) -> Result<R, TaskError> {
        let cells = &self.shared.cells;
        let (Some(phase), Some(cell)) = (self.phase(), cells.cell(self.task.cell)) else {
            return Err(TaskError::Cancelled);
        };
        match phase {
            Phase::Free => return Err(TaskError::Cancelled),
            Phase::Overdue => return Err(TaskError::DeadlineExceeded),
            // A worker may be at it.
            phase if !phase.is_over() && self.shared.has_ended() => return Err(self.shared.why_ended()),
            phase if !phase.is_over() => return Err(TaskError::DeadlineExceeded),
            _ => {}
        }
        self.taken.set(true);
        let len = cell.answer_len.get() as usize;
        // SAFETY: it is over, and only this handle reads it.
        let Some(mut sheet) = (unsafe { cells.sheet(self.task) }) else { return Err(TaskError::Cancelled) };
        if phase == Phase::Done {
            return Ok(sheet.take(len)?);
        }
        let bytes = sheet.result();
        match phase {
            Phase::Panicked => {
                let (message, location) = child::read_panic(bytes);
                Err(TaskError::Panicked(PanicInfo { message, location, pid: cell.pid.get() }))
            }
            Phase::TooLarge => Err(TaskError::ResultTooLarge(TooLarge::noted(bytes))),
            Phase::Unreadable => Err(DecodeError("the argument".into()).into()),
            Phase::Died if cell.retries.get() > 0 => Err(TaskError::Quarantined { crashes: cell.attempts.get() }),
            Phase::Died => {
                let (pid, attempt) = (cell.pid.get(), cell.attempts.get());
                Err(TaskError::WorkerDied { pid, status: cell.status(), attempt, started: attempt > 0 })
            }
            _ => Err(TaskError::Cancelled),
        }
    }
}

impl<R: Message> Drop for AsyncResult<R> {
    fn drop(&mut self) {
        // It goes with what a child has captured: it is the child's.
        if is_bequeathing() {
            return;
        }
        let Some(phase) = self.shared.cells.abandon(self.task) else { return };
        self.shared.cells.free(self.task, phase);
    }
}
