//! The parent of all workers: starts, watches, restarts and stops them.
