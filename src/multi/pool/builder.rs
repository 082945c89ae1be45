//! How a pool is to be.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::shared::Shared;
use super::{Pool, Retry, WorkerContext, worker};
use crate::multi::cpu::{Core, available_cores};
use crate::multi::error::SpawnError;

/// How a pool is to be: [`Pool::builder`].
///
/// ```
/// use pinring::multi::Pool;
///
/// let pool = Pool::builder().processes(2).no_pinning().slot_bytes(1024).max_tasks_per_child(100.try_into()?).build()?;
/// assert_eq!(pool.workers().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PoolBuilder {
    pub(super) processes: Option<usize>,
    pub(super) cores: Option<Vec<Core>>,
    pub(super) pinned: bool,
    pub(super) slot_bytes: usize,
    pub(super) most_tasks: u32,
    pub(super) retry: Retry,
    pub(super) init: usize,
}

impl Default for PoolBuilder {
    fn default() -> Self {
        Self {
            processes: None,
            cores: None,
            pinned: true,
            slot_bytes: 256,
            most_tasks: 0,
            retry: Retry::Never,
            init: 0,
        }
    }
}

impl PoolBuilder {
    /// How many workers; else one for each [available core](available_cores).
    pub fn processes(self, processes: usize) -> Self {
        Self { processes: Some(processes), ..self }
    }

    /// The cores the workers are pinned to, in turn; else the [available ones](available_cores).
    pub fn cores(self, cores: &[Core]) -> Self {
        Self { cores: Some(cores.to_vec()), ..self }
    }

    /// Pins no worker: for tasks that start threads, which would all run on the worker's core.
    pub fn no_pinning(self) -> Self {
        Self { pinned: false, ..self }
    }

    /// Most bytes of a task's argument, and of its result; else 256. The values of a map have places of their own size.
    pub fn slot_bytes(self, bytes: usize) -> Self {
        Self { slot_bytes: bytes, ..self }
    }

    /// A worker is replaced after so many tasks. A [map](Pool::map) is about one a worker, however many values it has;
    /// of an [`imap`](Pool::imap) each value is one.
    #[doc(alias = "maxtasksperchild")]
    pub fn max_tasks_per_child(self, tasks: NonZeroUsize) -> Self {
        Self { most_tasks: u32::try_from(tasks.get()).unwrap_or(u32::MAX), ..self }
    }

    /// What becomes of a task whose worker died.
    pub fn retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// What every worker does first; it must not capture anything. A worker that fails in it ends, and is tried again a few times; then
    /// the pool is [broken](super::TaskError::Broken).
    #[doc(alias = "initializer")]
    pub fn init<F: Fn(WorkerContext) -> Result<(), String> + Copy + Send + 'static>(self, init: F) -> Self {
        const { assert!(size_of::<F>() == 0, "a pool's init must not capture anything") }
        let _ = init;
        let shim: fn(WorkerContext) -> Result<(), String> = worker::call_init::<F>;
        Self { init: shim as usize, ..self }
    }

    /// For each worker the core it is pinned to.
    pub(super) fn worker_cores(&self) -> Vec<Option<Core>> {
        let cores = self.cores.clone().filter(|cores| !cores.is_empty()).unwrap_or_else(available_cores);
        let processes = self.processes.unwrap_or(cores.len()).max(1);
        (0..processes).map(|index| self.pinned.then(|| cores[index % cores.len()])).collect()
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// If there is no family and none can be made (call [`init`](crate::multi::init) before the first thread is started), or the system refuses;
    /// then no worker is left.
    pub fn build(self) -> Result<Pool, SpawnError> {
        let mut shared = Shared::create(&self)?;
        for (index, core) in self.worker_cores().into_iter().enumerate() {
            shared.start(index, core)?;
        }
        Ok(Pool { shared: Arc::new(shared) })
    }
}
