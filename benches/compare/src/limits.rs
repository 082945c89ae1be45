//! What the machine itself can do: no ring can be faster than the lines it needs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::harness::{End, Way, insist, round_trip, together};

#[repr(align(128))]
struct Line(AtomicU64);

/// Memory for both ends.
fn shared(bytes: usize) -> *mut u8 {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
    // SAFETY: a new mapping.
    unsafe { libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0).cast() }
}

fn lines() -> &'static [Line; 2] {
    // SAFETY: zeroed pages are two lines of zero; never unmapped (a page a round).
    unsafe { &*shared(4096).cast() }
}

fn end(own: &'static Line, other: &'static Line) -> End<impl FnMut(u64), impl FnMut(u64)> {
    End {
        // ORDER(bench.limit): Release and Acquire, as a ring's positions.
        send: |number| own.0.store(number + 1, Ordering::Release),
        // ORDER(bench.limit): Release and Acquire, as a ring's positions.
        receive: |number| insist(|| other.0.load(Ordering::Acquire) == number + 1),
    }
}

/// A line each way: what a round trip over any two rings needs at least.
pub fn line_each_way(count: u64) -> [f64; 2] {
    let lines = lines();
    round_trip(Way::Processes, count, || end(&lines[0], &lines[1]), || end(&lines[1], &lines[0]))
}

/// One line that goes to and fro.
pub fn one_line(count: u64) -> [f64; 2] {
    let line = &lines()[0];
    let there = || End {
        // ORDER(bench.limit): Release and Acquire, as a ring's positions.
        send: |number| line.0.store(2 * number + 2, Ordering::Release),
        // ORDER(bench.limit): Release and Acquire, as a ring's positions.
        receive: |number| insist(|| line.0.load(Ordering::Acquire) == 2 * number + 1),
    };
    let here = || End {
        // ORDER(bench.limit): Release and Acquire, as a ring's positions.
        send: |number| line.0.store(2 * number + 1, Ordering::Release),
        // ORDER(bench.limit): Release and Acquire, as a ring's positions.
        receive: |number| insist(|| line.0.load(Ordering::Acquire) == 2 * number + 2),
    };
    round_trip(Way::Processes, count, there, here)
}

#[inline(always)]
fn prefetch_for_write(address: *const u8) {
    pinring::prim::prefetch_for_write(address);
}

/// Millions of messages of `WORDS` words a second, copied in and out of blocks of `BLOCK` bytes that are handed over by a flag; as
/// many blocks as make 512 KiB.
pub fn copy<const WORDS: usize, const BLOCK: usize>(count: u64) -> f64 {
    const ALL: usize = 512 * 1024;
    let (blocks, per_block) = (ALL / BLOCK, BLOCK / (8 * WORDS));
    let flags: &'static [Line] = {
        // SAFETY: zeroed pages are lines of zero.
        unsafe { std::slice::from_raw_parts(shared(blocks * 128).cast(), blocks) }
    };
    let data = shared(ALL) as usize;
    let rounds = count / (blocks * per_block) as u64 + 1;
    let write = move |meet: &dyn Fn()| {
        meet();
        let message = [7u64; WORDS];
        for round in 0..rounds {
            for (index, flag) in flags.iter().enumerate() {
                // ORDER(bench.limit): Release and Acquire, as a ring's positions.
                insist(|| flag.0.load(Ordering::Acquire) == 2 * round);
                let block = (data + index * BLOCK) as *mut [u64; WORDS];
                for slot in 0..per_block {
                    // SAFETY: within the block, which is ours while the flag is even.
                    unsafe {
                        let at = block.add(slot);
                        prefetch_for_write(at.cast::<u8>().wrapping_add(1024));
                        at.write_volatile(message);
                    }
                }
                // ORDER(bench.limit): Release and Acquire, as a ring's positions.
                flag.0.store(2 * round + 1, Ordering::Release);
            }
        }
    };
    let seconds = together(Way::Processes, write, |meet| {
        let mut target;
        meet();
        let started = Instant::now();
        for round in 0..rounds {
            for (index, flag) in flags.iter().enumerate() {
                // ORDER(bench.limit): Release and Acquire, as a ring's positions.
                insist(|| flag.0.load(Ordering::Acquire) == 2 * round + 1);
                let block = (data + index * BLOCK) as *const [u64; WORDS];
                for slot in 0..per_block {
                    // SAFETY: within the block, which is ours while the flag is odd.
                    target = unsafe { block.add(slot).read() };
                    std::hint::black_box(&mut target);
                }
                // ORDER(bench.limit): Release and Acquire, as a ring's positions.
                flag.0.store(2 * round + 2, Ordering::Release);
            }
        }
        started.elapsed().as_secs_f64()
    });
    // SAFETY: both mappings are no longer used.
    unsafe {
        libc::munmap(data as *mut _, ALL);
        libc::munmap(flags.as_ptr().cast_mut().cast(), blocks * 128);
    }
    (rounds as usize * blocks * per_block) as f64 / seconds / 1e6
}
