//! A pool of one function that may capture what it likes, and keeps something of its own in each worker.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::cells::{Cells, Phase};
use super::shared::Shared;
use super::task::{AsyncResult, TaskError};
use super::worker::{self, answer};
use super::{MapError, PoolBuilder, TaskBuilder, WorkerContext};
use crate::multi::bell::Limit;
use crate::multi::cpu::Core;
use crate::multi::error::SpawnError;
use crate::multi::family;
use crate::multi::message::Message;
use crate::multi::object::{Handle, Object, Role};
use crate::multi::process::Process;

/// How often in a row a worker may end soon after its start, without having begun a task, before no other is started.
const SOON_DEATHS: u32 = 5;
/// A worker that ends within this time has ended soon.
const SOON: Duration = Duration::from_secs(1);

/// A pool made by [`PoolBuilder::build_with`]. Dropped, it ends its workers.
///
/// ```
/// use pinring::multi::Pool;
///
/// let table: Vec<u64> = (0..100).map(|n| n * n).collect();
/// let start = move |context: pinring::multi::WorkerContext| (context.index, table.clone());
/// let pool = Pool::builder().processes(2).build_with(start, |(_, table), n: u32| table[n as usize])?;
/// assert_eq!(pool.map([3, 4])?, [9, 16]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TypedPool<In: Message, Out: Message> {
    shared: Arc<Shared>,
    foreman: Option<Process>,
    value: PhantomData<fn(In) -> Out>,
}

/// What the foreman and its workers need to know.
struct Plan {
    /// The foreman's hold: his from his birth on, so that his death is known to be the pool's.
    pool: Handle,
    cores: Vec<Option<Core>>,
}

impl PoolBuilder {
    /// Starts workers that each call `start` once, and then `work` with what that returned and each argument. Both may capture what they
    /// like: this process is forked now, and what they captured lives on in a *foreman*, a process that starts workers and replaces those
    /// that die.
    ///
    /// # Errors
    /// If this process has other threads, or the system refuses.
    pub fn build_with<S, In: Message, Out: Message>(
        self,
        start: impl Fn(WorkerContext) -> S + Send + Sync + 'static,
        work: impl Fn(&mut S, In) -> Out + Send + Sync + 'static,
    ) -> Result<TypedPool<In, Out>, SpawnError> {
        let shared = Shared::create(&self)?;
        let plan = Plan { pool: Handle::join(shared.object(), Role::Second), cores: self.worker_cores() };
        shared.cells.head.overseen.set(1);
        let run = Arc::new((start, work));
        let foreman = Process::builder().name("PoolForeman").die_with_parent(true);
        let foreman = foreman.spawn(move || oversee(&plan, &run))?;
        Ok(TypedPool { shared: Arc::new(shared), foreman: Some(foreman), value: PhantomData })
    }
}

/// In the foreman: keeps the workers running until one of them says that there are no more tasks.
fn oversee<S, In, Out, I, F>(plan: &Plan, run: &Arc<(I, F)>)
where
    In: Message,
    Out: Message,
    I: Fn(WorkerContext) -> S + Send + Sync + 'static,
    F: Fn(&mut S, In) -> Out + Send + Sync + 'static,
{
    // Ctrl-C is the owner's business.
    let _ = crate::sys::signal::ignore_interrupt();
    let pool = plan.pool.object();
    let cells = Cells::of(pool);
    let start = |index: usize, incarnation: u32| {
        let (run, core) = (Arc::clone(run), plan.cores[index]);
        let builder = Process::builder().name(&format!("PoolWorker-{}", index + 1)).die_with_parent(true);
        let builder = core.map_or(builder.clone(), |core| builder.core(core));
        let context = WorkerContext { index, core, incarnation };
        (builder.spawn(move || serve(pool, context, &run)).ok(), std::time::Instant::now(), incarnation)
    };
    let mut workers: Vec<_> = (0..plan.cores.len()).map(|index| start(index, 1)).collect();
    let mut soon = vec![0; workers.len()];
    while workers.iter().any(|(worker, ..)| worker.is_some()) {
        let running: Vec<usize> = (0..workers.len()).filter(|index| workers[*index].0.is_some()).collect();
        let items: Vec<&dyn crate::multi::Waitable> =
            running.iter().filter_map(|index| Some(workers[*index].0.as_ref()? as _)).collect();
        let ended = crate::multi::wait(&items, None);
        for index in ended.into_iter().map(|place| running[place]) {
            let (worker, since, incarnation) =
                std::mem::replace(&mut workers[index], (None, std::time::Instant::now(), 0));
            let has_begun = worker.as_ref().is_some_and(|worker| worker.member().tasks.get() > 0);
            // One that has seen the end of the tasks returns true.
            if worker.is_none_or(|worker| matches!(worker.join(), Ok(true))) {
                continue;
            }
            soon[index] = if !has_begun && since.elapsed() < SOON { soon[index] + 1 } else { 0 };
            if soon[index] > SOON_DEATHS && cells.head.completed.get() == 0 {
                super::gave_up(pool);
                return;
            }
            workers[index] = start(index, incarnation + 1);
        }
    }
}

