//! A constant as a stored tensor and the steps from there. Weights are kept this way, so that reading does not touch
//! them.

use network::rearrange::rearrange;
use network::{DataType, Tensor, TensorError, WeightQuantization, WeightTransform};

use super::array::{Array, Data};

/// Rearrangements that a chain keeps. No exporter writes more; a constant with more is computed instead.
const MAX_TRANSFORMS: usize = 16;

/// A constant: a stored tensor, and the rearrangements, casts without loss and quantization that lead to the constant.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// Name of the stored tensor.
    pub(super) name: String,
    /// The stored tensor.
    pub(super) tensor: Tensor,
    /// Steps from the stored tensor to the constant.
    pub(super) transforms: Vec<WeightTransform>,
    /// Element type of the constant.
    pub(super) data_type: DataType,
    /// Shape of the constant.
    pub(super) shape: Vec<usize>,
    /// How the constant is quantized.
    pub(super) quantized: Option<Quantized>,
}

/// The quantization in a [`Chain`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantized {
    /// Scales, zero points and integer type.
    pub(super) parameters: WeightQuantization,
    /// The axis of the constant that more than one scale belongs to.
    pub(super) axis: Option<usize>,
    /// Whether the constant is real again (behind DequantizeLinear) or still integers.
    pub(super) dequantized: bool,
}

impl Chain {
    /// A stored tensor as it is.
    pub(super) fn stored(name: &str, tensor: Tensor) -> Self {
        let (data_type, shape) = (tensor.data_type, tensor.shape.clone());
        Self { name: name.to_string(), tensor, transforms: Vec::new(), data_type, shape, quantized: None }
    }

    /// Number of elements.
    pub(super) fn element_count(&self) -> usize {
        self.tensor.element_count()
    }

    /// The stored tensor, if nothing is done to it.
    pub(super) fn as_stored(&self) -> Option<&Tensor> {
        let untouched =
            self.transforms.is_empty() && self.quantized.is_none() && self.data_type == self.tensor.data_type;
        untouched.then_some(&self.tensor)
    }

    /// Permutes axes. `None` where the chain gets too long.
    pub(super) fn transposed(mut self, perm: &[usize]) -> Option<Self> {
        let composed = match self.transforms.last() {
            Some(WeightTransform::Transpose(inner)) => {
                let composed = perm.iter().map(|&p| inner[p]).collect();
                self.transforms.pop();
                composed
            }
            _ => perm.to_vec(),
        };
        if !composed.iter().enumerate().all(|(i, &p)| i == p) {
            self.transforms.push(WeightTransform::Transpose(composed));
        }
        self.shape = perm.iter().map(|&p| self.shape[p]).collect();
        if let Some(quantized) = &mut self.quantized {
            quantized.axis = quantized.axis.and_then(|axis| perm.iter().position(|&p| p == axis));
        }
        (self.transforms.len() <= MAX_TRANSFORMS).then_some(self)
    }

    /// Gives the elements another shape. `None` where the chain gets too long, or where the axis of the scales would be
    /// no axis of its own any more.
    pub(super) fn reshaped(mut self, shape: &[usize]) -> Option<Self> {
        if let Some(Quantized { axis: Some(axis), .. }) = &mut self.quantized {
            *axis = moved_axis(&self.shape, *axis, shape)?;
        }
        if matches!(self.transforms.last(), Some(WeightTransform::Reshape(_))) {
            self.transforms.pop();
        }
        if self.shape_after_transforms() != shape {
            self.transforms.push(WeightTransform::Reshape(shape.to_vec()));
        }
        self.shape = shape.to_vec();
        (self.transforms.len() <= MAX_TRANSFORMS).then_some(self)
    }

    fn shape_after_transforms(&self) -> Vec<usize> {
        self.transforms.iter().fold(self.tensor.shape.clone(), |shape, transform| match transform {
            WeightTransform::Reshape(to) => to.clone(),
            WeightTransform::Transpose(perm) => perm.iter().map(|&p| shape[p]).collect(),
        })
    }

    /// Changes the element type, if that loses nothing.
    pub(super) fn cast(mut self, to: DataType) -> Option<Self> {
        let exact = match (self.data_type, to) {
            (from, to) if from == to => true,
            (DataType::F16 | DataType::Bf16, DataType::F32 | DataType::F64) => true,
            (DataType::F32, DataType::F64) => true,
            _ => false,
        };
        self.data_type = to;
        exact.then_some(self)
    }

