//! A function over many values, by all workers of a pool.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::item;
use super::job::{Job, Room};
use super::landing::Landing;
use super::late::Late;
use super::task::{AsyncResult, TaskError};
use super::ticket::run;
use super::{Pool, Retry, Shared};
use crate::multi::bell::Limit;
use crate::multi::error::DecodeError;
use crate::multi::message::{Message, Writer, hand_over, receive};
use crate::sys::memory::populate;

/// Why a map has not all results.
///
/// ```
/// use pinring::multi::Pool;
///
/// let pool = Pool::with_processes(2)?;
/// let error = pool.map(|n: u32| 60 / n, [1, 0, 2]).unwrap_err();
/// assert_eq!((error.index, error.completed), (1, vec![Some(60), None, Some(30)]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapError<R> {
    /// The first value, by its place, that has none.
    pub index: usize,
    /// Why that has none.
    pub error: TaskError,
    /// The results there are, by place; none where there is no memory for them.
    pub completed: Vec<Option<R>>,
}

impl<R> MapError<R> {
    /// All results, or the first reason why there are not all.
    pub(super) fn gather(results: impl Iterator<Item = Result<R, TaskError>>) -> Result<Vec<R>, Self> {
        let mut first = None;
        let result = |(index, result): (usize, Result<R, TaskError>)| {
            result.map_err(|error| first.get_or_insert((index, error)).0).ok()
        };
        let mut completed = Self::room(results.size_hint().0)?;
        completed.extend(results.enumerate().map(result));
        match first {
            None => {
                let mut all = Self::room(completed.len())?;
                all.extend(completed.into_iter().flatten());
                Ok(all)
            }
            Some((index, error)) => Err(Self { index, error, completed }),
        }
    }

    /// Memory for so many.
    fn room<T>(count: usize) -> Result<Vec<T>, Self> {
        let mut room = Vec::new();
        match room.try_reserve_exact(count) {
            Ok(()) => Ok(room),
            Err(error) => {
                let error = TaskError::NoMemory(format!("{count} results: {error}"));
                Err(Self { index: 0, error, completed: Vec::new() })
            }
        }
    }
}

impl<R> std::fmt::Display for MapError<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "value {}: {}", self.index, self.error)
    }
}

impl<R: std::fmt::Debug> std::error::Error for MapError<R> {}

/// A map that is to be run: [`Pool::map_with`].
///
/// ```
/// use std::time::Duration;
/// use pinring::multi::{Pool, Retry};
///
/// let pool = Pool::with_processes(2)?;
/// let work = pool.map_with(|n: u64| n + 1, 0..100).chunk_size(10.try_into()?).retry(Retry::UpTo(2));
/// assert_eq!(work.deadline(Duration::from_secs(60)).collect()?.len(), 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "it runs when it is collected"]
pub struct MapBuilder<'p, A: Message, R: Message, F, I> {
    pub(super) pool: &'p Pool,
    pub(super) work: PhantomData<fn(A, F) -> R>,
    pub(super) values: I,
    pub(super) chunk: Option<NonZeroUsize>,
    pub(super) deadline: Option<Duration>,
    pub(super) retry: Option<Retry>,
    pub(super) fail_fast: bool,
}

impl<A: Message, R: Message, F: Fn(A) -> R + Copy + Send + 'static, I: Iterator<Item = A>> MapBuilder<'_, A, R, F, I> {
    /// How many values a worker takes at a time. Else, as in Python, a quarter of what there is for each worker; a sixteenth where the
    /// results are large.
    pub fn chunk_size(self, chunk: NonZeroUsize) -> Self {
        Self { chunk: Some(chunk), ..self }
    }

    /// When this time is over, values that have no result yet will have none, and the workers that are still at one are ended and replaced,
    /// as at a task's [deadline](super::TaskBuilder::deadline).
    pub fn deadline(self, time: Duration) -> Self {
        Self { deadline: Some(time), ..self }
    }

    /// What becomes of a value whose worker died, other than what the pool does.
    pub fn retry(self, retry: Retry) -> Self {
        Self { retry: Some(retry), ..self }
    }

    /// After the first failure no further values are begun.
    pub fn fail_fast(self) -> Self {
        Self { fail_fast: true, ..self }
    }

    /// Runs it and waits for the results, in the values' order.
    ///
    /// # Errors
    /// If a value has no result: the first of them by its place, and all results there are.
    pub fn collect(self) -> Result<Vec<R>, MapError<R>> {
        let mut results = Vec::new();
        // Else each of its pages would be a fault, after the work.
        let meanwhile = |run: &Run<R>| {
            if run.landing.is_none() && results.try_reserve_exact(run.job.items()).is_ok() {
                populate(results.spare_capacity_mut());
            }
        };
        let mut run = match self.run(true, meanwhile) {
            Ok(run) => run,
            Err((error, count)) => {
                let mut completed = MapError::room(count)?;
                completed.extend((0..count).map(|_| None));
                return Err(MapError { index: 0, error, completed });
            }
        };
        run.all(results).map_or_else(|| MapError::gather(run.each()), Ok)
    }

