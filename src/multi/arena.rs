//! The memory of a family: one mapping that every process of it has at the same address, because all are forked from the one that made
//! it. What lies in it is named by its place, so a name means the same in all of them, also in those that were forked before it was made.
//!
//! The mapping is large and empty: pages are made when they are taken and given back when they are freed. It is divided into units; a
//! block is a run of units, and a table has one entry per unit. Taking a block is one compare-and-exchange per unit, so no lock is there
//! to be held by the dead; an entry says whose claim it is, so that the claims of the dead can be undone.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

pub(super) use super::unit::Kind;
use super::unit::{Entry, tag};
use super::word::{Word32, Word64};
use crate::sys::mmap::Mapping;
use crate::sys::{memfd, memory};

/// Bytes of a unit.
pub(super) const UNIT: usize = 4096;
/// Most processes a family can have at a time. The first place is nobody's: it stands for what is under way between two of them.
/// (In unit tests fewer, which the explorer of schedules adds up many thousand times.)
pub(super) const MEMBERS: usize = if cfg!(test) { 64 } else { 256 };

/// Most processes that stand by. One is forked while another works.
pub(super) const READY: usize = 2;

/// What is asked for; where the system does not give so much (a limit on file sizes), halves of it are tried.
const SIZE: usize = if usize::BITS == 64 { 1 << 36 } else { 1 << 28 };
const LEAST: usize = 1 << 24;
/// From so many bytes on it is looked first whether there are so many.
const LARGE: usize = 1 << 26;

/// Types that may be viewed in this memory.
///
/// # Safety
/// `repr(C)`, made of [`Word32`], [`Word64`] and arrays of them, so that any content is valid and a write by another process is no data
/// race.
pub(super) unsafe trait Words: 'static {}

// SAFETY: an atomic.
unsafe impl Words for Word32 {}
// SAFETY: an atomic.
unsafe impl Words for Word64 {}

/// A block, by the number of its first unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct BlockId(pub(super) u32);

/// Where the table begins: behind the members' pages. These are next to the root, so that a child that looks at the root and at its own
/// page has both by one fault, mostly.
#[allow(clippy::cast_possible_truncation, reason = "there are not so many")]
const TABLE: BlockId = BlockId(1 + MEMBERS as u32);

/// First unit of the mapping.
#[repr(C)]
struct Root {
    /// Where the next search begins.
    hint: Word32,
    /// No unit from here on has ever been taken.
    top: Word32,
    /// Number of the next block.
    generation: Word64,
    log_level: Word32,
    standby: [Word32; READY],
}

// SAFETY: words only.
unsafe impl Words for Root {}

/// The mapping. It is never unmapped while the process lives: what lies in it may be borrowed for ever.
#[derive(Debug)]
pub(super) struct Arena {
    mapping: Mapping,
    fd: OwnedFd,
    units: u32,
}

impl Arena {
    /// Makes one.
    ///
    /// # Errors
    /// What memfd_create(2), ftruncate(2) or mmap(2) answered for the least size.
    pub(super) fn create() -> io::Result<Self> {
        let mut size = SIZE;
        loop {
            match Self::of_size(size) {
                Err(_) if size > LEAST => size /= 2,
                other => return other,
            }
        }
    }

    /// The least one, for tests.
    #[cfg(test)]
    pub(super) fn small() -> io::Result<Self> {
        Self::of_size(LEAST)
    }

    fn of_size(size: usize) -> io::Result<Self> {
        let fd = memfd::create_sealed(c"pinring-multi", size)?;
        let mapping = Mapping::of(&fd, NonZeroUsize::new(size).ok_or(io::ErrorKind::InvalidInput)?)?;
        mapping.leave_out_of_core_files();
        Ok(Self { mapping, fd, units: u32::try_from(size / UNIT).map_err(io::Error::other)? })
    }

