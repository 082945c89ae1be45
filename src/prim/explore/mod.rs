//! Runs threads in every order in which their steps can happen, as long as not too many of them are cut short, and ends one of them at
//! every one of its steps, as a kill would. (Bounded preemptions: Musuvathi and others, "Finding and Reproducing Heisenbugs in Concurrent
//! Programs", OSDI 2008.)
//!
//! A step is an operation on one of the atomics of [`super`], or a sleep on one, or a wake-up. One thread runs at a time, and each sees
//! what the others did: orders that are too weak are not found here, but by Miri and loom. What is found: a schedule after which all that
//! are left sleep for ever, one that does not end, and one after which the test's own assertions fail.

mod run;

use std::any::Any;
use std::sync::{Mutex, PoisonError};

pub(super) use run::dream;
pub(crate) use run::{Life, is_on, sleep, step, wake};

type Body = Box<dyn FnOnce() + Send>;

/// What is explored: a new one for each schedule.
#[derive(Default)]
pub(crate) struct Threads {
    bodies: Vec<Body>,
    burial: Option<Body>,
    verdict: Option<Box<dyn FnMut()>>,
}

impl Threads {
    /// A thread.
    pub(crate) fn thread(&mut self, body: impl FnOnce() + Send + 'static) -> &mut Self {
        self.bodies.push(Box::new(body));
        self
    }

    /// A thread that begins when the first one of all has died, if it does.
    pub(crate) fn burial(&mut self, body: impl FnOnce() + Send + 'static) -> &mut Self {
        self.burial = Some(Box::new(body));
        self
    }

    /// What is asserted when all have come to an end. It is dropped after all of them.
    pub(crate) fn verdict(&mut self, body: impl FnMut() + 'static) -> &mut Self {
        self.verdict = Some(Box::new(body));
        self
    }
}

/// Runs what `scene` sets up, in each schedule in which at most `preemptions` threads are cut short. With a burial the first thread dies
/// at each of its steps, too. How many schedules that were.
///
/// # Panics
/// With the schedule, if one fails.
pub(crate) fn all(preemptions: usize, scene: impl Fn(&mut Threads)) -> usize {
    // Scenes may have more in common than the schedule knows of: the pages of a family's members, say.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut path = Vec::new();
    for count in 1.. {
        let mut threads = Threads::default();
        scene(&mut threads);
        let (walked, failure) = run::once(preemptions, path, threads);
        if let Some(failure) = failure {
            let ways = walked.iter().enumerate().filter(|(_, choice)| choice.taken > 0);
            let ways: Vec<String> = ways.map(|(at, choice)| format!("{at}:{}", choice.taken)).collect();
            panic!("schedule {count}, another way at {}: {failure}", ways.join(" "));
        }
        path = walked;
        while path.last().is_some_and(|last| last.taken + 1 == last.ways) {
            path.pop();
        }
        match path.last_mut() {
            Some(last) => last.taken += 1,
            None => return count,
        }
    }
    unreachable!("a count ends")
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use super::*;
    use crate::prim::{AtomicU32, Ordering};
    use crate::sys::futex;

    fn failure(run: impl FnOnce() -> usize) -> String {
        words(catch_unwind(AssertUnwindSafe(run)).expect_err("a schedule that fails").as_ref())
    }

    #[test]
    fn an_update_that_is_lost_is_found() {
        let found = failure(|| {
            all(1, |threads| {
                let word = Arc::new(AtomicU32::new(0));
                for _ in 0..2 {
                    let word = Arc::clone(&word);
                    // ORDER(test.explore): the test's own word.
                    threads.thread(move || word.store(word.load(Ordering::SeqCst) + 1, Ordering::SeqCst));
                }
                // ORDER(test.explore): as above.
                threads.verdict(move || assert_eq!(word.load(Ordering::SeqCst), 2, "lost"));
            })
        });
        assert!(found.contains("lost"), "{found}");
    }

    #[test]
    fn all_interleavings_are_seen_once() {
        // Two threads of three steps, any number of preemptions: 6! / (3! 3!) orders, of which each can end in one way.
        let seen = Arc::new(Mutex::new(Vec::new()));
        let count = all(6, |threads| {
            let log = Arc::new(Mutex::new(String::new()));
            for name in ['a', 'b'] {
                let log = Arc::clone(&log);
                threads.thread(move || {
                    for _ in 0..3 {
                        let _ = step();
                        log.lock().unwrap().push(name);
                    }
                });
            }
            let seen = Arc::clone(&seen);
            threads.verdict(move || seen.lock().unwrap().push(log.lock().unwrap().clone()));
        });
        let mut seen = std::mem::take(&mut *seen.lock().unwrap());
        seen.sort();
        seen.dedup();
        assert_eq!((seen.len(), count >= 20), (20, true));
    }

    #[test]
    fn one_that_dies_holding_something_is_found() {
        let found = failure(|| {
            all(0, |threads| {
                let lock = Arc::new(AtomicU32::new(0));
                for _ in 0..2 {
                    let lock = Arc::clone(&lock);
                    threads.thread(move || {
                        // ORDER(test.explore): the test's own lock.
                        while lock.swap(1, Ordering::SeqCst) == 1 {
                            futex::wait(&lock, 1, None).unwrap();
                        }
                        // ORDER(test.explore): as above.
                        lock.store(0, Ordering::SeqCst);
                        futex::wake(&lock);
                    });
                }
                threads.burial(|| {});
            })
        });
        assert!(found.contains("threads [1] sleep for ever"), "{found}");
    }
}
