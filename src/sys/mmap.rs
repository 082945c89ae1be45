//! Shared mappings.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mlock, mmap, mmap_anonymous, munmap};

/// Memory shared with whoever maps the same descriptor or is forked later; unmapped on drop.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: NonZeroUsize,
}

// SAFETY: the mapping is plain memory that belongs to no thread; who may touch which byte is the
// business of the types laid over it (atomics, or ranges owned by one side).
unsafe impl Send for Mapping {}
// SAFETY: as above; the mapping itself hands out only a pointer.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of `fd`, readable and writable, MAP_SHARED.
    ///
    /// # Errors
    /// What mmap(2) answered.
    pub fn of(fd: impl AsFd, len: NonZeroUsize) -> io::Result<Self> {
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: no address is asked for, so no existing mapping is replaced.
        let start = unsafe { mmap(None, len, protection, MapFlags::MAP_SHARED, fd, 0) }?;
        Ok(Self { start: start.cast(), len })
    }

    /// As [`Self::of`], but a write is a SIGSEGV.
    ///
    /// # Errors
    /// What mmap(2) answered.
    pub fn read_only(fd: impl AsFd, len: NonZeroUsize) -> io::Result<Self> {
        // SAFETY: no address is asked for, so no existing mapping is replaced.
        let start = unsafe { mmap(None, len, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, fd, 0) }?;
        Ok(Self { start: start.cast(), len })
    }

    /// Makes all pages now. What was written stays.
    ///
    /// # Errors
    /// What madvise(2) answered: out of memory; kernels before 5.14 do not know how and answer EINVAL, which is passed over.
    pub fn prefault(&self) -> io::Result<()> {
        // SAFETY: the range is our own mapping; populating changes no content.
        let result = unsafe { libc::madvise(self.start.as_ptr().cast(), self.len.get(), libc::MADV_POPULATE_WRITE) };
        let error = io::Error::last_os_error();
        if result == 0 || error.raw_os_error() == Some(libc::EINVAL) { Ok(()) } else { Err(error) }
    }

    /// Keeps the pages in memory.
    ///
    /// # Errors
    /// What mlock(2) answered: the limit (`ulimit -l`), or no right to.
    pub fn lock(&self) -> io::Result<()> {
        // SAFETY: the range is our own mapping.
        Ok(unsafe { mlock(self.start.cast(), self.len.get()) }?)
    }

    /// Asks for huge pages. A wish: kernels that do not grant it for shared memory go on with small ones.
    pub fn ask_for_huge_pages(&self) {
        // SAFETY: the range is our own mapping; the advice changes no content.
        let _ = unsafe { madvise(self.start.cast(), self.len.get(), MmapAdvise::MADV_HUGEPAGE) };
    }

    /// A core file shall not hold it: a large empty mapping would be a large file. A wish, as above.
    pub fn leave_out_of_core_files(&self) {
        // SAFETY: the range is our own mapping; the advice changes no content.
        let _ = unsafe { madvise(self.start.cast(), self.len.get(), MmapAdvise::MADV_DONTDUMP) };
    }

    /// Maps `len` zeroed bytes that only this process and its children see.
    ///
    /// # Errors
    /// What mmap(2) answered.
    pub fn anonymous(len: NonZeroUsize) -> io::Result<Self> {
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: no address is asked for, so no existing mapping is replaced.
        let start = unsafe { mmap_anonymous(None, len, protection, MapFlags::MAP_SHARED) }?;
        Ok(Self { start: start.cast(), len })
    }

    /// First byte; page-aligned, valid for [`Self::len`] bytes while the mapping lives.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Never: a mapping has at least one byte.
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `len` come from one mmap that nobody else unmaps; borrows of the
        // memory are bound to `self`. An error could only mean that this is not so.
        let _ = unsafe { munmap(self.start.cast(), self.len.get()) };
    }
}
