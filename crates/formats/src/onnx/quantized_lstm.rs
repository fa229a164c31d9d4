//! DynamicQuantizeLSTM, into which onnxruntime's dynamic quantization turns an LSTM: weights are integers with scales, and
//! their last two axes are those of LSTM turned.

use super::blocks::Stored;
use super::proto::NodeProto;
use super::steps::Steps;
use super::write::attributes::{counts, int};

/// The attribute that tells its LSTM from others: its input and its states are rounded to integers at each step.
pub(super) const ROUNDS_STATES: &str = "rounds_states";

/// Inputs that are those of LSTM, in its order.
const OF_LSTM: usize = 8;

/// An LSTM behind the nodes that dequantize and turn its weights. `None` where both directions have a scale for each gate
/// of a unit, or scales are not stored.
pub(super) fn parts(node: &NodeProto, opset: i64, stored: &Stored) -> Option<Vec<NodeProto>> {
    let mut steps = Steps::new(node, opset);
    let mut inputs: Vec<String> = node.input.get(..OF_LSTM)?.to_vec();
    for (weights, scale) in [(1, OF_LSTM), (2, OF_LSTM + 2)] {
        let (scale, zero_point) = (node.input.get(scale)?, node.input.get(scale + 1)?);
        let (axis, spread) = match stored.shape(scale)? {
            [_] => (0, false),
            [1, _] => (2, true),
            _ => return None,
        };
        let mut parameters = vec![scale.clone(), zero_point.clone()];
        if spread {
            let flat = steps.ints(&[-1]);
            parameters = parameters.iter().map(|parameter| steps.reshape(parameter, &flat)).collect();
        }
        let operands = [inputs[weights].as_str(), &parameters[0], &parameters[1]];
        let real = steps.op("DequantizeLinear", &operands, vec![int("axis", axis)]);
        inputs[weights] = steps.op("Transpose", &[&real], vec![counts("perm", &[0, 2, 1])]);
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let attributes = [node.attribute.as_slice(), &[int(ROUNDS_STATES, 1)]].concat();
    Some(steps.end("LSTM", &inputs, attributes))
}
