//! From a TOML file to a graph; every error points into the file.
