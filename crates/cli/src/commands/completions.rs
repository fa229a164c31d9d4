//! `esnsim completions`: a script that completes commands, options and words.

use clap::CommandFactory;

use crate::args::{Arguments, CompletionsOptions};
use crate::terminal::print;

/// Runs the command.
pub fn run(options: &CompletionsOptions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "esnsim", &mut script);
    print(&String::from_utf8_lossy(&script))
}
