//! Shared mappings.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

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
