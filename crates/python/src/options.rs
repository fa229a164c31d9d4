//! Arguments of Python as the requests of the library.

use std::collections::BTreeMap;
use std::path::PathBuf;

use compress::{Allocation, Granularity, LayerOptions, PruneOptions, Scope, StepRule};
use esnsim::{
    AllocateRequest, BitConvention, BitWidth, CompressRequest, EvaluateOptions, Grid, ImageRequest, NetworkImages,
    OpenOptions, QuantizeRequest, ReadOptions, Synthetic, TfliteKernels, allocation, layer_options, preprocessing,
    pruning,
};
use formats::BatchAxis;
use formats::images::ArrayLayout;
use network::architectures::Family;
use pyo3::prelude::*;
use runner::AnswerRequest;

use crate::errors::{bad_argument, raised};

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
        let architecture = self.architecture.as_deref().map(family).transpose()?;
        let read = ReadOptions {
            input_shapes: self.input_shape.unwrap_or_default().into_iter().collect(),
            batch_axis: chosen("batch_axis", self.batch_axis.as_deref(), &batch_axis)?.unwrap_or_default(),
            architecture,
            topology: self.topology,
            operators: self.operators,
            state: self.state,
            layers: self.layers,
            grid: chosen("grid", self.grid.as_deref(), &GRIDS)?,
            tflite_kernels: chosen("tflite_kernels", self.tflite_kernels.as_deref(), &kernels)?.unwrap_or_default(),
            ..ReadOptions::default()
        };
        Ok(OpenOptions { read, find_steps: self.find_step, synthetic })
    }
}

/// What is done to a network: the arguments of `compress`.
#[derive(FromPyObject)]
pub(crate) struct Compression {
    #[pyo3(item)]
    prune: Vec<String>,
    #[pyo3(item)]
    prune_scope: String,
    #[pyo3(item)]
    prune_below: Option<f64>,
    #[pyo3(item)]
    compact: bool,
    #[pyo3(item)]
    find_step: bool,
    #[pyo3(item)]
    bits: Option<u32>,
    #[pyo3(item)]
    grid: String,
    #[pyo3(item)]
    granularity: Option<String>,
    #[pyo3(item)]
    clip: Option<String>,
    #[pyo3(item)]
    target_snr: Option<f64>,
    #[pyo3(item)]
    target_esn_a: Option<f64>,
    #[pyo3(item)]
    target_profile: Option<PathBuf>,
    #[pyo3(item)]
    average_bits: Option<f64>,
    #[pyo3(item)]
    esn_d_filter_budget: Option<f64>,
    #[pyo3(item)]
    allocate: Option<String>,
    #[pyo3(item)]
    allocate_images: usize,
    /// Layers of their own in JSON.
    #[pyo3(item)]
    layers: Option<String>,
    /// The file that says them.
    #[pyo3(item)]
    layer_file: Option<PathBuf>,
    #[pyo3(item)]
    bias_correction: bool,
    #[pyo3(item)]
    first_bits: Option<u32>,
    #[pyo3(item)]
    last_bits: Option<u32>,
    #[pyo3(item)]
    baseline: Option<u32>,
    #[pyo3(item)]
    strict: bool,
}

