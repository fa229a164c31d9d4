//! `esnsim proxies`: which number ranks networks as a hardware does, over a store or over network files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use esnsim::{EvaluateOptions, NetworkImages, Opened, SimulateOptions};
use explore::proxies::{Fit, Subjects, compare};
use explore::store::{Points, Store};
use explore::sweep::{Plan, RunOptions, SweepOptions};
use report::figures::write_proxies_svg;
use report::text::{cheapest_tables, counted, marked_name, proxy_tables};
use report::{ProxyFigures, write_file, write_proxy_csv, write_proxy_json, write_subject_csv};
use runner::AnswerRequest;

use crate::args::ProxiesOptions;
use crate::interrupt::{Interrupt, unless_interrupted};
use crate::terminal::{Bars, notes, print, say};
use crate::{Status, commands, in_pool};

/// The first bytes of a store, which is an SQLite file.
const STORE: &[u8] = b"SQLite format 3\0";

/// Runs the command.
pub fn run(options: &ProxiesOptions) -> anyhow::Result<Status> {
    let files = [&options.csv, &options.points, &options.json, &options.svg].map(|file| file.as_deref());
    let inputs = options.inputs.iter().chain(&options.plan).chain(options.inference.files());
    esnsim::check_outputs(&files, inputs.chain(options.reading.files()))?;
    let store = store(options)?;
    if let (Some(plan), Some(store)) = (&options.plan, store)
        && !sweep(options, &Plan::read(plan)?, store)?
    {
        return Ok(Status::Interrupted);
    }
    in_pool(options.threads.count, || show(options, store)).map(|()| Status::Done)
}

fn show(options: &ProxiesOptions, store: Option<&Path>) -> anyhow::Result<()> {
    let (subjects, hardware, source) = match store {
        Some(store) => of_store(options, store)?,
        None => of_files(options)?,
    };
    let fit = fit(options, &source, &subjects)?;
    let found = compare(&subjects, &hardware, options.resamples);
    let figures = ProxyFigures { subjects: &subjects, hardware: &found, fit: fit.as_ref() };
    print(&proxy_tables(&figures))?;
    if options.top > 0 {
        print(&format!("\n{}", cheapest_tables(&subjects, &found, options.top)))?;
    }
    write(options, &figures)
}

/// The store that is meant, if one is.
fn store(options: &ProxiesOptions) -> anyhow::Result<Option<&Path>> {
    match options.inputs.as_slice() {
        [one] if options.plan.is_some() || is_store(one) => match of_files_alone(options) {
            Some(option) => bail!("{option} is of network files; points of a store are what their plan said"),
            None => Ok(Some(one)),
        },
        _ if options.plan.is_some() => bail!("--plan takes one store, which its points go into"),
        several if several.iter().any(is_store) => {
            bail!("a store stands alone; `sweep --merge` puts several into one")
        }
        _ if !options.network.is_empty() => bail!("--network is of a store; name the files that are meant"),
        several => match twice(several) {
            Some(file) => bail!("{} is named twice; name each network once", file.display()),
            None => Ok(None),
        },
    }
}

/// A file that is named a second time, by whatever path.
fn twice(files: &[PathBuf]) -> Option<&PathBuf> {
    let places: Vec<PathBuf> = files.iter().map(|file| file.canonicalize().unwrap_or_else(|_| file.clone())).collect();
    (0..files.len()).find(|&place| places[..place].contains(&places[place])).map(|place| &files[place])
}

/// Whether a file is a store, or is called as one.
fn is_store(path: &PathBuf) -> bool {
    let mut begin = Vec::new();
    let read = File::open(path).and_then(|file| file.take(STORE.len() as u64).read_to_end(&mut begin));
    let is_called_so = path.extension().is_some_and(|end| ["sqlite", "sqlite3", "db"].iter().any(|word| end == *word));
    is_called_so || (read.is_ok() && begin == STORE)
}

/// An option that says something of network files, if one is there.
fn of_files_alone(options: &ProxiesOptions) -> Option<&'static str> {
    match options {
        ProxiesOptions { bits, .. } if !bits.is_empty() => Some("--bits"),
        ProxiesOptions { inference, .. } if inference.images.is_some() => Some("--images"),
        ProxiesOptions { inference, .. } => inference.without_images(false),
    }
}

type Compared = (Subjects, Vec<Arc<str>>, PathBuf);

fn of_store(options: &ProxiesOptions, path: &Path) -> anyhow::Result<Compared> {
    let store = Store::open_existing(path)?;
    let subjects = esnsim::subjects(&Points::all(&store), &options.network)?;
    let hardware = esnsim::compared_hardware(path, &subjects, &options.hardware)?;
    Ok((subjects, hardware, path.to_path_buf()))
}

