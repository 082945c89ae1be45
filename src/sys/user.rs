//! Who this process is: user, groups, what it may open.

use std::path::Path;

use nix::unistd::{AccessFlags, Gid, Group, User, eaccess, getegid, geteuid, getgroups};

/// The name of this process's user; its number where it has no name.
pub fn name() -> String {
    let id = geteuid();
    match User::from_uid(id) {
        Ok(Some(user)) => user.name,
        _ => id.to_string(),
    }
}

/// The name of user `id`; its number where it has no name.
pub fn name_of(id: u32) -> String {
    match User::from_uid(id.into()) {
        Ok(Some(user)) => user.name,
        _ => id.to_string(),
    }
}

/// The name of group `id`, where it has one.
pub fn group_name(id: u32) -> Option<String> {
    Group::from_gid(Gid::from_raw(id)).ok().flatten().map(|group| group.name)
}

/// Whether this machine has a group called `name`.
pub fn has_group(name: &str) -> bool {
    matches!(Group::from_name(name), Ok(Some(_)))
}

/// Whether this process is in group `id`.
pub fn is_in_group(id: u32) -> bool {
    getegid().as_raw() == id || getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == id))
}

/// Whether the machine's list of groups has `user` in group `id`: this process may have begun before that was so.
pub fn is_listed_in_group(user: &str, id: u32) -> bool {
    Group::from_gid(Gid::from_raw(id))
        .is_ok_and(|group| group.is_some_and(|group| group.mem.iter().any(|own| own == user)))
}

/// Whether this process may read and write the file at `path`. Opens nothing.
pub fn may_read_and_write(path: &Path) -> bool {
    eaccess(path, AccessFlags::R_OK | AccessFlags::W_OK).is_ok()
}

/// Whether this process may make files in the folder at `path`. A file system that is mounted read-only says no, too.
pub fn may_make_files_in(path: &Path) -> bool {
    eaccess(path, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_in_its_own_group_and_owns_its_files() {
        assert!(is_in_group(getegid().as_raw()));
        assert!(!name().is_empty());
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(may_read_and_write(file.path()));
        assert!(!may_read_and_write(Path::new("/there/is/no/such/file")));
        assert!(may_make_files_in(file.path().parent().unwrap()));
    }
}
