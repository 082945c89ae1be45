//! A value alone on its cache-line pair.

/// Aligns `T` so that no neighbour shares its cache line.
///
/// 128 bytes: x86 fetches lines in pairs, and several ARM cores have 128-byte lines.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub struct CachePadded<T>(pub T);
