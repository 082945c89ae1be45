//! Waiting for what a lock guards to become as one needs it.

use std::fmt;
use std::io;
use std::time::Duration;

use super::arena::Kind;
use super::bell::Limit;
use super::error::LockResult;
use super::mutex::MutexGuard;
use super::object::{Handle, Role};
use super::passing::passed_by_view;
use super::raw_lock::Patience;
use super::waiting::Waiting;

/// How long one rests who cannot wait because a thousand others do.
const REST: Duration = Duration::from_millis(1);

/// Waiting, with a lock given back meanwhile, until another says that what the lock guards has changed. A clone is another handle to the
/// same.
///
/// Exactly those are woken that a notification is for, longest waiting first, and who notifies waits for nobody: not for those who wake up
/// late, nor for those who were killed.
///
/// ```
/// use pinring::multi::{Condvar, Mutex, Process};
///
/// let (state, changed) = (Mutex::new(0u32)?, Condvar::new()?);
/// let theirs = (state.clone(), changed.clone());
/// let child = Process::spawn(move || {
///     *theirs.0.lock().unwrap() = 4;
///     theirs.1.notify_one();
/// })?;
/// let guard = changed.wait_while(state.lock().unwrap(), |state| *state != 4).unwrap();
/// assert_eq!(*guard, 4);
/// drop(guard);
/// child.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[doc(alias = "multiprocessing.Condition")]
pub struct Condvar {
    handle: Handle,
    waiting: &'static Waiting,
}

impl Condvar {
    /// Makes one that nobody waits for.
    ///
    /// # Errors
    /// As [`Mutex::new`](super::Mutex::new).
    pub fn new() -> io::Result<Self> {
        let handle = Handle::create(Kind::Condvar, size_of::<Waiting>(), Role::First, |_| {})?;
        Ok(Self { waiting: handle.object().body(), handle })
    }

    /// Gives the lock back, waits for a notification, and takes the lock again. With more than a thousand waiting at a time, some wake up
    /// without having been notified: look again, or use [`Self::wait_while`], which does.
    ///
    /// # Errors
    /// `OwnerDied`: the lock is held again, but what it guards may be half changed.
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_until(guard, Limit::NEVER).map(|(guard, _)| guard).map_err(|error| error.map(|(guard, _)| guard))
    }

    /// As [`Self::wait`], at most so long; `true`: it was notified. The lock is held again in any case.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        self.wait_until(guard, Limit::after(time))
    }

    /// Waits as long as `condition` holds of what the lock guards; looks at once, and after each notification.
    ///
    /// # Errors
    /// As [`Self::wait`]; the condition was not looked at then.
    #[doc(alias = "wait_for")]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        self.watch(guard, Limit::NEVER, condition)
            .map(|(guard, _)| guard)
            .map_err(|error| error.map(|(guard, _)| guard))
    }

    /// As [`Self::wait_while`], at most so long; `true`: the condition holds no longer, `false`: it still does.
    ///
    /// # Errors
    /// As [`Self::wait_while`].
    #[doc(alias = "wait_for")]
    pub fn wait_while_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        self.watch(guard, Limit::after(time), condition)
    }

    fn watch<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        limit: Limit,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let mut in_time = true;
        loop {
            if !condition(&mut guard) {
                return Ok((guard, true));
            }
            if !in_time {
                return Ok((guard, false));
            }
            (guard, in_time) = self.wait_until(guard, limit)?;
        }
    }

    fn wait_until<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Limit,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        // While the lock is held: what is notified from its end on is for us.
        let ticket = self.waiting.enter();
        let (lock, data, poisoned) = guard.into_parts();
        lock.release(poisoned);
        let notified = match &ticket {
            Some(ticket) => ticket.wait(limit),
            None => {
                std::thread::sleep(limit.left().flatten().map_or(REST, |left| left.min(REST)));
                limit.left().is_some()
            }
        };
        // The ticket ends after this: see `waiting`.
        let again = MutexGuard::take(lock, data, Patience::FOR_EVER);
        again.map(|guard| (guard, notified)).map_err(|error| error.map(|guard| (guard, notified)))
    }

    /// Wakes one that waits; without any nothing happens, and nothing is kept for who comes later.
    #[doc(alias = "notify")]
    pub fn notify_one(&self) {
        self.notify_n(1);
    }

    /// Wakes at most `n` of those who wait, longest waiting first; how many that were.
    #[doc(alias = "notify")]
    pub fn notify_n(&self, n: u32) -> u32 {
        self.waiting.notify(n)
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        self.waiting.notify_all();
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

passed_by_view!(Condvar, waiting);
