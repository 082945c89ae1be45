//! The segment: one sealed memfd that holds every ring, counter and state cell of a system.
//!
//! | offset | what |
//! |---|---|
//! | 0 | header: magic, version, layout hash, size, where the table of contents is |
//! | 128 | the regions, each aligned as it asked |
//! | `toc_offset` | table of contents: one [`Entry`] a region |
//!
//! Regions are found by offset only, so every process may map the segment where it likes.

mod layout;
#[allow(unsafe_code)]
mod segment;

pub(crate) use layout::fnv1a;
pub use layout::{Entry, Layout, LayoutError, Offset, RegionKind};
pub use segment::{Access, AttachError, Comfort, Segment, SegmentError, Shared, SharedRef};
