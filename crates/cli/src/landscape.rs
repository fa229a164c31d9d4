//! `esnsim landscape`: what hardware makes of fewer bits and of pruning.

use std::path::PathBuf;

use clap::Args;
use explore::landscape::{LandscapePlan, LandscapePoint, Sweep, landscape};
use report::figures::write_landscape_svg;
use report::{write_file, write_landscape_csv};
use runner::Hardware;

use crate::args::threads;
use crate::format::joules;
use crate::table::{render, table};
use crate::{input, print};

/// Options of `landscape`.
#[derive(Args)]
pub struct Options {
    /// Hardware description or name of one that comes along, repeatable [default: the ideal engines and all others].
    #[arg(long, value_name = "TOML|NAME")]
    pub hardware: Vec<PathBuf>,

    /// Bits of every weight where pruning is varied.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub bits: u32,

    /// Per cent of the weights that are pruned where bits are varied.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=99))]
    pub pruned: u32,

    /// What codes, pruned weights and activations are drawn from.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Worker threads [default: one a core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// Write one row for each form of the layer on each hardware.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Draw energy against bits, pruned weights and pruned filters.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// Runs the command.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    input::check_outputs(&[options.csv.as_deref(), options.svg.as_deref()], options.hardware.iter())?;
    let hardware = match options.hardware.is_empty() {
        true => Hardware::ideal().into_iter().chain(Hardware::presets()).collect(),
        false => input::hardware(&options.hardware)?,
    };
    let Options { bits, pruned: pruned_percent, seed, .. } = *options;
    let points = landscape(&LandscapePlan { hardware: &hardware, bits, pruned_percent, seed })?;
    if let Some(path) = &options.csv {
        write_file(path, |writer| write_landscape_csv(writer, &points))?;
    }
    if let Some(path) = &options.svg {
        write_landscape_svg(path, &points)?;
    }
    print(&summary(&hardware, &points, options))?;
    Ok(true)
}

/// Columns of the summary: what is varied, and the bits or the per cent pruned.
const SHOWN: [(&str, Sweep, u32); 8] = [
    ("8 bits", Sweep::Bits, 8),
    ("4 bits", Sweep::Bits, 4),
    ("2 bits", Sweep::Bits, 2),
    ("1 bit", Sweep::Bits, 1),
    ("½ weights", Sweep::PrunedWeights, 50),
    ("0.1 weights", Sweep::PrunedWeights, 90),
    ("½ filters", Sweep::PrunedFilters, 50),
    ("0.1 filters", Sweep::PrunedFilters, 90),
];

fn summary(hardware: &[Hardware], points: &[LandscapePoint], options: &Options) -> String {
    let mut header = vec!["energy", "a MAC"];
    header.extend(SHOWN.iter().map(|(name, ..)| *name));
    let mut table = table(&header, 1);
    for hardware in hardware {
        let name = hardware.engine.name();
        let own: Vec<&LandscapePoint> = points.iter().filter(|point| point.hardware == name).collect();
        let find = |sweep: Sweep, value: u32| {
            let of = |point: &&&LandscapePoint| if sweep == Sweep::Bits { point.bits } else { point.pruned_percent };
            own.iter().find(|point| point.sweep == sweep && of(point) == value).and_then(|point| point.cost)
        };
        let dense = find(Sweep::PrunedWeights, 0).map_or("–".to_string(), |cost| joules(cost.energy_per_mac_j));
        let relative = SHOWN.iter().map(|&(_, sweep, value)| find(sweep, value).and_then(|cost| cost.relative));
        let cells = relative.map(|x| x.map_or("–".to_string(), |x| format!("{x:.3}")));
        table.add_row([name.to_string(), dense].into_iter().chain(cells));
    }
    format!(
        "a 3×3 convolution, 64 to 64 channels, 16×16 pixels; a MAC of the dense layer at {} bits in joules, the others over \
         the dense layer at 8 bits\n{}",
        options.bits,
        render(&table)
    )
}
