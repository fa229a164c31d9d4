//! Options of `pareto`.

use std::path::PathBuf;

use clap::Args;
use explore::pareto::{Accuracy, Cost};

use super::groups::{FRONTIER, OUTPUT};

/// Options of `pareto`.
#[derive(Args)]
pub struct ParetoOptions {
    /// Store of a sweep
    pub store: PathBuf,

    /// Cost, as esn-d or energy:HARDWARE
    ///
    /// One of esn-a, esn-d, esn-d-filter, esn-a-weights, esn-d-weights, macs, parameters, effective-macs,
    /// effective-weights, cycles:HARDWARE or energy:HARDWARE. macs and parameters are those of live filters and channels.
    #[arg(long, value_name = "COST", default_value = "esn-d", help_heading = FRONTIER)]
    pub cost: Cost,

    /// Accuracy: top1, top5, agreement or top1:HARDWARE
    ///
    /// The agreement is that with the original in float. The hardware of top1:HARDWARE is analog.
    #[arg(long, value_name = "ACCURACY", default_value = "top1", help_heading = FRONTIER)]
    pub accuracy: Accuracy,

    /// Compare bit widths at this cost [default: the largest of all methods]
    ///
    /// The histogram compares the filters' bit widths of each method's point nearest at or below this cost. Left out: the
    /// largest cost that every method's frontier reaches.
    #[arg(long, value_name = "COST", help_heading = FRONTIER)]
    pub histogram_at: Option<f64>,

    /// Write every point as CSV
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub csv: Option<PathBuf>,

    /// Write every point as a Parquet file, for pandas, polars and DuckDB
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub parquet: Option<PathBuf>,

    /// Write one self-contained page
    ///
    /// Up to 2,000 points are there one by one. Of more, those on frontiers are, and hexagons count the others.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub html: Option<PathBuf>,

    /// Write figures as SVG files into this folder
    ///
    /// The folder is made where it is not there.
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    pub svg: Option<PathBuf>,
}
