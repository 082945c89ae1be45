//! A lock that the thread that holds it can take again, and what it guards.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::thread::panicking;
use std::time::Duration;

use super::error::LockResult;
use super::mutex::{Guarded, Shape, refused};
use super::object::Handle;
use super::passing::{Passed, passed_with_guard};
use super::plain::Pod;
use super::raw_lock::{Patience, RawLock};
use super::room::Room;

/// As [`Mutex`](super::Mutex), but the thread that holds the lock may take it again; others get it when it has been given back as often.
///
/// As there may be several guards in one thread, none gives a `&mut`: a guard is a [`Cell`] of the value.
///
/// ```
/// use pinring::multi::ReentrantMutex;
///
/// let account = ReentrantMutex::new(10i64)?;
/// let outer = account.lock().unwrap();
/// {
///     let inner = account.lock().unwrap();
///     inner.set(inner.get() + 5);
/// }
/// assert_eq!(outer.get(), 15);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "RMutex")]
#[doc(alias = "multiprocessing.RLock")]
pub struct ReentrantMutex<T: Pod> {
    handle: Handle,
    words: &'static Guarded,
    room: Room<T>,
}

impl<T: Pod> ReentrantMutex<T> {
    /// Makes one, free.
    ///
    /// # Errors
    /// As [`Mutex::new`](super::Mutex::new).
    pub fn new(value: T) -> io::Result<Self> {
        let handle = Guarded::create(Shape::Reentrant, Guarded::HEAD, 1, |_, room: Room<T>| {
            // SAFETY: nobody else has seen the object yet.
            unsafe { room.write(0, value) };
        })?;
        Self::adopt(handle).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Waits until no other thread holds the lock and takes it (once more).
    ///
    /// # Errors
    /// `OwnerDied`: it is held, but what it guards may be half changed.
    #[doc(alias = "acquire")]
    pub fn lock(&self) -> LockResult<ReentrantMutexGuard<'_, T>> {
        self.take(Patience::FOR_EVER)
    }

    /// Takes the lock if no other thread holds it.
    ///
    /// # Errors
    /// As [`Self::lock`]; `WouldBlock`: another holds it.
    pub fn try_lock(&self) -> LockResult<ReentrantMutexGuard<'_, T>> {
        self.take(Patience::None)
    }

    /// As [`Self::lock`], at most so long.
    ///
    /// # Errors
    /// As [`Self::lock`]; `Timeout`: others held it all the time.
    pub fn lock_timeout(&self, time: Duration) -> LockResult<ReentrantMutexGuard<'_, T>> {
        self.take(Patience::of(time))
    }

    fn take(&self, patience: Patience) -> LockResult<ReentrantMutexGuard<'_, T>> {
        let lock = &self.words.lock;
        let taken = lock.take_again(patience);
        let guard = |()| ReentrantMutexGuard {
            lock,
            data: self.room.one().cast(),
            panicked_before: panicking(),
            value: PhantomData,
        };
        match taken {
            Ok(None) => Ok(guard(())),
            other => Err(refused(other, patience, guard)),
        }
    }

    /// Whether anybody holds it now.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        self.words.lock.is_held()
    }

    /// Pid of the process that holds it now.
    pub fn owner(&self) -> Option<u32> {
        self.words.lock.owner()
    }
}

impl<T: Pod> fmt::Debug for ReentrantMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReentrantMutex").field("owner", &self.owner()).finish_non_exhaustive()
    }
}

passed_with_guard!(ReentrantMutex<T>, Reentrant);

/// A reentrant lock, held once more. Its end gives that back.
///
/// ```
/// use pinring::multi::ReentrantMutex;
///
/// let number = ReentrantMutex::new(4u32)?;
/// let held = number.lock().unwrap();
/// let again = number.lock().unwrap();
/// // There may be several guards: what they guard is a `Cell`.
/// again.set(held.get() * 2);
/// assert_eq!(held.get(), 8);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "its end gives the lock back"]
pub struct ReentrantMutexGuard<'a, T: Pod> {
    lock: &'a RawLock,
    data: NonNull<Cell<T>>,
    panicked_before: bool,
    /// A cell belongs to one thread; so does its guard.
    value: PhantomData<&'a Cell<T>>,
}

impl<T: Pod> ReentrantMutexGuard<'_, T> {
    /// Puts in the value's place what `change` makes of it.
    pub fn update(&self, change: impl FnOnce(T) -> T) {
        self.set(change(self.get()));
    }

    /// Says that what is guarded is whole again: the next one gets the lock without an error.
    pub fn clear_poison(&self) {
        self.lock.clear_poison();
    }
}

impl<T: Pod> Deref for ReentrantMutexGuard<'_, T> {
    type Target = Cell<T>;

    fn deref(&self) -> &Cell<T> {
        // SAFETY: this thread holds the lock, so only it touches the value, and it does so through cells only, which have the layout of
        // what is in them; the memory is kept by the handle that the lock's borrow is bound to.
        unsafe { self.data.as_ref() }
    }
}

impl<T: Pod> Drop for ReentrantMutexGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.release_once(panicking() && !self.panicked_before);
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for ReentrantMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
