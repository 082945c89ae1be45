//! Values in a row that processes share.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::error::{LockError, LockResult};
use super::mutex::{Guarded, MutexGuard, Shape};
use super::object::{Handle, Object, Role};
use super::passing::{Passed, passed_with_guard};
use super::plain::Pod;
use super::raw_lock::Patience;
use super::room::Room;

/// There is no such element, or byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{index} is out of bounds: there are {len}")]
pub struct OutOfBounds {
    /// What was asked for; of several, the last.
    pub index: usize,
    /// How many there are.
    pub len: usize,
}

/// An [`Array`], locked: a slice of its elements.
pub type ArrayGuard<'a, T> = MutexGuard<'a, [T]>;

/// Values in a row, as many as it was made with, that processes share. A clone is another handle to the same.
///
/// ```
/// use pinring::multi::{Array, Process};
///
/// let numbers = Array::from_iter(0..10i32)?;
/// let theirs = numbers.clone();
/// Process::spawn(move || theirs.lock().unwrap().iter_mut().for_each(|number| *number = -*number))?.join()?;
/// assert_eq!(numbers.lock().unwrap()[..3], [0, -1, -2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "multiprocessing.Array")]
#[doc(alias = "ShareableList")]
pub struct Array<T: Pod> {
    handle: Handle,
    words: &'static Guarded,
    room: Room<T>,
}

impl<T: Pod> Array<T> {
    /// Makes one of `len` elements whose bytes are zero.
    ///
    /// # Errors
    /// As [`Mutex::new`](super::Mutex::new).
    pub fn zeroed(len: usize) -> io::Result<Self> {
        Self::create(len, std::iter::empty())
    }

    /// Makes one of these elements.
    ///
    /// # Errors
    /// As [`Mutex::new`](super::Mutex::new).
    pub fn from_slice(elements: &[T]) -> io::Result<Self> {
        Self::create(elements.len(), elements.iter().copied())
    }

    /// Makes one of these elements.
    ///
    /// # Errors
    /// As [`Mutex::new`](super::Mutex::new).
    #[allow(clippy::should_implement_trait, reason = "FromIterator cannot fail, and this can")]
    pub fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> io::Result<Self>
    where
        I::IntoIter: ExactSizeIterator,
    {
        let elements = elements.into_iter();
        Self::create(elements.len(), elements)
    }

    fn create(len: usize, elements: impl Iterator<Item = T>) -> io::Result<Self> {
        let handle = Guarded::create(Shape::Array, Guarded::HEAD, len, |_, room: Room<T>| {
            for (index, element) in elements.enumerate().take(len) {
                // SAFETY: nobody else has seen the object yet.
                unsafe { room.write(index, element) };
            }
        })?;
        Self::adopt(handle).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.room.len()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An element; `None` if there is no such. It is locked for that; that one who held the lock has died is passed over.
    ///
    /// # Panics
    /// If this thread holds the lock: use the guard.
    pub fn get(&self, index: usize) -> Option<T> {
        self.whatever().get(index).copied()
    }

    /// Puts an element in the place of another. It is locked for that; that one who held the lock has died is passed over.
    ///
    /// # Errors
    /// If there is no such.
    ///
    /// # Panics
    /// If this thread holds the lock: use the guard.
    pub fn set(&self, index: usize, element: T) -> Result<(), OutOfBounds> {
        let len = self.len();
        *self.whatever().get_mut(index).ok_or(OutOfBounds { index, len })? = element;
        Ok(())
    }

    /// The lock, poisoned or not.
    fn whatever(&self) -> ArrayGuard<'_, T> {
        match self.lock() {
            Ok(guard) | Err(LockError::OwnerDied { guard, .. }) => guard,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until nobody has it locked, nor parts of it, and locks it.
    ///
    /// # Errors
    /// `OwnerDied`: it is locked, but whoever had it or a part of it before was killed or panicked. `WouldDeadlock`: this thread has it
    /// locked.
    #[doc(alias = "get_lock")]
    #[doc(alias = "get_obj")]
    pub fn lock(&self) -> LockResult<ArrayGuard<'_, T>> {
        self.take(Patience::FOR_EVER)
    }

    /// Locks it if nobody has it locked.
    ///
    /// # Errors
    /// As [`Self::lock`]; `WouldBlock`: another has it locked.
    pub fn try_lock(&self) -> LockResult<ArrayGuard<'_, T>> {
        self.take(Patience::None)
    }