/// In a worker: whether it has seen the end of the tasks.
fn serve<S, In, Out, I, F>(pool: Object, context: WorkerContext, run: &Arc<(I, F)>) -> bool
where
    In: Message,
    Out: Message,
    I: Fn(WorkerContext) -> S,
    F: Fn(&mut S, In) -> Out,
{
    let (_held, cells, tasks) = worker::join(pool);
    let mut state = (run.0)(context);
    worker::work(&cells, &tasks, family::member(family::me()), |_, sheet, len| {
        let Ok(argument) = sheet.read::<In>(len) else { return Err((Phase::Unreadable, 0)) };
        answer(sheet, catch_unwind(AssertUnwindSafe(|| (run.1)(&mut state, argument))))
    })
}

impl<In: Message, Out: Message> TypedPool<In, Out> {
    /// Has a worker work on `argument`; the result is waited for later.
    ///
    /// # Errors
    /// If the argument does not fit, or the pool takes no more tasks.
    #[expect(clippy::needless_pass_by_value, reason = "it goes to the worker")]
    pub fn submit(&self, argument: In) -> Result<AsyncResult<Out>, TaskError> {
        self.shared.submit(worker::nothing, &argument)
    }

    /// Has a worker work on `argument`, and waits for the result.
    ///
    /// # Errors
    /// Why there is none.
    pub fn apply(&self, argument: In) -> Result<Out, TaskError> {
        self.submit(argument)?.get()
    }

    /// As [`Self::apply`], with more to say: how long it may take.
    pub fn apply_with(&self, argument: In) -> TaskBuilder<'_, In, Out> {
        TaskBuilder::new(&self.shared, worker::nothing, argument)
    }

    /// Has the workers work on each of `arguments`, and waits for the results, in their order.
    ///
    /// # Errors
    /// If one has no result: the first of them by its place, and all results there are.
    pub fn map(&self, arguments: impl IntoIterator<Item = In>) -> Result<Vec<Out>, MapError<Out>> {
        let (mut results, mut pending) = (Vec::new(), Vec::new());
        for argument in arguments {
            // Others may have tasks here, too. Half of them at a time, as it takes long to see that there is no room.
            let submitted = loop {
                match self.shared.submit(worker::nothing, &argument) {
                    Err(TaskError::TooMany(_)) if !pending.is_empty() => {
                        let oldest = pending.len().div_ceil(2);
                        results.extend(pending.drain(..oldest).map(finish));
                    }
                    submitted => break submitted,
                }
            };
            pending.push(submitted);
        }
        results.extend(pending.into_iter().map(finish));
        MapError::gather(results.into_iter())
    }

    /// Takes no more tasks and waits until those that were submitted are done.
    pub fn join(mut self) {
        self.shared.close();
        drop(self.foreman.take());
    }
}

impl<In: Message, Out: Message> Drop for TypedPool<In, Out> {
    fn drop(&mut self) {
        if crate::multi::object::is_bequeathing() {
            return;
        }
        if let Some(foreman) = self.foreman.take() {
            self.shared.terminate();
            // Its workers end with it.
            let _ = foreman.kill();
            drop(foreman);
            wait_until_unused(&self.shared);
        }
    }
}

fn finish<Out: Message>(submitted: Result<AsyncResult<Out>, TaskError>) -> Result<Out, TaskError> {
    submitted.and_then(AsyncResult::get)
}

/// Until the workers have been buried, which hold the pool.
fn wait_until_unused(shared: &Shared) {
    let unused = || (shared.object().holders(Role::Second) == 0).then_some(());
    let mut slices = Limit::after(Duration::from_secs(2)).slices();
    while slices.next().is_some_and(|slice| shared.cells.head.over.wait(slice, unused).is_none()) {}
}
