//! Anonymous memory that processes share by descriptor.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;

/// A memfd of `size` zeroed bytes, sealed so that nobody can shrink or grow it: a peer's truncate
/// would be a SIGBUS in every other process.
///
/// # Errors
/// FileTooLarge if `ulimit -f` forbids it; what the system answered.
pub fn create_sealed(name: &CStr, size: usize) -> io::Result<OwnedFd> {
    super::rlimit::allow_file_of(size)?;
    let fd = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let length = libc::off_t::try_from(size).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    ftruncate(&fd, length)?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&fd, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(fd)
}

/// Gives the memory of `len` bytes at `at` back to the system; they read as zeros from now on.
///
/// # Errors
/// What fallocate(2) answered.
pub fn give_back(fd: impl AsFd, at: usize, len: usize) -> io::Result<()> {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    allocate(fd, flags, at, len)
}

/// Has the system set memory aside for `len` bytes at `at`, so that touching them later cannot fail.
///
/// # Errors
/// What fallocate(2) answered: ENOSPC or ENOMEM if there is none.
pub fn set_aside(fd: impl AsFd, at: usize, len: usize) -> io::Result<()> {
    allocate(fd, FallocateFlags::FALLOC_FL_KEEP_SIZE, at, len)
}

fn allocate(fd: impl AsFd, flags: FallocateFlags, at: usize, len: usize) -> io::Result<()> {
    let offset = |bytes: usize| libc::off_t::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge));
    let (at, len) = (offset(at)?, offset(len)?);
    loop {
        match fallocate(fd.as_fd(), flags, at, len) {
            // It gives up at a signal, and then begins again.
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
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

    #[test]
    fn what_is_given_back_reads_as_zeros() {
        let fd = create_sealed(c"test", 8192).unwrap();
        nix::sys::uio::pwrite(&fd, &[7; 8192], 0).unwrap();
        give_back(&fd, 4096, 4096).unwrap();
        set_aside(&fd, 4096, 4096).unwrap();
        let mut bytes = [1; 8192];
        nix::sys::uio::pread(&fd, &mut bytes, 0).unwrap();
        assert!(bytes[..4096].iter().all(|byte| *byte == 7) && bytes[4096..].iter().all(|byte| *byte == 0));
    }
}
