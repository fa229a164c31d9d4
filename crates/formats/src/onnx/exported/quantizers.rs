//! Quantizers that PyTorch 2's quantization leaves in a graph: integers of a range within their type.

use network::DataType;

use super::Translation;
use super::call::Call;
use super::nodes::{operand, output, unknown};
use crate::onnx::write::attributes::int;
use crate::reading::fault::Fault;

/// Whether quantizers of ONNX have this type too.
fn is_narrow(data_type: DataType) -> bool {
    matches!(data_type, DataType::U8 | DataType::I8 | DataType::I16 | DataType::U16)
}

/// Writes a call of `quantized_decomposed`.
pub(super) fn translate(t: &mut Translation<'_>, call: &Call<'_>, overload: &str) -> Result<(), Fault> {
    let (what, form) = overload.split_once('.').unwrap_or((overload, ""));
    let by_channel = what.ends_with("per_channel");
    if !(what.ends_with("per_tensor") || by_channel) || !matches!(form, "default" | "tensor" | "") {
        return unknown(t, call);
    }
    // What is computed has the types that the archive gives.
    call.ignore(&["dtype", "out_dtype", "eps"]);
    let back = what.starts_with("dequantize");
    let (integers, real) = match back {
        true => (call.tensor("input")?, output(call)?),
        false => (output(call)?, call.tensor("input")?),
    };
    let Some(integers) = t.data_type(integers).filter(|&data_type| is_narrow(data_type)) else {
        return unknown(t, call);
    };
    if t.data_type(real) != Some(DataType::F32) {
        return unknown(t, call);
    }
    let (least, most) = integers.range().expect("it is a narrow type");
    let bounds = [("min", call.int("quant_min", least)?), ("max", call.int("quant_max", most)?)];
    let [scale, zero_point] = levels(t, call, by_channel, integers)?;
    let more = if by_channel { vec![int("axis", call.int("axis", 0)?)] } else { vec![] };
    let inputs = vec![call.tensor("input")?.to_string(), scale, zero_point];
    let made = output(call)?;
    if back {
        t.add(call, "DequantizeLinear", inputs, made, more);
    } else if bounds.map(|(_, bound)| bound) == [least, most] {
        t.add(call, "QuantizeLinear", inputs, made, more);
    } else {
        let whole = format!("{made}.unclipped");
        t.add(call, "QuantizeLinear", inputs, &whole, more);
        let mut clip = vec![whole];
        for (what, bound) in bounds {
            clip.push(t.number_of(integers, bound as f64, call, what)?);
        }
        t.add(call, "Clip", clip, made, vec![]);
    }
    Ok(())
}

/// Scale and zero point as ONNX has them: numbers that stand in the call become constants.
fn levels(
    t: &mut Translation<'_>,
    call: &Call<'_>,
    by_channel: bool,
    integers: DataType,
) -> Result<[String; 2], Fault> {
    let [scale, zero] = if by_channel { ["scales", "zero_points"] } else { ["scale", "zero_point"] };
    let scale = operand(t, call, scale, DataType::F32)?;
    // Zero points are stored as wider integers, and have the type of what they belong to in ONNX.
    let zero = if call.has(zero) { operand(t, call, zero, integers)? } else { String::new() };
    Ok([scale, zero])
}
