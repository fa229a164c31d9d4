//! Quantizers that PyTorch 2's quantization leaves in a graph: integers of a range within their type.

use super::call::Call;
use super::nodes::{output, unknown};
use super::{Translation, int};
use crate::onnx::proto::TensorProto;
use crate::reading::fault::Fault;

/// The types of integers that quantizers of ONNX have too.
#[derive(Clone, Copy, Debug)]
enum Integers {
    U8,
    I8,
    I16,
    U16,
}

impl Integers {
    /// That of a number of PyTorch's export.
    fn of(dtype: i64) -> Option<Self> {
        match dtype {
            1 => Some(Integers::U8),
            2 => Some(Integers::I8),
            3 => Some(Integers::I16),
            28 => Some(Integers::U16),
            _ => None,
        }
    }

    /// Its number in ONNX.
    fn number(self) -> i32 {
        match self {
            Integers::U8 => 2,
            Integers::I8 => 3,
            Integers::U16 => 4,
            Integers::I16 => 5,
        }
    }

    fn range(self) -> [i64; 2] {
        match self {
            Integers::U8 => [0, 255],
            Integers::I8 => [-128, 127],
            Integers::U16 => [0, 65535],
            Integers::I16 => [-32768, 32767],
        }
    }

    /// A constant of this type without axes.
    fn constant(self, value: i64) -> TensorProto {
        let size = match self {
            Integers::U8 | Integers::I8 => 1,
            Integers::U16 | Integers::I16 => 2,
        };
        let raw_data = Some(value.to_le_bytes()[..size].to_vec().into());
        TensorProto { data_type: self.number(), raw_data, ..TensorProto::default() }
    }
}

/// Writes a call of `quantized_decomposed`.
pub(super) fn translate(t: &mut Translation<'_>, call: &Call<'_>, overload: &str) -> Result<(), Fault> {
    let (what, form) = overload.split_once('.').unwrap_or((overload, ""));
    let by_channel = what.ends_with("per_channel");
    if !(what.ends_with("per_tensor") || by_channel) || !matches!(form, "default" | "tensor" | "") {
        return unknown(t, call);
    }
    let back = what.starts_with("dequantize");
    let of = if back { call.tensor("input")? } else { output(call)? };
    let dtype = t.program.graph().tensor_values.get(of).map(|meta| meta.dtype);
    let Some(integers) = dtype.and_then(Integers::of) else { return unknown(t, call) };
    let [scale, zero_point] = levels(t, call, by_channel, integers)?;
    let more = if by_channel { vec![int("axis", call.int("axis", 0)?)] } else { vec![] };
    let inputs = vec![call.tensor("input")?.to_string(), scale, zero_point];
    let made = output(call)?;
    let [least, most] = integers.range();
    let bounds = [call.int("quant_min", least)?, call.int("quant_max", most)?];
    if back {
        t.add(call, "DequantizeLinear", inputs, made, more);
    } else if bounds == [least, most] {
        t.add(call, "QuantizeLinear", inputs, made, more);
    } else {
        let whole = format!("{made}.unclipped");
        t.add(call, "QuantizeLinear", inputs, &whole, more);
        let [low, high] = [("min", bounds[0]), ("max", bounds[1])]
            .map(|(what, bound)| t.constant(integers.constant(bound), call, what));
        t.add(call, "Clip", vec![whole, low, high], made, vec![]);
    }
    Ok(())
}

/// Scale and zero point as ONNX has them: numbers that stand in the call become constants.
fn levels(
    t: &mut Translation<'_>,
    call: &Call<'_>,
    by_channel: bool,
    integers: Integers,
) -> Result<[String; 2], Fault> {
    const FLOAT32: Option<i32> = Some(1);
    let [scale, zero] = if by_channel { ["scales", "zero_points"] } else { ["scale", "zero_point"] };
    let scale = match call.number(scale) {
        Some(number) => t.number_of(FLOAT32, number, call, "scale")?,
        None => call.tensor(scale)?.to_string(),
    };
    if call.number(zero).is_some() {
        let zero_point = integers.constant(call.int(zero, 0)?);
        return Ok([scale, t.constant(zero_point, call, "zero_point")]);
    }
    // Zero points are stored as wider integers, and have the type of what they belong to in ONNX.
    let Some(stored) = call.optional_tensor(zero)? else { return Ok([scale, String::new()]) };
    let narrow = format!("{}.zero_point", output(call)?);
    let to = int("to", i64::from(integers.number()));
    t.add(call, "Cast", vec![stored.to_string()], &narrow, vec![to]);
    Ok([scale, narrow])
}
