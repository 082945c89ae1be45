//! What a map by processes takes without any library: two processes wait for a word to change, square their half of what lies in memory
//! that is shared, and write it to where its owner wants it. Nobody can die, nothing can fail.

use std::sync::atomic::{AtomicU64, Ordering};

const WORKERS: usize = 2;
/// Bytes that are squared before they are written: still in the cache then.
const PIECE: usize = 1 << 17;

/// Memory that is shared with what is forked later.
#[repr(C)]
struct Shared {
    round: AtomicU64,
    /// Where the results are to be.
    target: AtomicU64,
    done: AtomicU64,
    numbers: [i64; 0],
}

pub struct BareMap {
    shared: *mut Shared,
    count: usize,
    workers: Vec<libc::pid_t>,
}

impl BareMap {
    pub fn new(count: usize) -> Self {
        let bytes = size_of::<Shared>() + count * size_of::<i64>();
        let (rights, how) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping.
        let memory = unsafe { libc::mmap(std::ptr::null_mut(), bytes, rights, how, -1, 0) };
        assert_ne!(memory, libc::MAP_FAILED, "memory");
        let mut map = Self { shared: memory.cast(), count, workers: Vec::new() };
        // SAFETY: asks.
        let owner = unsafe { libc::getpid() };
        for worker in 0..WORKERS {
            // SAFETY: this process has one thread; what is forked only computes, and never returns.
            match unsafe { libc::fork() } {
                0 => map.work(worker, owner),
                pid => map.workers.push(pid),
            }
        }
        map
    }

    fn shared(&self) -> &Shared {
        // SAFETY: mapped as long as this lives, zeroed at first, and all words.
        unsafe { &*self.shared }
    }

    /// All numbers.
    fn numbers(&self) -> *mut i64 {
        // SAFETY: they follow the words.
        unsafe { &raw mut (*self.shared).numbers }.cast()
    }

    fn work(&self, worker: usize, owner: libc::pid_t) -> ! {
        let half = self.count / WORKERS;
        let (start, end) = (worker * half, if worker + 1 == WORKERS { self.count } else { (worker + 1) * half });
        for round in 1.. {
            // ORDER(bare.round): Acquire; with the Release of who has filled in the numbers.
            while self.shared().round.load(Ordering::Acquire) != round {
                std::thread::yield_now();
            }
            // ORDER(bare.round): Relaxed; by that.
            let target = self.shared().target.load(Ordering::Relaxed) as usize;
            for first in (start..end).step_by(PIECE / size_of::<i64>()) {
                let len = (end - first).min(PIECE / size_of::<i64>());
                // SAFETY: this worker's part, until it says that it is done.
                let piece = unsafe { std::slice::from_raw_parts_mut(self.numbers().add(first), len) };
                piece.iter_mut().for_each(|number| *number *= *number);
                let bytes = size_of_val(piece);
                let own = libc::iovec { iov_base: piece.as_mut_ptr().cast(), iov_len: bytes };
                let theirs = libc::iovec { iov_base: (target + first * size_of::<i64>()) as *mut _, iov_len: bytes };
                // SAFETY: the owner keeps that memory for it until both are done.
                let written = unsafe { libc::process_vm_writev(owner, &own, 1, &theirs, 1, 0) };
                assert_eq!(written, bytes as isize);
            }
            // ORDER(bare.done): Release; with the Acquire of who waits for the results.
            self.shared().done.fetch_add(1, Ordering::Release);
        }
        unreachable!("it is killed");
    }

    pub fn run(&self, values: impl Iterator<Item = i64>) -> Vec<i64> {
        let mut results = Vec::<i64>::with_capacity(self.count);
        for (place, value) in values.take(self.count).enumerate() {
            // SAFETY: the workers are done with the round before.
            unsafe { self.numbers().add(place).write(value) };
        }
        let shared = self.shared();
        // ORDER(bare.round): Relaxed, both, and Release for them.
        shared.target.store(results.as_mut_ptr() as u64, Ordering::Relaxed);
        // ORDER(bare.round): as above.
        shared.done.store(0, Ordering::Relaxed);
        // ORDER(bare.round): as above; with the workers' Acquire.
        shared.round.fetch_add(1, Ordering::Release);
        // ORDER(bare.done): Acquire; with the workers' Release.
        while shared.done.load(Ordering::Acquire) != WORKERS as u64 {
            std::thread::yield_now();
        }
        // SAFETY: the workers have written all of them.
        unsafe { results.set_len(self.count) };
        results
    }
}

impl Drop for BareMap {
    fn drop(&mut self) {
        for worker in &self.workers {
            // SAFETY: children of ours, not yet waited for.
            unsafe {
                libc::kill(*worker, libc::SIGKILL);
                libc::waitpid(*worker, std::ptr::null_mut(), 0);
            }
        }
        // SAFETY: ours, and nobody else has it any more.
        unsafe { libc::munmap(self.shared.cast(), size_of::<Shared>() + self.count * size_of::<i64>()) };
    }
}
