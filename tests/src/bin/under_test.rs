//! The `esnsim` command, built beside the suites with the features that they are built with.

use std::process::ExitCode;

fn main() -> ExitCode {
    esnsim_cli::main()
}
