//! The atomics of the unit tests: each operation is a step of the [explorer](super::explore), if one is at work.

use core::sync::atomic::{self, Ordering};

use super::explore::{self, Life, step};

macro_rules! stepped {
    ($name:ident, $number:ty) => {
        /// As the one in `core`.
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub struct $name(atomic::$name);

        #[allow(missing_docs, reason = "as those in `core`")]
        impl $name {
            pub const fn new(value: $number) -> Self {
                Self(atomic::$name::new(value))
            }

            pub const fn as_ptr(&self) -> *mut $number {
                self.0.as_ptr()
            }

            pub fn load(&self, order: Ordering) -> $number {
                match step() {
                    Life::Alive => self.0.load(order),
                    Life::Over => self.dream(|value| value),
                }
            }

            pub fn store(&self, value: $number, order: Ordering) {
                match step() {
                    Life::Alive => self.0.store(value, order),
                    Life::Over => drop(self.dream(|_| value)),
                }
            }

            pub fn swap(&self, value: $number, order: Ordering) -> $number {
                match step() {
                    Life::Alive => self.0.swap(value, order),
                    Life::Over => self.dream(|_| value),
                }
            }

            pub fn compare_exchange(
                &self,
                old: $number,
                new: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                match step() {
                    Life::Alive => self.0.compare_exchange(old, new, success, failure),
                    Life::Over => {
                        let found = self.dream(|value| if value == old { new } else { value });
                        if found == old { Ok(found) } else { Err(found) }
                    }
                }
            }

            pub fn fetch_add(&self, value: $number, order: Ordering) -> $number {
                match step() {
                    Life::Alive => self.0.fetch_add(value, order),
                    Life::Over => self.dream(|found| found.wrapping_add(value)),
                }
            }

            pub fn fetch_sub(&self, value: $number, order: Ordering) -> $number {
                match step() {
                    Life::Alive => self.0.fetch_sub(value, order),
                    Life::Over => self.dream(|found| found.wrapping_sub(value)),
                }
            }

            pub fn fetch_or(&self, value: $number, order: Ordering) -> $number {
                match step() {
                    Life::Alive => self.0.fetch_or(value, order),
                    Life::Over => self.dream(|found| found | value),
                }
            }

            pub fn fetch_and(&self, value: $number, order: Ordering) -> $number {
                match step() {
                    Life::Alive => self.0.fetch_and(value, order),
                    Life::Over => self.dream(|found| found & value),
                }
            }

            pub fn fetch_max(&self, value: $number, order: Ordering) -> $number {
                match step() {
                    Life::Alive => self.0.fetch_max(value, order),
                    Life::Over => self.dream(|found| found.max(value)),
                }
            }

            /// What a thread does that is out of the run, as it unwinds, nobody else sees. The value before.
            fn dream(&self, change: impl FnOnce($number) -> $number) -> $number {
                // ORDER(test.explore): it is only looked at.
                let real = || self.0.load(Ordering::SeqCst).into();
                let found = explore::dream(self.as_ptr().addr(), real, |value| {
                    <$number>::try_from(value).map_or(value, |value| change(value).into())
                });
                <$number>::try_from(found).unwrap_or_default()
            }
        }
    };
}

stepped!(AtomicU32, u32);
stepped!(AtomicU64, u64);
