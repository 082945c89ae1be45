//! Forked workers: birth, prologue, end.
