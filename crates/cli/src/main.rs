//! The `esnsim` command: arguments, progress and exit codes. Everything it shows is computed in `runner`.
//!
//! Exit codes: 0 done, 1 an ideal engine and its metric differ or a point of a sweep failed, 2 bad input or usage.

mod args;
mod compress_command;
mod convert;
mod esn_command;
mod find_step;
mod format;
mod input;
mod inspect;
mod landscape;
mod new;
mod pareto;
mod simulate;
mod simulate_text;
mod sweep;
mod table;
mod trace;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::args::{Arguments, Command};

/// An ideal engine and its metric differ.
const CHECK_FAILED: u8 = 1;
/// Bad input or usage.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(CHECK_FAILED),
        Err(error) => {
            eprintln!("error: {}", format::one_line(&network::chain(error.as_ref())));
            ExitCode::from(BAD_INPUT)
        }
    }
}

/// Runs the command; `false` where a check fails.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    match &arguments.command {
        Command::Simulate(options) => in_pool(options.common.threads, || simulate::run(options)),
        Command::Esn(options) => in_pool(options.common.threads, || esn_command::run(options)),
        Command::Compress(options) => in_pool(options.threads, || compress_command::run(options)),
        Command::Inspect(options) => inspect::run(options),
        Command::Pareto(options) => pareto::run(options),
        Command::Sweep(options) => sweep::run(options),
        Command::Landscape(options) => in_pool(options.threads, || landscape::run(options)),
        Command::Trace(options) => in_pool(options.threads, || trace::run(options)),
        Command::New(options) => new::run(options),
        Command::Convert(options) => convert::run(options),
    }
}

/// Runs `work` on so many threads; results do not depend on the number.
fn in_pool<T: Send>(threads: Option<usize>, work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build();
    pool.context("cannot start the worker threads")?.install(work)
}

/// Prints to standard output; a reader that has gone away is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}
