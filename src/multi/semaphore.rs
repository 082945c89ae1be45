//! A number of permits.

use std::fmt;
use std::io;
use std::time::Duration;

use super::arena::Kind;
use super::bell::Limit;
use super::family;
use super::object::{Handle, Role};
use super::passing::passed_by_view;
use super::permits::{Change, MOST, Permits};

/// More was given back than a [`Semaphore`] can hold; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value} permits and {released} more are more than the semaphore's {max}")]
pub struct Overflow {
    /// Permits there are.
    pub value: u32,
    /// Permits that were to be added.
    pub released: u32,
    /// Most that there can be.
    pub max: u32,
}

/// A number of permits that processes take and give back. A clone is another handle to the same.
///
/// The permits that a process holds when it is killed come back, exactly those.
///
/// ```
/// use pinring::multi::Semaphore;
///
/// let tapes = Semaphore::new(2)?;
/// let one = tapes.acquire();
/// let other = tapes.acquire();
/// assert!(tapes.try_acquire().is_none());
/// drop(one);
/// assert_eq!(tapes.value(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[doc(alias = "multiprocessing.Semaphore")]
#[doc(alias = "BoundedSemaphore")]
pub struct Semaphore {
    handle: Handle,
    permits: &'static Permits,
}

impl Semaphore {
    /// Makes one with `permits` permits, to which any number may be added.
    ///
    /// # Errors
    /// As [`Mutex::new`](super::Mutex::new); InvalidInput: more than 67 108 863 permits.
    pub fn new(permits: u32) -> io::Result<Self> {
        Self::bounded(permits, MOST)
    }

    /// Makes one with `permits` permits, which never has more than `max`.
    ///
    /// # Errors
    /// As [`Self::new`]; InvalidInput also if `permits` is more than `max`.
    pub fn bounded(permits: u32, max: u32) -> io::Result<Self> {
        let refusal = if permits > max {
            Some(format!("a semaphore that begins with {permits} permits cannot have {max} at most"))
        } else {
            (max > MOST).then(|| format!("a semaphore cannot have {max} permits: {MOST} are the most"))
        };
        if let Some(text) = refusal {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let handle = Handle::create(Kind::Semaphore, size_of::<Permits>(), Role::First, |object| {
            object.body::<Permits>().set_up(permits, max);
        })?;
        Ok(Self { permits: handle.object().body(), handle })
    }

    /// Waits for a permit and takes it.
    pub fn acquire(&self) -> Permit<'_> {
        loop {
            if let Some(permit) = self.take(Limit::NEVER) {
                return permit;
            }
        }
    }

    /// Takes a permit if there is one.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        let member = family::me();
        self.permits.take(member).then(|| Permit { permits: self.permits, member, _of: self })
    }

    /// As [`Self::acquire`], at most so long; `None`: there was no permit in time.
    pub fn acquire_timeout(&self, time: Duration) -> Option<Permit<'_>> {
        self.take(Limit::after(time))
    }

    fn take(&self, limit: Limit) -> Option<Permit<'_>> {
        self.permits.bell.wait(limit, || self.try_acquire())
    }

    /// Adds `n` permits, whoever took them: so one process can let another go on.
    ///
    /// # Errors
    /// If there would be more than there can be.
    pub fn release(&self, n: u32) -> Result<(), Overflow> {
        let max = self.permits.max();
        let mut found = 0;
        let added = self.permits.change(family::me(), |count, _| {
            found = count;
            count.checked_add(n).filter(|sum| *sum <= max).map(|sum| (sum, Change::None))
        });
        if !added {
            return Err(Overflow { value: found, released: n, max });
        }
        if n > 0 {
            self.permits.bell.ring(n);
        }
        Ok(())
    }

    /// How many permits there are now.
    #[doc(alias = "get_value")]
    pub fn value(&self) -> u32 {
        self.permits.count()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("value", &self.value()).finish_non_exhaustive()
    }
}

passed_by_view!(Semaphore, permits);

/// A permit, taken. Its end gives it back, and so does the end of its process. It stays with its process: one that is moved into the work of
/// a child has been given back.
///
/// ```
/// use pinring::multi::{Process, Semaphore};
///
/// let ready = Semaphore::new(1)?;
/// ready.acquire().forget();
/// let theirs = ready.clone();
/// let child = Process::spawn(move || theirs.release(1).unwrap())?;
/// let permit = ready.acquire();
/// assert_eq!(ready.value(), 0);
/// drop(permit);
/// assert_eq!(ready.value(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "its end gives the permit back"]
pub struct Permit<'a> {
    permits: &'static Permits,
    /// Whose it is.
    member: usize,
    /// Its handle keeps the permits where they are.
    _of: &'a Semaphore,
}

impl Permit<'_> {
    /// Does not give it back: another will, by [`Semaphore::release`]. From now on it does not come back with the end of this process.
    pub fn forget(self) {
        if self.is_ours() {
            self.permits.change(self.member, |count, _| Some((count, Change::Less)));
        }
        std::mem::forget(self);
    }

    /// Not that of the process this one was forked from.
    fn is_ours(&self) -> bool {
        self.member == family::me()
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_ours() {
            self.permits.put_back(self.member);
        }
    }
}
