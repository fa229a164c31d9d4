//! The parameters of functions of one element, as attributes of a node: read and written in one place.

use network::Unary;

use super::attributes::Attributes;
use super::proto::AttributeProto;
use super::write::attributes::{float, text};
use crate::reading::fault::Fault;

/// The function that a node of this operator is; `None` for any other operator, and for Clip, whose bounds are inputs since
/// opset 11.
pub(super) fn read(op_type: &str, attributes: &Attributes<'_>) -> Result<Option<Unary>, Fault> {
    let number = |name: &str, default: f32| attributes.float(name, default);
    Ok(Some(match op_type {
        "LeakyRelu" => Unary::LeakyRelu { alpha: number("alpha", 0.01)? },
        "Elu" => Unary::Elu { alpha: number("alpha", 1.0)? },
        "Celu" => Unary::Celu { alpha: number("alpha", 1.0)? },
        "ThresholdedRelu" => Unary::ThresholdedRelu { alpha: number("alpha", 1.0)? },
        "Selu" => Unary::Selu { alpha: number("alpha", 1.673_263_2)?, gamma: number("gamma", 1.050_701)? },
        "HardSigmoid" => Unary::HardSigmoid { alpha: number("alpha", 0.2)?, beta: number("beta", 0.5)? },
        "Shrink" => Unary::Shrink { lambda: number("lambd", 0.5)?, bias: number("bias", 0.0)? },
        "Gelu" => Unary::Gelu { approximate: attributes.choice("approximate", &["none", "tanh"])? == "tanh" },
        name => return Ok(Unary::named(name)),
    }))
}

/// The attributes of a function. The bounds of a Clip are no attributes.
pub(super) fn written(function: &Unary) -> Vec<AttributeProto> {
    match *function {
        Unary::LeakyRelu { alpha } | Unary::Elu { alpha } | Unary::Celu { alpha } => vec![float("alpha", alpha)],
        Unary::ThresholdedRelu { alpha } => vec![float("alpha", alpha)],
        Unary::Selu { alpha, gamma } => vec![float("alpha", alpha), float("gamma", gamma)],
        Unary::HardSigmoid { alpha, beta } => vec![float("alpha", alpha), float("beta", beta)],
        Unary::Shrink { lambda, bias } => vec![float("lambd", lambda), float("bias", bias)],
        Unary::Gelu { approximate } => vec![text("approximate", if approximate { "tanh" } else { "none" })],
        Unary::Relu | Unary::HardSwish | Unary::Sigmoid | Unary::Tanh | Unary::Softplus | Unary::Softsign => vec![],
        Unary::Mish | Unary::Erf | Unary::Exp | Unary::Sqrt | Unary::Log | Unary::Abs | Unary::Neg => vec![],
        Unary::Floor | Unary::Ceil | Unary::Round | Unary::Sign | Unary::Reciprocal | Unary::Not => vec![],
        Unary::Sin | Unary::Cos | Unary::Tan | Unary::Asin | Unary::Acos | Unary::Atan => vec![],
        Unary::Sinh | Unary::Cosh | Unary::Acosh | Unary::Atanh => vec![],
        Unary::Clip { .. } => vec![],
    }
}
