//! A lock and what it guards.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::thread::panicking;
use std::time::Duration;

use super::arena::{Kind, Words};
use super::error::{Death, LockError, LockResult};
use super::object::{Handle, Object, Role};
use super::passing::{Passed, passed_with_guard};
use super::plain::Pod;
use super::raw_lock::{Patience, RawLock, Refusal};
use super::room::Room;
use super::word::Word64;

/// What the lock of an object guards, for who receives it in a message: what is in the memory must be what the type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Shape {
    Mutex = 1,
    Reentrant = 2,
    Value = 3,
    Array = 4,
}

/// First words of every object of kind [`Kind::Mutex`].
#[derive(Debug)]
#[repr(C)]
pub(super) struct Guarded {
    pub(super) lock: RawLock,
    shape: Word64,
    /// [Of a value](Room::FORM).
    form: Word64,
    /// How many values.
    pub(super) len: Word64,
}

// SAFETY: words only.
unsafe impl Words for Guarded {}

impl Guarded {
    /// Where what is guarded begins.
    pub(super) const HEAD: usize = size_of::<Self>();

    /// Makes an object that guards `len` values of this type; `fill` puts them there.
    pub(super) fn create<T: Pod>(
        shape: Shape,
        head: usize,
        len: usize,
        fill: impl FnOnce(Object, Room<T>),
    ) -> io::Result<Handle> {
        Handle::create(Kind::Mutex, Room::<T>::bytes(head, len)?, Role::First, |object| {
            let words: &Self = object.body();
            words.shape.set(shape as u64);
            words.form.set(Room::<T>::FORM);
            words.len.set(len as u64);
            fill(object, Room::of(object, head, len));
        })
    }

    /// Of an object that was made so: its words and how many values it has.
    pub(super) fn of<T: Pod>(shape: Shape, object: Object) -> Option<(&'static Self, usize)> {
        let words: &Self = object.body();
        let fits = words.shape.get() == shape as u64 && words.form.get() == Room::<T>::FORM;
        fits.then(|| usize::try_from(words.len.get()).ok()).flatten().map(|len| (words, len))
    }
}

/// For the sweep.
pub(super) fn bereave(object: Object, dead: usize) {
    let lock = &object.body::<Guarded>().lock;
    if object.is_held_as(dead, Role::Second) {
        lock.part_died(dead);
    }
    lock.bereave(dead);
}

/// A value that processes share and one at a time may use. A clone is another handle to the same.
///
/// Where Python has a lock beside what it protects, this has what it protects inside: there is no way to it but through the guard that
/// [`Self::lock`] gives, and whose end gives the lock back. A lock that is not free costs a short look again and again, then sleep.
///
/// If the holder is killed, or panics, the next one gets the lock in a [`LockError::OwnerDied`], because the value may be half changed;
/// so does every later one until [`MutexGuard::clear_poison`] says that it has been repaired.
///
/// A handle reaches another process by being captured by what is spawned, or in a message. A reference into a `static` does not count:
/// nobody would give back what its process held.
///
/// ```
/// use pinring::multi::{Mutex, Process};
///
/// let total = Mutex::new(0i64)?;
/// let theirs = total.clone();
/// Process::spawn(move || *theirs.lock().unwrap() += 3)?.join()?;
/// assert_eq!(*total.lock().unwrap(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What it guards must be plain data; a `String` points to memory that other processes do not have:
/// ```compile_fail,E0277
/// let name = pinring::multi::Mutex::new(String::new());
/// ```
/// Several values are a struct made by [`pod!`](crate::multi::pod), or an array.
#[doc(alias = "multiprocessing.Lock")]
#[doc(alias = "ShareableList")]
pub struct Mutex<T: Pod> {
    handle: Handle,
    words: &'static Guarded,
    room: Room<T>,
}