    /// Runs it and waits for the result of each value, in their order.
    pub fn collect_each(self) -> Vec<Result<R, TaskError>> {
        match self.run(false, |_| {}) {
            Ok(run) => run.each().collect(),
            Err((error, count)) => (0..count).map(|_| Err(error.clone())).collect(),
        }
    }

    /// Runs it to its end; if that cannot be, why, and how many values there are. If they are to be `gathered`, the results may land where
    /// they are to be. As soon as the workers are at it `meanwhile` is called.
    fn run(self, gathered: bool, meanwhile: impl FnOnce(&Run<R>)) -> Result<Run<R>, (TaskError, usize)> {
        let Self { pool, values, chunk, deadline, retry, fail_fast, work } = self;
        let map = MapBuilder { pool, values: (), chunk, deadline, retry, fail_fast, work };
        match values.size_hint() {
            // Straight into the job, without a copy beside it.
            (least, Some(most)) if least == most => map.run_values(values, least, gathered, meanwhile),
            _ => {
                let values: Vec<A> = values.collect();
                let count = values.len();
                map.run_values(values.into_iter(), count, gathered, meanwhile)
            }
        }
    }
}

impl<A: Message, R: Message, F: Fn(A) -> R + Copy + Send + 'static> MapBuilder<'_, A, R, F, ()> {
    fn run_values(
        self,
        values: impl Iterator<Item = A>,
        count: usize,
        gathered: bool,
        meanwhile: impl FnOnce(&Run<R>),
    ) -> Result<Run<R>, (TaskError, usize)> {
        let shared = &self.pool.shared;
        let workers = shared.workers().max(1);
        let lands = gathered && shared.lets_land() && Landing::<R>::is_worth_it(count, self.chunk);
        // What is large takes long enough for one worker to wait for another's last chunk.
        let parts = if lands { 16 } else { 4 };
        let part = || count.div_ceil(parts * workers);
        let chunk = self.chunk.map_or_else(part, NonZeroUsize::get).clamp(1, count.max(1));
        let refused = |error| (error, count);
        let retries = self.retry.unwrap_or(shared.retry).times();
        let again = retries > 0;
        let layout = Job::layout::<A, R>(count, chunk, again).ok_or(refused(TaskError::TooMany(u32::MAX as usize)))?;
        let room =
            shared.room_for::<A, R>(count, &layout).map_err(|error| refused(TaskError::NoMemory(error.to_string())))?;
        let job = Job::create::<A, R>(&room, count, chunk, again).ok_or(refused(TaskError::Cancelled))?;
        let mut run = Run {
            shared: Arc::clone(shared),
            job,
            room: Some(room),
            landing: None,
            tickets: Vec::new(),
            sent: 0,
            errors: BTreeMap::new(),
            rest: None,
            crashes: BTreeMap::new(),
            retries,
        };
        run.fill(values);
        run.landing = lands.then(|| Landing::prepare(&run.job, workers)).flatten();
        if self.fail_fast {
            job.stop_at_failure();
        }
        let limit = self.deadline.map_or(Limit::NEVER, Limit::after);
        run.drive::<A, F>(workers, limit, self.fail_fast, meanwhile);
        Ok(run)
    }
}

/// A job under way, and its results when it is over.
struct Run<R: Message> {
    shared: Arc<Shared>,
    job: Job,
    room: Option<Room>,
    /// Where the results land, if the workers bring them there themselves.
    landing: Option<Landing<R>>,
    tickets: Vec<(u32, AsyncResult<()>)>,
    /// Tickets sent so far.
    sent: u32,
    /// By value, why there will be no result.
    errors: BTreeMap<usize, TaskError>,
    /// The same for all that have none otherwise: there may be millions.
    rest: Option<TaskError>,
    /// By value, how many workers died with it.
    crashes: BTreeMap<usize, u32>,
    retries: u32,
}

impl<R: Message> Run<R> {
    fn fill<A: Message>(&mut self, values: impl Iterator<Item = A>) {
        // A copy, which a processor can keep in its registers.
        let job = self.job;
        let mut filled = 0;
        for value in values {
            assert!(filled < job.items(), "there are more values than their iterator said");
            // SAFETY: there is such a value, as just checked, and no ticket has been sent yet.
            let mut out = Writer::new(unsafe { job.input::<A>(filled) });
            if let Err(too_large) = hand_over(&value, &mut out, || job.input_bill(filled)) {
                self.errors.insert(filled, too_large.into());
                job.set_state(filled, item::TOO_LARGE);
            }
            filled += 1;
        }
        self.job.shorten(filled);
    }

