//! Who may open what.

use std::path::Path;

use nix::unistd::{AccessFlags, Gid, Group, eaccess};

/// Whether this process may read and write the file.
pub fn may_use(path: &Path) -> bool {
    eaccess(path, AccessFlags::R_OK | AccessFlags::W_OK).is_ok()
}

/// The name of a group.
pub fn group_name(gid: u32) -> Option<String> {
    Group::from_gid(Gid::from_raw(gid)).ok()?.map(|group| group.name)
}

/// Whether this machine has a group of that name.
pub fn has_group(name: &str) -> bool {
    matches!(Group::from_name(name), Ok(Some(_)))
}
