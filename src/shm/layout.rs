//! Which region lies where: pure arithmetic, done before the segment is made.

/// FNV-1a: a short hash for what is no secret (<http://www.isthe.com/chongo/tech/comp/fnv/>).
pub(crate) fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Byte offset from the start of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub(crate) usize);

impl Offset {
    /// Bytes from the start.
    pub fn bytes(self) -> usize {
        self.0
    }

    /// `bytes` further on.
    pub fn plus(self, bytes: usize) -> Self {
        Self(self.0 + bytes)
    }
}

/// What a region holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum RegionKind {
    /// What a worker says about itself, and what it is told.
    Worker = 1,
    /// A node's intent.
    Intent = 2,
    /// A node's two state cells.
    Cells = 3,
    /// A node's histograms.
    Histogram = 4,
    /// The words of a ring.
    LaneWords = 5,
    /// The slots of a ring.
    LaneSlots = 6,
    /// The words of a worker's log ring.
    LogWords = 7,
    /// The slots of a worker's log ring.
    LogSlots = 8,
    /// Words of a program's own.
    Words = 9,
    /// How a channel's lane behaves.
    LaneInfo = 10,
    /// A worker's flight recorder.
    Flight = 11,
    /// What the supervisor asks of a node.
    NodeAsk = 12,
}

impl RegionKind {
    /// The kind written as that number in a table of contents.
    pub(super) fn from_number(number: u32) -> Option<Self> {
        use RegionKind::*;
        let all = [
            Worker, Intent, Cells, Histogram, LaneWords, LaneSlots, LogWords, LogSlots, Words, LaneInfo, Flight,
            NodeAsk,
        ];
        all.into_iter().find(|kind| *kind as u32 == number)
    }
}

/// One region of the table of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it holds.
    pub kind: RegionKind,
    /// Which worker, node or edge it belongs to.
    pub index: u32,
    /// Where it starts.
    pub offset: Offset,
    /// Its bytes.
    pub size: usize,
}

/// The sum of the regions is no number of bytes that can be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the regions together are larger than this machine can address")]
pub struct LayoutError;

/// The regions reserved so far.
#[derive(Clone, Debug)]
pub struct Layout {
    entries: Vec<Entry>,
    end: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self { entries: Vec::new(), end: Self::FIRST }
    }
}

impl Layout {
    /// Where the first region starts, behind the header.
    const FIRST: usize = 128;
    /// Every region starts on its own cache-line pair.
    const ALIGN: usize = 128;
    /// Bytes of one entry in the table of contents.
    pub(super) const ENTRY_SIZE: usize = 24;

    /// Reserves `size` bytes.
    ///
    /// # Errors
    /// If the sum cannot be addressed.
    pub fn reserve(&mut self, kind: RegionKind, index: u32, size: usize) -> Result<Offset, LayoutError> {
        let offset = Offset(self.end);
        let end = self.end.checked_add(size).and_then(|end| end.checked_next_multiple_of(Self::ALIGN));
        self.end = end.filter(|end| isize::try_from(*end).is_ok()).ok_or(LayoutError)?;
        self.entries.push(Entry { kind, index, offset, size });
        Ok(offset)
    }

    /// The layout that a table of contents describes, if it could be one of ours: regions in order, aligned, none over another.
    pub(super) fn from_entries(entries: Vec<Entry>) -> Option<Self> {
        let mut layout = Self::default();
        for entry in entries {
            let offset = layout.reserve(entry.kind, entry.index, entry.size).ok()?;
            if offset != entry.offset {
                return None;
            }
        }
        Some(layout)
    }

    /// The region of that kind and index.
    pub fn find(&self, kind: RegionKind, index: u32) -> Option<Entry> {
        self.entries.iter().copied().find(|entry| entry.kind == kind && entry.index == index)
    }

    /// The regions, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where the table of contents starts.
    pub(super) fn toc_offset(&self) -> usize {
        self.end
    }

    /// Bytes of the whole segment.
    pub fn size(&self) -> usize {
        self.end + self.entries.len() * Self::ENTRY_SIZE
    }

    /// A hash of all entries: equal for equal layouts, so that a process does not read a segment of another shape.
    pub fn hash(&self) -> u64 {
        let words = self
            .entries
            .iter()
            .flat_map(|entry| [entry.kind as u64, u64::from(entry.index), entry.offset.0 as u64, entry.size as u64]);
        fnv1a(words.flat_map(u64::to_le_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_do_not_share_a_line() {
        let mut layout = Layout::default();
        let first = layout.reserve(RegionKind::Worker, 0, 1).unwrap();
        let second = layout.reserve(RegionKind::Worker, 1, 129).unwrap();
        let third = layout.reserve(RegionKind::Cells, 0, 8).unwrap();
        assert_eq!([first.0, second.0, third.0], [128, 256, 512]);
        assert_eq!(layout.size(), 640 + 3 * Layout::ENTRY_SIZE);
    }

    #[test]
    fn a_sum_beyond_the_address_space_is_an_error() {
        let mut layout = Layout::default();
        layout.reserve(RegionKind::Cells, 0, usize::MAX / 4).unwrap();
        assert_eq!(layout.reserve(RegionKind::Cells, 1, usize::MAX - 8), Err(LayoutError));
        assert_eq!(layout.reserve(RegionKind::Cells, 1, usize::MAX / 2), Err(LayoutError));
    }

    #[test]
    fn the_hash_tells_layouts_apart() {
        let mut one = Layout::default();
        let mut other = Layout::default();
        one.reserve(RegionKind::Cells, 0, 100).unwrap();
        other.reserve(RegionKind::Cells, 0, 101).unwrap();
        assert_ne!(one.hash(), other.hash());
    }
}
