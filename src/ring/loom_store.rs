//! Slots for the model checker: cells that it watches for races, and words for those who may race.

use bytemuck::Pod;
use loom::cell::UnsafeCell;
use loom::sync::Arc;

use super::marked::Words;
use super::store::Store;
use crate::prim::{AtomicU64, Ordering};

/// A message of the models: two words, so that it can be torn.
pub(super) type Message = [u64; 2];

/// As many slots as a model can afford.
#[derive(Clone)]
pub(super) struct LoomStore {
    cells: Arc<Vec<UnsafeCell<Message>>>,
    words: Arc<Vec<[AtomicU64; 3]>>,
}

impl std::fmt::Debug for LoomStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoomStore")
    }
}

impl LoomStore {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            cells: Arc::new((0..capacity).map(|_| UnsafeCell::new([0; 2])).collect()),
            words: Arc::new((0..capacity).map(|_| std::array::from_fn(|_| AtomicU64::new(0))).collect()),
        }
    }

    fn index(&self, position: u64) -> usize {
        position as usize & (self.cells.len() - 1)
    }
}

fn message<T: Pod>(value: T) -> Message {
    bytemuck::cast(value)
}

impl Store for LoomStore {
    #[allow(unsafe_code)]
    fn put<T: Pod>(&mut self, position: u64, value: T) {
        // SAFETY: loom checks that nobody else is at the cell: that is what the models are for.
        self.cells[self.index(position)].with_mut(|cell| unsafe { *cell = message(value) });
    }

    #[allow(unsafe_code)]
    fn get<T: Pod>(&self, position: u64) -> T {
        // SAFETY: as in `put`.
        bytemuck::cast(self.cells[self.index(position)].with(|cell| unsafe { *cell }))
    }

    fn put_racing<T: Pod>(&mut self, position: u64, value: T) {
        for (word, value) in self.words[self.index(position)].iter().zip(message(value)) {
            // ORDER(reserved): Relaxed, as in the real slots.
            word.store(value, Ordering::Relaxed);
        }
    }

    fn get_racing<T: Pod>(&self, position: u64) -> T {
        let words = &self.words[self.index(position)];
        // ORDER(reserved): Relaxed, as in the real slots.
        bytemuck::cast([words[0].load(Ordering::Relaxed), words[1].load(Ordering::Relaxed)])
    }
}

impl Words for LoomStore {
    fn words(&self, position: u64) -> &[AtomicU64] {
        &self.words[self.index(position)]
    }
}
