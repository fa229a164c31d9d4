//! The `esnsim` command.
fn main() {}
