//! Options of `sweep`.

use std::path::PathBuf;

use clap::Args;
use explore::sweep::{Progress, RunOptions, Shard, SweepOptions as SweepRequest};

use super::groups::{GENERAL, OUTPUT, POINTS};
use super::parse::{gibibytes, shard};
use super::shared::ThreadOptions;

/// Options of `sweep`.
#[derive(Args)]
pub struct SweepOptions {
    /// Plan (TOML): networks, prunings, quantizations, hardware, images
    #[arg(required_unless_present_any = ["merge", "upgrade", "dry_run"])]
    pub plan: Option<PathBuf>,

    /// Only every n-th point from the i-th on
    ///
    /// The word slurm takes i and n from the variables of an array job of SLURM. Shards on one machine may write to one store;
    /// shards on several need a store each.
    #[arg(long, value_name = "i/n or slurm", value_parser = shard, help_heading = POINTS)]
    pub shard: Option<Shard>,

    /// Run points again that failed before
    #[arg(long, help_heading = POINTS)]
    pub retry_failed: bool,

    /// Say how many points are done and open, and run none
    ///
    /// With it goes the time that remains, by what points took that ran. Without a plan, only the points that are in the store are counted.
    #[arg(long, visible_alias = "status", conflicts_with_all = ["retry_failed", "merge", "upgrade"], help_heading = POINTS)]
    pub dry_run: bool,

    /// First put the results of these stores into the store
    ///
    /// A point that two have must be equal in both.
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = POINTS)]
    pub merge: Vec<PathBuf>,

    /// First make a store of an older layout one of today's
    ///
    /// The new store takes the place of the old one when it is complete. Stores of older layouts are read, and not written.
    #[arg(long, help_heading = POINTS)]
    pub upgrade: bool,

    /// Results (SQLite); made where it is not there
    ///
    /// Points that the store has are not run again.
    #[arg(long, short = 'o', value_name = "FILE", help_heading = OUTPUT)]
    pub store: PathBuf,

    #[command(flatten)]
    pub threads: ThreadOptions,

    /// Memory to keep to, roughly
    #[arg(long = "memory", value_name = "GiB", default_value = "4", value_parser = gibibytes, help_heading = GENERAL)]
    pub memory_bytes: u64,
}

impl SweepOptions {
    /// How the points of a plan are run: `progress` is told after every point, and `image` is called before every image.
    pub fn request<'a>(
        &self,
        progress: &'a (dyn Fn(&Progress<'_>) + Sync),
        image: &'a (dyn Fn() + Sync),
    ) -> SweepRequest<'a> {
        SweepRequest {
            shard: self.shard,
            memory_bytes: self.memory_bytes,
            run: RunOptions {
                threads: self.threads.count.unwrap_or(0),
                retry_failed: self.retry_failed,
                progress,
                image,
            },
        }
    }
}
