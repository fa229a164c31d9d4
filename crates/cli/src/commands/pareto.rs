//! `esnsim pareto`: the frontier of a store, as a table, CSV, SVG and a page.

use std::path::Path;

use anyhow::Context;
use explore::store::{PointRow, Store};
use report::figures::{write_frontier_page, write_frontier_svgs};
use report::text::{frontier_table, one_line};
use report::{write_file, write_frontier_csv};

use crate::args::ParetoOptions;
use crate::terminal::print;

/// Runs the command.
pub fn run(options: &ParetoOptions) -> anyhow::Result<()> {
    esnsim::check_outputs(&[options.html.as_deref(), options.csv.as_deref()], [&options.store].into_iter())?;
    let rows = Store::open_existing(&options.store)?.rows()?;
    let points = esnsim::frontier(&options.store, &rows, &options.cost, &options.accuracy)?;
    print(&frontier_table(&rows, &points, &options.cost, &options.accuracy))?;
    if let Some(path) = &options.csv {
        write_file(path, |writer| write_frontier_csv(writer, &rows, &options.cost, &options.accuracy))?;
    }
    if let Some(path) = &options.html {
        let name = options.store.file_name().unwrap_or_default().to_string_lossy();
        let (cost, accuracy, at) = (&options.cost, &options.accuracy, options.histogram_at);
        write_file(path, |writer| write_frontier_page(writer, &name, &rows, cost, accuracy, at))?;
    }
    if let Some(folder) = &options.svg {
        write_svgs(folder, &rows, options)?;
    }
    Ok(())
}

fn write_svgs(folder: &Path, rows: &[PointRow], options: &ParetoOptions) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let written = write_frontier_svgs(folder, rows, &options.cost, &options.accuracy, options.histogram_at)?;
    for path in written {
        eprintln!("{}", one_line(&path.display().to_string()));
    }
    Ok(())
}
