//! `esnsim simulate`: costs, the check, inference, and the stepped machines.

use std::time::Instant;

use anyhow::bail;
use inference::Samples;
use network::Network;
use report::figures::{RunFigures, write_run_page};
use report::{Report, write_file, write_simulate_csv};
use runner::{
    CostPlan, Evaluation, EvaluationPlan, Hardware, NetworkCost, Quantization, SteppedLayer, cost_measured, details,
    evaluate, evaluate_seeds, step_all,
};

use crate::args::SimulateOptions;
use crate::format::{grouped, one_line};
use crate::input::{self, Progress};
use crate::{find_step, print, simulate_text as text};

/// Asks for the names of the hardware that comes along.
const LIST: &str = "list";

/// Runs the command; `false` where a check fails.
pub fn run(options: &SimulateOptions) -> anyhow::Result<bool> {
    if options.hardware.iter().any(|name| name.as_os_str() == LIST) {
        print(&text::hardware_that_comes_along())?;
        return Ok(true);
    }
    input::check_outputs(
        &[options.common.csv.as_deref(), options.json.as_deref(), options.html.as_deref()],
        options
            .network
            .iter()
            .chain(&options.hardware)
            .chain(&options.inference.images)
            .chain(&options.common.reading.topology),
    )?;
    let hardware = input::hardware(&options.hardware)?;
    let network = input::network(options.network.as_deref(), &options.common.reading)?;
    find_step::check(&network, &options.common)?;
    let quantization = options.common.quantization(&network);
    let samples = input::samples(&network, options.network.is_none(), &options.inference)?;
    let plan =
        CostPlan { network: &network, hardware: &hardware, quantization, convention: options.common.convention() };
    input::show_notes(&network);
    let run_images = || samples.as_deref().map(|samples| infer(options, &network, &hardware, quantization, samples));
    // Most hardware costs the same on every image; what does not is counted by inference, which then comes first.
    let measures = hardware.iter().any(|hardware| hardware.engine.cost_depends_on_input());
    let first = if measures { run_images().transpose()? } else { None };
    let cost = cost_measured(&plan, first.as_ref().map_or(&[], |evaluation| &evaluation.measured))?;
    print(&text::costs(&network, &hardware, &cost, quantization))?;
    let stepped = if options.stepped { Some(stepped(&network, &hardware, quantization)?) } else { None };
    let evaluation = first.map(Ok).or_else(run_images);
    // What is known is written even where inference fails.
    let done = evaluation.as_ref().and_then(|e| e.as_ref().ok());
    write(options, &network, &hardware, &cost, done)?;
    if let Some(evaluation) = evaluation {
        print(&text::accuracy(&network, &evaluation?))?;
    }
    Ok(cost.passes() && stepped.unwrap_or(true))
}

fn infer(
    options: &SimulateOptions,
    network: &Network,
    hardware: &[Hardware],
    quantization: Quantization,
    samples: &dyn Samples,
) -> anyhow::Result<Evaluation> {
    if samples.is_empty() {
        bail!("there is no image to run");
    }
    let progress = Progress::new("images", samples.len() as u64);
    let started = Instant::now();
    let plan = EvaluationPlan {
        network,
        hardware,
        quantization,
        samples,
        activation_bits: options.inference.activation_bits,
        calibration_images: options.inference.calibration_images,
        reference: !options.inference.no_float,
        progress: &|images| progress.advance(images as u64),
    };
    let mut evaluation = evaluate(&plan)?;
    progress.finish();
    let seconds = started.elapsed().as_secs_f64();
    eprintln!("{} images in {seconds:.2} s, {:.0} a second", evaluation.images, evaluation.images as f64 / seconds);
    if let Some(seeds) = options.seeds {
        run_seeds(&plan, &mut evaluation, seeds)?;
    }
    Ok(evaluation)
}

/// Runs the images again with other seeds, on the hardware that is random.
fn run_seeds(plan: &EvaluationPlan<'_>, evaluation: &mut Evaluation, seeds: u64) -> anyhow::Result<()> {
    let random = plan.hardware.iter().filter(|hardware| hardware.seed().is_some()).count() as u64;
    if random == 0 {
        eprintln!("note: --seeds changes nothing: no hardware of this run is random");
    }
    let progress = Progress::new("images, other seeds", random * (seeds - 1) * evaluation.images as u64);
    let plan = EvaluationPlan { progress: &|images| progress.advance(images as u64), ..*plan };
    evaluate_seeds(&plan, evaluation, seeds)?;
    progress.finish();
    Ok(())
}

/// Runs the stepped machines; `false` where one differs from its fast engine or from the reference.
fn stepped(network: &Network, hardware: &[Hardware], quantization: Quantization) -> anyhow::Result<bool> {
    let progress = Progress::new("layers stepped", (hardware.len() * network.layers().len()) as u64);
    let started = Instant::now();
    let layers = step_all(network, hardware, quantization, &|| progress.advance(1))?;
    progress.finish();
    let seconds = started.elapsed().as_secs_f64();
    print(&text::stepped(hardware, &layers))?;
    let cycles: u128 = layers.iter().map(|layer| layer.cycles).sum();
    eprintln!("{} cycles stepped in {seconds:.2} s", grouped(cycles));
    for layer in layers.iter().filter(|layer| !layer.passes()) {
        eprintln!("{}: layer {}: {}", layer.hardware, one_line(&layer.layer), difference(layer));
    }
    Ok(layers.iter().all(SteppedLayer::passes))
}

fn difference(layer: &SteppedLayer) -> &'static str {
    match (layer.same_run, layer.same_outputs) {
        (false, false) => "counts and outputs of the stepped machine differ",
        (false, true) => "counts of the stepped machine differ from the fast engine's",
        (true, false) => "outputs of the stepped machine differ from the reference",
        (true, true) => "no difference",
    }
}

fn write(
    options: &SimulateOptions,
    network: &Network,
    hardware: &[Hardware],
    cost: &NetworkCost,
    evaluation: Option<&Evaluation>,
) -> anyhow::Result<()> {
    if let Some(path) = &options.common.csv {
        write_file(path, |writer| write_simulate_csv(writer, hardware, cost, evaluation))?;
    }
    if let Some(path) = &options.json {
        let quantization = options.common.quantization(network);
        let report = Report::new(network, quantization, options.common.convention(), hardware, cost, evaluation);
        write_file(path, |writer| report.write_json(writer))?;
    }
    if let Some(path) = &options.html {
        let quantization = options.common.quantization(network);
        let details = details(network, quantization, options.common.convention())?;
        let words = text::quantization_line(cost, quantization);
        let figures = RunFigures { network, quantization: &words, hardware, cost, details: &details, evaluation };
        write_file(path, |writer| write_run_page(writer, &figures))?;
    }
    Ok(())
}
