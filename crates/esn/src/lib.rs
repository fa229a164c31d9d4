//! The effective signal norm (ESN) of "Prune or quantize?": what a pruned and quantized CNN costs on ideal hardware.
//!
//! The main type is [`CodeTensor`], the weights of one layer on the integer grid. [`LayerEsn`] is the metric of such
//! weights.
//!
//! ```
//! use esn::{BitConvention, BitWidth, LayerEsn, WeightShape, quantize_max_abs};
//!
//! // One filter of four weights, put on a grid of 2 bits. One weight is pruned.
//! let shape = WeightShape { filters: 1, groups: 1, channels: 1, taps: 4 };
//! let layer = quantize_max_abs(&[1.0f32, 0.3, 0.0, -0.7], shape, BitWidth::new(2)?)?;
//! assert_eq!((layer.step, layer.codes.codes()), (0.5, &[3, 1, 0, -3][..]));
//!
//! let esn = LayerEsn::new(&layer.codes, 1, BitConvention::default());
//! assert_eq!(esn.esn_a().to_string(), "4.75"); // 1.5² + 0.5² + 1.5²
//! assert_eq!(esn.esn_d, 2 + 1 + 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The decision behind the crate: everything that the paper defines on `W_int` is computed here on `code = 2·W_int`, an
//! integer. `W_int² = code²/4` and `ceil(log2|W_int| + 1) = ceil(log2|code|)`, so the metric is exact in integers on
//! both grids.
//!
//! | Equation | Here |
//! |---|---|
//! | the quantizer | [`quantize_max_abs`], [`quantize_mid_rise`]; on the integer grid [`quantize_mid_tread`] |
//! | (1), (2), (3), (7) | [`LayerEsn`], [`filter_esn`], [`bits`] |
//! | (4) | [`SignalNoise::esn_a`] from [`quantization_noise`], beside (2) in [`SnrComparison`] |
//! | (5) | [`TrainingNoise`] |
//! | (6) | a property of [`LayerEsn`], kept by a test |
//!
//! What is left out: this crate knows no file, no network and no engine. A real cost of hardware is the matter of
//! engines.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! code.rs       the weight grid in integers, and the weights of a layer on it
//! quantize.rs   real weights onto the grid
//! metric.rs     equations (1) to (3) and (7)
//! snr.rs        equation (4)
//! training.rs   equation (5)
//! stored.rs     real weights as files store them
//! stream.rs     the metric of a layer larger than memory; the only unsafe code, which calls vector instructions
//! ```

mod code;
mod metric;
mod quantize;
mod snr;
mod stored;
mod stream;
mod training;

pub use code::{CodeError, CodeTensor, Grid, MAX_CODE, WeightShape};
pub use metric::{BIT_WIDTHS, BitConvention, BitHistogram, FilterEsn, LayerEsn, Quarters, bits, filter_esn};
pub use quantize::{
    BitWidth, BitWidthError, QuantizeError, Quantized, append_mid_rise, append_mid_tread, quantize_max_abs,
    quantize_mid_rise, quantize_mid_tread,
};
pub use snr::{SignalNoise, SnrComparison, SnrError, quantization_noise};
pub use stored::StoredWeights;
pub use stream::{ChunkMeasure, LayerStream, StreamError, largest_magnitude};
pub use training::{TrainingError, TrainingNoise, TrainingPower};
