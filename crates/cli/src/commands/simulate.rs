//! `esnsim simulate`: costs, the check, inference, and the stepped machines.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use esnsim::{
    EvaluateOptions, ImageRequest, Layout, NetworkImages, OpenOptions, Reference, SimulateOptions as Plan, Simulation,
};
use formats::ReadOptions;
use network::Network;
use report::text::{accuracy, grouped, hardware_that_comes_along, one_line, stepped};
use report::{OutputFiles, OutputRequest};
use runner::{Clipping, Evaluation, Hardware, OutputSink, RunRecord, SteppedLayer};

use crate::args::{SimulateOptions, command_words};
use crate::commands::{DEFAULT_BITS_HINT, several};
use crate::terminal::{Bars, image_notes, notes, print, say, width};
use crate::{Status, commands};

/// Runs the command.
pub fn run(options: &SimulateOptions) -> anyhow::Result<Status> {
    if options.hardware.asks_for_names() {
        print(&hardware_that_comes_along())?;
        return Ok(Status::Done);
    }
    let outputs = options.outputs()?;
    let gains = [options.gains.clone(), options.svg.clone()];
    check_places(options, &[&[outputs.logits.clone(), outputs.predictions.clone()], &gains[..]].concat())?;
    let hardware = commands::hardware(esnsim::hardware, &options.hardware.descriptions)?;
    let file = match (options.networks.as_slice(), options.metric.bits.as_slice()) {
        ([], [] | [_]) => None,
        ([file], [] | [_]) => Some(file.as_path()),
        _ => return several::run(options, &hardware),
    };
    if let Some(option) = options.of_several() {
        bail!("{option} takes two networks or more, the one before compression first; one at several widths will do");
    }
    let bits = options.metric.bits.first().copied();
    let opened = commands::open(file, &options.open_options())?;
    opened.check_steps(bits)?;
    let embedded = options.reading.is_embedded(file);
    let images = commands::images(&opened.network, embedded, &options.inference, Some(options.answer()))?;
    notes(opened.network.notes());
    begin_outputs(options, &outputs, &opened.network, images.as_ref())?;
    let reference = reference(options, images.as_ref())?;
    let held_against = reference.as_ref().map(|(network, images)| {
        let samples = &images.samples;
        Reference { network, samples, answer: samples.answer() }
    });
    if options.seeds.is_some() && images.is_none() {
        bail!("--seeds needs --images");
    }
    if options.seeds.is_some() && hardware.iter().all(|hardware| hardware.seed().is_none()) {
        say("--seeds changes nothing: no hardware of this run is random");
    }
    let image_file = |image: usize| {
        let images = images.as_ref().map(|images| images.samples.images());
        images.and_then(|images| images.file(image)).map(Path::to_path_buf)
    };
    let files = OutputFiles::new(&outputs, &opened.network, &image_file);
    let sink = Some(&files as &dyn OutputSink).filter(|_| !outputs.is_empty());
    let plan = Plan {
        quantization: opened.quantization(bits),
        convention: options.metric.bit_convention,
        images: images
            .as_ref()
            .map(|images| EvaluateOptions { outputs: sink, ..options.evaluation(&images.samples, held_against) }),
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
    let run_on = images.as_ref().zip(plan.images.as_ref());
    write(options, &run, || {
        Ok(esnsim::run_record(Some(command_words()), file, &opened.network, &options.open_options(), run_on)?)
    })?;
    evaluated?;
    if let Some(evaluation) = run.evaluation() {
        print(&accuracy(&opened.network, evaluation))?;
        doubts(&opened.network, evaluation);
    }
    let status = Status::of(run.passes());
    drop(run);
    files.complete()?.iter().for_each(|line| eprintln!("{}", one_line(line)));
    Ok(status)
}

/// Refuses outputs that would overwrite an input or each other: these, and those that stand in options of their own.
fn check_places(options: &SimulateOptions, files: &[Option<PathBuf>]) -> anyhow::Result<()> {
    let own = [options.table.csv.as_deref(), options.json.as_deref(), options.html.as_deref()];
    let all: Vec<Option<&Path>> = own.into_iter().chain(files.iter().map(Option::as_deref)).collect();
    let inputs = options.networks.iter().chain(&options.hardware.descriptions).chain(options.inference.files());
    esnsim::check_outputs(&all, inputs.chain(&options.reference).chain(options.reading.files()))?;
    Ok(())
}

/// Makes the folder of the outputs of layers, and refuses files that are inputs of the run.
fn begin_outputs(
    options: &SimulateOptions,
    outputs: &OutputRequest,
    network: &Network,
    images: Option<&NetworkImages>,
) -> anyhow::Result<()> {
    let given = [
        (outputs.logits.is_some(), "--logits"),
        (outputs.predictions.is_some(), "--predictions"),
        (outputs.layers.is_some(), "--layer-outputs"),
    ];
    if let (Some((_, option)), None) = (given.into_iter().find(|(is_given, _)| *is_given), images) {
        bail!("{option} needs --images");
    }
    if let Some(folder) = &outputs.layers {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let files: Vec<Option<PathBuf>> = outputs.files(network).into_iter().map(Some).collect();
        check_places(options, &files)?;
    }
    Ok(())
}

/// Layers that clip more of their conversions are named.
const MUCH_CLIPPED: f64 = 0.01;

/// Says where results are less than the network could do.
fn doubts(network: &Network, evaluation: &Evaluation) {
    for Clipping { hardware, layers, most, share } in evaluation.clipping(MUCH_CLIPPED) {
        let most = &network.layers()[most].name;
        say(&format!(
            "{hardware}: {layers} of {} layers clip over 1 % of their conversions, {most} most, {:.1} %: its ADC is too small \
             for these sums (full_scale, range) or its cells add errors to them (noise)",
            network.layers().len(),
            100.0 * share
        ));
    }
    if evaluation.is_at_chance() {
        say(
            "no more images are right than a guess would have: usual causes are the preprocessing (--preprocess, --scale, \
             --mean, --std), the order of the classes, and labels counted from elsewhere (--label-offset)",
        );
    }
}

/// The network that answers are compared with, and the images as its input.
fn reference(
    options: &SimulateOptions,
    images: Option<&NetworkImages>,
) -> anyhow::Result<Option<(Network, NetworkImages)>> {
    let Some(file) = &options.reference else { return Ok(None) };
    let Some(images) = images else { bail!("--reference needs --images") };
    let read = ReadOptions { passes_over_needless: true, ..options.reading.graph.read_options() };
    let open = OpenOptions { read, ..OpenOptions::default() };
    let network = commands::open_network(Some(file), &open)?.network;
    let embedded = images.path.is_none();
    let request = options.inference.request(embedded)?;
    let request = ImageRequest { path: images.path.clone(), answer: options.answer(), ..request };
    let own = esnsim::images_of_reference(&network, embedded, request)?;
    let own = own.expect("the images of the network were found");
    image_notes(own.notes.iter().filter(|note| !images.notes.contains(note)));
    Ok(Some((network, own)))
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

/// Writes the files that are asked for. `record` is what it takes to run again, which takes a moment for large files.
fn write(
    options: &SimulateOptions,
    run: &Simulation<'_>,
    record: impl FnOnce() -> anyhow::Result<RunRecord>,
) -> anyhow::Result<()> {
    if let Some(path) = &options.table.csv {
        run.write_csv(path)?;
    }
    if options.json.is_none() && options.html.is_none() {
        return Ok(());
    }
    let record = record()?;
    if let Some(path) = &options.json {
        run.write_json(path, &record)?;
    }
    if let Some(path) = &options.html {
        run.write_html(path, DEFAULT_BITS_HINT, &record)?;
    }
    Ok(())
}