    /// The memory itself, which all members keep.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn table_units(&self) -> u32 {
        self.units.div_ceil(512)
    }

    /// First unit that blocks may have: behind the root, the members' pages and the table.
    fn first(&self) -> u32 {
        TABLE.0 + self.table_units()
    }

    /// The page of a member.
    pub(super) fn member_page(&self, member: usize) -> BlockId {
        assert!(member < MEMBERS, "no member {member}");
        BlockId(1 + u32::try_from(member).unwrap_or(u32::MAX))
    }

    fn root(&'static self) -> &'static Root {
        self.view(BlockId(0), 0)
    }

    /// What is logged by processes that are started from now on, plus one; 0: what they like.
    pub(super) fn log_level(&'static self) -> &'static Word32 {
        &self.root().log_level
    }

    /// Places of the processes that stood by last; 0: none did.
    pub(super) fn standby(&'static self) -> &'static [Word32; READY] {
        &self.root().standby
    }

    fn entry(&'static self, unit: u32) -> &'static Word64 {
        self.view(TABLE, unit as usize * size_of::<Word64>())
    }

    fn look(&'static self, unit: u32) -> Entry {
        Entry::unpack(self.entry(unit).get())
    }

    /// First of `len` bytes at `offset` of a block.
    ///
    /// # Panics
    /// If they do not lie in the mapping: places come from our own layouts.
    pub(super) fn place(&self, block: BlockId, offset: usize, len: usize) -> NonNull<u8> {
        let start = block.0 as usize * UNIT + offset;
        let end = start.checked_add(len).filter(|end| *end <= self.mapping.len());
        assert!(end.is_some(), "{len} bytes at {offset} of block {} are outside of the arena", block.0);
        // SAFETY: just checked to lie within the mapping.
        unsafe { self.mapping.start().add(start) }
    }

    /// The words at `offset` of a block.
    ///
    /// # Panics
    /// As [`Self::place`], and if they are not aligned there.
    pub(super) fn view<T: Words>(&'static self, block: BlockId, offset: usize) -> &'static T {
        let place = self.place(block, offset, size_of::<T>()).cast::<T>();
        assert!(place.is_aligned(), "offset {offset} is not aligned for its words");
        // SAFETY: within the mapping, which lives as long as `self`, that is for ever; aligned, as just checked; and `Words` promises
        // that any content is valid and other processes' writes race with nothing.
        unsafe { place.as_ref() }
    }

    /// Takes a block of `bytes` zeroed bytes. `set_up` writes what others must find in it, before any of them can see it.
    ///
    /// # Errors
    /// OutOfMemory if there is no room for it, or the system has no memory.
    pub(super) fn take(
        &'static self,
        member: u16,
        kind: Kind,
        bytes: usize,
        set_up: impl FnOnce(BlockId, u64),
    ) -> io::Result<BlockId> {
        let no_room =
            || io::Error::new(io::ErrorKind::OutOfMemory, format!("no room for {bytes} bytes in the family's memory"));
        let len = u32::try_from(bytes.div_ceil(UNIT).max(1)).map_err(|_| no_room())?;
        // Asked for what it has not, the kernel would end some process.
        let left = if bytes < LARGE { None } else { memory::available() };
        if let Some(left) = left.filter(|left| *left < bytes as u64) {
            let text = format!("no memory for {bytes} bytes: the machine has {left} left");
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, text));
        }
        let (first, hint) = (self.first(), self.root().hint.get().max(self.first()));
        let found = self.claim_run(member, hint, self.units, len);
        let unit = found.or_else(|| self.claim_run(member, first, self.units, len)).ok_or_else(no_room)?;
        // Else a lack of memory would be a SIGBUS at the first touch.
        if let Err(error) = memfd::set_aside(&self.fd, unit as usize * UNIT, len as usize * UNIT) {
            self.release(unit, unit + len);
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, error));
        }
        let generation = self.root().generation.add(1) + 1;
        let claimed = Claimed { arena: self, unit, len };
        set_up(BlockId(unit), generation);
        std::mem::forget(claimed);
        self.entry(unit).set(Entry::Live(kind, tag(generation), len).pack());
        self.root().hint.set(unit + len);
        Ok(BlockId(unit))
    }

    fn claim_run(&'static self, member: u16, from: u32, to: u32, len: u32) -> Option<u32> {
        let mut start = from;
        while to.checked_sub(start)? >= len {
            // Before the claim, so that the sweep looks far enough.
            self.root().top.raise(start + len);
            let mine = Entry::Claimed(member).pack();
            let taken = (start..start + len).find_map(|unit| Some((unit, self.entry(unit).replace(0, mine).err()?)));
            let Some((unit, other)) = taken else { return Some(start) };
            self.release(start, unit);
            start = match Entry::unpack(other) {
                Entry::Live(_, _, len) | Entry::Pinned(_, _, len) | Entry::Freeing(_, len) => unit + len.max(1),
                _ => unit + 1,
            };
        }
        None
    }

    fn release(&'static self, from: u32, to: u32) {
        (from..to).for_each(|unit| self.entry(unit).set(0));
    }

    /// Frees a block, if nobody else does or has done so.
    pub(super) fn free(&'static self, member: u16, block: BlockId, generation: u64) {
        let found = self.look(block.0);
        let Entry::Live(_, own, len) = found else { return };
        if own == tag(generation)
            && self.entry(block.0).replace(found.pack(), Entry::Freeing(member, len).pack()).is_ok()
        {
            self.finish_freeing(member, block.0, len);
        }
    }

    fn finish_freeing(&'static self, member: u16, unit: u32, len: u32) {
        // The rest becomes ours first, so that it is known whose it is once the head says nothing any more.
        (unit + 1..unit + len).for_each(|unit| self.entry(unit).set(Entry::Claimed(member).pack()));
        // Should the system refuse, what is taken next would not be zero: the block stays taken then.
        if memfd::give_back(&self.fd, unit as usize * UNIT, len as usize * UNIT).is_ok() {
            self.release(unit, unit + len);
            self.root().hint.set(unit);
        }
    }

    /// What a block holds, and its bytes; `None` if there is none (any more).
    pub(super) fn find(&'static self, block: BlockId) -> Option<(Kind, usize)> {
        match (block.0 >= self.first() && block.0 < self.units).then(|| self.look(block.0))? {
            Entry::Live(kind, _, len) | Entry::Pinned(kind, _, len) => Some((kind, len as usize * UNIT)),
            _ => None,
        }
    }

    /// All blocks.
    pub(super) fn blocks(&'static self) -> impl Iterator<Item = (BlockId, Kind)> {
        let mut unit = self.first();
        std::iter::from_fn(move || {
            while unit < self.root().top.get().min(self.units) {
                let (at, entry) = (unit, self.look(unit));
                unit += match entry {
                    Entry::Live(_, _, len) | Entry::Pinned(_, _, len) | Entry::Freeing(_, len) => len.max(1),
                    _ => 1,
                };
                if let Entry::Live(kind, ..) | Entry::Pinned(kind, ..) = entry {
                    return Some((BlockId(at), kind));
                }
            }
            None
        })
    }

    /// Keeps a block from being freed as long as the sweep looks at it; false if there is none any more.
    pub(super) fn pin(&'static self, block: BlockId) -> bool {
        let found = self.look(block.0);
        let Entry::Live(kind, tag, len) = found else { return false };
        self.entry(block.0).replace(found.pack(), Entry::Pinned(kind, tag, len).pack()).is_ok()
    }

    /// Ends [`Self::pin`]. Who wanted to free the block meanwhile has left that to us.
    pub(super) fn unpin(&'static self, block: BlockId) {
        if let Entry::Pinned(kind, tag, len) = self.look(block.0) {
            self.entry(block.0).set(Entry::Live(kind, tag, len).pack());
        }
    }

    /// How many units are taken, for who looks whether something was left behind.
    pub(super) fn taken(&'static self) -> usize {
        (self.first()..self.root().top.get().min(self.units)).filter(|unit| self.entry(*unit).get() != 0).count()
    }

    /// Undoes the claims of a dead member, and finishes what it was freeing. By `member`.
    pub(super) fn sweep(&'static self, member: u16, dead: u16) {
        let mut unit = self.first();
        while unit < self.root().top.get().min(self.units) {
            match self.look(unit) {
                Entry::Claimed(whose) if whose == dead => {
                    // It may have written there already.
                    let _ = memfd::give_back(&self.fd, unit as usize * UNIT, UNIT);
                    self.release(unit, unit + 1);
                    unit += 1;
                }
                Entry::Freeing(whose, len) if whose == dead => {
                    self.finish_freeing(member, unit, len);
                    unit += len.max(1);
                }
                Entry::Live(_, _, len) | Entry::Pinned(_, _, len) | Entry::Freeing(_, len) => unit += len.max(1),
                _ => unit += 1,
            }
        }
    }
}

