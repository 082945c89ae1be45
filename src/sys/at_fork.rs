//! Sockets that must not reach a forked child.
//!
//! A socket that is open in two processes closes when the second one ends. Where its closing tells a server that a client is dead, a
//! child that was forked meanwhile would keep a dead client alive; and two that write into one socket write garbage. Linux has no
//! close-on-fork; pthread_atfork(3) makes one.

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::{Mutex, Once, PoisonError, TryLockError};

use super::fork::own_pid;

/// What a child closes as soon as it is born.
static CLOSED_IN_CHILD: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());
static PREPARED: Once = Once::new();

/// Owns a descriptor that a forked child of this process does not have: there it is closed, [`Self::get`] gives nothing, and its
/// destructor does not run.
///
/// Holds for fork(3) of the C library. If another thread is at that moment making or dropping one of these, the child keeps the
/// descriptors open, but cannot use them through this.
#[derive(Debug)]
pub struct OwnedHere<T: AsFd> {
    inner: ManuallyDrop<T>,
    pid: i32,
}

impl<T: AsFd> OwnedHere<T> {
    /// From now on `inner` is this process's alone.
    pub fn new(inner: T) -> Self {
        PREPARED.call_once(|| {
            // SAFETY: the handler is a function without state of its own that lives as long as the program. An error (no
            // memory) leaves a child with descriptors that it does not use.
            let _ = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        });
        let mut all = CLOSED_IN_CHILD.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(inner.as_fd().as_raw_fd());
        Self { inner: ManuallyDrop::new(inner), pid: own_pid() }
    }

    /// What it owns; nothing in a child.
    pub fn get(&mut self) -> Option<&mut T> {
        (self.pid == own_pid()).then_some(&mut *self.inner)
    }
}

impl<T: AsFd> Drop for OwnedHere<T> {
    fn drop(&mut self) {
        if self.pid != own_pid() {
            return;
        }
        let number = self.inner.as_fd().as_raw_fd();
        let mut all = CLOSED_IN_CHILD.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|fd| *fd != number);
        // Under the lock: once it is closed its number may be another's.
        // SAFETY: it is dropped here only, and `self` is not used afterwards.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
    }
}

/// Runs in the child before fork(3) returns, when only this thread exists.
extern "C" fn in_child() {
    let mut all = match CLOSED_IN_CHILD.try_lock() {
        Ok(all) => all,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Another thread of the parent was at it, and is not here to let go.
        Err(TryLockError::WouldBlock) => return,
    };
    for fd in all.drain(..) {
        // SAFETY: the owner is an `OwnedHere` of the parent's, which in this process neither lends nor closes it.
        unsafe { libc::close(fd) };
    }
}
