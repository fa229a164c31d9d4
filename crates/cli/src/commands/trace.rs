//! `esnsim trace`: a layer on the stepped machine, cycle by cycle, as waveforms, as a table and as a timeline.

use inference::Samples;
use report::text::{grouped, joules, one_line};
use report::trace::{write_csv, write_perfetto, write_vcd};
use report::write_file;
use runner::trace::{DEFAULT_CYCLES, Trace, TracePlan, trace};

use crate::args::TraceOptions;
use crate::commands;
use crate::terminal::{Bar, notes, print, say};

/// Runs the command.
pub fn run(options: &TraceOptions) -> anyhow::Result<()> {
    esnsim::check_outputs(
        &[options.vcd.as_deref(), options.csv.as_deref(), options.perfetto.as_deref()],
        options.network.iter().chain(&options.hardware).chain(options.inference.files()).chain(options.reading.files()),
    )?;
    let hardware = esnsim::traced_hardware(options.hardware.as_deref())?;
    let opened = commands::open(options.network.as_deref(), &options.reading.request(false))?;
    opened.check_steps(options.width.bits)?;
    let network = &opened.network;
    notes(network.notes());
    let layer = esnsim::find_layer(network, &options.layer)?;
    let embedded = options.reading.is_embedded(options.network.as_deref());
    let images = commands::images(network, embedded, &options.inference, None)?;
    let image = match &images {
        Some(images) => Some((&images.samples as &dyn Samples, options.image_of(&images.samples)?)),
        None => None,
    };
    if image.is_some() && options.inference.images.is_none() {
        say(&format!("the layer reads embedded image {}; --image and --images choose another", options.image));
    }
    let bar = Bar::new("cycles", options.cycles.map_or(DEFAULT_CYCLES, |(_, end)| end));
    let found = trace(&TracePlan {
        network,
        hardware: &hardware,
        quantization: opened.quantization(options.width.bits),
        layer,
        cycles: options.cycles,
        lanes: options.lanes as usize,
        elements: options.elements as usize,
        image,
        activation_bits: options.inference.activation_bits(),
        calibration_images: options.inference.calibration_images(),
        progress: &|cycles| bar.advance(cycles),
    })?;
    bar.finish();
    notes(&found.notes);
    if let Some(path) = &options.csv {
        write_file(path, |writer| write_csv(writer, &found))?;
    }
    if let Some(path) = &options.vcd {
        write_file(path, |writer| write_vcd(writer, &found))?;
    }
    if let Some(path) = &options.perfetto {
        write_file(path, |writer| write_perfetto(writer, &found))?;
    }
    print(&summary(&found, image.is_some().then_some(options.image)))
}

/// What was traced, in a few lines.
fn summary(trace: &Trace, image: Option<usize>) -> String {
    let samples = &trace.samples;
    let (first, end) = (samples.first().map_or(0, |s| s.cycle), samples.last().map_or(0, |s| s.cycle + 1));
    let active: u128 = samples.iter().map(|sample| u128::from(sample.active)).sum();
    let count: u128 = samples.iter().map(|sample| sample.count).sum();
    let input = image.map_or("pseudo-random activations".to_string(), |image| format!("image {image}"));
    format!(
        "{} on {}, {input}: cycles {} to {} of {}\n{:.2} active a cycle, {} units of {}, {}\n",
        one_line(&trace.layer),
        trace.hardware,
        grouped(first),
        grouped(end),
        grouped(trace.total_cycles),
        active as f64 / samples.len().max(1) as f64,
        grouped(count),
        Trace::EVENT,
        match trace.normalized {
            true => "normalized energy, no joules".to_string(),
            false => format!("{} without other entries of the ledger", joules(trace.unit.times(count).0)),
        }
    )
}
