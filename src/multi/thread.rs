//! Numbers of threads, by which a lock knows who holds it.
//!
//! A number is free again when its thread has ended: however many threads a program has one after another, no two that live have the same.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use super::arena::MEMBERS;
use super::family;

/// Digits of a thread's number within its process.
const OWN: u32 = 20;

/// Who has which number, within this process.
#[derive(Debug, Default)]
struct Numbers {
    /// All from 1 to this one have been given away.
    last: u32,
    /// Of those, which have come back.
    free: Vec<u32>,
}

impl Numbers {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.last += 1;
            // Linux has fewer threads at a time, unless somebody has raised its limits a hundredfold.
            assert!(self.last < 1 << OWN, "more than a million threads at a time");
            self.last
        })
    }

    fn give_back(&mut self, number: u32) {
        self.free.push(number);
    }
}

/// No other thread holds it when a process is forked: there is none then.
static NUMBERS: Mutex<Numbers> = Mutex::new(Numbers { last: 0, free: Vec::new() });

fn numbers<T>(act: impl FnOnce(&mut Numbers) -> T) -> T {
    act(&mut NUMBERS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A thread's number, which comes back at its end; 0: it has none.
struct Lease(Cell<u32>);

impl Drop for Lease {
    fn drop(&mut self) {
        // What comes later in the end of this thread gets another.
        THREAD.set(0);
        match self.0.get() {
            0 => {}
            number => numbers(|numbers| numbers.give_back(number)),
        }
    }
}

thread_local! {
    /// This thread's number, above it the process's place; 0: none yet.
    static THREAD: Cell<u32> = const { Cell::new(0) };
    static LEASE: Lease = const { Lease(Cell::new(0)) };
}

/// A number that no other living thread of the family has: the process's place above 20 bits of its own.
#[inline]
pub(super) fn number() -> u32 {
    match THREAD.get() {
        0 => take_number(),
        number => number,
    }
}

#[cold]
fn take_number() -> u32 {
    let place = u32::try_from(family::me()).unwrap_or(0);
    let own = LEASE.try_with(|lease| lease.0.get()).ok().filter(|own| *own != 0).unwrap_or_else(|| {
        let own = numbers(Numbers::take);
        // An error: this thread is ending, and nobody gets the number after it.
        let _ = LEASE.try_with(|lease| lease.0.set(own));
        own
    });
    THREAD.set(place << OWN | own);
    THREAD.get()
}

/// This thread belongs to another process now.
pub(super) fn forget_number() {
    THREAD.set(0);
}

/// The process's place in a number of one of its threads.
pub(super) fn place_of(number: u32) -> usize {
    (number >> OWN) as usize & (MEMBERS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_again_when_its_thread_has_ended_and_not_before() {
        let mut numbers = Numbers::default();
        let kept = numbers.take();
        for _ in 0..3 << OWN {
            let number = numbers.take();
            assert!(number != kept && number != 0);
            numbers.give_back(number);
        }
        assert_eq!(numbers.last, 2);
    }

    #[test]
    fn threads_that_live_have_different_numbers() {
        let own = number();
        for _ in 0..100 {
            let other = std::thread::scope(|scope| scope.spawn(number).join().unwrap());
            assert_ne!(other, own);
        }
        assert_eq!(number(), own);
    }
}
