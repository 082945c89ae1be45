//! A server process that holds objects for others.
