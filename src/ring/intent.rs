//! The step as a transaction: a redo log of one step, beside the rings.
//!
//! A step ends by storing several words: the state cell that is current, the new position of every input, the new
//! position of every output. A worker can be killed between any two of them. So the new values are first written
//! down in the *intent* and sealed with one store:
//!
//! 1. write inputs' effects where nobody looks: outputs into slots beyond `tail`, state into the spare cell;
//! 2. write all new values into the intent;
//! 3. `phase = COMMITTING` (Release): from here on the step has happened;
//! 4. store each value into its word (Release);
//! 5. `phase = IDLE` (Release).
//!
//! The next incarnation calls [`Transaction::recover`]: phase IDLE means that nothing of an unfinished step counts; phase
//! COMMITTING means that 4 is repeated, which changes nothing if it had been done.
//!
//! A kill keeps the order of the program: all stores before the killed instruction become visible, none after it.
//! So against a kill only the compiler's reordering matters; against the neighbours (who read `tail` and `head` while we
//! live) the Release stores do.

use std::ops::Deref;

use crate::prim::{AtomicU64, Ordering, compiler_fence};
use crate::shm::Shared;

/// Most words one step can change.
pub const MAX_TARGETS: usize = 61;

const IDLE: u64 = 0;
const COMMITTING: u64 = 1;

/// A node's intent, as it lies in shared memory. Only the node's own worker writes it.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct IntentWords {
    /// 0: idle; 1: committing.
    phase: AtomicU64,
    /// Not zero once the node has ended for good.
    pub finished: AtomicU64,
    /// Steps committed; its lowest bit says which state cell is current. Always the first target.
    pub step: AtomicU64,
    /// The new value of each target, in the transaction's order.
    values: [AtomicU64; MAX_TARGETS],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<IntentWords>() == 512);

impl IntentWords {
    /// As if no step had ever been. The node's worker must have ended.
    pub(crate) fn reset(&self) {
        for word in [&self.phase, &self.finished, &self.step].into_iter().chain(&self.values) {
            // ORDER(fence): Relaxed; who reads it is not born yet.
            word.store(0, Ordering::Relaxed);
        }
    }
}

