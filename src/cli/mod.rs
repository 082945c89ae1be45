//! The `pinring` program, one file a subcommand.
