//! A pool of worker processes, as Python's `multiprocessing.Pool` and `ProcessPoolExecutor`.
//!
//! The workers are forked by the launcher, one per physical core, and replaced on the same core when they die. A task is the address of a
//! function and the bytes of its argument: so it works in workers that were forked long before, also in the replaced ones. It must not
//! capture anything; statics, the working directory and the environment are those of [`init`](super::init), and files that were open then are not
//! there.

mod builder;
#[allow(unsafe_code)]
mod cell;
#[allow(unsafe_code)]
mod cells;
#[allow(unsafe_code)]
mod chunk;
mod imap;
mod item;
#[allow(unsafe_code)]
mod job;
#[allow(unsafe_code)]
mod landing;
mod late;
mod layout;
#[allow(unsafe_code)]
mod map;
mod phase;
#[cfg(test)]
#[cfg(not(miri))]
#[allow(unsafe_code)]
mod schedules;
#[allow(unsafe_code)]
mod segment;
mod shared;
#[allow(unsafe_code)]
mod sheet;
mod single;
#[allow(unsafe_code)]
mod task;
mod task_id;
#[allow(unsafe_code)]
mod ticket;
mod typed;
#[allow(unsafe_code)]
mod worker;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

pub use builder::PoolBuilder;
pub use imap::{IMap, IMapUnordered};
pub(super) use job::waybills as waybills_of_job;
pub use map::{MapBuilder, MapError};
pub(super) use segment::waybills_of_tasks;
use shared::Shared;
pub(super) use shared::{bereave, gave_up, resume, role_is_gone};
pub use single::TaskBuilder;
pub use task::{AsyncResult, TaskError};
pub use typed::TypedPool;
pub use worker::task_attempt;

use super::bell::Limit;
use super::cpu::Core;
use super::error::SpawnError;
use super::message::Message;

/// What a worker knows of itself when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerContext {
    /// Its number in the pool, from 0.
    pub index: usize,
    /// The core it is pinned to.
    pub core: Option<Core>,
    /// 1 for the first, one more for each that had this number before.
    pub incarnation: u32,
}

/// What becomes of a task whose worker died.
///
/// ```
/// use pinring::multi::{Pool, Retry, exit, task_attempt};
///
/// let pool = Pool::builder().processes(1).retry(Retry::UpTo(1)).build()?;
/// assert_eq!(pool.apply(|()| if task_attempt() == 1 { exit(1) } else { task_attempt() }, ())?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// Nothing: whoever waits for it is told. It was done at most once.
    #[default]
    Never,
    /// It is tried again so often: only for tasks that may be done twice. If it kills every worker it is given up.
    ///
    /// An object in its argument (a [`Blob`](super::Blob), an end of a queue) went to the worker that died, and with it: the next attempt
    /// ends with [`TaskError::Decode`]. Put what is to be tried again into the argument as data, or give the task the name of a
    /// [`SharedMemory`](super::SharedMemory).
    UpTo(u32),
}

impl Retry {
    fn times(self) -> u32 {
        match self {
            Self::Never => 0,
            Self::UpTo(times) => times,
        }
    }
}

/// What a pool has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Tasks that were run to their end, whatever that was; of a map, its parts.
    pub completed: u64,
    /// How often a worker died with a task, but not at its deadline.
    pub crashed: u64,
    /// How often a task was tried again.
    pub retried: u64,
    /// Tasks that were cancelled before they began.
    pub cancelled: u64,
}

/// A worker of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Its process id.
    pub pid: u32,
    /// The core it is pinned to.
    pub core: Option<Core>,
    /// Tasks that it, and those before it in its place, have begun.
    pub tasks: u64,
    /// How often it was replaced.
    pub restarts: u32,
}

/// A pool of worker processes. Dropped, it ends them: call [`Self::close`] and [`Self::join`] to have what was submitted done first.
///
/// ```
/// use pinring::multi::{Pool, init};
///
/// init()?;
/// let pool = Pool::with_processes(2)?;
/// assert_eq!(pool.map(|n: i64| n * n, 1..=4)?, [1, 4, 9, 16]);
/// let later = pool.apply_async(|(a, b): (i64, i64)| a + b, (1, 2))?;
/// assert_eq!(later.get()?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
}

impl Pool {
    /// Says more of a pool than how many workers it has.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// A pool with a worker on each available physical core.
    ///
    /// # Errors
    /// As [`PoolBuilder::build`].
    pub fn new() -> Result<Self, SpawnError> {
        PoolBuilder::default().build()
    }

