//! Constants: where they are stored, and their elements.

use bytes::Bytes;
use network::rearrange::transpose;
use network::{DataType, Encoding, Tensor};

use super::layout::{self, element_count};
use super::schema::{TensorInfo, TensorQuantization};
use crate::reading::fault::{Fault, invalid};

/// A constant of the file, in its order.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub(super) tensor: Tensor,
    /// Set where an operator has dequantized it: the elements are integers, but stand for real numbers.
    pub(super) dequantized: Option<TensorQuantization>,
}

impl Constant {
    /// The data of a tensor; they must be as long as its shape asks for.
    pub(super) fn stored(info: &TensorInfo, data_type: DataType, bytes: Bytes) -> Result<Self, String> {
        let (shape, found) = (info.shape.clone(), bytes.len());
        let needed = element_count(&shape)?.checked_mul(data_type.size());
        if needed != Some(found) {
            let needed = needed.map_or("more than fit 63 bits".to_string(), |n| n.to_string());
            return Err(format!("{found} stored bytes; shape {shape:?} of {} needs {needed}", data_type.name()));
        }
        let tensor = Tensor { data_type, shape, encoding: Encoding::Raw, chunks: vec![bytes] };
        Ok(Self { tensor, dequantized: None })
    }

    /// Integers of 4 bits with a sign, the first of two in the lower half of a byte, as integers of 8 bits.
    pub(super) fn of_nibbles(info: &TensorInfo, bytes: &[u8]) -> Result<Self, String> {
        let (shape, found) = (info.shape.clone(), bytes.len());
        let count = element_count(&shape)?;
        if found != count.div_ceil(2) {
            return Err(format!("{found} stored bytes; shape {shape:?} of int4 needs {}", count.div_ceil(2)));
        }
        let of_byte = |byte: &u8| [(byte << 4) as i8 >> 4, *byte as i8 >> 4];
        let integers: Vec<u8> = bytes.iter().flat_map(of_byte).take(count).map(|integer| integer as u8).collect();
        let chunks = vec![integers.into()];
        Ok(Self {
            tensor: Tensor { data_type: DataType::I8, shape, encoding: Encoding::Raw, chunks },
            dequantized: None,
        })
    }

    pub(super) fn is_real(&self) -> bool {
        self.tensor.data_type.is_real() || self.dequantized.is_some()
    }

    /// The same elements in another shape, where their scales stay with their axis.
    pub(super) fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        let parameters = self.dequantized.as_ref();
        if parameters.is_some_and(|q| q.scales.len() > 1) {
            return None;
        }
        let tensor = Tensor { shape: shape.to_vec(), ..self.tensor.clone() };
        Some(Self { tensor, dequantized: self.dequantized.clone() })
    }
}

/// The elements of a constant, row-major in the order of the file.
#[derive(Clone, Debug)]
pub(super) enum Elements {
    Real(Vec<f32>),
    Int(Vec<i64>, DataType),
}

impl Elements {
    pub(super) fn len(&self) -> usize {
        match self {
            Elements::Real(values) => values.len(),
            Elements::Int(values, _) => values.len(),
        }
    }

    /// A tensor of this shape of the file, in the order of the graph.
    pub(super) fn into_tensor(self, shape: &[usize]) -> Tensor {
        let ours = layout::ours(shape);
        match self {
            Elements::Real(values) => Tensor::from_f32(ours, &arranged(values, shape)),
            Elements::Int(values, data_type) => {
                let size = data_type.size();
                let bytes: Vec<u8> =
                    arranged(values, shape).iter().flat_map(|v| v.to_le_bytes().into_iter().take(size)).collect();
                Tensor { data_type, shape: ours, encoding: Encoding::Raw, chunks: vec![bytes.into()] }
            }
        }
    }
}

fn arranged<T: Copy>(values: Vec<T>, shape: &[usize]) -> Vec<T> {
    if layout::same_order(shape) { values } else { transpose(&values, shape, &layout::TO_CHANNELS_FIRST) }
}

/// Reads the elements of a constant, dequantized where an operator says so.
pub(super) fn elements(constant: &Constant, name: &str) -> Result<Elements, Fault> {
    let wrong = |e: network::TensorError| invalid!("tensor {name:?}: {e}");
    let tensor = &constant.tensor;
    if tensor.data_type.is_real() {
        return tensor.to_f32().map(Elements::Real).map_err(wrong);
    }
    let values = tensor.to_i64().map_err(wrong)?;
    let Some(quantization) = &constant.dequantized else { return Ok(Elements::Int(values, tensor.data_type)) };
    let (channels, inner) = match quantization.scales.len() {
        1 => (1, 1),
        n => (n, tensor.shape[quantization.axis + 1..].iter().product::<usize>().max(1)),
    };
    let real = |(i, &q): (usize, &i64)| {
        let (scale, zero_point) = quantization.of(i / inner % channels);
        (q - i64::from(zero_point)) as f32 * scale
    };
    Ok(Elements::Real(values.iter().enumerate().map(real).collect()))
}

impl TensorQuantization {
    /// Scale and zero point of an index of the axis.
    pub(super) fn of(&self, index: usize) -> (f32, i32) {
        let scale = if self.scales.len() == 1 { self.scales[0] } else { self.scales[index] };
        let zero_point = if self.zero_points.len() == 1 { self.zero_points[0] } else { self.zero_points[index] };
        (scale, zero_point)
    }
}
