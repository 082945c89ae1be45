//! The atomics of the unit tests: each operation is a step of the [explorer](super::explore), if one is at work.

use core::sync::atomic::{self, Ordering};

use super::explore::step;

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
                step();
                self.0.load(order)
            }

            pub fn store(&self, value: $number, order: Ordering) {
                step();
                self.0.store(value, order);
            }

            pub fn swap(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.swap(value, order)
            }

            pub fn compare_exchange(
                &self,
                old: $number,
                new: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                step();
                self.0.compare_exchange(old, new, success, failure)
            }

            pub fn fetch_add(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.fetch_add(value, order)
            }

            pub fn fetch_sub(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.fetch_sub(value, order)
            }

            pub fn fetch_or(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.fetch_or(value, order)
            }

            pub fn fetch_and(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.fetch_and(value, order)
            }

            pub fn fetch_max(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.fetch_max(value, order)
            }
        }
    };
}

stepped!(AtomicU32, u32);
stepped!(AtomicU64, u64);
