//! Groups of this machine.

use nix::unistd::Group;

/// Whether this machine has a group of that name.
pub fn has_group(name: &str) -> bool {
    matches!(Group::from_name(name), Ok(Some(_)))
}
