//! There and back where the other end sleeps: half a millisecond passes before each trip, in which this end is awake. Median.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pinring::multi::{Process, duplex};

use crate::harness::{Way, now, pin, shared_word, together};
use crate::kernel::{hear, post, ring, wait};

/// Long enough for whoever looks for a while before sleeping.
const PAUSE: Duration = Duration::from_micros(500);

fn paused(count: u64, mut trip: impl FnMut(u64)) -> f64 {
    let mut times: Vec<u64> = Vec::with_capacity(count as usize);
    for number in 0..count {
        let until = now() + PAUSE.as_nanos() as u64;
        while now() < until {
            std::hint::spin_loop();
        }
        let start = now();
        trip(number);
        times.push(now() - start);
    }
    times.sort_unstable();
    times[times.len() / 2] as f64
}

pub fn ours(count: u64) -> f64 {
    let (here, there) = duplex::<u64, u64>().expect("memory");
    pin(0);
    let echo = Process::spawn(move || {
        pin(1);
        while let Ok(number) = there.recv() {
            there.send(number).expect("somebody there");
        }
    });
    let echo = echo.expect("a process");
    let result = paused(count, |number| {
        here.send(number).expect("somebody there");
        assert_eq!(here.recv(), Ok(number));
    });
    drop(here);
    echo.join().expect("its end");
    result
}

fn bare(count: u64, there: impl Fn(u64) + Send, mut here: impl FnMut(u64)) -> f64 {
    let reply = move |meet: &dyn Fn()| {
        meet();
        (0..count).for_each(there);
    };
    together(Way::Processes, reply, |meet| {
        meet();
        paused(count, &mut here)
    })
}

pub fn eventfd(count: u64) -> f64 {
    // SAFETY: makes descriptors.
    let [to, fro] = [(); 2].map(|()| unsafe { libc::eventfd(0, 0) });
    let there = move |_| {
        hear(to);
        ring(fro);
    };
    let result = bare(count, there, |_| {
        ring(to);
        hear(fro);
    });
    crate::kernel::close(&[to, fro]);
    result
}

pub fn futex(count: u64) -> f64 {
    let (to, fro): (&AtomicU32, &AtomicU32) = (shared_word(), shared_word());
    let there = move |number| {
        wait(to, number);
        post(fro, number);
    };
    let result = bare(count, there, |number| {
        post(to, number);
        wait(fro, number);
    });
    // ORDER(bench.futex): SeqCst; once a run.
    assert_eq!(u64::from(fro.load(Ordering::SeqCst)), count);
    result
}