impl Compression {
    /// The request that these arguments are, for a network that was read with `read`. `images` are those that a budget is
    /// shared out by; where `reestimates`, statistics are re-estimated on them, too.
    pub(crate) fn request(
        self,
        read: &ReadOptions,
        images: Option<ImageRequest>,
        reestimates: bool,
    ) -> PyResult<CompressRequest> {
        let allocate = self.allocation(images.as_ref())?;
        let quantize = QuantizeRequest {
            bits: width(self.bits)?,
            grid: chosen("grid", Some(&self.grid), &GRIDS)?.unwrap_or(Grid::MidRise),
            granularity: chosen(
                "granularity",
                self.granularity.as_deref(),
                &[("layer", Granularity::Layer), ("filter", Granularity::Filter)],
            )?,
            step: self.step()?,
            allocation: match (self.average_bits, self.esn_d_filter_budget) {
                (Some(_), Some(_)) => return Err(two("average_bits", "esn_d_filter_budget")),
                (average, budget) => average.map(Allocation::AverageBits).or(budget.map(Allocation::EsnDFilter)),
            },
            bias_correction: self.bias_correction,
            first_bits: width(self.first_bits)?,
            last_bits: width(self.last_bits)?,
            layers: self.layers_of_their_own()?,
        };
        let scope =
            chosen("prune_scope", Some(&self.prune_scope), &[("global", Scope::Global), ("layer", Scope::Layer)])?;
        if self.prune.is_empty() && scope.unwrap_or_default() != Scope::default() {
            let problem = format!(
                "prune_scope is {:?}, and there is no prune= whose filters or weights compete",
                self.prune_scope
            );
            return Err(bad_argument(problem));
        }
        let prunes = !self.prune.is_empty() || self.prune_below.is_some() || self.compact;
        let prunings = self.prune.iter().map(|how| pruning(how)).collect::<Result<_, _>>();
        let prune = PruneOptions {
            prunings: prunings.map_err(|problem| bad_argument(format!("prune: {problem}")))?,
            scope: scope.unwrap_or_default(),
            below: self.prune_below,
            compact: self.compact,
            bits: None,
        };
        Ok(CompressRequest {
            read: read.clone(),
            allocate,
            prune: prunes.then_some(prune),
            find_steps: self.find_step,
            quantize,
            target_profile: self.target_profile,
            reestimate: images.filter(|_| reestimates),
            baseline: width(self.baseline)?,
            strict: self.strict,
        })
    }

    /// The budget that is shared out among layers. It decides how they are quantized, and nothing else does.
    fn allocation(&self, images: Option<&ImageRequest>) -> PyResult<Option<AllocateRequest>> {
        let Some(text) = &self.allocate else { return Ok(None) };
        let (cost, budget) = allocation(text).map_err(|problem| bad_argument(format!("allocate: {problem}")))?;
        let others = [
            ("bits", self.bits.is_some()),
            ("granularity", self.granularity.is_some()),
            ("clip", self.clip.is_some()),
            ("target_snr", self.target_snr.is_some()),
            ("target_esn_a", self.target_esn_a.is_some()),
            ("target_profile", self.target_profile.is_some()),
            ("average_bits", self.average_bits.is_some()),
            ("esn_d_filter_budget", self.esn_d_filter_budget.is_some()),
            ("layer_options", self.layers.is_some() || self.layer_file.is_some()),
            ("bias_correction", self.bias_correction),
            ("first_bits", self.first_bits.is_some()),
            ("last_bits", self.last_bits.is_some()),
            ("find_step", self.find_step),
        ];
        if let Some((name, _)) = others.into_iter().find(|(_, is_given)| *is_given) {
            return Err(two("allocate", name));
        }
        let Some(images) = images.cloned() else {
            return Err(bad_argument("allocate needs images= or reestimate_bn=, images without labels".to_string()));
        };
        Ok(Some(AllocateRequest { cost, budget, images, limit: self.allocate_images }))
    }

    fn layers_of_their_own(&self) -> PyResult<Vec<LayerOptions>> {
        if let Some(file) = &self.layer_file {
            return layer_options(file).map_err(|error| raised(&error));
        }
        let wrong = |place: String, error: serde_json::Error| bad_argument(format!("{place}: {error}"));
        let Some(text) = self.layers.as_deref() else { return Ok(Vec::new()) };
        let given: Vec<serde_json::Value> =
            serde_json::from_str(text).map_err(|error| wrong("layer_options".to_string(), error))?;
        let read = given.into_iter().enumerate().map(|(index, layer)| {
            serde_json::from_value(layer).map_err(|error| wrong(format!("layer_options[{index}]"), error))
        });
        read.collect()
    }

    /// The rule of the step. A profile is read with the network.
    fn step(&self) -> PyResult<Option<StepRule>> {
        let rules = [
            ("max-abs", StepRule::MaxAbs),
            ("mse", StepRule::Mse),
            ("laplace", StepRule::Laplace),
            ("gauss", StepRule::Gauss),
        ];
        let given = [
            ("clip", self.clip.is_some()),
            ("target_snr", self.target_snr.is_some()),
            ("target_esn_a", self.target_esn_a.is_some()),
            ("target_profile", self.target_profile.is_some()),
        ];
        let mut given = given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name);
        if let (Some(first), Some(second)) = (given.next(), given.next()) {
            return Err(two(first, second));
        }
        let clip = chosen("clip", self.clip.as_deref(), &rules)?;
        Ok(clip.or(self.target_snr.map(StepRule::Snr)).or(self.target_esn_a.map(StepRule::EsnA)))
    }
}