    /// As [`Self::lock`], at most so long.
    ///
    /// # Errors
    /// As [`Self::lock`]; `Timeout`: others had it locked all the time.
    pub fn lock_timeout(&self, time: Duration) -> LockResult<ArrayGuard<'_, T>> {
        self.take(Patience::of(time))
    }

    fn take(&self, patience: Patience) -> LockResult<ArrayGuard<'_, T>> {
        MutexGuard::take(&self.words.lock, self.room.all(), patience)
    }

    /// Locks it and divides it into `n` parts, the first ones of which may have one element more than the others. The parts can go to
    /// different processes; it stays locked until the last of them is gone.
    ///
    /// ```
    /// use pinring::multi::{Array, Process};
    ///
    /// let squares = Array::zeroed(10)?;
    /// for mut part in squares.split_even(3).unwrap() {
    ///     Process::spawn(move || {
    ///         let start = part.start() as u64;
    ///         (start..).zip(part.iter_mut()).for_each(|(n, square)| *square = n * n);
    ///     })?;
    /// }
    /// assert_eq!(squares.lock().unwrap()[9], 81);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::lock`]. `OwnerDied` gives the lock, not the parts: repair what is to be repaired, and divide it then.
    ///
    /// # Panics
    /// If `n` is zero.
    pub fn split_even(&self, n: usize) -> Result<Vec<ArrayPart<T>>, LockError<ArrayGuard<'_, T>>> {
        assert!(n > 0, "an array cannot be divided into no parts");
        let guard = self.lock()?;
        let (least, larger) = (self.len() / n, self.len() % n);
        let mut start = 0;
        let parts = (0..n).map(|number| {
            let len = least + usize::from(number < larger);
            let part = self.room.part(start, len);
            start += len;
            ArrayPart { handle: self.handle.another(Role::Second), start: start - len, room: part }
        });
        let parts = parts.collect();
        let (lock, ..) = guard.into_parts();
        lock.give_to_parts();
        Ok(parts)
    }
}

/// Nobody holds a part any more, or nobody the whole.
pub(super) fn role_is_gone(object: Object) {
    object.body::<Guarded>().lock.free_from_parts(|| object.holders(Role::Second) == 0);
}

impl<T: Pod> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array").field("len", &self.len()).finish_non_exhaustive()
    }
}

passed_with_guard!(Array<T>, Array);

/// A part of an [`Array`] that no other part overlaps, so it needs no lock. The whole is locked until the last part is gone.
///
/// ```
/// use pinring::multi::{Array, Process};
///
/// let numbers = Array::<u32>::zeroed(5)?;
/// for mut part in numbers.split_even(2).unwrap() {
///     // The handle of a part goes where its work is done.
///     Process::spawn(move || (part.start()..).zip(part.iter_mut()).for_each(|(n, place)| *place = n as u32))?.join()?;
/// }
/// assert_eq!(*numbers.lock().unwrap(), [0, 1, 2, 3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the array is locked until all parts are gone"]
pub struct ArrayPart<T: Pod> {
    /// Keeps the array, and its lock.
    #[allow(dead_code, reason = "it is its end that matters")]
    handle: Handle,
    start: usize,
    room: Room<T>,
}

impl<T: Pod> ArrayPart<T> {
    /// Which element of the array its first one is.
    pub fn start(&self) -> usize {
        self.start
    }
}

impl<T: Pod> Deref for ArrayPart<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: mapped `Pod`s, kept by the handle; the parts hold the lock of the array, and no two of them overlap.
        unsafe { self.room.all().as_ref() }
    }
}

impl<T: Pod> DerefMut for ArrayPart<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and the part is borrowed for writing.
        unsafe { self.room.all().as_mut() }
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for ArrayPart<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
