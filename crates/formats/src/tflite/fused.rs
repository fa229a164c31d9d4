//! The activation functions that other operators have built in.

use network::{ActivationQuantization, Op, Unary};

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
        self.function().map(Op::Unary)
    }

    /// The function of real numbers.
    pub(super) fn function(self) -> Option<Unary> {
        match self {
            Fused::None => None,
            Fused::Relu => Some(Unary::Relu),
            Fused::ReluN1To1 => Some(Unary::Clip { min: -1.0, max: 1.0 }),
            Fused::Relu6 => Some(Unary::Clip { min: 0.0, max: 6.0 }),
            Fused::Tanh => Some(Unary::Tanh),
        }
    }

    /// The quantization of an output with the range that the function leaves. Its bounds are rounded as TFLite rounds
    /// them.
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
