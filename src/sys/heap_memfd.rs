//! What stands in for [`memfd`](crate::sys) under Miri: a descriptor that leads nowhere.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Some descriptor.
///
/// # Errors
/// If there is none to be had.
pub fn create_sealed(_: &CStr, _: usize) -> io::Result<OwnedFd> {
    Ok(std::fs::File::open("/dev/null")?.into())
}

/// Never one of ours.
///
/// # Errors
/// None.
pub fn sealed_size(_: impl AsFd) -> io::Result<Option<usize>> {
    Ok(None)
}

/// Not here: it would have to be cleared.
///
/// # Errors
/// Always.
pub fn give_back(_: impl AsFd, _: usize, _: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Nothing to do.
///
/// # Errors
/// None.
pub fn set_aside(_: impl AsFd, _: usize, _: usize) -> io::Result<()> {
    Ok(())
}