    /// Puts a QuantizeLinear on real numbers, along `axis` where there is more than one scale.
    pub(super) fn quantize(mut self, parameters: WeightQuantization, axis: Option<usize>) -> Option<Self> {
        if self.quantized.is_some() || !self.data_type.is_real() {
            return None;
        }
        self.data_type = parameters.data_type;
        self.quantized = Some(Quantized { parameters, axis, dequantized: false });
        Some(self)
    }

    /// Puts a DequantizeLinear on integers, stored or made by the same quantization; `to` is the type it makes.
    pub(super) fn dequantize(
        mut self,
        parameters: WeightQuantization,
        axis: Option<usize>,
        to: DataType,
    ) -> Option<Self> {
        let dequantized = Quantized { parameters, axis, dequantized: true };
        if let Some(quantized) = &self.quantized {
            let undone = Quantized { dequantized: true, ..quantized.clone() };
            if quantized.dequantized || undone != dequantized {
                return None;
            }
        } else if self.data_type.is_real() {
            return None;
        }
        self.data_type = to;
        self.quantized = Some(dequantized);
        Some(self)
    }

    /// The integers of a quantized constant, in memory; its elements where it is not quantized.
    pub(super) fn codes(&self) -> Result<Array, TensorError> {
        let mut integers = self.clone();
        if let Some(quantized) = &mut integers.quantized {
            quantized.dequantized = false;
        }
        integers.to_array()
    }

    /// All elements, in memory.
    pub(super) fn to_array(&self) -> Result<Array, TensorError> {
        let data = if self.tensor.data_type.is_real() {
            Data::Real(rearrange(self.tensor.to_f64()?, &self.tensor.shape, &self.transforms))
        } else {
            Data::Int(rearrange(self.tensor.to_i64()?, &self.tensor.shape, &self.transforms))
        };
        let data = match &self.quantized {
            Some(quantized) => quantized.apply(data, &self.shape),
            None => data,
        };
        Ok(Array { data_type: self.data_type, shape: self.shape.clone(), data })
    }
}

impl Quantized {
    /// The numbers behind the quantization; `data` has shape `shape`.
    fn apply(&self, data: Data, shape: &[usize]) -> Data {
        let channels = self.axis.map_or(1, |axis| shape[axis]);
        let inner = self.axis.map_or(1, |axis| shape[axis + 1..].iter().product::<usize>()).max(1);
        let parameters = &self.parameters;
        let of = |i: usize| parameters.of(if self.axis.is_some() { i / inner % channels } else { 0 });
        let codes: Vec<i64> = match data {
            Data::Int(codes) => codes,
            Data::Real(values) => {
                let round = |(i, &v): (usize, &f64)| parameters.round(v as f32, of(i));
                values.iter().enumerate().map(round).collect()
            }
        };
        if !self.dequantized {
            return Data::Int(codes);
        }
        let real = |(i, &code): (usize, &i64)| {
            let (scale, zero_point) = of(i);
            f64::from((code - i64::from(zero_point)) as f32 * scale)
        };
        Data::Real(codes.iter().enumerate().map(real).collect())
    }
}

/// Where axis `axis` of shape `from` is in shape `to`. `None` where it is not a whole axis there: axis 1 of `[2, 3, 4]`
/// is axis 1 of `[2, 3, 2, 2]`, and none of `[6, 4]`.
fn moved_axis(from: &[usize], axis: usize, to: &[usize]) -> Option<usize> {
    let outer: usize = from[..axis].iter().product();
    let mut before = 1usize;
    for (i, &extent) in to.iter().enumerate() {
        if before == outer && extent == from[axis] {
            return Some(i);
        }
        before = before.saturating_mul(extent);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Chain {
        let values: Vec<f32> = (0..24).map(|i| i as f32).collect();
        Chain::stored("w", Tensor::from_f32(vec![2, 3, 4], &values))
    }

    #[test]
    fn transposes_compose_and_vanish() {
        let twice = chain().transposed(&[2, 0, 1]).and_then(|c| c.transposed(&[1, 2, 0])).expect("short");
        assert!(twice.transforms.is_empty());
        assert_eq!(twice.shape, [2, 3, 4]);
    }

    #[test]
    fn a_reshape_back_vanishes() {
        let back = chain().reshaped(&[24]).and_then(|c| c.reshaped(&[2, 3, 4])).expect("short");
        assert!(back.as_stored().is_some());
    }

    #[test]
    fn channel_axis_follows_reshapes() {
        assert_eq!(moved_axis(&[2, 3, 4], 1, &[2, 3, 2, 2]), Some(1));
        assert_eq!(moved_axis(&[2, 3, 4], 2, &[6, 4, 1]), Some(1));
        assert_eq!(moved_axis(&[2, 3, 4], 1, &[6, 4]), None);
    }
}