impl Default for IntentWords {
    fn default() -> Self {
        Self {
            phase: AtomicU64::new(IDLE),
            finished: AtomicU64::new(0),
            step: AtomicU64::new(0),
            values: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

// SAFETY: `repr(C)` of atomics, aligned to 128.
unsafe impl Shared for IntentWords {}

/// The words a node's steps change, and their next values.
///
/// The order of the targets must be the same in every incarnation: the intent holds values only.
#[derive(Debug)]
pub struct Transaction<I, T> {
    intent: I,
    targets: Vec<T>,
    current: Vec<u64>,
    next: Vec<u64>,
}

impl<I: Deref<Target = IntentWords>, T: Deref<Target = AtomicU64>> Transaction<I, T> {
    /// Finishes what the predecessor had begun, and starts from the words as they are then. Returns also whether there
    /// was something to finish.
    ///
    /// # Panics
    /// If there are more than [`MAX_TARGETS`] targets.
    pub fn recover(intent: I, targets: Vec<T>) -> (Self, bool) {
        assert!(targets.len() <= MAX_TARGETS, "a step changes at most {MAX_TARGETS} words");
        // ORDER(phase): Acquire, the values after it. (The predecessor has ended; nobody else writes here.)
        let unfinished = intent.phase.load(Ordering::Acquire) == COMMITTING;
        if unfinished {
            for (target, value) in targets.iter().zip(&intent.values) {
                // ORDER(phase): Relaxed; read behind the Acquire of the phase.
                let value = value.load(Ordering::Relaxed);
                // ORDER(tail): Release, as in `commit`, which this repeats. ORDER(head): likewise.
                target.store(value, Ordering::Release);
            }
            // ORDER(phase): Release, the stores above before it.
            intent.phase.store(IDLE, Ordering::Release);
        }
        // ORDER(tail): our own words, all written by this process or its dead predecessor. ORDER(head): likewise.
        let current: Vec<u64> = targets.iter().map(|target| target.load(Ordering::Relaxed)).collect();
        let next = current.clone();
        (Self { intent, targets, current, next }, unfinished)
    }

    /// Committed value of target `index`.
    pub fn current(&self, index: usize) -> u64 {
        self.current[index]
    }

    /// Value target `index` will have after the commit.
    pub fn next(&self, index: usize) -> u64 {
        self.next[index]
    }

    /// Has the commit set target `index` to `value`.
    pub fn set(&mut self, index: usize, value: u64) {
        self.next[index] = value;
    }

    /// Gives the step up: no word changes.
    pub fn abort(&mut self) {
        self.next.copy_from_slice(&self.current);
    }

    /// Makes all of the step true.
    pub fn commit(&mut self) {
        self.seal();
        for ((target, value), current) in self.targets.iter().zip(&self.next).zip(&mut self.current) {
            // A word that does not change is not stored: its readers keep their copy of the line.
            if value != current {
                // ORDER(tail): Release, the phase and the slots before it. ORDER(head): Release, our reads before it.
                target.store(*value, Ordering::Release);
                *current = *value;
            }
        }
        // ORDER(phase): Release, all targets before it.
        self.intent.phase.store(IDLE, Ordering::Release);
        // The next step's values must not be written before this phase.
        compiler_fence(Ordering::SeqCst);
    }

    /// Writes the step down: from here on it has happened, though none of its words is stored yet.
    pub(crate) fn seal(&mut self) {
        for (logged, value) in self.intent.values.iter().zip(&self.next) {
            // ORDER(phase): Relaxed, sealed by the store of the phase.
            logged.store(*value, Ordering::Relaxed);
        }
        // ORDER(phase): Release, the values (and the slots and state they speak of) before it.
        self.intent.phase.store(COMMITTING, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn words(count: usize) -> Vec<Arc<AtomicU64>> {
        (0..count).map(|_| Arc::new(AtomicU64::new(0))).collect()
    }

    fn values(words: &[Arc<AtomicU64>]) -> Vec<u64> {
        // ORDER(test.intent): one thread.
        words.iter().map(|word| word.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn a_step_given_up_changes_nothing() {
        let (intent, words) = (Arc::new(IntentWords::default()), words(2));
        let (mut transaction, _) = Transaction::recover(intent, words.clone());
        transaction.set(0, 5);
        transaction.abort();
        transaction.set(1, 6);
        transaction.commit();
        assert_eq!(values(&words), [0, 6]);
    }

    #[test]
    fn a_death_before_the_phase_leaves_nothing() {
        let (intent, words) = (Arc::new(IntentWords::default()), words(2));
        // ORDER(test.intent): one thread.
        intent.values[0].store(9, Ordering::Relaxed);
        let (_, unfinished) = Transaction::recover(intent, words.clone());
        assert!(!unfinished);
        assert_eq!(values(&words), [0, 0]);
    }

    #[test]
    fn a_death_after_the_phase_leaves_all_however_far_it_came() {
        for done in 0..=3 {
            let (intent, words) = (Arc::new(IntentWords::default()), words(3));
            for (index, value) in intent.values.iter().take(3).enumerate() {
                // ORDER(test.intent): one thread.
                value.store(10 + index as u64, Ordering::Relaxed);
            }
            // ORDER(test.intent): one thread.
            intent.phase.store(COMMITTING, Ordering::Relaxed);
            for (index, word) in words.iter().take(done).enumerate() {
                // ORDER(test.intent): one thread.
                word.store(10 + index as u64, Ordering::Relaxed);
            }
            let (transaction, unfinished) = Transaction::recover(Arc::clone(&intent), words.clone());
            assert!(unfinished);
            assert_eq!(values(&words), [10, 11, 12]);
            assert_eq!(transaction.current(2), 12);
            let (_, again) = Transaction::recover(intent, words.clone());
            assert!(!again);
        }
    }
}
