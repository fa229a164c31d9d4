//! One layer's weights, out of the file and onto the integer grid.

use esn::{BitConvention, BitWidth, CodeTensor, LayerEsn, SignalNoise, SnrError};
use network::{LayerId, LayerWeights, MacLayer, Network, WeightValues};

use crate::error::RunnerError;
use crate::stream::{self, Measure, Streamed};

/// Bit width of the weights where the user names none.
pub const DEFAULT_BITS: u32 = 4;

/// The same of networks that are compared: in so many bits networks usually run before they are compressed.
pub const DEFAULT_BITS_COMPARED: u32 = 8;

/// How a run puts real weights on the grid. Weights that a file quantizes already are taken as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantization {
    /// The width the user asked for, if any.
    requested: Option<BitWidth>,
    /// The width where nobody asked for one.
    default: u32,
}

impl Quantization {
    /// The width of the user's choice, or [`DEFAULT_BITS`].
    pub fn new(requested: Option<BitWidth>) -> Self {
        Self { requested, default: DEFAULT_BITS }
    }

    /// Of a network that is compared with others and for which nobody asked for a width: [`DEFAULT_BITS_COMPARED`].
    pub fn compared() -> Self {
        Self { requested: None, default: DEFAULT_BITS_COMPARED }
    }

    /// The width that real weights get.
    pub fn bits(&self) -> BitWidth {
        self.requested.unwrap_or_else(|| BitWidth::new(self.default).expect("the default is a valid width"))
    }

    /// Whether the user named the width.
    pub fn is_requested(&self) -> bool {
        self.requested.is_some()
    }

    /// Refuses a requested width that no layer of the network could take.
    ///
    /// # Errors
    ///
    /// [`RunnerError::AlreadyQuantized`] if the file quantizes all its weights.
    pub fn check(&self, network: &Network) -> Result<(), RunnerError> {
        match self.requested {
            Some(bits) if network.layers().iter().all(is_quantized) => {
                Err(RunnerError::AlreadyQuantized { path: network.path().to_path_buf(), bits: bits.get() })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Whether the file holds integers for this layer.
pub fn is_quantized(layer: &MacLayer) -> bool {
    layer.weights.quantization.is_some()
}

/// The weights of one layer on the integer grid.
#[derive(Clone, Debug)]
pub struct PreparedWeights {
    /// The codes.
    pub codes: CodeTensor,
    /// The steps Δ: one for the layer, or one a filter. A weight is `code / 2 · Δ`.
    pub steps: Vec<f64>,
    /// Signal and noise of the rounding; none where the file already quantizes.
    pub snr: Option<SignalNoise>,
}

impl PreparedWeights {
    /// The step of one filter.
    pub fn step(&self, filter: usize) -> f64 {
        if self.steps.len() == 1 { self.steps[0] } else { self.steps[filter] }
    }

    /// The weights as real numbers again, `[filters, channels, kernel_h, kernel_w]`.
    pub fn dequantize(&self) -> Vec<f32> {
        let filter_len = self.codes.shape().filter_len();
        let codes = self.codes.codes().iter().enumerate();
        codes.map(|(i, &code)| (f64::from(code) * 0.5 * self.step(i / filter_len)) as f32).collect()
    }
}

/// Reads one layer's weights and puts them on the grid.
///
/// # Errors
///
/// [`RunnerError::Network`] for weights that are garbled or not finite, [`RunnerError::Layer`] where they have no
/// codes.
pub fn prepare(network: &Network, id: LayerId, quantization: Quantization) -> Result<PreparedWeights, RunnerError> {
    match streamed(network, id, quantization, BitConvention::default())? {
        Some((weights, _)) => Ok(weights),
        None => read_at_once(network, id, quantization),
    }
}

/// As [`prepare`], with the metric of the layer.
///
/// # Errors
///
/// As [`prepare`].
pub(crate) fn prepare_measured(
    network: &Network,
    id: LayerId,
    quantization: Quantization,
    convention: BitConvention,
) -> Result<(PreparedWeights, LayerEsn), RunnerError> {
    if let Some(streamed) = streamed(network, id, quantization, convention)? {
        return Ok(streamed);
    }
    let weights = read_at_once(network, id, quantization)?;
    let esn = LayerEsn::new(&weights.codes, network.layers()[id.0].geometry.positions(), convention);
    Ok((weights, esn))
}

/// The weights in chunks straight out of the file; `None` where they have to be read at once.
fn streamed(
    network: &Network,
    id: LayerId,
    quantization: Quantization,
    convention: BitConvention,
) -> Result<Option<(PreparedWeights, LayerEsn)>, RunnerError> {
    let measure = Measure { bits: quantization.bits(), convention, keeps_codes: true };
    let Some(Streamed { esn, snr, codes: Some(codes), step }) = stream::layer(network, id, measure)? else {
        return Ok(None);
    };
    Ok(Some((PreparedWeights { codes, steps: vec![step], snr }, esn)))
}

fn read_at_once(network: &Network, id: LayerId, quantization: Quantization) -> Result<PreparedWeights, RunnerError> {
    match network.weights(id)? {
        LayerWeights::Quantized { codes, scales } => {
            Ok(PreparedWeights { codes, steps: scales.into_iter().map(f64::from).collect(), snr: None })
        }
        LayerWeights::Float(WeightValues::F32(weights)) => quantize(network, id, &weights, quantization.bits()),
        LayerWeights::Float(WeightValues::F64(weights)) => quantize(network, id, &weights, quantization.bits()),
    }
}

fn quantize<T: Copy + Into<f64>>(
    network: &Network,
    id: LayerId,
    weights: &[T],
    bits: BitWidth,
) -> Result<PreparedWeights, RunnerError> {
    let layer = &network.layers()[id.0];
    let wrong = |problem: String| RunnerError::at_layer(network, layer, problem);
    let quantized =
        esn::quantize_max_abs(weights, layer.geometry.weight_shape(), bits).map_err(|e| wrong(e.to_string()))?;
    let snr = match esn::quantization_noise(weights, &quantized.codes, &[quantized.step]) {
        Ok(snr) => Some(snr),
        // Double-precision weights beyond 1e154: their codes are as good as any, only their power has no number.
        Err(SnrError::Overflow) => None,
        Err(error) => return Err(wrong(error.to_string())),
    };
    Ok(PreparedWeights { codes: quantized.codes, steps: vec![quantized.step], snr })
}