    /// Sends tickets, and others for those whose workers died, until all is done.
    fn drive<A: Message, F>(&mut self, workers: usize, limit: Limit, fail_fast: bool, meanwhile: impl FnOnce(&Self))
    where
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        let mut wanted = workers.min(self.job.chunks());
        let mut meanwhile = Some(meanwhile);
        while wanted > 0 || !self.tickets.is_empty() {
            for _ in 0..wanted {
                self.sent += 1;
                let ticket = self.job.ticket(self.sent);
                // We must learn of a death: what the worker had in hand is for us to give to another.
                match self.shared.submit_for::<_, ()>(run::<A, R, F>, &ticket, Retry::Never, limit) {
                    Ok(ticket) => self.tickets.push((self.sent, ticket)),
                    Err(error) if self.tickets.is_empty() => return self.fail(&error),
                    Err(_) => break,
                }
            }
            if let Some(meanwhile) = meanwhile.take() {
                meanwhile(self);
            }
            let over = || self.tickets.iter().any(|(_, ticket)| ticket.ready()).then_some(());
            if self.shared.wait(limit, over).is_none() {
                self.job.stop();
                return self.fail(&TaskError::DeadlineExceeded);
            }
            wanted = self.gather();
            if self.shared.has_ended() {
                // Some worker may be at it all the same.
                self.job.stop();
                return self.fail(&self.shared.why_ended());
            }
            if fail_fast && !(self.errors.is_empty() && self.rest.is_none()) {
                // The death of a worker is a failure, too, which only we see.
                self.job.stop();
                wanted = 0;
            }
        }
        self.fail(&TaskError::Cancelled);
    }

    /// Takes the tickets that are over; how many others must be sent.
    fn gather(&mut self) -> usize {
        let mut wanted = 0;
        for (number, ticket) in std::mem::take(&mut self.tickets) {
            if !ticket.is_settled() {
                self.tickets.push((number, ticket));
                continue;
            }
            match ticket.get() {
                Ok(()) => {}
                Err(error @ (TaskError::WorkerDied { .. } | TaskError::Quarantined { .. })) => {
                    self.bury(number, error);
                    wanted += 1;
                }
                Err(error) => self.fail(&error),
            }
        }
        wanted
    }

    fn bury(&mut self, ticket: u32, error: TaskError) {
        let Some(item) = self.job.repair(ticket) else { return };
        let crashes = self.crashes.entry(item).or_default();
        *crashes += 1;
        if *crashes <= self.retries {
            self.shared.cells.head.retried.add(1);
            self.job.renew(item, *crashes);
        } else {
            let quarantined = TaskError::Quarantined { crashes: *crashes };
            self.errors.insert(item, if self.retries > 0 { quarantined } else { error });
        }
    }

    /// What has no result in the end has none for this reason, unless there is an earlier one.
    fn fail(&mut self, error: &TaskError) {
        self.rest.get_or_insert_with(|| error.clone());
    }

    /// All results, if there are all, in `results`.
    fn all(&mut self, mut results: Vec<R>) -> Option<Vec<R>> {
        if !self.errors.is_empty() || !self.job.is_perfect() {
            return None;
        }
        if let Some(landing) = self.landing.take_if(|_| self.tickets.is_empty()) {
            if !(0..self.job.chunks()).any(|chunk| self.job.has_landed(chunk)) {
                self.shared.note_refusal();
            }
            // SAFETY: all tickets are settled, and the job is perfect.
            return Some(unsafe { landing.take(&self.job) });
        }
        // As in `fill`.
        let job = self.job;
        results.try_reserve_exact(job.items()).ok()?;
        for item in 0..job.items() {
            results.push(read(job, item).ok()?);
        }
        Some(results)
    }

    /// The result of each value, or why there is none.
    fn each(&self) -> impl Iterator<Item = Result<R, TaskError>> + '_ {
        (0..self.job.items()).map(|item| match (self.errors.get(&item), self.job.state(item)) {
            (Some(error), _) => Err(error.clone()),
            (None, item::DONE) => Ok(read(self.job, item)?),
            (None, item::PANICKED) => Err(TaskError::Panicked(self.job.panic(item))),
            // SAFETY: no worker has it in hand any more.
            (None, item::TOO_LARGE) => Err(TaskError::ResultTooLarge(unsafe { self.job.size_noted::<R>(item) })),
            (None, item::UNREADABLE) => Err(DecodeError("the argument".into()).into()),
            (None, _) => Err(self.rest.clone().unwrap_or(TaskError::Cancelled)),
        })
    }
}

/// A result: no worker has it in hand any more.
#[inline]
fn read<R: Message>(job: Job, item: usize) -> Result<R, DecodeError> {
    // SAFETY: it is one of the job's, and done.
    let bytes = unsafe { job.output::<R>(item) };
    receive(bytes, || job.output_bill(item))
}

impl<R: Message> Drop for Run<R> {
    /// The room is used again by the next job, and the results' buffer freed, unless a worker is still there.
    fn drop(&mut self) {
        let Some(room) = self.room.take() else { return };
        let tickets: Vec<AsyncResult<()>> =
            std::mem::take(&mut self.tickets).into_iter().map(|(_, ticket)| ticket).collect();
        if tickets.is_empty() {
            // What it has on board goes with it.
            if room.has_bills {
                return;
            }
            *self.shared.room.lock().unwrap_or_else(PoisonError::into_inner) = Some(room);
        } else {
            let landing = self.landing.take().map(|landing| Box::new(landing) as _);
            self.shared.late.lock().unwrap_or_else(PoisonError::into_inner).push(Late::new(room, landing, tickets));
        }
    }
}
