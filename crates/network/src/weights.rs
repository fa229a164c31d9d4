//! Reading the weights of a layer out of the file.

use esn::{CodeTensor, Grid};

use crate::layer::{LayerWeights, MacLayer, WeightQuantization, WeightSource, WeightValues};
use crate::rearrange::rearrange;
use crate::tensor::DataType;

impl WeightQuantization {
    /// Scale and zero point of a channel.
    pub fn of(&self, channel: usize) -> (f32, i32) {
        let scale = if self.scales.len() == 1 { self.scales[0] } else { self.scales[channel] };
        let zero_point = match self.zero_points.len() {
            0 => 0,
            1 => self.zero_points[0],
            _ => self.zero_points[channel],
        };
        (scale, zero_point)
    }

    /// QuantizeLinear: the nearest integer (ties to even) of `value / scale`, plus the zero point, saturated and clipped.
    pub fn round(&self, value: f32, (scale, zero_point): (f32, i32)) -> i64 {
        let (min, max) = self.data_type.range().unwrap_or((i64::from(i32::MIN), i64::from(i32::MAX)));
        // A float converts to an integer saturating, so that no quotient overflows here.
        let rounded = (value / scale).round_ties_even() as i64;
        self.clipped(rounded.saturating_add(i64::from(zero_point)).clamp(min, max))
    }

    /// A stored or rounded integer within the bounds that the file clips it to.
    fn clipped(&self, integer: i64) -> i64 {
        self.clip.map_or(integer, |[min, max]| integer.clamp(i64::from(min), i64::from(max)))
    }
}

/// The weights of `layer`, row-major `[filters, channels, kernel_h, kernel_w]`; the error is what is wrong with them.
pub fn load(layer: &MacLayer) -> Result<LayerWeights, String> {
    match &layer.weights.quantization {
        None => Ok(LayerWeights::Float(load_real(&layer.weights)?)),
        Some(quantization) => load_codes(layer, quantization),
    }
}

fn load_real(source: &WeightSource) -> Result<WeightValues, String> {
    let arranged = |index: Option<usize>, value: &dyn std::fmt::Display| match index {
        None => Ok(()),
        Some(index) => Err(format!("weight {index} of tensor {:?} is {value}; expected a finite number", source.name)),
    };
    let text = |e: crate::TensorError| format!("tensor {:?}: {e}", source.name);
    if source.tensor.data_type == DataType::F64 {
        let values = rearrange(source.tensor.to_f64().map_err(text)?, &source.tensor.shape, &source.transforms);
        let bad = values.iter().position(|v| !v.is_finite());
        arranged(bad, &bad.map_or(0.0, |i| values[i]))?;
        return Ok(WeightValues::F64(values));
    }
    let values = rearrange(source.tensor.to_f32().map_err(text)?, &source.tensor.shape, &source.transforms);
    let bad = values.iter().position(|v| !v.is_finite());
    arranged(bad, &bad.map_or(0.0, |i| values[i]))?;
    Ok(WeightValues::F32(values))
}

fn load_codes(layer: &MacLayer, quantization: &WeightQuantization) -> Result<LayerWeights, String> {
    let source = &layer.weights;
    let rows = layer.geometry.rows();
    let integers: Vec<i64> = if source.tensor.data_type.is_real() {
        let round = |(i, &v): (usize, &f32)| quantization.round(v, quantization.of(i / rows));
        match load_real(source)? {
            WeightValues::F32(values) => values.iter().enumerate().map(round).collect(),
            WeightValues::F64(values) => {
                values.iter().map(|&v| v as f32).enumerate().map(|(i, v)| round((i, &v))).collect()
            }
        }
    } else {
        let stored = source.tensor.to_i64().map_err(|e| format!("tensor {:?}: {e}", source.name))?;
        let arranged = rearrange(stored, &source.tensor.shape, &source.transforms);
        arranged.into_iter().map(|integer| quantization.clipped(integer)).collect()
    };
    let half_steps = if quantization.grid == Grid::MidRise { 1 } else { 2 };
    let code = |(i, &q): (usize, &i64)| {
        let code = half_steps * (q - i64::from(quantization.of(i / rows).1));
        i32::try_from(code)
            .map_err(|_| format!("weight {i} of tensor {:?} has code {code}, more than 17 bits", source.name))
    };
    let codes = integers.iter().enumerate().map(code).collect::<Result<_, _>>()?;
    let codes = CodeTensor::new(quantization.grid, layer.geometry.weight_shape(), codes)
        .map_err(|e| format!("tensor {:?}: {e}", source.name))?;
    let steps = quantization.scales.iter().map(|scale| scale * if half_steps == 1 { 2.0 } else { 1.0 }).collect();
    Ok(LayerWeights::Quantized { codes, scales: steps })
}
