//! futex(2): sleeping on a word in shared memory.

use std::io;
use std::ptr;
use std::time::Duration;

use crate::prim::AtomicU32;
#[cfg(all(test, not(miri)))]
use crate::prim::explore;

/// Sleeps while `word` is `expected`, at most `timeout`. Returns also early: the caller looks again.
///
/// # Errors
/// What futex(2) answered, besides that there was no need to sleep, a timeout or a signal.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> io::Result<()> {
    #[cfg(all(test, not(miri)))]
    if timeout.is_none() && explore::sleep(word, expected) {
        return Ok(());
    }
    let limit = timeout.map(|timeout| libc::timespec {
        // 68 years are for ever.
        tv_sec: timeout.as_secs().try_into().unwrap_or(i32::MAX.into()),
        // Less than a second's nanoseconds fit every `long`.
        #[allow(clippy::cast_possible_wrap, clippy::cast_lossless, clippy::unnecessary_cast)]
        tv_nsec: timeout.subsec_nanos() as _,
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the word and the timespec outlive the call; FUTEX_WAIT only reads both.
    let result = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, limit) };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ETIMEDOUT | libc::EINTR) => Ok(()),
        _ => Err(error),
    }
}

/// Wakes whoever sleeps on `word`, in any process that maps it.
pub fn wake(word: &AtomicU32) {
    wake_some(word, u32::MAX);
}

/// Wakes at most `most` of those who sleep on `word`, longest asleep first; how many that were.
pub fn wake_some(word: &AtomicU32, most: u32) -> u32 {
    #[cfg(all(test, not(miri)))]
    if let Some(woken) = explore::wake(word, most) {
        return woken;
    }
    let most = libc::c_int::try_from(most).unwrap_or(libc::c_int::MAX);
    // SAFETY: FUTEX_WAKE uses the address only as a name.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, most) };
    // An error (there is none for a mapped word) is nobody woken.
    u32::try_from(woken).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prim::Ordering;

    #[test]
    fn a_sleeper_is_woken_and_a_changed_word_lets_nobody_sleep() {
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // ORDER(test.futex): the test's own word.
                while word.load(Ordering::SeqCst) == 0 {
                    wait(&word, 0, None).unwrap();
                }
            });
            // ORDER(test.futex): as above.
            word.store(1, Ordering::SeqCst);
            wake(&word);
        });
        wait(&word, 0, None).unwrap();
        wait(&word, 1, Some(Duration::from_millis(1))).unwrap();
    }
}
