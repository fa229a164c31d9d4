//! Options of `completions`.

use clap::Args;
use clap_complete::Shell;

/// Options of `completions`.
#[derive(Args)]
pub struct CompletionsOptions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}
