//! Options of `sweep`.

use std::path::PathBuf;

use clap::Args;
use explore::sweep::Shard;

use super::parse::{gibibytes, shard, threads};

/// Options of `sweep`.
#[derive(Args)]
pub struct SweepOptions {
    /// Plan (TOML): networks, prunings, quantizations, hardware, images.
    #[arg(required_unless_present = "merge")]
    pub plan: Option<PathBuf>,

    /// Results (SQLite); made where it is not there. Points that it has are not run again.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub store: PathBuf,

    /// Only every n-th point from the i-th on. Shards may write to one store, or each to its own.
    #[arg(long, value_name = "i/n", value_parser = shard)]
    pub shard: Option<Shard>,

    /// First put the results of these stores into the store. A point that two have must be equal in both.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub merge: Vec<PathBuf>,

    /// Run points again that failed before.
    #[arg(long)]
    pub retry_failed: bool,

    /// Worker threads [default: one a core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// Memory to keep to, roughly.
    #[arg(long, value_name = "GiB", default_value_t = 4.0, value_parser = gibibytes)]
    pub memory: f64,
}
