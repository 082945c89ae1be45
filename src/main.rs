//! The `pinring` program; everything is in the library.

fn main() -> std::process::ExitCode {
    pinring::cli::main()
}
