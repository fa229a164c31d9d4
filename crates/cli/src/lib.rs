//! The `esnsim` command: arguments, progress and exit codes. Everything that it shows is computed in the library
//! `esnsim`.
//!
//! It is a library so that the suites can run the very same command without building it a second time; the binary calls
//! [`main`] and nothing else.
//!
//! Exit codes: 0 done, 1 an ideal engine and its metric differ or a point of a sweep failed, 2 bad input or usage, 130 stopped by
//! Ctrl-C.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod interrupt;
mod mend;
mod terminal;

use std::process::ExitCode;

use network::ErrorKind;
use report::text::one_line;

use crate::args::{Arguments, Command};

pub use crate::mend::option;

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Everything was done, and what was checked holds.
    Done,
    /// An ideal engine and its metric differ, or a point of a sweep failed.
    CheckFailed,
    /// A user stopped it, and it can go on.
    Interrupted,
}

impl Status {
    /// Whether what was checked holds.
    pub fn of(holds: bool) -> Self {
        if holds { Status::Done } else { Status::CheckFailed }
    }
}

/// The exit code of a command that could not do its work.
fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidFile
        | ErrorKind::Unsupported
        | ErrorKind::BadArgument
        | ErrorKind::Io
        | ErrorKind::OutOfLimits
        | ErrorKind::OwnBug => 2,
    }
}

/// The command: reads the arguments of the process, runs them, and says how it ended.
pub fn main() -> ExitCode {
    match run(&args::parse()) {
        Ok(Status::Done) => ExitCode::SUCCESS,
        Ok(Status::CheckFailed) => ExitCode::FAILURE,
        Ok(Status::Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) => {
            eprintln!("error: {}", one_line(&mend::message(&error)));
            ExitCode::from(exit_code(mend::kind(&error)))
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    let runs_a_plan = match &arguments.command {
        Command::Proxies(options) => options.plan.is_some(),
        command => matches!(command, Command::Sweep(_)),
    };
    if !runs_a_plan {
        interrupt::leave_no_parts();
    }
    match &arguments.command {
        // The two that check something say what they found.
        Command::Simulate(options) => return in_pool(options.threads.count, || commands::simulate::run(options)),
        Command::Sweep(options) => return commands::sweep::run(options),
        Command::Proxies(options) => return commands::proxies::run(options),
        Command::Esn(options) => in_pool(options.threads.count, || commands::esn::run(options)),
        Command::Compress(options) => in_pool(options.threads.count, || commands::compress::run(options)),
        Command::Inspect(options) => commands::inspect::run(options),
        Command::Pareto(options) => commands::pareto::run(options),
        Command::Hardware(options) => commands::hardware::run(options),
        Command::Landscape(options) => in_pool(options.threads.count, || commands::landscape::run(options)),
        Command::Trace(options) => in_pool(options.threads.count, || commands::trace::run(options)),
        Command::New(options) => commands::new::run(options),
        Command::Convert(options) => commands::convert::run(options),
        Command::Completions(options) => commands::completions::run(options),
        Command::Man(options) => commands::man::run(options),
    }?;
    Ok(Status::Done)
}

/// Runs a command on so many threads.
fn in_pool<T: Send>(threads: Option<usize>, work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    esnsim::on_threads(threads, work)?
}
