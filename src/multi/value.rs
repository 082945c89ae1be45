//! A single value that processes share.

use std::fmt;
use std::io;
use std::mem::offset_of;

use super::arena::{Kind, Words};
use super::family;
use super::mutex::{Guarded, Shape};
use super::object::{BODY, Handle, Object, Role};
use super::passing::{Passed, passed_in_messages};
use super::plain::{Pod, bytes_of, value_of};
use super::raw_lock::{Patience, RawLock, Refusal};
use super::room::Room;
use super::word::{Word32, Word64};

/// Words of a value: behind the lock the place of what is too large for a word: two copies, one of which counts.
#[derive(Debug)]
#[repr(C)]
struct Head {
    guarded: Guarded,
    /// The value itself, if it is no larger: then nobody needs the lock to look at it or to change it.
    word: Word64,
    /// Which of the copies counts.
    which: Word32,
    reserved: Word32,
}

// SAFETY: words only.
unsafe impl Words for Head {}

/// A single value that processes share. A clone is another handle to the same.
///
/// Every operation is a whole: [`Self::update`] reads and writes in one, so nothing is lost as with Python's `v.value += 1`. A process
/// that is killed, or a panic, leaves the value as it was before its operation; there is nothing to repair. Values of up to eight bytes
/// are read and written without a lock.
///
/// What takes several steps, or concerns several values, belongs into a [`Mutex`](super::Mutex).
///
/// ```
/// use pinring::multi::{Process, Value};
///
/// let count = Value::new(0i64)?;
/// let theirs = count.clone();
/// Process::spawn(move || {
///     theirs.fetch_add(20);
///     theirs.update(|count| *count *= 2);
/// })?
/// .join()?;
/// assert_eq!(count.get(), 40);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "multiprocessing.Value")]
#[doc(alias = "RawValue")]
pub struct Value<T: Pod> {
    handle: Handle,
    head: &'static Head,
    /// The lower half of the word, for numbers of four bytes: an atomic operation on such must not touch more.
    narrow: &'static Word32,
    copies: Room<T>,
}

/// The lock of a value, held. Its end gives it back; there is no poison, as nothing is ever half changed.
struct Held(&'static RawLock);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.release(false);
    }
}

impl<T: Pod> Value<T> {
    /// Whether the value lies in the word.
    const IS_SMALL: bool = size_of::<T>() <= size_of::<u64>();
    /// Whether it lies in half of it.
    const IS_NARROW: bool = size_of::<T>() <= size_of::<u32>();

    /// Makes one.
    ///
    /// # Errors
    /// As [`Mutex::new`](super::Mutex::new).
    pub fn new(value: T) -> io::Result<Self> {
        let head = size_of::<Head>();
        let handle = Guarded::create(Shape::Value, head, Self::copies(), |object, room: Room<T>| {
            object.body::<Head>().word.set(to_word(&value));
            // SAFETY: nobody else has seen the object yet.
            unsafe { room.write(0, value) };
        })?;
        Self::adopt(handle).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn copies() -> usize {
        if Self::IS_SMALL { 0 } else { 2 }
    }

    /// The value now.
    ///
    /// For one of more than eight bytes it waits for who is changing it; within an [`Self::update`] of the same thread it is the old one.
    pub fn get(&self) -> T {
        if Self::IS_SMALL {
            return from_word(self.word());
        }
        // In an update of ours: the copy that counts is not touched before its end.
        let _held = self.hold().ok();
        self.current()
    }

    /// Puts another in its place.
    ///
    /// # Panics
    /// Within an [`Self::update`] of the same thread, for a value of more than eight bytes.
    #[doc(alias = "value")]
    pub fn set(&self, value: T) {
        if Self::IS_SMALL {
            self.swap_word(to_word(&value));
        } else {
            let _held = self.hold_or_panic();
            self.replace_copy(value);
        }
    }

    /// Changes it by what `change` does to it, and returns what that returns. Updates exclude each other, so none is lost.
    ///
    /// If a [`Self::set`] or one of the atomic operations of numbers comes in between, `change` is called again with the new value.
    ///
    /// # Panics
    /// Within an [`Self::update`] of the same thread. A panic of `change` leaves the value as it was.
    #[doc(alias = "get_lock")]
    pub fn update<R>(&self, mut change: impl FnMut(&mut T) -> R) -> R {
        let _held = self.hold_or_panic();
        if !Self::IS_SMALL {
            let mut value = self.current();
            let result = change(&mut value);
            self.replace_copy(value);
            return result;
        }
        loop {
            let before = self.word();
            let mut value = from_word(before);
            let result = change(&mut value);
            if self.replace_word(before, to_word(&value)) {
                return result;
            }
        }
    }

    fn hold(&self) -> Result<Held, Refusal> {
        let lock = &self.head.guarded.lock;
        // Poisoned or not: who died in an update had not changed anything yet.
        lock.take(Patience::FOR_EVER)?;
        Ok(Held(lock))
    }

    fn hold_or_panic(&self) -> Held {
        match self.hold() {
            Ok(held) => held,
            Err(_) => panic!("a shared value cannot be changed within an update of it"),
        }
    }

    /// The copy that counts; the lock is held, or it is small.
    fn current(&self) -> T {
        let which = self.head.which.get() as usize & 1;
        // SAFETY: it is written only by who holds the lock, and then it does not count: we hold it, or this very thread does further up.
        let value = unsafe { self.copies.read(which) };
        value.unwrap_or_else(|| from_word(self.word()))
    }

    /// Writes the other copy and has that count; the lock is held.
    fn replace_copy(&self, value: T) {
        let other = (self.head.which.get() as usize & 1) ^ 1;
        // SAFETY: we hold the lock, and nobody reads the copy that does not count.
        unsafe { self.copies.write(other, value) };
        self.head.which.set(u32::from(other == 1));
    }

    fn word(&self) -> u64 {
        if Self::IS_NARROW { self.narrow.get().into() } else { self.head.word.get() }
    }

    fn swap_word(&self, word: u64) -> u64 {
        if Self::IS_NARROW { self.narrow.swap(low(word)).into() } else { self.head.word.swap(word) }
    }

    fn replace_word(&self, old: u64, new: u64) -> bool {
        self.exchange_word(old, new).is_ok()
    }

    fn exchange_word(&self, old: u64, new: u64) -> Result<(), u64> {
        if Self::IS_NARROW {
            self.narrow.replace(low(old), low(new)).map_err(u64::from)
        } else {
            self.head.word.replace(old, new)
        }
    }
}

fn low(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0)
}

