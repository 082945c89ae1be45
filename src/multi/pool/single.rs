//! A single task, with more to say of it than its argument.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::task::{AsyncResult, TaskError};
use super::worker::Shim;
use crate::multi::bell::Limit;
use crate::multi::message::Message;

/// A task that is to be run: [`Pool::apply_with`](super::Pool::apply_with), [`TypedPool::apply_with`](super::TypedPool::apply_with).
///
/// ```
/// use std::time::Duration;
/// use pinring::multi::{Pool, TaskError};
///
/// let pool = Pool::with_processes(1)?;
/// let endless = pool.apply_with(|()| -> () { loop {} }, ()).deadline(Duration::from_millis(50));
/// assert_eq!(endless.call(), Err(TaskError::DeadlineExceeded));
/// // Its worker was ended, and there is another.
/// assert_eq!(pool.apply(|n: u8| n + 1, 1)?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "it runs when it is called or submitted"]
pub struct TaskBuilder<'p, A: Message, R: Message> {
    shared: &'p Arc<Shared>,
    shim: Shim,
    argument: A,
    pub(super) deadline: Option<Duration>,
    value: PhantomData<fn() -> R>,
}

impl<'p, A: Message, R: Message> TaskBuilder<'p, A, R> {
    pub(super) fn new(shared: &'p Arc<Shared>, shim: Shim, argument: A) -> Self {
        Self { shared, shim, argument, deadline: None, value: PhantomData }
    }

    /// How long it may take, from its submission on. At the end of that it has no result, but a
    /// [`DeadlineExceeded`](TaskError::DeadlineExceeded): if it was not begun it is not run; a worker that is at it is killed, and another
    /// takes its place on the same core. So it is with a task that is [detached](AsyncResult::detach), or that nobody waits for yet. It is
    /// not tried again, whatever the pool's [`Retry`](super::Retry).
    ///
    /// The kernel kills the worker, whatever that is at: what it held is given back as always (a lock tells its next owner), what it wrote
    /// to a file may be half done. It needs a timer in each worker: where `ulimit -i` leaves none, the task ends at its deadline all the
    /// same, but its worker goes on with it, and warns of that in the [log].
    pub fn deadline(self, time: Duration) -> Self {
        Self { deadline: Some(time), ..self }
    }

    /// Has a worker run it; the result is waited for later.
    ///
    /// # Errors
    /// If the argument does not fit, or the pool takes no more tasks.
    pub fn submit(self) -> Result<AsyncResult<R>, TaskError> {
        let deadline = self.deadline.map_or(Limit::NEVER, Limit::after);
        let result = self.shared.submit_for(self.shim, &self.argument, self.shared.retry, deadline)?;
        Ok(result.until(deadline))
    }

    /// Has a worker run it, and waits for the result.
    ///
    /// # Errors
    /// Why there is none.
    pub fn call(self) -> Result<R, TaskError> {
        self.submit()?.get()
    }
}
