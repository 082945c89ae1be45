//! The stages: decoding and computing.
