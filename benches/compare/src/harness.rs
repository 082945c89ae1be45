//! Two ends, each pinned to a core of its own, and a clock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// What the ends run in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Forked processes.
    Processes,
    /// Threads, for what cannot cross processes.
    Threads,
}

/// Pins the calling thread.
pub fn pin(core: usize) {
    // SAFETY: plain integers and a set on our stack.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}

/// Lets the calling thread run on both cores again.
pub fn unpin() {
    // SAFETY: plain integers and a set on our stack.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(0, &mut set);
        libc::CPU_SET(1, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}

/// A word that both ends see, whatever they run in.
pub fn shared_word() -> &'static AtomicU32 {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, never unmapped; zero is a valid word.
    unsafe { &*libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0).cast() }
}

/// Runs `other` on core 1 and `here` on core 0, each after the other is ready; the seconds that `here` took.
pub fn together(way: Way, other: impl FnOnce(&dyn Fn()) + Send, here: impl FnOnce(&dyn Fn()) -> f64) -> f64 {
    // SAFETY: only sets a timer: whoever hangs is ended by SIGALRM.
    unsafe { libc::alarm(60) };
    let ready = shared_word();
    let meet = move || {
        // ORDER(bench.meet): SeqCst; once a run.
        ready.fetch_add(1, Ordering::SeqCst);
        // ORDER(bench.meet): SeqCst; once a run.
        while ready.load(Ordering::SeqCst) < 2 {
            std::hint::spin_loop();
        }
    };
    let result = match way {
        Way::Threads => std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                pin(1);
                other(&meet);
            });
            pin(0);
            let result = here(&meet);
            thread.join().expect("the other end failed");
            result
        }),
        // SAFETY: the child touches only what it was given, and leaves without cleaning up.
        Way::Processes => unsafe {
            let child = libc::fork();
            assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
            if child == 0 {
                libc::alarm(60);
                pin(1);
                other(&meet);
                libc::_exit(0);
            }
            pin(0);
            let result = here(&meet);
            let mut status = 0;
            libc::waitpid(child, &mut status, 0);
            assert_eq!(status, 0, "the other end failed");
            result
        },
    };
    // SAFETY: as above.
    unsafe { libc::munmap(std::ptr::from_ref(ready).cast_mut().cast(), 4096) };
    result
}

/// Millions of messages a second from one end to the other. `sender` and `receiver` make the ends in the place where they
/// will run; each call sends or receives some messages, from the number it is given on, and returns the next number.
pub fn stream<S: FnMut(u64) -> u64, R: FnMut(u64) -> u64>(
    way: Way,
    count: u64,
    sender: impl FnOnce() -> S + Send,
    receiver: impl FnOnce() -> R,
) -> f64 {
    let send = move |meet: &dyn Fn()| {
        let mut send = sender();
        meet();
        let mut next = 0;
        while next < count {
            next = send(next);
        }
        std::mem::forget(send);
    };
    let seconds = together(way, send, |meet| {
        let mut receive = receiver();
        meet();
        let started = Instant::now();
        let mut next = 0;
        while next < count {
            next = receive(next);
        }
        started.elapsed().as_secs_f64()
    });
    count as f64 / seconds / 1e6
}

/// An end of a round trip: sends message `number`, or waits for it.
pub struct End<S, R> {
    pub send: S,
    pub receive: R,
}

/// Nanoseconds of a round trip: p50 and p99.
pub fn round_trip<S1: FnMut(u64), R1: FnMut(u64), S2: FnMut(u64), R2: FnMut(u64)>(
    way: Way,
    count: u64,
    there: impl FnOnce() -> End<S1, R1> + Send,
    here: impl FnOnce() -> End<S2, R2>,
) -> [f64; 2] {
    let warm_up = count / 10;
    let mut times = Vec::with_capacity(count as usize);
    let reply = move |meet: &dyn Fn()| {
        let mut end = there();
        meet();
        for number in 0..count + warm_up {
            (end.receive)(number);
            (end.send)(number);
        }
        std::mem::forget(end);
    };
    together(way, reply, |meet| {
        let mut end = here();
        meet();
        for number in 0..count + warm_up {
            let started = now();
            (end.send)(number);
            (end.receive)(number);
            if number >= warm_up {
                times.push(now() - started);
            }
        }
        std::mem::forget(end);
        0.0
    });
    times.sort_unstable();
    [0.5, 0.99].map(|quantile| times[((times.len() - 1) as f64 * quantile) as usize] as f64)
}

/// CLOCK_MONOTONIC in ns. Unlike rdtsc it is ordered behind the loads before it.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes into `time` only.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Calls `attempt` until it succeeds.
#[inline(always)]
pub fn insist(mut attempt: impl FnMut() -> bool) {
    while !attempt() {
        std::hint::spin_loop();
    }
}
