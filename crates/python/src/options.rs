//! Arguments of Python as the requests of the library.

use std::collections::BTreeMap;
use std::path::PathBuf;

use esnsim::{BitConvention, BitWidth, Grid, OpenOptions, ReadOptions, Synthetic, TfliteKernels};
use formats::BatchAxis;
use network::architectures::Family;
use pyo3::prelude::*;

use crate::errors::bad_argument;

/// How a network is opened: the arguments of `read`.
#[derive(FromPyObject)]
pub(crate) struct Opening {
    #[pyo3(item)]
    input_shape: Option<BTreeMap<String, Vec<usize>>>,
    #[pyo3(item)]
    batch_axis: Option<String>,
    #[pyo3(item)]
    architecture: Option<String>,
    #[pyo3(item)]
    topology: Option<PathBuf>,
    #[pyo3(item)]
    operators: Option<PathBuf>,
    #[pyo3(item)]
    state: Option<String>,
    #[pyo3(item)]
    layers: Vec<String>,
    #[pyo3(item)]
    grid: Option<String>,
    #[pyo3(item)]
    find_step: bool,
    #[pyo3(item)]
    tflite_kernels: Option<String>,
    #[pyo3(item)]
    synthetic_weights: Option<u64>,
    #[pyo3(item)]
    synthetic_sparsity: f64,
}

impl Opening {
    /// The request that these arguments are.
    pub(crate) fn options(self) -> PyResult<OpenOptions> {
        let synthetic = match self.synthetic_weights {
            None => None,
            Some(seed) => Some(Synthetic::new(seed, self.synthetic_sparsity).ok_or_else(|| {
                bad_argument(format!("synthetic_sparsity is {}; expected 0 to 1", self.synthetic_sparsity))
            })?),
        };
        let batch_axis = [("first", BatchAxis::First), ("none", BatchAxis::None)];
        let kernels = [("optimized", TfliteKernels::Optimized), ("reference", TfliteKernels::Reference)];
        let grids = [("mid-rise", Grid::MidRise), ("mid-tread", Grid::MidTread)];
        let architecture = self.architecture.as_deref().map(family).transpose()?;
        let read = ReadOptions {
            input_shapes: self.input_shape.unwrap_or_default().into_iter().collect(),
            batch_axis: chosen("batch_axis", self.batch_axis.as_deref(), &batch_axis)?.unwrap_or_default(),
            architecture,
            topology: self.topology,
            operators: self.operators,
            state: self.state,
            layers: self.layers,
            grid: chosen("grid", self.grid.as_deref(), &grids)?,
            tflite_kernels: chosen("tflite_kernels", self.tflite_kernels.as_deref(), &kernels)?.unwrap_or_default(),
            ..ReadOptions::default()
        };
        Ok(OpenOptions { read, find_steps: self.find_step, synthetic })
    }
}

fn family(name: &str) -> PyResult<Family> {
    Family::named(name).ok_or_else(|| {
        bad_argument(format!("architecture {name:?} is not known; expected one of {}", Family::NAMES.join(", ")))
    })
}

/// The value of a word; none where there is no word.
fn chosen<T: Copy>(argument: &str, word: Option<&str>, all: &[(&str, T)]) -> PyResult<Option<T>> {
    let Some(word) = word else { return Ok(None) };
    let found = all.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let found = found.ok_or_else(|| bad_argument(format!("{argument} is {word:?}; expected {}", names.join(" or "))));
    found.map(Some)
}

/// A bit width.
pub(crate) fn width(bits: Option<u32>) -> PyResult<Option<BitWidth>> {
    bits.map(|bits| BitWidth::new(bits).map_err(|error| bad_argument(error.to_string()))).transpose()
}

/// How the metric counts the bits of a weight of ±1.
pub(crate) fn convention(word: &str) -> PyResult<BitConvention> {
    let all = [("nonzero-at-least-one", BitConvention::NonzeroAtLeastOne), ("as-printed", BitConvention::AsPrinted)];
    Ok(chosen("bit_convention", Some(word), &all)?.unwrap_or_default())
}
