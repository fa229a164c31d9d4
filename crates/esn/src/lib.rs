//! The effective signal norm (ESN) of "Prune or quantize?": what a pruned and quantized CNN costs on ideal hardware.
//!
//! The main type is [`CodeTensor`], the weights of one layer on the integer grid. Everything the paper defines on
//! `W_int` is computed here on `code = 2·W_int`, because `W_int² = code²/4` and
//! `ceil(log2|W_int| + 1) = ceil(log2|code|)` are then exact in integers on both grids.
//!
//! | Equation | Here |
//! |---|---|
//! | the quantizer | [`quantize_max_abs`], [`quantize_mid_rise`]; on the integer grid [`quantize_mid_tread`] |
//! | (1), (2), (3), (7) | [`LayerEsn`], [`filter_esn`], [`bits`] |
//! | (4) | [`SignalNoise::esn_a`] from [`quantization_noise`], beside (2) in [`SnrComparison`] |
//! | (5) | [`TrainingNoise`] |
//! | (6) | a property of [`LayerEsn`], kept by a test |
//!
//! This crate knows no file, no network and no engine.

mod code;
mod metric;
mod quantize;
mod snr;
mod stream;
mod training;

pub use code::{CodeError, CodeTensor, Grid, MAX_CODE, WeightShape};
pub use metric::{BIT_WIDTHS, BitConvention, BitHistogram, FilterEsn, LayerEsn, Quarters, bits, filter_esn};
pub use quantize::{
    BitWidth, BitWidthError, QuantizeError, Quantized, quantize_max_abs, quantize_mid_rise, quantize_mid_tread,
};
pub use snr::{SignalNoise, SnrComparison, SnrError, quantization_noise};
pub use stream::{ChunkMeasure, LayerStream, StreamError, largest_magnitude};
pub use training::{TrainingError, TrainingNoise, TrainingPower};
