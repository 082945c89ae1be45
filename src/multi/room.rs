//! Values that lie in an object, after its words.

use std::io;
use std::ptr::NonNull;

use super::arena::UNIT;
use super::family;
use super::object::{BODY, Object};
use super::plain::Pod;

/// Room for so many values. Whoever has one holds the object that it lies in.
#[derive(Debug)]
pub(super) struct Room<T> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: an address of memory that all threads and processes of the family share; who may touch the values when is the business of the
// lock (or the handle that is the only one) of the object they lie in.
unsafe impl<T: Pod> Send for Room<T> {}
// SAFETY: as for Send: it gives nobody more than the address, unless they promise to be the only ones.
unsafe impl<T: Pod> Sync for Room<T> {}

impl<T> Clone for Room<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Room<T> {}

impl<T: Pod> Room<T> {
    /// What tells values of this type from others: bytes, and to how many they are aligned, by which it depends where they begin.
    pub(super) const FORM: u64 = (size_of::<T>() as u64) << 16 | align_of::<T>() as u64;

    /// Where the values begin in the block, if `head` bytes of words are before them.
    fn offset(head: usize) -> usize {
        const { assert!(align_of::<T>() <= UNIT, "a block begins at a page, so no value can be aligned to more") }
        (BODY + head).next_multiple_of(align_of::<T>())
    }

    /// How many bytes an object needs, of its own, for `head` bytes of words and `len` values.
    ///
    /// # Errors
    /// OutOfMemory if that is more than there can be.
    pub(super) fn bytes(head: usize, len: usize) -> io::Result<usize> {
        let values = size_of::<T>().checked_mul(len).filter(|bytes| isize::try_from(*bytes).is_ok());
        let values = values.ok_or(io::ErrorKind::OutOfMemory)?;
        (Self::offset(head) - BODY).checked_add(values).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// The room of an object made with [`Self::bytes`] of the same numbers.
    ///
    /// # Panics
    /// If it would not lie in the memory of the family.
    pub(super) fn of(object: Object, head: usize, len: usize) -> Self {
        let start = family::get().arena.place(object.block, Self::offset(head), size_of::<T>() * len).cast();
        Self { start, len }
    }

    /// `len` of them from `from` on.
    ///
    /// # Panics
    /// If there are not so many.
    pub(super) fn part(self, from: usize, len: usize) -> Self {
        assert!(from + len <= self.len, "{len} from {from} of {}", self.len);
        // SAFETY: within the room, or one past its end if it is empty.
        Self { start: unsafe { self.start.add(from) }, len }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The first.
    pub(super) fn one(&self) -> NonNull<T> {
        self.start
    }

    /// All of them.
    pub(super) fn all(&self) -> NonNull<[T]> {
        NonNull::slice_from_raw_parts(self.start, self.len)
    }

    /// A copy of one of them.
    ///
    /// # Safety
    /// Nobody writes it meanwhile.
    pub(super) unsafe fn read(&self, index: usize) -> Option<T> {
        let at = (index < self.len).then_some(index)?;
        // SAFETY: within the room, as just checked.
        let place = unsafe { self.start.add(at) };
        // SAFETY: aligned and within the arena, which is never unmapped; any bytes are a `Pod`; the caller promises that nobody writes.
        Some(unsafe { place.read() })
    }

    /// Puts a value there; whether there is such a place.
    ///
    /// # Safety
    /// Nobody reads or writes it meanwhile.
    pub(super) unsafe fn write(&self, index: usize, value: T) -> bool {
        if index >= self.len {
            return false;
        }
        // SAFETY: within the room, as just checked.
        let place = unsafe { self.start.add(index) };
        // SAFETY: aligned and within the arena, which is never unmapped; the caller promises that it is the only one there.
        unsafe { place.write(value) };
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::multi::arena::Kind;
    use crate::multi::object::Handle;
    use crate::multi::passing::Passed;
    use crate::multi::{Array, Blob, Mutex, ReentrantMutex, Value, alone};

    /// A handle of whatever it is.
    fn handle_of<P: Passed>(passed: &P, kind: Kind) -> Handle {
        assert_eq!(P::KIND, kind);
        passed.handle().clone()
    }

    #[test]
    fn values_of_the_same_size_that_are_aligned_otherwise_are_others() {
        alone::family();
        type Wide = u128;
        type Narrow = [u64; 2];
        const { assert!(size_of::<Wide>() == size_of::<Narrow>() && align_of::<Wide>() > align_of::<Narrow>()) }
        let blob = Blob::<Wide>::zeroed(3).unwrap();
        assert!(Blob::<Narrow>::adopt(handle_of(&blob, Kind::Blob)).is_none());
        assert!(Blob::<Wide>::adopt(handle_of(&blob, Kind::Blob)).is_some());
        let array = Array::<Wide>::zeroed(3).unwrap();
        assert!(Array::<Narrow>::adopt(handle_of(&array, Kind::Mutex)).is_none());
        assert!(Mutex::<Narrow>::adopt(handle_of(&Mutex::new(0 as Wide).unwrap(), Kind::Mutex)).is_none());
        assert!(
            ReentrantMutex::<Narrow>::adopt(handle_of(&ReentrantMutex::new(0 as Wide).unwrap(), Kind::Mutex)).is_none()
        );
        assert!(Value::<Narrow>::adopt(handle_of(&Value::new(0 as Wide).unwrap(), Kind::Mutex)).is_none());
    }
}
