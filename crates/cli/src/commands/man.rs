//! `esnsim man`: a manual page for each command.

use std::path::Path;

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use report::text::one_line;
use report::write_file;

use crate::args::{Arguments, ManOptions};
use crate::terminal::print;

/// Runs the command.
pub fn run(options: &ManOptions) -> anyhow::Result<()> {
    let folder = &options.folder;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut program = Arguments::command().disable_help_subcommand(true);
    program.build();
    write_page(folder, &program)?;
    for command in program.get_subcommands() {
        write_page(folder, command)?;
    }
    let pages = 1 + program.get_subcommands().count();
    print(&format!("{}: {pages} pages\n", one_line(&folder.display().to_string())))
}

/// Writes the page of a command, as `esnsim-simulate.1`.
fn write_page(folder: &Path, command: &Command) -> anyhow::Result<()> {
    let man = Man::new(command.clone()).source(concat!("esnsim ", env!("CARGO_PKG_VERSION")));
    write_file(&folder.join(man.get_filename()), |writer| man.render(writer))?;
    Ok(())
}
