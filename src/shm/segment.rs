//! Shared memory made and mapped; typed views over its regions.

use std::io;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;

use super::{Entry, Layout, Offset, RegionKind};
use crate::prim::{AtomicU32, AtomicU64};
use crate::sys::memfd;
use crate::sys::mmap::Mapping;

/// First words of a segment.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct SegmentHeader {
    /// `PINRING` and a zero.
    magic: [u8; 8],
    /// Version of the meaning of the regions.
    version: u32,
    /// Entries in the table of contents.
    entries: u32,
    /// [`Layout::hash`].
    layout_hash: u64,
    /// Bytes of the whole segment.
    size: u64,
    /// Where the table of contents starts.
    toc_offset: u64,
}

const MAGIC: [u8; 8] = *b"PINRING\0";
const VERSION: u32 = 1;

/// Why a segment could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a shared-memory segment of {size} bytes: {source}")]
pub struct SegmentError {
    /// Bytes asked for.
    pub size: usize,
    /// What the system answered.
    pub source: io::Error,
}

/// Why a descriptor could not be attached as a segment. Nothing of it is mapped any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// It could not be looked at or mapped.
    #[error("cannot map the shared-memory segment: {0}")]
    System(#[from] io::Error),
    /// Its size could change under us, which would be a SIGBUS: it is no memfd sealed against that.
    #[error("the descriptor is no segment: it is not sealed against shrinking")]
    NotSealed,
    /// It holds something else, or is damaged.
    #[error("the descriptor is no segment of this version: {0}")]
    Foreign(&'static str),
}

/// What an attached process may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read and write: a peer.
    Full,
    /// Only look. A write through such a mapping would be a SIGSEGV; what writes checks [`Segment::is_writable`] first.
    ReadOnly,
}

/// What costs time or memory at the start, to save both later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comfort {
    /// Has all pages made at once, so that no first touch of a page costs a fault in the steady state.
    pub prefault: bool,
    /// Keeps the pages out of swap (mlock(2)); needs RLIMIT_MEMLOCK or CAP_IPC_LOCK.
    pub lock: bool,
    /// Asks for huge pages where the kernel gives them to shared memory (`shmem_enabled`): fewer TLB misses in large rings.
    pub huge_pages: bool,
}

/// Types that may be viewed in memory that other processes write.
///
/// # Safety
/// `repr(C)`, made of atomics (or padding) only, so that any bit pattern is valid and a write of a peer is no
/// data race; alignment at most 128.
pub unsafe trait Shared {}

// SAFETY: an atomic itself.
unsafe impl Shared for AtomicU64 {}
// SAFETY: an atomic itself.
unsafe impl Shared for AtomicU32 {}
// SAFETY: atomics one after another.
unsafe impl<const N: usize> Shared for [AtomicU64; N] {}

/// A segment and its mapping in this process. Clones share the mapping; children inherit it.
#[derive(Clone, Debug)]
pub struct Segment(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    mapping: Mapping,
    fd: OwnedFd,
    access: Access,
}

impl Segment {
    /// Makes a segment of that layout: zeroed, sealed, with header and table of contents written.
    ///
    /// # Errors
    /// If the memory is not to be had.
    pub fn create(layout: &Layout) -> Result<Self, SegmentError> {
        Self::create_with(layout, Comfort::default())
    }

    /// As [`Self::create`], with `comfort`.
    ///
    /// # Errors
    /// As [`Self::create`]; also if the memory may not be locked.
    pub fn create_with(layout: &Layout, comfort: Comfort) -> Result<Self, SegmentError> {
        let size = layout.size();
        let failed = |source| SegmentError { size, source };
        let fd = memfd::create_sealed(c"pinring", size).map_err(failed)?;
        let len = NonZeroUsize::new(size).ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let mapping = Mapping::of(&fd, len).map_err(failed)?;
        if comfort.huge_pages {
            mapping.ask_for_huge_pages();
        }
        if comfort.prefault {
            mapping.prefault().map_err(failed)?;
        }
        if comfort.lock {
            mapping.lock().map_err(failed)?;
        }
        let segment = Self(Arc::new(Inner { mapping, fd, access: Access::Full }));
        segment.write_contents(layout);
        Ok(segment)
    }

    /// Maps a segment that another process made and whose descriptor came here (inherited, or by SCM_RIGHTS), after checking
    /// that it is one: sealed, of this version, its table of contents whole. Returns its layout besides.
    ///
    /// # Errors
    /// If it is not, or cannot be mapped.
    pub fn attach(fd: OwnedFd, access: Access) -> Result<(Self, Layout), AttachError> {
        let size = memfd::sealed_size(&fd)?.ok_or(AttachError::NotSealed)?;
        let len = NonZeroUsize::new(size).filter(|size| size.get() >= size_of::<SegmentHeader>());
        let len = len.ok_or(AttachError::Foreign("it is too small"))?;
        let mapping = if access == Access::Full { Mapping::of(&fd, len)? } else { Mapping::read_only(&fd, len)? };
        let segment = Self(Arc::new(Inner { mapping, fd, access }));
        let layout = segment.read_contents()?;
        Ok((segment, layout))
    }

