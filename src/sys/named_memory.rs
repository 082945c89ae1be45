//! Memory with a name: files in a file system that is memory, as shm_open(3) makes them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::linkat;

/// A file of the folder `dir` that has no name yet, for its owner only; nothing is left of it if the process ends before it has one.
///
/// # Errors
/// What open(2) answered.
pub fn unnamed(dir: &Path) -> io::Result<OwnedFd> {
    Ok(open(dir, OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::from_bits_truncate(0o600))?)
}

/// Gives it a name, if none has it.
///
/// # Errors
/// What linkat(2) answered: AlreadyExists.
pub fn give_name(fd: impl AsFd, path: &Path) -> io::Result<()> {
    let own = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    Ok(linkat(AT_FDCWD, own.as_str(), AT_FDCWD, path, AtFlags::AT_SYMLINK_FOLLOW)?)
}

/// Opens one by its name, which must not be a symbolic link: others may put such there.
///
/// # Errors
/// What open(2) answered: NotFound.
pub fn named(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK, Mode::empty())?)
}

/// What tells a file from every other that there is; that of an open one.
///
/// # Errors
/// What fstat(2) answered.
pub fn identity(fd: impl AsFd) -> io::Result<(u64, u64)> {
    let stat = fstat(fd.as_fd())?;
    // Their widths differ between architectures.
    #[allow(clippy::useless_conversion)]
    Ok((stat.st_dev.into(), stat.st_ino.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_given_once() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = dir.path().join("x");
        let first = unnamed(dir.path()).unwrap();
        assert!(named(&path).is_err());
        give_name(&first, &path).unwrap();
        assert_eq!(identity(named(&path).unwrap()).unwrap(), identity(&first).unwrap());
        let second = unnamed(dir.path()).unwrap();
        assert_eq!(give_name(&second, &path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
