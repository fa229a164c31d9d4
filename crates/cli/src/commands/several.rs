//! `esnsim simulate A B` or `--bits 2,3,4`: several networks, or one at several widths, on the same hardware, side by side.

use std::path::Path;

use anyhow::bail;
use esnsim::{Comparison, EvaluateOptions, NetworkImages, Opened, SimulateOptions as Plan, Simulation};
use report::text::{counted, heading, left_out, marked_name, quantization_line, side_by_side};
use runner::{Hardware, Quantization, RunRecord};

use crate::args::{SimulateOptions, command_words};
use crate::commands::DEFAULT_BITS_HINT;
use crate::terminal::{Bars, notes, print, say, width};
use crate::{Status, commands};

/// How filters are removed that are zero and still in the tensors.
const REMOVE_DEAD: &str = "compress --compact removes them";

/// A network, and the images as its input.
struct Entry<'a> {
    /// Its file; none for the embedded network.
    file: Option<&'a Path>,
    opened: Opened,
    images: Option<NetworkImages>,
}

/// Runs the networks, one after another, at each width, and compares them with the first.
pub fn run(options: &SimulateOptions, hardware: &[Hardware]) -> anyhow::Result<Status> {
    let files: Vec<Option<&Path>> = match options.networks.as_slice() {
        [] => vec![None],
        files => files.iter().map(|file| Some(file.as_path())).collect(),
    };
    let widths = options.metric.bits.as_slice();
    if let Some(option) = options.of_one_network() {
        let networks = counted(files.len() as u128, "network");
        let widths = counted(widths.len().max(1) as u128, "width");
        bail!("{option} takes one network at one width, not {networks} at {widths}; run each by itself");
    }
    let entries = files.iter().map(|file| open(options, *file)).collect::<anyhow::Result<Vec<_>>>()?;
    esnsim::check_widths(&entries.iter().map(|entry| &entry.opened).collect::<Vec<_>>(), widths)?;
    let all = entries.iter().flat_map(|entry| {
        let quantizations = entry.opened.quantizations(widths, entries.len() > 1);
        quantizations.into_iter().map(move |quantization| (entry, quantization))
    });
    let all: Vec<(&Entry<'_>, Quantization)> = all.collect();
    if options.of_several().is_some() {
        esnsim::check_comparable(&all.iter().map(|(entry, _)| &entry.opened.network).collect::<Vec<_>>())?;
    }
    let bars = Bars::default();
    let mut runs = Vec::new();
    for (entry, quantization) in all {
        runs.push((entry, run_one(options, hardware, entry, quantization, &bars)?));
    }
    let names: Vec<String> = runs.iter().map(|(entry, _)| entry.name()).collect();
    let costed: Vec<_> = runs.iter().zip(&names).map(|((_, run), name)| run.costed(name)).collect();
    let comparison = Comparison::new(hardware, &runs.iter().map(|(_, run)| run).collect::<Vec<_>>())?;
    print(&format!("\n{}", side_by_side(hardware, &costed, &|run| comparison.over(run), width())))?;
    if runs.len() > 1 {
        print(&format!("\n{}", comparison.text(REMOVE_DEAD)))?;
    }
    write(options, hardware, &runs, &comparison)?;
    Ok(Status::of(runs.iter().all(|(_, run)| run.passes())))
}

/// Runs one network at one width, and says what it is.
fn run_one<'a>(
    options: &'a SimulateOptions,
    hardware: &'a [Hardware],
    entry: &'a Entry<'_>,
    quantization: Quantization,
    bars: &'a Bars,
) -> anyhow::Result<Simulation<'a>> {
    let network = &entry.opened.network;
    let plan = Plan { quantization, convention: options.metric.bit_convention, images: entry.evaluation(options) };
    let run = esnsim::simulate(network, hardware, plan, bars)?;
    let quantized = quantization_line(run.cost(), quantization, DEFAULT_BITS_HINT);
    print(&heading(network, run.cost(), &quantized))?;
    print(&left_out(network))?;
    Ok(run)
}

fn open<'a>(options: &SimulateOptions, file: Option<&'a Path>) -> anyhow::Result<Entry<'a>> {
    let opened = commands::open(file, &options.open_options())?;
    opened.check_steps(options.metric.bits.first().copied())?;
    let embedded = options.reading.is_embedded(file);
    let images = commands::images(&opened.network, embedded, &options.inference, Some(options.answer()))?;
    notes(opened.network.notes());
    Ok(Entry { file, opened, images })
}

/// Writes the files that are asked for.
fn write(
    options: &SimulateOptions,
    hardware: &[Hardware],
    runs: &[(&Entry<'_>, Simulation<'_>)],
    comparison: &Comparison<'_>,
) -> anyhow::Result<()> {
    if let Some(path) = &options.gains {
        comparison.write_csv(path)?;
    }
    if let Some(path) = &options.svg {
        comparison.write_svg(path)?;
    }
    for path in options.gains.iter().chain(&options.svg) {
        for name in comparison.not_compared() {
            say(&format!("{}: has nothing of {name}, which is not compared", path.display()));
        }
    }
    let all = || runs.iter().map(|(_, run)| run);
    if let Some(path) = &options.table.csv {
        esnsim::write_csv(path, hardware, &all().collect::<Vec<_>>())?;
    }
    if let Some(path) = &options.json {
        let records = runs.iter().map(|(entry, _)| entry.record(options)).collect::<anyhow::Result<Vec<_>>>()?;
        esnsim::write_json(path, &all().zip(records).collect::<Vec<_>>(), comparison)?;
    }
    Ok(())
}

impl Entry<'_> {
    /// What the network is called in tables.
    fn name(&self) -> String {
        marked_name(&self.opened.network)
    }

    fn evaluation(&self, options: &SimulateOptions) -> Option<EvaluateOptions<'_>> {
        self.images.as_ref().map(|images| options.evaluation(&images.samples, None))
    }

    /// What it takes to run again.
    fn record(&self, options: &SimulateOptions) -> anyhow::Result<RunRecord> {
        let open = options.open_options();
        let evaluation = self.evaluation(options);
        let run_on = self.images.as_ref().zip(evaluation.as_ref());
        Ok(esnsim::run_record(Some(command_words()), self.file, &self.opened.network, &open, run_on)?)
    }
}