/// The bytes of a value as the lowest of a word, the others zero; of one that is too large, nothing.
fn to_word<T: Pod>(value: &T) -> u64 {
    let mut bytes = [0; size_of::<u64>()];
    match bytes.get_mut(..size_of::<T>()) {
        Some(low) => low.copy_from_slice(bytes_of(value)),
        None => return 0,
    }
    u64::from_le_bytes(bytes)
}

fn from_word<T: Pod>(word: u64) -> T {
    let value = word.to_le_bytes().get(..size_of::<T>()).and_then(value_of);
    value.unwrap_or_else(|| unreachable!("only values that fit lie in the word"))
}

mod sealed {
    pub trait Sealed {}
}

/// Numbers that a [`Value`] can change in one step of the processor.
///
/// ```
/// use pinring::multi::{Number, Value};
///
/// fn count<T: Number>(events: &Value<T>, one: T) -> T {
///     events.fetch_add(one)
/// }
/// let events = Value::new(0u32)?;
/// count(&events, 1);
/// assert_eq!(events.get(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Number: Pod + Ord + sealed::Sealed {
    /// Zero minus it, wrapping around.
    #[doc(hidden)]
    fn negated(self) -> Self;
}

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl sealed::Sealed for $number {}
        impl Number for $number {
            fn negated(self) -> Self {
                self.wrapping_neg()
            }
        }
    )* };
}
numbers!(i32, u32, i64, u64);

/// Atomic operations. They wait for nobody, not even for an [`Value::update`]; each returns the value before.
impl<T: Number> Value<T> {
    /// Adds, wrapping around.
    pub fn fetch_add(&self, number: T) -> T {
        // The lowest bytes of a sum are the sum of the lowest bytes.
        from_word(if Self::IS_NARROW {
            self.narrow.add(low(to_word(&number))).into()
        } else {
            self.head.word.add(to_word(&number))
        })
    }

    /// Subtracts, wrapping around.
    pub fn fetch_sub(&self, number: T) -> T {
        self.fetch_add(number.negated())
    }

    /// Raises it to `number` at least.
    pub fn fetch_max(&self, number: T) -> T {
        self.fetch(|value| value.max(number))
    }

    /// Lowers it to `number` at most.
    pub fn fetch_min(&self, number: T) -> T {
        self.fetch(|value| value.min(number))
    }

    fn fetch(&self, to: impl Fn(T) -> T) -> T {
        let mut found = self.word();
        while let Err(other) = self.exchange_word(found, to_word(&to(from_word(found)))) {
            found = other;
        }
        from_word(found)
    }

    /// Puts another in its place.
    pub fn swap(&self, number: T) -> T {
        from_word(self.swap_word(to_word(&number)))
    }

    /// Puts `new` in the place of `current`.
    ///
    /// # Errors
    /// The value, if it is another.
    pub fn compare_exchange(&self, current: T, new: T) -> Result<T, T> {
        self.exchange_word(to_word(&current), to_word(&new)).map(|()| current).map_err(from_word)
    }
}

impl<T: Pod> Clone for Value<T> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), ..*self }
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Value").field(&self.get()).finish()
    }
}

impl<T: Pod> Passed for Value<T> {
    const KIND: Kind = Kind::Mutex;
    const ROLE: Role = Role::First;

    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn adopt(handle: Handle) -> Option<Self> {
        let object: Object = handle.object();
        let (_, len) = Guarded::of::<T>(Shape::Value, object)?;
        let narrow = family::get().arena.view(object.block, BODY + offset_of!(Head, word));
        Some(Self { head: object.body(), narrow, copies: Room::of(object, size_of::<Head>(), len), handle })
    }
}
passed_in_messages!(Value<T: Pod>);
