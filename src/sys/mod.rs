//! Every syscall, one kernel object a file. Nothing else in the crate names `libc` or `nix`.
