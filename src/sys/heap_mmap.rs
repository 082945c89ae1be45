//! What stands in for [`mmap`](crate::sys) under Miri, which knows no shared mappings: memory of the heap, enough for threads.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;

/// Memory of this process, freed on drop.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: as for the real one: plain memory that belongs to no thread.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// As the kernel's, but the descriptor is not looked at.
    ///
    /// # Errors
    /// None.
    pub fn of(_: impl AsFd, len: NonZeroUsize) -> io::Result<Self> {
        Self::anonymous(len)
    }

    /// As the kernel's.
    ///
    /// # Errors
    /// If the length is no size of an object.
    pub fn anonymous(len: NonZeroUsize) -> io::Result<Self> {
        let layout = Layout::from_size_align(len.get(), 4096).map_err(io::Error::other)?;
        // SAFETY: the size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) });
        Ok(Self { start: start.ok_or(io::ErrorKind::OutOfMemory)?, layout })
    }

    /// Not here: there is no other process.
    ///
    /// # Errors
    /// Always.
    pub fn read_only(_: impl AsFd, _: NonZeroUsize) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Nothing to do.
    ///
    /// # Errors
    /// None.
    pub fn prefault(&self) -> io::Result<()> {
        Ok(())
    }

    /// Nothing to do.
    ///
    /// # Errors
    /// None.
    pub fn lock(&self) -> io::Result<()> {
        Ok(())
    }

    /// Nothing to do.
    pub fn ask_for_huge_pages(&self) {}

    /// Nothing to do.
    pub fn leave_out_of_core_files(&self) {}

    /// First byte.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.layout.size()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: from `alloc_zeroed` with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
