//! Four producers and one consumer on the cores there are.

use std::time::Instant;

/// Millions of messages a second in all: `count` from each of four threads. `sender(which)` makes an end; `poll` hands each message
/// it finds to what it is given (which producer, which number) and says whether there was any.
pub fn run<S: FnMut(u64) + Send>(
    count: u64,
    mut sender: impl FnMut(usize) -> S,
    mut poll: impl FnMut(&mut dyn FnMut(usize, u64)) -> bool,
) -> f64 {
    // SAFETY: only sets a timer: whoever hangs is ended by SIGALRM.
    unsafe { libc::alarm(60) };
    let senders: Vec<S> = (0..4).map(&mut sender).collect();
    std::thread::scope(|scope| {
        // The consumer and two producers on one core, two producers on the other.
        crate::harness::pin(0);
        let started = Instant::now();
        for (which, mut send) in senders.into_iter().enumerate() {
            scope.spawn(move || {
                crate::harness::pin(which % 2);
                (0..count).for_each(&mut send);
            });
        }
        let (mut next, mut taken) = ([0; 4], 0);
        while taken < 4 * count {
            let any = poll(&mut |which, number| {
                assert_eq!(number, next[which], "producer {which}");
                next[which] += 1;
                taken += 1;
            });
            if !any {
                std::thread::yield_now();
            }
        }
        4.0 * count as f64 / started.elapsed().as_secs_f64() / 1e6
    })
}
