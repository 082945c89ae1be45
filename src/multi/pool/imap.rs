//! Results one after another, while values are still being taken.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::Pool;
use super::cells::MOST;
use super::task::{AsyncResult, TaskError};
use crate::multi::bell::Limit;
use crate::multi::message::Message;

/// The results of [`Pool::imap`], in the values' order.
///
/// ```
/// use pinring::multi::Pool;
///
/// let pool = Pool::with_processes(2)?;
/// // Of endless values only as many are taken as are needed.
/// let squares: Result<Vec<u64>, _> = pool.imap(|n: u64| n * n, 0..).take(4).collect();
/// assert_eq!(squares?, [0, 1, 4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct IMap<'p, A: Message, R: Message, F, I> {
    pool: &'p Pool,
    work: F,
    values: std::iter::Enumerate<std::iter::Fuse<I>>,
    buffer: usize,
    deadline: Option<Duration>,
    /// Under way, by place; or why it was not even submitted.
    pending: VecDeque<(usize, Result<AsyncResult<R>, TaskError>)>,
    argument: std::marker::PhantomData<fn(A)>,
}

impl<'p, A: Message, R: Message, F, I> IMap<'p, A, R, F, I>
where
    F: Fn(A) -> R + Copy + Send + 'static,
    I: Iterator<Item = A>,
{
    pub(super) fn new(pool: &'p Pool, work: F, values: I) -> Self {
        let buffer = 4 * pool.shared.workers().max(1);
        let values = values.fuse().enumerate();
        let (pending, argument) = (VecDeque::new(), std::marker::PhantomData);
        Self { pool, work, values, buffer, deadline: None, pending, argument }
    }

    /// How many values are taken before their results are asked for, at most as many as a pool can have tasks (65,536); else four for each
    /// worker.
    pub fn buffer(self, values: NonZeroUsize) -> Self {
        Self { buffer: values.get().min(MOST), ..self }
    }

    /// How long each value may take, from when it was taken: see [`TaskBuilder::deadline`](super::TaskBuilder::deadline).
    pub fn deadline(self, time: Duration) -> Self {
        Self { deadline: Some(time), ..self }
    }

    fn fill(&mut self) {
        while self.pending.len() < self.buffer {
            let Some((place, value)) = self.values.next() else { return };
            let mut task = self.pool.apply_with(self.work, value);
            task.deadline = self.deadline;
            self.pending.push_back((place, task.submit()));
        }
    }

    /// The next result, waiting so long at most; `Ok(None)`: there are no more.
    ///
    /// # Errors
    /// If it is not there in time: [`TaskError::DeadlineExceeded`]. It can be asked for again.
    pub fn next_timeout(&mut self, time: Duration) -> Result<Option<Result<R, TaskError>>, TaskError> {
        self.fill();
        match self.pending.front() {
            None => Ok(None),
            Some((_, Ok(result))) if !result.wait(Some(time)) => Err(TaskError::DeadlineExceeded),
            Some(_) => Ok(self.next()),
        }
    }
}

impl<A: Message, R: Message, F, I> Iterator for IMap<'_, A, R, F, I>
where
    F: Fn(A) -> R + Copy + Send + 'static,
    I: Iterator<Item = A>,
{
    type Item = Result<R, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.fill();
        let (_, result) = self.pending.pop_front()?;
        Some(result.and_then(AsyncResult::get))
    }
}

/// The results of [`Pool::imap_unordered`], each with the place of its value.
///
/// ```
/// use pinring::multi::Pool;
///
/// let pool = Pool::with_processes(2)?;
/// for (place, square) in pool.imap_unordered(|n: usize| n * n, 0..4) {
///     assert_eq!(square?, place * place);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct IMapUnordered<'p, A: Message, R: Message, F, I>(pub(super) IMap<'p, A, R, F, I>);

impl<A: Message, R: Message, F, I> IMapUnordered<'_, A, R, F, I>
where
    F: Fn(A) -> R + Copy + Send + 'static,
    I: Iterator<Item = A>,
{
    /// As [`IMap::buffer`].
    pub fn buffer(self, values: NonZeroUsize) -> Self {
        Self(self.0.buffer(values))
    }

    /// As [`IMap::deadline`].
    pub fn deadline(self, time: Duration) -> Self {
        Self(self.0.deadline(time))
    }
}

impl<A: Message, R: Message, F, I> Iterator for IMapUnordered<'_, A, R, F, I>
where
    F: Fn(A) -> R + Copy + Send + 'static,
    I: Iterator<Item = A>,
{
    type Item = (usize, Result<R, TaskError>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.fill();
        if self.0.pending.is_empty() {
            return None;
        }
        let pending = &self.0.pending;
        let ready = || pending.iter().position(|(_, result)| result.as_ref().map_or(true, AsyncResult::ready));
        let index = self.0.pool.shared.wait(Limit::NEVER, ready)?;
        let (place, result) = self.0.pending.remove(index)?;
        Some((place, result.and_then(AsyncResult::get)))
    }
}
