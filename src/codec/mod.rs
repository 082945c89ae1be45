//! Framing and decoding of bytes. Pure: no syscalls, no clocks.
