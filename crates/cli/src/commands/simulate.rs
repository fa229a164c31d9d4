//! `esnsim simulate`: costs, the check, inference, and the stepped machines.

use std::time::Instant;

use esnsim::{Layout, SimulateOptions as Plan, Simulation};
use report::text::{accuracy, grouped, hardware_that_comes_along, one_line, stepped};
use runner::{Hardware, SteppedLayer};

use crate::args::SimulateOptions;
use crate::commands::DEFAULT_BITS_HINT;
use crate::terminal::{Bars, notes, print, say, width};
use crate::{Status, commands};

/// Runs the command.
pub fn run(options: &SimulateOptions) -> anyhow::Result<Status> {
    if options.hardware.asks_for_names() {
        print(&hardware_that_comes_along())?;
        return Ok(Status::Done);
    }
    esnsim::check_outputs(
        &[options.table.csv.as_deref(), options.json.as_deref(), options.html.as_deref()],
        options
            .network
            .iter()
            .chain(&options.hardware.descriptions)
            .chain(options.inference.files())
            .chain(options.reading.files()),
    )?;
    let hardware = esnsim::hardware(&options.hardware.descriptions)?;
    let opened = commands::open(options.network.as_deref(), &options.reading)?;
    opened.check_steps(options.metric.width.bits)?;
    let images = commands::images(&opened.network, options.network.is_none(), &options.inference)?;
    notes(opened.network.notes());
    if options.seeds.is_some() && images.is_some() && hardware.iter().all(|hardware| hardware.seed().is_none()) {
        say("--seeds changes nothing: no hardware of this run is random");
    }
    let plan = Plan {
        quantization: opened.quantization(options.metric.width.bits),
        convention: options.metric.bit_convention,
        images: images.as_ref().map(|images| options.evaluation(&images.samples)),
    };
    let bars = Bars::default();
    let mut run = Simulation::start(&opened.network, &hardware, plan, &bars)?;
    let layout = if options.by_hardware { Layout::ByHardware } else { Layout::Summary { width: width() } };
    print(&run.text(DEFAULT_BITS_HINT, layout))?;
    if options.stepped {
        step(&mut run, &hardware)?;
    }
    let evaluated = run.evaluate().map(|_| ());
    // What is known is written even where inference fails.
    write(options, &run)?;
    evaluated?;
    if let Some(evaluation) = run.evaluation() {
        print(&accuracy(&opened.network, evaluation))?;
        if evaluation.is_at_chance() {
            say(
                "no more images are right than a guess would have: usual causes are the preprocessing (--preprocess, --scale, \
                 --mean, --std), the order of the classes, and labels counted from elsewhere (--label-offset)",
            );
        }
    }
    Ok(Status::of(run.passes()))
}

/// Runs the stepped machines and names the layers on which one differs from its fast engine or from the reference.
fn step(run: &mut Simulation<'_>, hardware: &[Hardware]) -> anyhow::Result<()> {
    let started = Instant::now();
    let layers = run.step()?;
    let seconds = started.elapsed().as_secs_f64();
    print(&stepped(hardware, layers))?;
    let cycles: u128 = layers.iter().map(|layer| layer.cycles).sum();
    eprintln!("{} cycles stepped in {seconds:.2} s", grouped(cycles));
    for layer in layers.iter().filter(|layer| !layer.passes()) {
        eprintln!("{}: layer {}: {}", layer.hardware, one_line(&layer.layer), difference(layer));
    }
    Ok(())
}

fn difference(layer: &SteppedLayer) -> &'static str {
    match (layer.same_run, layer.same_outputs) {
        (false, false) => "counts and outputs of the stepped machine differ",
        (false, true) => "counts of the stepped machine differ from the fast engine's",
        (true, false) => "outputs of the stepped machine differ from the reference",
        (true, true) => "no difference",
    }
}

fn write(options: &SimulateOptions, run: &Simulation<'_>) -> anyhow::Result<()> {
    if let Some(path) = &options.table.csv {
        run.write_csv(path)?;
    }
    if let Some(path) = &options.json {
        run.write_json(path)?;
    }
    if let Some(path) = &options.html {
        run.write_html(path, DEFAULT_BITS_HINT)?;
    }
    Ok(())
}
