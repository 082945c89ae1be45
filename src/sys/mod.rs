//! Every syscall, one kernel object a file. Nothing else in the crate names `libc` or `nix`.
//!
//! Each file owns its descriptors (closed on drop, close-on-exec) and answers errors as
//! [`std::io::Error`], which carries the errno and nothing else: the caller knows the object and
//! says so.

pub mod adjtime;
pub mod affinity;
pub mod at_fork;
pub mod clock;
pub mod epoll;
pub mod eventfd;
pub mod fd;
pub mod fork;
#[cfg(not(loom))]
pub mod futex;
pub mod heirlooms;
pub mod kill_timer;
pub mod lifeline;
pub mod lock;
pub mod membarrier;
#[cfg_attr(miri, path = "heap_memfd.rs")]
pub mod memfd;
pub mod memory;
#[cfg_attr(miri, path = "heap_mmap.rs")]
pub mod mmap;
pub mod named_memory;
pub mod notify_socket;
pub mod pidfd;
pub mod pipe;
pub mod prctl;
pub mod process_vm;
pub mod pty;
pub mod random;
pub mod rlimit;
pub mod sched;
pub mod signal;
pub mod socket;
pub mod statvfs;
pub mod stderr;
pub mod stream;
pub mod termination;
pub mod termios;
pub mod timerfd;
pub mod tty;
pub mod unix_socket;
pub mod user;
pub mod wait;
