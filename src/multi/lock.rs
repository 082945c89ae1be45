//! Locks without data, with Python's names.

use std::io;
use std::time::Duration;

use super::error::LockResult;
use super::message::{Message, Reader, Writer};
use super::mutex::{Mutex, MutexGuard};
use super::reentrant::{ReentrantMutex, ReentrantMutexGuard};
use super::{DecodeError, TooLarge};

/// A [`Lock`], held.
pub type LockGuard<'a> = MutexGuard<'a, ()>;
/// A [`ReentrantLock`], held.
pub type ReentrantLockGuard<'a> = ReentrantMutexGuard<'a, ()>;

macro_rules! lock_without_data {
    ($(#[$doc:meta])* $name:ident, $mutex:ident, $guard:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name($mutex<()>);

        impl $name {
            /// Makes one, free.
            ///
            /// # Errors
            /// As [`Mutex::new`].
            pub fn new() -> io::Result<Self> {
                $mutex::new(()).map(Self)
            }

            /// Waits until it is free and takes it. There is no `release`: the end of the guard is that.
            ///
            /// # Errors
            /// `OwnerDied`: it is held, but whoever held it last was killed or panicked, and what it was doing may be half done.
            /// `WouldDeadlock`: this thread holds it, and it is not reentrant.
            #[doc(alias = "lock")]
            #[inline]
            pub fn acquire(&self) -> LockResult<$guard<'_>> {
                self.0.lock()
            }

            /// Takes it if it is free; Python's `acquire(block=False)`.
            ///
            /// # Errors
            /// As [`Self::acquire`]; `WouldBlock`: another holds it.
            #[inline]
            pub fn try_acquire(&self) -> LockResult<$guard<'_>> {
                self.0.try_lock()
            }

            /// As [`Self::acquire`], at most so long.
            ///
            /// # Errors
            /// As [`Self::acquire`]; `Timeout`: others held it all the time.
            pub fn acquire_timeout(&self, time: Duration) -> LockResult<$guard<'_>> {
                self.0.lock_timeout(time)
            }

            /// Whether anybody holds it now.
            #[doc(alias = "locked")]
            pub fn is_locked(&self) -> bool {
                self.0.is_locked()
            }

            /// Pid of the process that holds it now.
            pub fn owner(&self) -> Option<u32> {
                self.0.owner()
            }
        }

        impl Message for $name {
            const SLOT: usize = <$mutex<()>>::SLOT;
            const OBJECTS: usize = <$mutex<()>>::OBJECTS;

            fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
                self.0.encode(out)
            }

            fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Message::decode(from).map(Self)
            }

            fn sent(&self, sending: &mut $crate::multi::waybill::Sending) {
                self.0.sent(sending);
            }
        }
    };
}

lock_without_data!(
    /// A lock for what is not in shared memory: a file, a device, the terminal. What is in shared memory belongs into a [`Mutex`].
    ///
    /// Only the thread that took it can give it back, unlike Python's; what one process takes and another gives back is a
    /// [`Semaphore`](super::Semaphore).
    ///
    /// ```
    /// use pinring::multi::Lock;
    ///
    /// let terminal = Lock::new()?;
    /// let held = terminal.acquire().unwrap();
    /// println!("a line that no other process's comes into");
    /// drop(held);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "multiprocessing.Lock")]
    Lock, Mutex, LockGuard
);
lock_without_data!(
    /// A [`Lock`] that the thread that holds it may take again; others get it when it has been given back as often.
    ///
    /// ```
    /// use pinring::multi::ReentrantLock;
    ///
    /// let lock = ReentrantLock::new()?;
    /// let held = lock.acquire().unwrap();
    /// let again = lock.try_acquire().unwrap();
    /// drop(held);
    /// assert!(lock.is_locked());
    /// drop(again);
    /// assert!(!lock.is_locked());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "multiprocessing.RLock")]
    ReentrantLock, ReentrantMutex, ReentrantLockGuard
);
