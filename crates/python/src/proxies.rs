//! Which number ranks networks as a hardware does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use esnsim::Error;
use explore::pareto::Cost;
use explore::proxies::{Subject as Network, Subjects, compare};
use explore::store::{Points, Store};
use pyo3::prelude::*;
use report::figures::proxies_svg;
use report::text::proxy_tables;
use report::{ProxyFigures, write_proxy_csv, write_proxy_json, write_subject_csv};

use crate::errors::bad_argument;
use crate::work::on_threads;

/// A network that was costed, the hardware that it is compared on, and that on which energies are units of a choice.
#[pyclass(frozen, module = "esnsim._esnsim")]
pub struct Subject {
    pub network: Network,
    pub compared: Vec<Arc<str>>,
    pub normalized: Vec<Arc<str>>,
}

/// What proxies are worth on hardware: their table and that of networks in CSV, everything as JSON, as the command prints it, and
/// drawn as SVG. Networks are those of a store, all or those of these names, or else those that are given.
#[pyfunction]
#[pyo3(signature = (*, store, networks, subjects, hardware, fit, terms, resamples, threads))]
#[allow(clippy::too_many_arguments, reason = "arguments of Python")]
pub fn proxies(
    py: Python<'_>,
    store: Option<PathBuf>,
    networks: Vec<String>,
    subjects: Vec<PyRef<'_, Subject>>,
    hardware: Vec<PathBuf>,
    fit: Option<PathBuf>,
    terms: Vec<String>,
    resamples: usize,
    threads: Option<usize>,
) -> PyResult<(String, String, String, String, String)> {
    let wrong = |term: &str, problem: String| bad_argument(format!("terms has {term:?}: {problem}"));
    let terms: Vec<Cost> =
        terms.iter().map(|term| term.parse().map_err(|problem| wrong(term, problem))).collect::<PyResult<_>>()?;
    let given = Subjects {
        all: subjects.iter().map(|subject| subject.network.clone()).collect(),
        normalized: subjects.first().map(|subject| subject.normalized.clone()).unwrap_or_default(),
        failed: 0,
    };
    let compared = subjects.first().map(|subject| subject.compared.clone());
    let work = |_: &_| -> Result<(String, String, String, String, String), Error> {
        let source = store.as_deref().unwrap_or(Path::new("the networks"));
        let subjects = match &store {
            Some(path) => esnsim::subjects(&Points::all(&Store::open_existing(path)?), &networks)?,
            None => given,
        };
        esnsim::check_subjects(source, &subjects)?;
        let names = match compared {
            Some(compared) => compared,
            None => esnsim::compared_hardware(source, &subjects, &hardware)?,
        };
        let fitted = |name: &PathBuf| {
            let of = esnsim::fitted_hardware(source, &subjects, name)?;
            esnsim::fitted(source, &subjects, &of, &terms)
        };
        let fit = fit.as_ref().map(fitted).transpose()?;
        let found = compare(&subjects, &names, resamples);
        let figures = ProxyFigures { subjects: &subjects, hardware: &found, fit: fit.as_ref() };
        let [mut csv, mut points, mut json] = [const { Vec::new() }; 3];
        write_proxy_csv(&mut csv, &found).expect("memory takes all that is written");
        write_subject_csv(&mut points, &subjects).expect("memory takes all that is written");
        write_proxy_json(&mut json, &figures).expect("memory takes all that is written");
        let svg = proxies_svg(&found).expect("cells and names are placed by whole pixels");
        Ok((text(csv), text(points), text(json), proxy_tables(&figures), svg))
    };
    on_threads(py, threads, None, work)
}

fn text(written: Vec<u8>) -> String {
    String::from_utf8(written).expect("tables are text")
}
