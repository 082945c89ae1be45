//! The sinks: files and streams.
