//! Quantization of activations, and the multipliers between them.

use network::{
    ActivationQuantization, DataType, Encoding, Tensor, ValueId, fixed_point_multiplier, multiply_fixed_point,
};

use super::builder::Builder;
use crate::reading::fault::{Fault, invalid, not_run};

/// A real factor as the multiplication that integer kernels do with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Multiplier {
    pub(super) mantissa: i32,
    pub(super) shift: i32,
}

impl Multiplier {
    pub(super) fn new(real: f64) -> Result<Self, Fault> {
        let found = fixed_point_multiplier(real);
        let (mantissa, shift) =
            found.ok_or_else(|| not_run!("the ratio of its scales is {real:e}; it must be below 2^31"))?;
        Ok(Self { mantissa, shift })
    }

    pub(super) fn apply(self, x: i32) -> i32 {
        multiply_fixed_point(x, self.mantissa, self.shift)
    }
}

impl Builder<'_> {
    /// Whether a tensor holds real numbers.
    pub(super) fn is_real(&self, tensor: usize) -> Result<bool, Fault> {
        self.data_type(tensor).map(DataType::is_real)
    }

    pub(super) fn data_type(&self, tensor: usize) -> Result<DataType, Fault> {
        self.slots[tensor].info.data_type.map_err(|t| not_run!("elements of type {t}"))
    }

    /// The one scale and zero point of a tensor of integers of at most 16 bits.
    pub(super) fn quantization(&self, tensor: usize) -> Result<ActivationQuantization, Fault> {
        let info = &self.slots[tensor].info;
        let data_type = self.data_type(tensor)?;
        let (DataType::I8 | DataType::U8 | DataType::I16 | DataType::U16) = data_type else {
            return Err(not_run!("{:?} is {}; 8- and 16-bit integers are handled", info.name, data_type.name()));
        };
        let (min, max) = data_type.range().expect("an integer type of at most 16 bits has a range");
        let (min, max) = (min as i32, max as i32);
        let q = info.quantization.as_ref().ok_or_else(|| not_run!("{:?} has no scale", info.name))?;
        let (&[scale], &[zero_point]) = (q.scales.as_slice(), q.zero_points.as_slice()) else {
            return Err(not_run!("activation {:?} has a scale for each channel", info.name));
        };
        if !(min..=max).contains(&zero_point) {
            return Err(invalid!("zero point {zero_point} of {:?} is no {}", info.name, data_type.name()));
        }
        Ok(ActivationQuantization { scale, zero_point, min, max })
    }

    /// As [`Builder::quantization`], of 8 bits alone: other kernels compute on 16-bit activations.
    pub(super) fn quantization_8(&self, tensor: usize) -> Result<ActivationQuantization, Fault> {
        let q = self.quantization(tensor)?;
        match q.max - q.min {
            255 => Ok(q),
            _ => Err(not_run!("16-bit integers are not handled by this operator")),
        }
    }

    /// How a tensor is quantized whose integers are the entries of a table.
    pub(super) fn tabulated(&mut self, tensor: usize) -> Result<ActivationQuantization, Fault> {
        let q = self.quantization(tensor)?;
        self.spend(q.max.abs_diff(q.min) as usize + 1)?;
        Ok(q)
    }

    /// Scale and zero point as constants of the graph.
    pub(super) fn parameters(&mut self, name: &str, q: ActivationQuantization, data_type: DataType) -> Vec<ValueId> {
        let scale = self.constant(&format!("{name}/scale"), Tensor::from_f32(Vec::new(), &[q.scale]));
        let bytes = q.zero_point.to_le_bytes()[..data_type.size().min(4)].to_vec();
        let encoding = Encoding::Raw;
        let zero_point = Tensor { data_type, shape: Vec::new(), encoding, chunks: vec![bytes.into()] };
        vec![scale, self.constant(&format!("{name}/zero_point"), zero_point)]
    }
}
