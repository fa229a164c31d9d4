//! `esnsim simulate A B`: several networks on the same hardware, side by side.

use std::path::{Path, PathBuf};

use anyhow::bail;
use esnsim::{NetworkImages, Opened, SimulateOptions as Plan, Simulation};
use report::text::{heading, left_out, marked_name, quantization_line, side_by_side};
use runner::Hardware;

use crate::args::SimulateOptions;
use crate::commands::DEFAULT_BITS_HINT;
use crate::terminal::{Bars, notes, print, width};
use crate::{Status, commands};

/// A network, and the images as its input.
struct Entry {
    opened: Opened,
    images: Option<NetworkImages>,
}

/// Runs the networks, one after another, and compares them.
pub fn run(options: &SimulateOptions, networks: &[PathBuf], hardware: &[Hardware]) -> anyhow::Result<Status> {
    if let Some(option) = options.of_one_network() {
        bail!("{option} takes one network, and there are {}; run each by itself", networks.len());
    }
    let entries = networks.iter().map(|file| open(options, file)).collect::<anyhow::Result<Vec<_>>>()?;
    let bars = Bars::default();
    let mut runs = Vec::new();
    for Entry { opened, images } in &entries {
        let quantization = opened.quantization(options.metric.width.bits);
        let images = images.as_ref().map(|images| options.evaluation(&images.samples, None));
        let plan = Plan { quantization, convention: options.metric.bit_convention, images };
        let mut run = Simulation::start(&opened.network, hardware, plan, &bars)?;
        run.evaluate()?;
        let quantized = quantization_line(run.cost(), quantization, DEFAULT_BITS_HINT);
        print(&heading(&opened.network, run.cost(), &quantized))?;
        print(&left_out(opened.network.not_costed()))?;
        runs.push(run);
    }
    let names: Vec<String> = entries.iter().map(|entry| marked_name(&entry.opened.network)).collect();
    let costed: Vec<_> = runs.iter().zip(&names).map(|(run, name)| run.costed(name)).collect();
    print(&format!("\n{}", side_by_side(hardware, &costed, width())))?;
    if let Some(path) = &options.table.csv {
        esnsim::write_csv(path, hardware, &runs)?;
    }
    Ok(Status::of(runs.iter().all(Simulation::passes)))
}

fn open(options: &SimulateOptions, file: &Path) -> anyhow::Result<Entry> {
    let opened = commands::open(Some(file), &options.open_options())?;
    opened.check_steps(options.metric.width.bits)?;
    let images = commands::images(&opened.network, false, &options.inference, Some(options.answer()))?;
    notes(opened.network.notes());
    Ok(Entry { opened, images })
}