    fn read_contents(&self) -> Result<Layout, AttachError> {
        let header: SegmentHeader = bytemuck::pod_read_unaligned(&self.copy(0, size_of::<SegmentHeader>()));
        let foreign = |why| Err(AttachError::Foreign(why));
        if header.magic != MAGIC {
            return foreign("its magic number is another");
        }
        if header.version != VERSION {
            return foreign("it is of another version");
        }
        let toc = usize::try_from(header.toc_offset).unwrap_or(usize::MAX);
        let bytes = (header.entries as usize).checked_mul(Layout::ENTRY_SIZE);
        let end = bytes.and_then(|bytes| toc.checked_add(bytes));
        if header.size != self.size() as u64 || end != Some(self.size()) {
            return foreign("its table of contents does not fit");
        }
        let entry = |entry: &[u8]| {
            let word = |at: usize| u32::from_ne_bytes(entry[at..at + 4].try_into().unwrap_or_default());
            let long = |at: usize| u64::from_ne_bytes(entry[at..at + 8].try_into().unwrap_or_default());
            Some(Entry {
                kind: RegionKind::from_number(word(0))?,
                index: word(4),
                offset: Offset(usize::try_from(long(8)).ok()?),
                size: usize::try_from(long(16)).ok()?,
            })
        };
        let table = self.copy(toc, self.size() - toc);
        let entries: Option<Vec<Entry>> = table.chunks_exact(Layout::ENTRY_SIZE).map(entry).collect();
        let layout = entries.and_then(Layout::from_entries);
        match layout {
            Some(layout) if layout.hash() == header.layout_hash && layout.size() == self.size() => Ok(layout),
            _ => foreign("its table of contents is damaged"),
        }
    }

    /// Bytes as they are now.
    fn copy(&self, at: usize, len: usize) -> Vec<u8> {
        let start = self.range(Offset(at), len);
        let byte = |index: usize| {
            // SAFETY: `range` has checked the bounds.
            let byte = unsafe { start.add(index) };
            // SAFETY: within the mapping; volatile, because another process may write meanwhile.
            unsafe { byte.read_volatile() }
        };
        (0..len).map(byte).collect()
    }

    /// Whether this process may write: it made the segment, or attached it with [`Access::Full`].
    pub fn is_writable(&self) -> bool {
        self.0.access == Access::Full
    }

    fn write_contents(&self, layout: &Layout) {
        let header = SegmentHeader {
            magic: MAGIC,
            version: VERSION,
            entries: u32::try_from(layout.entries().len()).unwrap_or(u32::MAX),
            layout_hash: layout.hash(),
            size: layout.size() as u64,
            toc_offset: layout.toc_offset() as u64,
        };
        self.fill(Offset(0), bytemuck::bytes_of(&header));
        for (index, entry) in layout.entries().iter().enumerate() {
            let at = Offset(layout.toc_offset() + index * Layout::ENTRY_SIZE);
            self.fill(at, &(entry.kind as u32).to_ne_bytes());
            self.fill(at.plus(4), &entry.index.to_ne_bytes());
            self.fill(at.plus(8), &(entry.offset.0 as u64).to_ne_bytes());
            self.fill(at.plus(16), &(entry.size as u64).to_ne_bytes());
        }
    }

    fn fill(&self, at: Offset, bytes: &[u8]) {
        let target = self.range(at, bytes.len());
        // SAFETY: `range` has checked the bounds, and only `create` comes here, before anybody else knows the segment.
        unsafe { target.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// Writes a word anywhere, as a worker gone mad would.
    #[cfg(test)]
    pub(crate) fn poke(&self, at: usize, value: u64) {
        let word: SharedRef<AtomicU64> = self.shared(Offset(at));
        // ORDER(test.segment): one thread.
        word.store(value, crate::prim::Ordering::Relaxed);
    }

    /// The words laid over offset `at`.
    ///
    /// # Panics
    /// If `T` does not lie within the segment, aligned: offsets come from our own [`Layout`], so that is a bug.
    pub fn shared<T: Shared>(&self, at: Offset) -> SharedRef<T> {
        let pointer = self.range(at, size_of::<T>()).cast::<T>();
        assert!(pointer.is_aligned(), "offset {} is not aligned for its words", at.0);
        SharedRef { pointer, segment: self.clone(), words: PhantomData }
    }

    /// First byte of the `len` bytes at `at`; valid while any clone of this segment lives.
    ///
    /// # Panics
    /// If they do not lie within the segment.
    pub fn range(&self, at: Offset, len: usize) -> NonNull<u8> {
        let end = at.0.checked_add(len).filter(|end| *end <= self.0.mapping.len());
        assert!(end.is_some(), "{len} bytes at offset {} are outside of the segment", at.0);
        // SAFETY: offset and length were just checked to lie within the mapping.
        unsafe { self.0.mapping.start().add(at.0) }
    }

    /// Bytes of the segment.
    pub fn size(&self) -> usize {
        self.0.mapping.len()
    }
}

impl AsFd for Segment {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

/// Words in a segment, as if they were borrowed; keeps the mapping alive.
#[derive(Debug)]
pub struct SharedRef<T> {
    pointer: NonNull<T>,
    segment: Segment,
    words: PhantomData<T>,
}

impl<T: Shared> SharedRef<T> {
    /// A part of the words, chosen by `part`.
    pub fn map<U: Shared>(&self, part: impl for<'a> FnOnce(&'a T) -> &'a U) -> SharedRef<U> {
        SharedRef { pointer: NonNull::from(part(self)), segment: self.segment.clone(), words: PhantomData }
    }
}

impl<T: Shared> Deref for SharedRef<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `Segment::shared` has checked bounds and alignment, the mapping lives as long as `segment`, and `Shared`
        // promises that any content is valid and that peers' writes race with nothing.
        unsafe { self.pointer.as_ref() }
    }
}

