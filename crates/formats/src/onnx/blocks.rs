//! Integer weights with a scale for each block of a filter, as operators on constants: such weights are real numbers in the
//! end, for the integers of a layer have one scale for each filter.

use std::collections::HashMap;

use super::proto::{GraphProto, NodeProto, TensorProto};
use super::steps::Steps;
use super::write::attributes::{counts, int};
use crate::reading::fault::{Fault, clean, invalid};
use crate::reading::few;

/// Unsigned bytes in `onnx.proto`.
const UINT8: i32 = 2;

/// The most weights that a node may unpack.
const MAX_WEIGHTS: i64 = 1 << 31;

/// Element types and shapes of the tensors that a graph stores.
pub(super) struct Stored(HashMap<String, (i32, Vec<i64>)>);

impl Stored {
    /// Those of the initializers of a graph.
    pub(super) fn of(graph: &GraphProto) -> Self {
        let form = |tensor: &TensorProto| (tensor.name.clone(), (tensor.data_type, tensor.dims.clone()));
        Self(graph.initializer.iter().map(form).collect())
    }

    /// The shape of a stored tensor.
    pub(super) fn shape(&self, name: &str) -> Option<&[i64]> {
        self.0.get(name).map(|(_, shape)| shape.as_slice())
    }
}

/// DequantizeLinear of blocks, or of floating-point numbers of few bits: `(x − zero point) · scale`, with the scale and the
/// zero point of the block or the channel. `None` of all others.
pub(super) fn dequantize(node: &NodeProto, opset: i64, stored: &Stored) -> Option<Vec<NodeProto>> {
    let int_of = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name).map(|found| found.i);
    let axis = int_of("axis").unwrap_or(1);
    let (x, scale) = (node.input.first()?, node.input.get(1)?);
    let Some(block) = int_of("block_size").filter(|&block| block > 0) else {
        return few_floats(node, opset, stored, axis);
    };
    let mut steps = Steps::new(node, opset);
    let (shape, at) = (steps.op("Shape", &[x], vec![]), steps.ints(&[axis]));
    let extent = steps.op("Gather", &[&shape, &at], vec![int("axis", 0)]);
    let block_of = blocks(&mut steps, &extent, block);
    let spread =
        |steps: &mut Steps<'_>, parameter: &str| steps.op("Gather", &[parameter, &block_of], vec![int("axis", axis)]);
    let scales = spread(&mut steps, scale);
    let mut real = steps.op("CastLike", &[x, scale], vec![]);
    if let Some(zero) = node.input.get(2).filter(|name| !name.is_empty()) {
        let zero = steps.op("CastLike", &[zero, scale], vec![]);
        let zeros = spread(&mut steps, &zero);
        real = steps.op("Sub", &[&real, &zeros], vec![]);
    }
    Some(steps.end("Mul", &[&real, &scales], vec![]))
}

/// Stored floating-point numbers of few bits, which are read as real numbers, times their scales.
fn few_floats(node: &NodeProto, opset: i64, stored: &Stored, axis: i64) -> Option<Vec<NodeProto>> {
    let (x, scale) = (node.input.first()?, node.input.get(1)?);
    let (_, shape) = stored.0.get(x).filter(|(data_type, _)| few::is_float(*data_type))?;
    let (_, of_scale) = stored.0.get(scale)?;
    let rank = shape.len() as i64;
    let axis = if axis < 0 { axis + rank } else { axis };
    let mut steps = Steps::new(node, opset);
    let column: Vec<i64> = match of_scale.as_slice() {
        [channels] if *channels != 1 => (0..rank).map(|a| if a == axis { *channels } else { 1 }).collect(),
        _ => vec![],
    };
    let column = steps.ints(&column);
    let scales = steps.reshape(scale, &column);
    let mut real = steps.op("CastLike", &[x, scale], vec![]);
    if let Some(zero) = node.input.get(2).filter(|name| !name.is_empty()) {
        let zero = steps.op("CastLike", &[zero, scale], vec![]);
        let zero = steps.reshape(&zero, &column);
        real = steps.op("Sub", &[&real, &zero], vec![]);
    }
    Some(steps.end("Mul", &[&real, &scales], vec![]))
}

/// The block of each of `extent` elements.
fn blocks(steps: &mut Steps<'_>, extent: &str, block: i64) -> String {
    let (zero, one, block) = (steps.ints(&[0]), steps.ints(&[1]), steps.ints(&[block]));
    let places = steps.op("Range", &[&zero, extent, &one], vec![]);
    steps.op("Div", &[&places, &block], vec![])
}

