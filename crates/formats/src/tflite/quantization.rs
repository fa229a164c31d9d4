//! Quantization of activations, and the multipliers between them.

use network::{ActivationQuantization, DataType, Op, fixed_point_multiplier, multiply_fixed_point};

use super::build::Builder;
use crate::reading::fault::{Fault, invalid, not_run};

/// An activation function that is part of another operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fused {
    None,
    Relu,
    ReluN1To1,
    Relu6,
    Tanh,
}

impl Fused {
    /// The function of a number in the schema.
    pub(super) fn from_number(number: i8) -> Result<Self, Fault> {
        match number {
            0 => Ok(Fused::None),
            1 => Ok(Fused::Relu),
            2 => Ok(Fused::ReluN1To1),
            3 => Ok(Fused::Relu6),
            4 => Ok(Fused::Tanh),
            5 => Err(not_run!("its fused activation function SIGN_BIT is not handled")),
            _ => Err(invalid!("a fused activation function {number}")),
        }
    }

    /// The operator that does it on real numbers.
    pub(super) fn op(self) -> Option<Op> {
        match self {
            Fused::None => None,
            Fused::Relu => Some(Op::Relu),
            Fused::ReluN1To1 => Some(Op::Clip { min: -1.0, max: 1.0 }),
            Fused::Relu6 => Some(Op::Clip { min: 0.0, max: 6.0 }),
            Fused::Tanh => Some(Op::Tanh),
        }
    }

    /// The quantization of an output with the range that the function leaves, bounds rounded as TFLite rounds them.
    pub(super) fn clamp(self, mut q: ActivationQuantization) -> Result<ActivationQuantization, Fault> {
        let (low, high) = match self {
            Fused::None => return Ok(q),
            Fused::Relu => (0.0, None),
            Fused::ReluN1To1 => (-1.0, Some(1.0)),
            Fused::Relu6 => (0.0, Some(6.0)),
            Fused::Tanh => return Err(not_run!("a fused TANH on integers is not handled")),
        };
        let code = |x: f32| (x / q.scale).round() as i32;
        let (low, high) = (code(low).saturating_add(q.zero_point), high.map(|x| code(x).saturating_add(q.zero_point)));
        q.min = q.min.max(low);
        q.max = high.map_or(q.max, |high| q.max.min(high));
        if q.min > q.max {
            return Err(not_run!("its fused activation function leaves no integer of the output's range"));
        }
        Ok(q)
    }
}

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

    /// The same of 8 bits: the kernels for 16-bit activations are others.
    pub(super) fn quantization_8(&self, tensor: usize) -> Result<ActivationQuantization, Fault> {
        let q = self.quantization(tensor)?;
        match q.max - q.min {
            255 => Ok(q),
            _ => Err(not_run!("16-bit integers are not handled by this operator")),
        }
    }
}