    /// A pool with so many workers.
    ///
    /// # Errors
    /// As [`PoolBuilder::build`].
    pub fn with_processes(processes: usize) -> Result<Self, SpawnError> {
        PoolBuilder::default().processes(processes).build()
    }

    /// Has a worker call `work` with `argument`, and waits for the result.
    ///
    /// # Errors
    /// Why there is none.
    pub fn apply<A: Message, R: Message, F>(&self, work: F, argument: A) -> Result<R, TaskError>
    where
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        self.apply_async(work, argument)?.get()
    }

    /// Has a worker call `work` with `argument`; the result is waited for later.
    ///
    /// # Errors
    /// If the argument does not fit, or the pool takes no more tasks.
    #[expect(clippy::needless_pass_by_value, reason = "it goes to the worker")]
    pub fn apply_async<A: Message, R: Message, F>(&self, work: F, argument: A) -> Result<AsyncResult<R>, TaskError>
    where
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        const { assert!(size_of::<F>() == 0, "pool tasks must not capture anything; pass data as the argument") }
        let _ = work;
        self.shared.submit(worker::run::<A, R, F>, &argument)
    }

    /// As [`Self::apply`], with more to say: how long it may take.
    pub fn apply_with<A: Message, R: Message, F>(&self, work: F, argument: A) -> TaskBuilder<'_, A, R>
    where
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        const { assert!(size_of::<F>() == 0, "pool tasks must not capture anything; pass data as the argument") }
        let _ = work;
        TaskBuilder::new(&self.shared, worker::run::<A, R, F>, argument)
    }

    /// Calls `work` with each of `values` and waits for the results, in the values' order.
    ///
    /// # Errors
    /// If a value has no result: the first of them by its place, and all results there are.
    #[doc(alias = "starmap")]
    pub fn map<A: Message, R: Message, F, I>(&self, work: F, values: I) -> Result<Vec<R>, MapError<R>>
    where
        F: Fn(A) -> R + Copy + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.map_with(work, values).collect()
    }

    /// As [`Self::map`], with more to say: how large the chunks are, how long it may take, what happens after a failure.
    pub fn map_with<A: Message, R: Message, F, I>(&self, work: F, values: I) -> MapBuilder<'_, A, R, F, I::IntoIter>
    where
        F: Fn(A) -> R + Copy + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        const { assert!(size_of::<F>() == 0, "pool tasks must not capture anything; pass data as the argument") }
        let _ = work;
        MapBuilder {
            pool: self,
            work: PhantomData,
            values: values.into_iter(),
            chunk: None,
            deadline: None,
            retry: None,
            fail_fast: false,
        }
    }

    /// Calls `work` with each of `values`; the results come one after another, in the values' order. Only so many values are taken
    /// beforehand as [`IMap::buffer`] says, so they may be endless.
    pub fn imap<A: Message, R: Message, F, I>(&self, work: F, values: I) -> IMap<'_, A, R, F, I::IntoIter>
    where
        F: Fn(A) -> R + Copy + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        const { assert!(size_of::<F>() == 0, "pool tasks must not capture anything; pass data as the argument") }
        IMap::new(self, work, values.into_iter())
    }

    /// As [`Self::imap`], each result as soon as it is there, with the place of its value.
    pub fn imap_unordered<A: Message, R: Message, F, I>(
        &self,
        work: F,
        values: I,
    ) -> IMapUnordered<'_, A, R, F, I::IntoIter>
    where
        F: Fn(A) -> R + Copy + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        IMapUnordered(self.imap(work, values))
    }

    /// Takes no more tasks; those that were submitted are run.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Waits until all that was submitted is run and the workers have ended. The pool is closed by this, if it is not yet.
    pub fn join(self) -> PoolStats {
        self.close();
        self.shared.wait_for_workers(Limit::NEVER);
        self.stats()
    }

    /// Ends the workers at once; tasks that are not over have no result.
    pub fn terminate(self) -> PoolStats {
        self.shared.terminate();
        self.stats()
    }

    /// Closes the pool, waits so long for what was submitted, and then [terminates](Self::terminate) it.
    pub fn shutdown(self, time: Duration) -> PoolStats {
        self.close();
        self.shared.wait_for_workers(Limit::after(time));
        self.terminate()
    }

    /// What it has done so far.
    pub fn stats(&self) -> PoolStats {
        self.shared.stats()
    }

    /// Its workers.
    pub fn workers(&self) -> Vec<WorkerInfo> {
        self.shared.worker_infos()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if !super::object::is_bequeathing() {
            self.shared.terminate();
            self.shared.forget_late();
        }
    }
}