/// Images and what is done with them.
#[derive(FromPyObject)]
pub(crate) struct ImageArguments {
    /// None for the images of the network that comes along.
    #[pyo3(item)]
    path: Option<PathBuf>,
    #[pyo3(item)]
    limit: Option<usize>,
    #[pyo3(item)]
    layout: Option<String>,
    #[pyo3(item)]
    preprocess: Option<PathBuf>,
    #[pyo3(item)]
    label_offset: Option<i64>,
    #[pyo3(item)]
    output: Option<String>,
    #[pyo3(item)]
    threshold: Option<f32>,
    #[pyo3(item)]
    pub activation_bits: u32,
    #[pyo3(item)]
    pub calibration_images: usize,
}

impl ImageArguments {
    /// The images that are asked for, of a network that is the one that comes along, or made of it, where it `is_embedded`.
    pub(crate) fn request(&self, is_embedded: bool) -> PyResult<ImageRequest> {
        if self.path.is_none() && !is_embedded {
            return Err(bad_argument(
                "images \"embedded\" belong to the network that comes along, read(); give this one a path or an array"
                    .to_string(),
            ));
        }
        let layouts = [
            ("channels-first", ArrayLayout::ChannelsFirst),
            ("channels-last", ArrayLayout::ChannelsLast),
            ("as-is", ArrayLayout::AsIs),
        ];
        for (argument, value) in [("limit", self.limit), ("calibration_images", Some(self.calibration_images))] {
            if value == Some(0) {
                return Err(bad_argument(format!("{argument} is 0; expected at least 1")));
            }
        }
        if !(1..=16).contains(&self.activation_bits) {
            return Err(bad_argument(format!("activation_bits is {}; expected 1 to 16", self.activation_bits)));
        }
        let preprocessing = self.preprocess.as_deref().map(preprocessing).transpose();
        Ok(ImageRequest {
            path: self.path.clone(),
            limit: self.limit,
            layout: chosen("layout", self.layout.as_deref(), &layouts)?,
            preprocessing: preprocessing.map_err(|error| raised(&error))?,
            label_offset: self.label_offset,
            answer: AnswerRequest { output: self.output.clone(), threshold: self.threshold },
            ..ImageRequest::default()
        })
    }

    /// How a network is run on the images that were found.
    pub(crate) fn evaluation<'a>(&self, found: &'a NetworkImages) -> EvaluateOptions<'a> {
        EvaluateOptions {
            answer: found.samples.answer(),
            activation_bits: self.activation_bits,
            calibration_images: self.calibration_images,
            ..EvaluateOptions::new(&found.samples)
        }
    }

    /// The same images to take statistics from: labels play no part.
    pub(crate) fn statistics(&self, is_embedded: bool) -> PyResult<ImageRequest> {
        if self.path.is_none() {
            let problem = "images \"embedded\" are there to be tested on: nothing is decided by them here; give others"
                .to_string();
            return Err(bad_argument(problem));
        }
        Ok(ImageRequest { label_offset: Some(0), unlabelled: true, ..self.request(is_embedded)? })
    }
}

/// Two arguments that exclude each other.
fn two(first: &str, second: &str) -> PyErr {
    bad_argument(format!("{first} and {second} exclude each other; give one"))
}

/// The grids by name.
pub(crate) const GRIDS: [(&str, Grid); 2] = [("mid-rise", Grid::MidRise), ("mid-tread", Grid::MidTread)];

fn family(name: &str) -> PyResult<Family> {
    Family::named(name).ok_or_else(|| {
        bad_argument(format!("architecture {name:?} is not known; expected one of {}", Family::NAMES.join(", ")))
    })
}

/// The value of a word; none where there is no word.
pub(crate) fn chosen<T: Clone>(argument: &str, word: Option<&str>, all: &[(&str, T)]) -> PyResult<Option<T>> {
    let Some(word) = word else { return Ok(None) };
    let found = all.iter().find(|(name, _)| *name == word).map(|(_, value)| value.clone());
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