/// MatMulNBits of onnxruntime: A, packed weights `[N, blocks, bytes]`, scales, zero points, group indices, bias. `None`
/// where it has group indices, and for weights of another number of bits than 2, 4 or 8.
pub(super) fn matmul(node: &NodeProto, opset: i64, stored: &Stored) -> Result<Option<Vec<NodeProto>>, Fault> {
    let int_of = |name: &str, default: i64| {
        node.attribute.iter().find(|attribute| attribute.name == name).map_or(default, |found| found.i)
    };
    let [depth, filters, bits, block] = [("K", 0), ("N", 0), ("bits", 4), ("block_size", 0)].map(|(n, d)| int_of(n, d));
    let input = |index: usize| node.input.get(index).map(String::as_str).filter(|name| !name.is_empty());
    let (Some(a), Some(packed), Some(scales)) = (input(0), input(1), input(2)) else {
        return Err(invalid!("node {:?} has {} inputs; expected at least 3", clean(&node.name), node.input.len()));
    };
    if !matches!(bits, 2 | 4 | 8) || input(4).is_some() {
        return Ok(None);
    }
    let fits = depth > 0 && filters > 0 && block > 0 && depth.checked_mul(filters).is_some_and(|n| n <= MAX_WEIGHTS);
    if !fits {
        let name = clean(&node.name);
        return Err(invalid!(
            "node {name:?} has K {depth}, N {filters} and block_size {block}; expected numbers above 0"
        ));
    }
    let count = (depth - 1) / block + 1;
    let mut steps = Steps::new(node, opset);
    let codes = unpacked(&mut steps, packed, bits, [filters, depth]);
    let codes = steps.op("CastLike", &[&codes, scales], vec![]);
    let table = steps.ints(&[filters, count]);
    let scale = steps.reshape(scales, &table);
    let extent = steps.ints(&[depth]);
    let block_of = blocks(&mut steps, &extent, block);
    let zero = match input(3) {
        None => steps.float_like((1 << (bits - 1)) as f32, scales),
        Some(zero) => {
            let Some((data_type, _)) = stored.0.get(zero) else { return Ok(None) };
            // Zero points are packed as the weights are, or of the type of the scales.
            let points = match *data_type == UINT8 {
                true => unpacked(&mut steps, zero, bits, [filters, count]),
                false => steps.reshape(zero, &table),
            };
            let points = steps.op("CastLike", &[&points, scales], vec![]);
            steps.op("Gather", &[&points, &block_of], vec![int("axis", 1)])
        }
    };
    let scales = steps.op("Gather", &[&scale, &block_of], vec![int("axis", 1)]);
    let moved = steps.op("Sub", &[&codes, &zero], vec![]);
    let real = steps.op("Mul", &[&moved, &scales], vec![]);
    let turned = steps.op("Transpose", &[&real], vec![counts("perm", &[1, 0])]);
    let result = steps.layer("MatMul", &[a, &turned], vec![]);
    Ok(Some(match input(5) {
        Some(bias) => steps.end("Add", &[&result, bias], vec![]),
        None => steps.end("Identity", &[&result], vec![]),
    }))
}

/// Integers out of bytes that hold several, the first in the lowest bits, as `[rows, columns]`; each row begins a byte.
fn unpacked(steps: &mut Steps<'_>, packed: &str, bits: i64, [rows, columns]: [i64; 2]) -> String {
    let wide = steps.op("Cast", &[packed], vec![int("to", 7)]);
    let column = steps.ints(&[rows, -1, 1]);
    let mut rest = steps.reshape(&wide, &column);
    let base = steps.ints(&[1 << bits]);
    let mut parts = Vec::new();
    for _ in 0..8 / bits {
        parts.push(steps.op("Mod", &[&rest, &base], vec![]));
        rest = steps.op("Div", &[&rest, &base], vec![]);
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let all = steps.op("Concat", &parts, vec![int("axis", 2)]);
    let table = steps.ints(&[rows, -1]);
    let all = steps.reshape(&all, &table);
    let (start, end, axis) = (steps.ints(&[0]), steps.ints(&[columns]), steps.ints(&[1]));
    steps.op("Slice", &[&all, &start, &end, &axis], vec![])
}
