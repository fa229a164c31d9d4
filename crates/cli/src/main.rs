//! The `esnsim` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    esnsim_cli::main()
}
