//! Where the results of a large map land if they are plain data: in the `Vec` that its caller gets, which the workers write themselves,
//! each its part, by process_vm_writev(2). So the pages of that memory, which is new, are made by all of them at the same time, and the
//! caller copies nothing.
//!
//! The results are in the job's block first, as those of every map: where the kernel refuses (to look into another process is what a
//! debugger does: a changed user, Yama or a seccomp filter can be in the way), and for what its worker has not written to its end, they
//! are taken from there.

use std::num::NonZeroUsize;

use super::job::Job;
use crate::multi::message::Message;
use crate::multi::plain::value_of;
use crate::multi::pod;
use crate::multi::word::{Word32, Word64};
use crate::sys::fork::own_pid;
use crate::sys::{memory, process_vm, random};

/// For fewer bytes, or chunks of fewer, it is no faster: a call takes as long as some hundred values.
const WORTH_IT: usize = 1 << 19;
const WORTH_A_CALL: usize = 1 << 15;

pod! {
    #[derive(Debug)]
    /// What a buffer's owner says of it, in memory of its own. A worker looks here before each write: so it writes nowhere else, whatever
    /// has become of the words that all share, of the owner's pid, or of the program in that process.
    struct Notice {
        /// Another for each buffer.
        nonce: u64,
        start: u64,
        bytes: u64,
    }
}

/// A buffer for results of a job, with nothing in it yet, and what its owner says of it.
///
/// It must not be dropped as long as a ticket of its job is not settled: a worker may write to it, or be frozen just before it does. A
/// process that dies in that call has left it when its death is known, and so when its ticket is settled by that.
#[derive(Debug)]
pub(super) struct Landing<R> {
    #[expect(dead_code, reason = "the workers read it")]
    notice: Box<Notice>,
    results: Vec<R>,
}

impl<R: Message> Landing<R> {
    /// Whether so many results, in chunks of so many if that has been said, are to land so: they are plain data, and there are enough.
    pub(super) fn is_worth_it(count: usize, chunk: Option<NonZeroUsize>) -> bool {
        let bytes = |count: usize| count.saturating_mul(R::SLOT);
        let calls = chunk.is_none_or(|chunk| bytes(chunk.get()) >= WORTH_A_CALL);
        R::PLAIN.holds() && bytes(count) >= WORTH_IT && calls
    }

    /// A buffer for the results of `job`, which are [worth it](Self::is_worth_it), of which `workers` workers are told; `None` if the
    /// system does not give what it needs.
    pub(super) fn prepare(job: &Job, workers: usize) -> Option<Self> {
        let mut nonce = [0; 8];
        random::fill(&mut nonce).ok()?;
        let mut results = Vec::<R>::new();
        results.try_reserve_exact(job.items()).ok()?;
        let bytes = job.items() * R::SLOT;
        let start = results.as_mut_ptr().expose_provenance() as u64;
        let notice = Box::new(Notice { nonce: u64::from_ne_bytes(nonce), start, bytes: bytes as u64 });
        job.landings().announce(&notice, workers);
        Some(Self { notice, results })
    }

    /// The results.
    ///
    /// # Safety
    /// All tickets of the job are settled, and it is perfect.
    pub(super) unsafe fn take(self, job: &Job) -> Vec<R> {
        let mut results = self.results;
        if !(0..job.chunks()).any(|chunk| job.has_landed(chunk)) {
            memory::populate(results.spare_capacity_mut());
        }
        let room = results.spare_capacity_mut();
        for range in (0..job.chunks()).filter(|chunk| !job.has_landed(*chunk)).map(|chunk| job.range(chunk)) {
            // SAFETY: they are done.
            let bytes = unsafe { job.outputs::<R>(range.clone()) };
            let place = &mut room[range];
            debug_assert_eq!(size_of_val(place), bytes.len());
            // SAFETY: as many bytes, and a plain value is its bytes; one is our own memory, the other shared.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_mut_ptr().cast(), bytes.len()) };
        }
        // SAFETY: each chunk's values are there: written by a worker, which has said so, or just now; any bytes are a value.
        unsafe { results.set_len(job.items()) };
        results
    }
}

/// Of a job's buffer, in its shared words.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Landings {
    /// Where its owner says how large it is.
    notice: Word64,
    nonce: Word64,
    /// The owner's; 0: there is none.
    pid: Word32,
    /// How many are to write.
    pub(super) workers: Word32,
}