impl<T: Pod> Mutex<T> {
    /// Makes one, free.
    ///
    /// # Errors
    /// If there is no memory, or no family of processes and none can be made, see [`init`](super::init).
    pub fn new(value: T) -> io::Result<Self> {
        let handle = Guarded::create(Shape::Mutex, Guarded::HEAD, 1, |_, room: Room<T>| {
            // SAFETY: nobody else has seen the object yet.
            unsafe { room.write(0, value) };
        })?;
        Self::adopt(handle).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Waits until the lock is free and takes it.
    ///
    /// # Errors
    /// `OwnerDied`: it is held, but what it guards may be half changed. `WouldDeadlock`: this thread holds it.
    #[doc(alias = "acquire")]
    #[inline]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.take(Patience::FOR_EVER)
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// As [`Self::lock`]; `WouldBlock`: another holds it.
    #[inline]
    pub fn try_lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.take(Patience::None)
    }

    /// As [`Self::lock`], at most so long.
    ///
    /// # Errors
    /// As [`Self::lock`]; `Timeout`: others held it all the time.
    pub fn lock_timeout(&self, time: Duration) -> LockResult<MutexGuard<'_, T>> {
        self.take(Patience::of(time))
    }

    #[inline]
    fn take(&self, patience: Patience) -> LockResult<MutexGuard<'_, T>> {
        MutexGuard::take(&self.words.lock, self.room.one(), patience)
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

impl<T: Pod> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").field("owner", &self.owner()).finish_non_exhaustive()
    }
}

passed_with_guard!(Mutex<T>, Mutex);

/// A lock, held: the way to what it guards. Its end gives the lock back.
///
/// ```
/// use pinring::multi::Mutex;
///
/// let range = Mutex::new([0i64, 0])?;
/// let mut held = range.lock().unwrap();
/// held[1] = 5;
/// drop(held);
/// assert_eq!(*range.lock().unwrap(), [0, 5]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// It stays with the thread that took it:
/// ```compile_fail,E0277
/// use pinring::multi::{Mutex, Process};
///
/// let mutex: &'static Mutex<i64> = Box::leak(Box::new(Mutex::new(0)?));
/// let guard = mutex.lock().unwrap();
/// Process::spawn(move || drop(guard))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "its end gives the lock back"]
pub struct MutexGuard<'a, T: ?Sized> {
    lock: &'a RawLock,
    data: NonNull<T>,
    /// It was taken by who panicked already; then its end is no sign of anything.
    panicked_before: bool,
    /// Whether the lock's word says so: its end writes that word anew.
    poisoned: bool,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    #[inline]
    pub(super) fn take(lock: &'a RawLock, data: NonNull<T>, patience: Patience) -> LockResult<Self> {
        let taken = lock.take(patience);
        let guard = |poisoned| Self { lock, data, panicked_before: panicking(), poisoned };
        match taken {
            Ok(None) => Ok(guard(false)),
            other => Err(refused(other, patience, |()| guard(true))),
        }
    }

    /// The lock, what it guards, and whether it is poisoned; it stays held.
    pub(super) fn into_parts(self) -> (&'a RawLock, NonNull<T>, bool) {
        let parts = (self.lock, self.data, self.poisoned);
        std::mem::forget(self);
        parts
    }

    /// Says that what is guarded is whole again: the next one gets the lock without an error.
    pub fn clear_poison(&mut self) {
        self.lock.clear_poison();
        self.poisoned = false;
    }
}

/// What is said of a lock that was not simply taken.
#[cold]
pub(super) fn refused<G>(
    taken: Result<Option<Death>, Refusal>,
    patience: Patience,
    guard: impl FnOnce(()) -> G,
) -> LockError<G> {
    match (taken, patience) {
        (Ok(by), _) => LockError::OwnerDied { guard: guard(()), by: by.unwrap_or(Death::Died { pid: 0 }) },
        (Err(Refusal::Mine), _) => LockError::WouldDeadlock,
        (Err(Refusal::Busy), Patience::None) => LockError::WouldBlock,
        (Err(Refusal::Busy), Patience::Until(_)) => LockError::Timeout,
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock, so nobody else touches the data, which are `Pod` in mapped memory, kept by the handle that
        // the lock's borrow is bound to.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`, and the guard is borrowed for writing.
        unsafe { self.data.as_mut() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if panicking() && !self.panicked_before {
            self.lock.release_poisoned();
        } else {
            self.lock.release(self.poisoned);
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
