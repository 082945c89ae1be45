//! What the values of a job said when they panicked: the first of them have room for it in the job's block.

use std::any::Any;

use super::{Head, Job};
use crate::multi::child;
use crate::multi::error::PanicInfo;
use crate::multi::object::BODY;

/// How many panics are remembered with what they said.
pub(super) const PANICS: usize = 32;
/// Bytes of each.
pub(super) const PANIC: usize = 512;

impl Job {
    pub(in crate::multi::pool) fn note_panic(&self, item: usize, payload: &(dyn Any + Send)) {
        let place = self.head.panics.add(1) as usize;
        let Some(words) = self.head.panicked.get(place) else { return };
        let target = self.at(BODY + size_of::<Head>() + place * PANIC);
        // SAFETY: within the block; the place was given to us alone.
        let bytes = unsafe { std::slice::from_raw_parts_mut(target.as_ptr(), PANIC) };
        let len = child::write_panic(bytes, payload);
        words[1].set(u32::try_from(len).unwrap_or(0));
        words[2].set(crate::sys::fork::own_pid().unsigned_abs());
        words[0].set(u32::try_from(item).unwrap_or(0));
    }

    /// What a value's panic said.
    pub(in crate::multi::pool) fn panic(&self, item: usize) -> PanicInfo {
        let known = (self.head.panics.get() as usize).min(PANICS);
        let place = (0..known).find(|place| self.head.panicked[*place][0].get() as usize == item);
        let Some(place) = place else {
            let message = format!("it panicked; what the first {PANICS} panics said is known");
            return PanicInfo { message, location: None, pid: 0 };
        };
        let words = &self.head.panicked[place];
        let len = (words[1].get() as usize).min(PANIC);
        let source = self.at(BODY + size_of::<Head>() + place * PANIC);
        // SAFETY: within the block; its worker has gone on, and nobody writes there any more.
        let bytes = unsafe { std::slice::from_raw_parts(source.as_ptr(), len) };
        let (message, location) = child::read_panic(bytes);
        PanicInfo { message, location, pid: words[2].get() }
    }
}
