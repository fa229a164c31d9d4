//! Options of `pareto`.

use std::path::PathBuf;

use clap::Args;
use explore::pareto::{Accuracy, Cost};

/// Options of `pareto`.
#[derive(Args)]
pub struct ParetoOptions {
    /// Store of a sweep.
    pub store: PathBuf,

    /// Cost: esn-a, esn-d, esn-d-filter, esn-a-weights, esn-d-weights, macs, parameters, cycles:HARDWARE or
    /// energy:HARDWARE.
    #[arg(long, value_name = "COST", default_value = "esn-d")]
    pub cost: Cost,

    /// Accuracy: top1, top5, agreement (with the float network), or top1:HARDWARE of an analog one.
    #[arg(long, value_name = "ACCURACY", default_value = "top1")]
    pub accuracy: Accuracy,

    /// Write one self-contained page with every point.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write every point as CSV.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Write figures as SVG files into this folder, which is made where it is not there.
    #[arg(long, value_name = "DIR")]
    pub svg: Option<PathBuf>,

    /// Compare the filters' bit widths of the points nearest at or below this cost [default: the largest cost that
    /// every method reaches].
    #[arg(long, value_name = "COST")]
    pub histogram_at: Option<f64>,
}
