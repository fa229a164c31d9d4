//! Networks held against the one that they were made of.

use std::path::PathBuf;

use esnsim::{Comparison, Error, SimulateOptions, Simulation};
use pyo3::prelude::*;

use crate::network::Network;
use crate::options::{convention, width};
use crate::work::{Watch, on_threads};

/// How filters are removed that are zero and still in the tensors.
const REMOVE_DEAD: &str = "compress(compact=True) removes them";

/// What networks gain over the first of them: the CSV, the text and the figure of the command.
#[pyfunction]
#[pyo3(signature = (networks, *, hardware, bits, bit_convention, threads, progress))]
#[allow(clippy::too_many_arguments, reason = "arguments of Python")]
pub fn compare(
    py: Python<'_>,
    networks: Vec<Py<Network>>,
    hardware: Vec<PathBuf>,
    bits: Option<u32>,
    bit_convention: &str,
    threads: Option<usize>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<(String, String, String)> {
    let (bits, convention) = (width(bits)?, convention(bit_convention)?);
    let work = |watch: &Watch| -> Result<(String, String, String), Error> {
        let opened: Vec<_> = networks.iter().map(|network| network.get().opened()).collect();
        let widths: Vec<_> = bits.into_iter().collect();
        esnsim::check_widths(&opened, &widths)?;
        esnsim::check_comparable(&opened.iter().map(|opened| &opened.network).collect::<Vec<_>>())?;
        let hardware = esnsim::hardware(&hardware)?;
        let mut runs = Vec::new();
        for opened in &opened {
            opened.check_steps(bits)?;
            let quantization = opened.quantizations(&widths, true)[0];
            let options = SimulateOptions { quantization, convention, images: None };
            runs.push(Simulation::start(&opened.network, &hardware, options, watch)?);
        }
        let comparison = Comparison::new(&hardware, &runs.iter().collect::<Vec<_>>())?;
        Ok((comparison.csv(), comparison.text(REMOVE_DEAD), comparison.svg()))
    };
    on_threads(py, threads, progress, work)
}
