//! `esnsim pareto`: the frontier of a store, as a table, CSV, SVG and a page.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use explore::pareto::{Accuracy, Cost, Judged, judge};
use explore::store::{PointRow, Store};
use report::figures::{write_frontier_page, write_frontier_svgs};
use report::{write_file, write_frontier_csv};

use crate::format::{grouped, one_line, short, tail};
use crate::input::check_outputs;
use crate::print;
use crate::table::{render, table};

/// Names of networks are cut to this many characters.
const NAME_WIDTH: usize = 28;

/// Options of `pareto`.
#[derive(Args)]
pub struct Options {
    /// Store of a sweep.
    store: PathBuf,

    /// Cost: esn-a, esn-d, esn-d-filter, esn-a-weights, esn-d-weights, macs, parameters, cycles:HARDWARE or
    /// energy:HARDWARE.
    #[arg(long, value_name = "COST", default_value = "esn-d")]
    cost: Cost,

    /// Accuracy: top1, top5, agreement (with the float network), or top1:HARDWARE of an analog one.
    #[arg(long, value_name = "ACCURACY", default_value = "top1")]
    accuracy: Accuracy,

    /// Write one self-contained page with every point.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write every point as CSV.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Write figures as SVG files into this folder, which is made where it is not there.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,

    /// Compare the filters' bit widths of the points nearest at or below this cost [default: the largest cost that
    /// every method reaches].
    #[arg(long, value_name = "COST")]
    histogram_at: Option<f64>,
}

/// Runs the command. There is no check here, so it never returns `false`.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    check_outputs(&[options.html.as_deref(), options.csv.as_deref()], [&options.store].into_iter())?;
    let rows = Store::open_existing(&options.store)?.rows()?;
    let points = judge(&rows, &options.cost, &options.accuracy);
    if points.is_empty() {
        bail!("{}: {}", options.store.display(), nothing(&rows, options));
    }
    print(&text(&rows, &points, options))?;
    if let Some(path) = &options.csv {
        write_file(path, |writer| write_frontier_csv(writer, &rows, &options.cost, &options.accuracy))?;
    }
    if let Some(path) = &options.html {
        let name = options.store.file_name().unwrap_or_default().to_string_lossy();
        let (cost, accuracy, at) = (&options.cost, &options.accuracy, options.histogram_at);
        write_file(path, |writer| write_frontier_page(writer, &name, &rows, cost, accuracy, at))?;
    }
    match &options.svg {
        Some(folder) => write_svgs(folder, &rows, options),
        None => Ok(true),
    }
}

fn write_svgs(folder: &Path, rows: &[PointRow], options: &Options) -> anyhow::Result<bool> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let written = write_frontier_svgs(folder, rows, &options.cost, &options.accuracy, options.histogram_at)?;
    for path in written {
        eprintln!("{}", one_line(&path.display().to_string()));
    }
    Ok(true)
}

/// Why there is nothing to show.
fn nothing(rows: &[PointRow], options: &Options) -> String {
    let (cost, accuracy) = (options.cost.id(), options.accuracy.id());
    let done = rows.iter().filter(|row| row.error.is_none()).count();
    if done == 0 {
        return format!("no point is done; {} failed", rows.len());
    }
    if !rows.iter().any(|row| options.accuracy.of(row).is_some()) {
        return format!("none of {done} points has accuracy {accuracy}; the plan names images for it");
    }
    let hardware = rows.iter().filter_map(|row| row.costs.as_ref()).flat_map(|costs| &costs.hardware);
    let mut names: Vec<String> = hardware.map(|hardware| one_line(&hardware.name)).collect();
    names.sort();
    names.dedup();
    format!("none of {done} points has cost {cost}; the hardware is {}", names.join(", "))
}

fn text(rows: &[PointRow], points: &[Judged<'_>], options: &Options) -> String {
    let mut header = vec!["configuration", "network", "method"];
    let (accuracy, cost) = (options.accuracy.label(), options.cost.label());
    header.extend([accuracy.as_str(), cost.as_str(), "ESN_a", "ESN_d", "ESN'_d", "live filters"]);
    let mut frontier = table(&header, 3);
    for point in points.iter().filter(|point| point.frontier) {
        frontier.add_row(row(point));
    }
    let on = points.iter().filter(|point| point.frontier).count();
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    let mut text = format!("{}\n{on} of {} points are on the frontier", render(&frontier), points.len());
    if failed > 0 {
        text += &format!("; {failed} failed");
    }
    text + "\n"
}

fn row(point: &Judged<'_>) -> [String; 9] {
    let configuration = &point.row.configuration;
    let costs = point.row.costs.as_ref().expect("points without costs are not judged");
    let exact = point.cost.exact();
    [
        one_line(&configuration.label()),
        tail(&point.row.network, NAME_WIDTH),
        configuration.method().name().to_string(),
        format!("{:.4}", point.accuracy.to_f64()),
        exact.parse().map_or(exact, grouped),
        short(costs.esn_a_macs.to_f64()),
        short(costs.esn_d_macs as f64),
        short(costs.esn_d_filter as f64),
        costs.live_filters.to_string(),
    ]
}
