//! `esnsim pareto`: the frontier of a store, as a table, CSV, Parquet, SVG and a page.

use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use anyhow::Context;
use explore::pareto::{Axes, Survey, judged};
use explore::store::{Points, Store};
use report::figures::{FrontierPage, figure_axes, write_frontier_svgs};
use report::text::{frontier_table, one_line};
use report::{write_file, write_frontier_csv, write_frontier_parquet};

use crate::args::ParetoOptions;
use crate::terminal::print;

/// Runs the command.
pub fn run(options: &ParetoOptions) -> anyhow::Result<()> {
    let files = [options.html.as_deref(), options.csv.as_deref(), options.parquet.as_deref()];
    esnsim::check_outputs(&files, [&options.store].into_iter())?;
    let store = Store::open_existing(&options.store)?;
    let survey = esnsim::survey(&Points::all(&store), asked(options))?;
    print(&frontier_table(&survey, &judged(&store, &survey.planes[0].frontier())?))?;
    write_files(options, &survey)
}

/// The survey that the files need which are asked for: a page shows every cost and accuracy.
fn asked(options: &ParetoOptions) -> Survey {
    let (cost, accuracy) = (options.cost.clone(), options.accuracy.clone());
    if options.html.is_some() {
        Survey::by_all(Axes { cost, accuracy })
    } else if options.svg.is_some() {
        Survey::by(figure_axes(&cost, &accuracy))
    } else {
        Survey::by([Axes { cost, accuracy }])
    }
}

/// A file that is written, or a folder of files.
type Job<'a> = Box<dyn Fn(&Points<'_>) -> anyhow::Result<()> + Send + Sync + 'a>;

/// Writes the files that are asked for, each in a thread that reads the store by itself.
fn write_files(options: &ParetoOptions, survey: &Survey) -> anyhow::Result<()> {
    let mut jobs: Vec<Job<'_>> = Vec::new();
    if let Some(path) = &options.csv {
        jobs.push(Box::new(move |points: &Points<'_>| {
            Ok(write_file(path, |writer| write_frontier_csv(writer, points, survey))?)
        }));
    }
    if let Some(path) = &options.parquet {
        jobs.push(Box::new(move |points: &Points<'_>| {
            Ok(write_file(path, |writer| write_frontier_parquet(writer, points, survey))?)
        }));
    }
    if let Some(path) = &options.html {
        jobs.push(Box::new(move |points: &Points<'_>| {
            let name = options.store.file_name().unwrap_or_default().to_string_lossy();
            let page = FrontierPage::new(points, survey, &name, options.histogram_at)?;
            Ok(write_file(path, |writer| page.write(writer))?)
        }));
    }
    if let Some(folder) = &options.svg {
        jobs.push(Box::new(move |points: &Points<'_>| write_svgs(folder, points, survey, options)));
    }
    let run = |job: &Job<'_>| job(&Points::all(&Store::open_existing(&options.store)?));
    thread::scope(|scope| {
        let running: Vec<_> = jobs.iter().map(|job| scope.spawn(move || run(job))).collect();
        let done: Vec<_> =
            running.into_iter().map(|job| job.join().unwrap_or_else(|thrown| resume_unwind(thrown))).collect();
        done.into_iter().collect()
    })
}

fn write_svgs(folder: &Path, points: &Points<'_>, survey: &Survey, options: &ParetoOptions) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for path in write_frontier_svgs(folder, points, survey, options.histogram_at)? {
        eprintln!("{}", one_line(&path.display().to_string()));
    }
    Ok(())
}