impl<T> Clone for SharedRef<T> {
    fn clone(&self) -> Self {
        Self { pointer: self.pointer, segment: self.segment.clone(), words: PhantomData }
    }
}

// SAFETY: it gives out `&T` only, and `Shared` types are made of atomics.
unsafe impl<T: Shared> Send for SharedRef<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for SharedRef<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prim::Ordering;

    #[test]
    fn words_are_seen_through_a_second_mapping() {
        let mut layout = Layout::default();
        let at = layout.reserve(RegionKind::Worker, 0, 8).unwrap();
        let segment = Segment::create(&layout).unwrap();
        let word: SharedRef<AtomicU64> = segment.shared(at);
        let other = Mapping::of(&segment, NonZeroUsize::new(segment.size()).unwrap()).unwrap();
        // ORDER(test.segment): one thread, no ordering needed.
        word.store(7, Ordering::Relaxed);
        // SAFETY: the offset is within the second mapping, which has the same size.
        let there = unsafe { other.start().add(at.0) }.cast::<u64>();
        // SAFETY: aligned to 128, as every region is.
        let seen = unsafe { there.read_volatile() };
        assert_eq!(seen, 7);
        // SAFETY: the first eight bytes of the mapping.
        let magic = unsafe { other.start().cast::<[u8; 8]>().read_volatile() };
        assert_eq!(magic, MAGIC);
    }

    fn a_layout() -> Layout {
        let mut layout = Layout::default();
        layout.reserve(RegionKind::Worker, 3, 100).unwrap();
        layout.reserve(RegionKind::Words, 1, 8).unwrap();
        layout
    }

    #[test]
    fn an_attached_segment_is_the_same_memory_with_the_same_layout() {
        let layout = a_layout();
        let segment = Segment::create_with(&layout, Comfort { prefault: true, lock: false, huge_pages: true }).unwrap();
        let fd = segment.as_fd().try_clone_to_owned().unwrap();
        let (other, found) = Segment::attach(fd, Access::ReadOnly).unwrap();
        assert_eq!((found.entries(), other.is_writable()), (layout.entries(), false));
        let at = found.find(RegionKind::Words, 1).unwrap().offset;
        let (here, there): (SharedRef<AtomicU64>, SharedRef<AtomicU64>) = (segment.shared(at), other.shared(at));
        // ORDER(test.segment): one thread.
        here.store(9, Ordering::Relaxed);
        // ORDER(test.segment): as above.
        assert_eq!(there.load(Ordering::Relaxed), 9);
    }

    #[test]
    fn what_is_no_segment_is_refused_whatever_byte_is_wrong() {
        let attach = |segment: &Segment| Segment::attach(segment.as_fd().try_clone_to_owned().unwrap(), Access::Full);
        let toc = a_layout().toc_offset();
        for byte in (0..size_of::<SegmentHeader>()).chain(toc..a_layout().size()) {
            let segment = Segment::create(&a_layout()).unwrap();
            let old = segment.copy(byte, 1)[0];
            segment.fill(Offset(byte), &[old ^ 0x55]);
            assert!(matches!(attach(&segment), Err(AttachError::Foreign(_))), "byte {byte}");
        }
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        assert!(matches!(Segment::attach(file.into(), Access::Full), Err(AttachError::NotSealed)));
    }

    #[test]
    #[should_panic(expected = "outside of the segment")]
    fn an_offset_beyond_the_end_is_refused() {
        let segment = Segment::create(&Layout::default()).unwrap();
        let _ = segment.range(Offset(segment.size()), 1);
    }
}