impl Landings {
    fn announce(&self, notice: &Notice, workers: usize) {
        self.workers.set(u32::try_from(workers).unwrap_or(0));
        self.notice.set(std::ptr::from_ref(notice).expose_provenance() as u64);
        self.nonce.set(notice.nonce);
        self.pid.set(own_pid().unsigned_abs());
    }

    pub(super) fn clear(&self) {
        self.pid.set(0);
        self.workers.set(0);
    }

    /// A worker's way to the buffer, if there is one.
    pub(super) fn approach(&self) -> Option<Approach> {
        let pid = i32::try_from(self.pid.get()).ok().filter(|pid| *pid != 0)?;
        Some(Approach { pid, notice: usize::try_from(self.notice.get()).ok()?, nonce: self.nonce.get() })
    }
}

/// A worker's way to its job's buffer.
#[derive(Debug)]
pub(super) struct Approach {
    pid: i32,
    notice: usize,
    nonce: u64,
}

impl Approach {
    /// Writes results from the `at`th byte on; whether that was possible.
    ///
    /// # Safety
    /// They are of a chunk of its job that the caller has in hand.
    pub(super) unsafe fn land(&self, at: usize, bytes: &[u8]) -> bool {
        let Some(start) = self.look().and_then(|notice| notice.place(at, bytes.len())) else { return false };
        // SAFETY: the notice was there a moment ago, so this is the process that made it, and the bytes lie in the buffer of which it
        // speaks. That buffer is kept until the ticket is settled by which we have the chunk in hand, and only who has a chunk in hand
        // writes its part. Should that process die just now, its pid is not another's before the kernel has gone through all others.
        unsafe { process_vm::write(self.pid, start, bytes) }
    }

    fn look(&self) -> Option<Notice> {
        let mut bytes = [0; size_of::<Notice>()];
        let read = process_vm::read(self.pid, self.notice, &mut bytes);
        value_of::<Notice>(&bytes).filter(|notice| read && notice.nonce == self.nonce)
    }
}

impl Notice {
    /// Where so many bytes from the `at`th on are, if they lie in the buffer.
    fn place(&self, at: usize, len: usize) -> Option<usize> {
        let end = u64::try_from(at.checked_add(len)?).ok()?;
        (end <= self.bytes).then(|| usize::try_from(self.start).ok()?.checked_add(at))?
    }
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use super::*;

    fn notice(target: &mut [u8], nonce: u64) -> Box<Notice> {
        let start = target.as_mut_ptr().expose_provenance() as u64;
        Box::new(Notice { nonce, start, bytes: target.len() as u64 })
    }

    /// Of a buffer of a test's own, which nobody else uses.
    fn land(landings: &Landings, at: usize, bytes: &[u8]) -> bool {
        // SAFETY: there is no other worker, and the buffer outlives the call.
        landings.approach().is_some_and(|approach| unsafe { approach.land(at, bytes) })
    }

    #[test]
    fn what_lies_in_the_buffer_is_written_and_nothing_else() {
        let mut target = [0; 8];
        let (notice, landings) = (notice(&mut target, 7), Landings::default());
        assert!(!land(&landings, 0, &[1]), "there is none yet");
        landings.announce(&notice, 1);
        assert!(land(&landings, 3, &[1; 5]));
        assert!(!land(&landings, 4, &[2; 5]) && !land(&landings, usize::MAX, &[2; 5]));
        landings.clear();
        assert!(!land(&landings, 0, &[2]));
        assert_eq!(target, [0, 0, 0, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn another_process_or_another_buffer_is_not_written_to() {
        let mut target = [0; 8];
        let (notice, landings) = (notice(&mut target, 7), Landings::default());
        landings.announce(&notice, 1);
        landings.nonce.set(8);
        assert!(!land(&landings, 0, &[1]), "that was another one");
        landings.nonce.set(7);
        landings.notice.set(0);
        assert!(!land(&landings, 0, &[1]), "there is nothing");
        landings.announce(&notice, 1);
        landings.pid.set(i32::MAX.unsigned_abs());
        assert!(!land(&landings, 0, &[1]), "there are not so many processes");
        assert_eq!(target, [0; 8]);
    }
}