/// Units that are to be a block. Dropped, by a panic of who fills it, they are given back.
struct Claimed {
    arena: &'static Arena,
    unit: u32,
    len: u32,
}

impl Drop for Claimed {
    fn drop(&mut self) {
        // Should the system refuse, they stay taken: they must be zero.
        if memfd::give_back(&self.arena.fd, self.unit as usize * UNIT, self.len as usize * UNIT).is_ok() {
            self.arena.release(self.unit, self.unit + self.len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arena() -> &'static Arena {
        Box::leak(Box::new(Arena::of_size(LEAST).unwrap()))
    }

    #[test]
    fn blocks_do_not_overlap_and_come_back_zeroed() {
        let arena = arena();
        let take = |bytes| arena.take(1, Kind::Blob, bytes, |_, _| {}).unwrap();
        let blocks: Vec<BlockId> = [1, UNIT, UNIT + 1, 3 * UNIT].into_iter().map(take).collect();
        assert_eq!(blocks.iter().map(|block| block.0 - blocks[0].0).collect::<Vec<_>>(), [0, 1, 2, 4]);
        assert_eq!((arena.taken(), arena.blocks().count()), (7, 4));
        let word: &Word64 = arena.view(blocks[2], UNIT);
        word.set(7);
        arena.free(1, blocks[2], 9);
        assert_eq!(arena.taken(), 7, "that was another one");
        arena.free(1, blocks[2], 3);
        assert_eq!((arena.taken(), arena.find(blocks[2])), (5, None));
        let again = take(2 * UNIT);
        assert_eq!((again, word.get()), (blocks[2], 0));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_nothing_behind() {
        let arena = arena();
        let error = arena.take(1, Kind::Blob, LEAST, |_, _| {}).unwrap_err();
        assert_eq!((error.kind(), arena.taken()), (io::ErrorKind::OutOfMemory, 0));
        assert!(arena.take(1, Kind::Blob, usize::MAX / 2, |_, _| {}).is_err());
        while arena.take(1, Kind::Blob, 100 * UNIT, |_, _| {}).is_ok() {}
        assert!(arena.take(1, Kind::Blob, UNIT, |_, _| {}).is_ok(), "a small one still fits");
    }

    #[test]
    fn a_panic_of_who_fills_a_block_leaves_nothing_behind() {
        let arena = arena();
        let fill = |block, _| {
            arena.view::<Word64>(block, 0).set(7);
            panic!("no more elements");
        };
        let taken = std::panic::AssertUnwindSafe(|| arena.take(1, Kind::Blob, 2 * UNIT, fill));
        assert!(std::panic::catch_unwind(taken).is_err());
        assert_eq!(arena.taken(), 0);
        let block = arena.take(1, Kind::Blob, 1, |_, _| {}).unwrap();
        assert_eq!(arena.view::<Word64>(block, 0).get(), 0);
    }

    #[test]
    fn what_the_dead_had_begun_is_undone_or_finished() {
        let arena = arena();
        let kept = arena.take(2, Kind::Blob, 3 * UNIT, |_, _| {}).unwrap();
        let freed = arena.take(2, Kind::Blob, 2 * UNIT, |_, _| {}).unwrap();
        let claimed = arena.claim_run(2, arena.first(), arena.units, 4).unwrap();
        assert_ne!(claimed, kept.0);
        arena.entry(freed.0).set(Entry::Freeing(2, 2).pack());
        arena.sweep(1, 3);
        assert_eq!(arena.taken(), 9);
        arena.sweep(1, 2);
        assert_eq!((arena.taken(), arena.find(kept)), (3, Some((Kind::Blob, 3 * UNIT))));
    }
}
