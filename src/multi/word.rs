//! Words that all processes of a family share.
//!
//! All of their operations are sequentially consistent: nearly every word here belongs to a protocol of the form "say what I am about to
//! do, look again, sleep", which needs a total order anyway, and none is on a path where the difference was measured. Where it was, the
//! place uses the atomics of [`crate::prim`] itself and says why.

use crate::prim::{AtomicU32, AtomicU64, Ordering};

/// A word of 32 bits; also what one sleeps on.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(super) struct Word32(AtomicU32);

/// A word of 64 bits.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(super) struct Word64(AtomicU64);

macro_rules! operations {
    ($word:ident, $number:ty) => {
        impl $word {
            pub(super) fn get(&self) -> $number {
                // ORDER(multi.word): SeqCst, see the module.
                self.0.load(Ordering::SeqCst)
            }

            pub(super) fn set(&self, value: $number) {
                // ORDER(multi.word): SeqCst, see the module.
                self.0.store(value, Ordering::SeqCst);
            }

            /// The value before.
            pub(super) fn swap(&self, value: $number) -> $number {
                // ORDER(multi.word): SeqCst, see the module.
                self.0.swap(value, Ordering::SeqCst)
            }

            /// Puts `new` in the place of `old`; the value found if it was another.
            pub(super) fn replace(&self, old: $number, new: $number) -> Result<(), $number> {
                // ORDER(multi.word): SeqCst, see the module.
                self.0.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst).map(|_| ())
            }

            /// The value before.
            pub(super) fn add(&self, value: $number) -> $number {
                // ORDER(multi.word): SeqCst, see the module.
                self.0.fetch_add(value, Ordering::SeqCst)
            }

            /// The value before.
            #[allow(dead_code, reason = "one of the two widths may not need it")]
            pub(super) fn sub(&self, value: $number) -> $number {
                // ORDER(multi.word): SeqCst, see the module.
                self.0.fetch_sub(value, Ordering::SeqCst)
            }

            /// Sets these bits; the value before.
            #[allow(dead_code, reason = "one of the two widths may not need it")]
            pub(super) fn include(&self, bits: $number) -> $number {
                // ORDER(multi.word): SeqCst, see the module.
                self.0.fetch_or(bits, Ordering::SeqCst)
            }

            /// Clears these bits; the value before.
            #[allow(dead_code, reason = "one of the two widths may not need it")]
            pub(super) fn exclude(&self, bits: $number) -> $number {
                // ORDER(multi.word): SeqCst, see the module.
                self.0.fetch_and(!bits, Ordering::SeqCst)
            }

            /// Raises it to `value` at least.
            #[allow(dead_code, reason = "one of the two widths may not need it")]
            pub(super) fn raise(&self, value: $number) {
                // ORDER(multi.word): SeqCst, see the module.
                self.0.fetch_max(value, Ordering::SeqCst);
            }
        }
    };
}

operations!(Word32, u32);
operations!(Word64, u64);

impl Word32 {
    /// What futex(2) sleeps on.
    pub(super) fn futex(&self) -> &AtomicU32 {
        &self.0
    }

    /// As a flag that counts how often it was raised: raises it, also if it is up.
    pub(super) fn raise_flag(&self) {
        let mut seen = self.get();
        while let Err(found) = self.replace(seen, raised(seen)) {
            seen = found;
        }
    }

    /// As such a flag: raises it unless it is up; what it is then.
    pub(super) fn keep_flag_up(&self) -> u32 {
        let mut seen = self.get();
        while seen & 1 == 0 {
            match self.replace(seen, raised(seen)) {
                Ok(()) => return raised(seen),
                Err(found) => seen = found,
            }
        }
        seen
    }

    /// As such a flag: its value if it is up.
    pub(super) fn raised_flag(&self) -> Option<u32> {
        Some(self.get()).filter(|seen| seen & 1 != 0)
    }

    /// As such a flag: takes it down unless it has been raised again since it was `seen`. The count stays: who was slow must not take back
    /// what has been said since.
    pub(super) fn lower_flag(&self, seen: u32) {
        let _ = self.replace(seen, seen & !1);
    }
}

/// A flag that is up, another than `seen`: bit 0, and above it how often it was raised.
fn raised(seen: u32) -> u32 {
    (seen | 1).wrapping_add(2)
}
