//! process_vm_readv(2), process_vm_writev(2): another process's memory.

use std::io::{IoSlice, IoSliceMut};

use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

/// Reads `buffer.len()` bytes from `address` on of the process `pid`; whether that was possible. The kernel may not let us: what it asks
/// is what it asks of a debugger.
pub fn read(pid: i32, address: usize, buffer: &mut [u8]) -> bool {
    let (base, len) = (address, buffer.len());
    process_vm_readv(Pid::from_raw(pid), &mut [IoSliceMut::new(buffer)], &[RemoteIoVec { base, len }]) == Ok(len)
}

/// Writes `bytes` from `address` on of the process `pid`; whether that was possible, as for [`read`]. If not, some may be written.
///
/// # Safety
/// That process has left those bytes of its memory to the caller until it is told of this, whatever this answers.
pub unsafe fn write(pid: i32, address: usize, bytes: &[u8]) -> bool {
    let (base, len) = (address, bytes.len());
    process_vm_writev(Pid::from_raw(pid), &[IoSlice::new(bytes)], &[RemoteIoVec { base, len }]) == Ok(len)
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use super::*;
    use crate::sys::fork::own_pid;

    #[test]
    fn a_process_may_read_and_write_its_own_memory() {
        let mut target = [0u8; 16];
        let address = target.as_mut_ptr().expose_provenance();
        // SAFETY: the array is ours, and nothing else is done with it meanwhile.
        assert!(unsafe { write(own_pid(), address + 4, &[7; 8]) });
        let mut seen = [1; 16];
        assert!(read(own_pid(), address, &mut seen));
        assert_eq!(seen, [0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let mut seen = [1; 16];
        assert!(!read(own_pid(), 0, &mut seen), "the first page is nobody's");
        assert!(!read(i32::MAX, 4096, &mut seen), "there are not so many pids");
        // SAFETY: there is nothing.
        assert!(!unsafe { write(own_pid(), 0, &seen) });
    }
}
