//! Anonymous memory that processes share by descriptor.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;

/// A memfd of `size` zeroed bytes, sealed so that nobody can shrink or grow it: a peer's truncate
/// would be a SIGBUS in every other process.
///
/// # Errors
/// What the system answered.
pub fn create_sealed(name: &CStr, size: usize) -> io::Result<OwnedFd> {
    let fd = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let length = libc::off_t::try_from(size).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    ftruncate(&fd, length)?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&fd, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(fd)
}

/// The size of a memfd that is sealed so that it cannot change; `None` for anything else.
///
/// # Errors
/// What fstat(2) answered.
pub fn sealed_size(fd: impl AsFd) -> io::Result<Option<usize>> {
    // EINVAL: no memfd.
    let Ok(seals) = fcntl(fd.as_fd(), FcntlArg::F_GET_SEALS) else { return Ok(None) };
    if !SealFlag::from_bits_retain(seals).contains(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW) {
        return Ok(None);
    }
    Ok(usize::try_from(fstat(fd.as_fd())?.st_size).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_memfd_cannot_be_truncated() {
        let fd = create_sealed(c"test", 4096).unwrap();
        assert!(ftruncate(&fd, 0).is_err());
        assert!(ftruncate(&fd, 8192).is_err());
    }
}