/// Runs a plan into the store, as `sweep` does; false where Ctrl-C stopped it.
fn sweep(options: &ProxiesOptions, plan: &Plan, store: &Path) -> anyhow::Result<bool> {
    const MEMORY: u64 = 4 << 30;
    let shown = commands::sweep::Shown::default();
    let interrupt = Interrupt::listen();
    let progress = |progress: &explore::sweep::Progress<'_>| {
        shown.point(progress);
        interrupt.check();
    };
    let image = || interrupt.check();
    let threads = options.threads.count.unwrap_or(0);
    let run = RunOptions { threads, retry_failed: false, progress: &progress, image: &image };
    let swept = SweepOptions { shard: None, memory_bytes: MEMORY, run };
    let report = unless_interrupted(|| esnsim::sweep(plan, store, &swept));
    shown.finish();
    let Some(report) = report else {
        eprintln!("{}", shown.stopped(store));
        return Ok(false);
    };
    let of_plan = report?.points;
    tell_of_others(store, of_plan)?;
    Ok(!interrupt.is_over())
}

/// Says how many points the store has beside those of the plan.
fn tell_of_others(store: &Path, of_plan: usize) -> anyhow::Result<()> {
    let known = Store::open_existing(store)?.known()?;
    let others = (known.done().len() + known.failed().len()).saturating_sub(of_plan);
    if others > 0 {
        let others = counted(others as u128, "point");
        say(&format!("{} holds {others} beside those of the plan, which are compared, too", store.display()));
    }
    Ok(())
}

fn of_files(options: &ProxiesOptions) -> anyhow::Result<Compared> {
    let mut compared = Vec::new();
    let costed_on = |listed: &[PathBuf]| {
        let (hardware, names) = esnsim::proxy_hardware(listed, options.fit.as_deref())?;
        compared = names;
        Ok(hardware)
    };
    let hardware = commands::hardware(costed_on, &options.hardware)?;
    let files: Vec<Option<&Path>> = match options.inputs.as_slice() {
        [] => vec![None],
        files => files.iter().map(|file| Some(file.as_path())).collect(),
    };
    let opened = files.iter().map(|&file| open(options, file)).collect::<anyhow::Result<Vec<_>>>()?;
    esnsim::check_widths(&opened.iter().collect::<Vec<_>>(), &options.bits)?;
    let bars = Bars::default();
    let mut subjects = Subjects::default();
    for (&file, opened) in files.iter().zip(&opened) {
        let images = images(options, file, opened)?;
        notes(opened.network.notes());
        let widths = opened.quantizations(&options.bits, files.len() > 1);
        for &quantization in &widths {
            let evaluation = images.as_ref().map(|images| evaluation(options, images));
            let run = SimulateOptions { quantization, images: evaluation, ..SimulateOptions::default() };
            let file = marked_name(&opened.network);
            let name = match widths.as_slice() {
                [_] => file.clone(),
                _ => format!("{file}, {}", counted(quantization.bits().get().into(), "bit")),
            };
            subjects.all.push(esnsim::subject(&opened.network, [&file, &name], &hardware, run, &bars)?);
        }
    }
    let normalized = hardware.iter().filter(|hardware| hardware.normalized);
    subjects.normalized = normalized.map(|hardware| hardware.engine.name().into()).collect();
    let source = files.first().copied().flatten().unwrap_or(Path::new("the embedded network")).to_path_buf();
    esnsim::check_subjects(&source, &subjects)?;
    Ok((subjects, compared, source))
}

fn open(options: &ProxiesOptions, file: Option<&Path>) -> anyhow::Result<Opened> {
    let opened = commands::open(file, &options.open_options())?;
    opened.check_steps(options.bits.first().copied())?;
    Ok(opened)
}

fn images(options: &ProxiesOptions, file: Option<&Path>, opened: &Opened) -> anyhow::Result<Option<NetworkImages>> {
    let embedded = options.reading.is_embedded(file);
    commands::images(&opened.network, embedded, &options.inference, Some(AnswerRequest::default()))
}

/// How a network is run on its images: costs and accuracy alone.
fn evaluation<'a>(options: &ProxiesOptions, images: &'a NetworkImages) -> EvaluateOptions<'a> {
    EvaluateOptions {
        answer: images.samples.answer(),
        activation_bits: options.inference.activation_bits(),
        calibration_images: options.inference.calibration_images(),
        float: false,
        ..EvaluateOptions::new(&images.samples)
    }
}

fn fit(options: &ProxiesOptions, source: &Path, subjects: &Subjects) -> anyhow::Result<Option<Fit>> {
    let Some(name) = &options.fit else { return Ok(None) };
    let hardware = esnsim::fitted_hardware(source, subjects, name)?;
    Ok(Some(esnsim::fitted(source, subjects, &hardware, &options.terms)?))
}

/// Writes the files that are asked for.
fn write(options: &ProxiesOptions, figures: &ProxyFigures<'_>) -> anyhow::Result<()> {
    if let Some(path) = &options.csv {
        write_file(path, |writer| write_proxy_csv(writer, figures.hardware))?;
    }
    if let Some(path) = &options.points {
        write_file(path, |writer| write_subject_csv(writer, figures.subjects))?;
    }
    if let Some(path) = &options.json {
        write_file(path, |writer| write_proxy_json(writer, figures))?;
    }
    if let Some(path) = &options.svg {
        write_proxies_svg(path, figures.hardware)?;
    }
    Ok(())
}
