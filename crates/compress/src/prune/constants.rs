//! Constants of the graph: what they hold for each channel, and how they are changed.

use network::{Graph, Names, NetworkBuilder, NodeId, Tensor, Value, ValueId};

use super::layout::{offsets, strides};
use crate::error::CompressError;

/// What a constant holds in one cell of a grid of channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub min: f64,
    pub max: f64,
    pub any_zero: bool,
}

impl Summary {
    const EMPTY: Self = Self { min: f64::INFINITY, max: f64::NEG_INFINITY, any_zero: false };

    pub fn all_zero(&self) -> bool {
        self.min == 0.0 && self.max == 0.0
    }

    fn add(&mut self, x: f64) {
        self.min = self.min.min(x);
        self.max = self.max.max(x);
        self.any_zero |= x == 0.0;
    }
}

/// A constant beside a value of `rank` axes, broadcast as ONNX does: its shape filled up with 1 in front.
#[derive(Debug)]
pub(super) struct Aligned {
    shape: Vec<usize>,
}

impl Aligned {
    /// None if the constant has more axes.
    pub fn new(shape: &[usize], rank: usize) -> Option<Self> {
        let missing = rank.checked_sub(shape.len())?;
        Some(Self { shape: [vec![1; missing], shape.to_vec()].concat() })
    }

    /// Whether each cell of the grid has elements of its own.
    pub fn is_by_cell(&self, axes: &[usize], extents: &[usize]) -> bool {
        axes.iter().zip(extents).all(|(&axis, &extent)| self.shape[axis] == extent)
    }

    /// For every cell of the grid, what the constant holds there.
    pub fn summaries(&self, values: &[f64], axes: &[usize], extents: &[usize]) -> Vec<Summary> {
        let own: Vec<usize> = axes.iter().map(|&axis| self.shape[axis]).collect();
        let mut summaries = vec![Summary::EMPTY; own.iter().product()];
        for (cell, &x) in self.cells(axes, &own).into_iter().zip(values) {
            summaries[cell].add(x);
        }
        let steps: Vec<usize> = strides(&own).into_iter().zip(&own).map(|(s, &n)| if n > 1 { s } else { 0 }).collect();
        offsets(extents, &steps).into_iter().map(|cell| summaries[cell]).collect()
    }

    /// For every element, its cell on the grid, whose extents are those of the constant.
    pub fn cells(&self, axes: &[usize], extents: &[usize]) -> Vec<usize> {
        let grid = strides(extents);
        let mut steps = vec![0; self.shape.len()];
        axes.iter().zip(grid).for_each(|(&axis, stride)| steps[axis] = stride);
        offsets(&self.shape, &steps)
    }

    /// The constant's own axis at an axis of the value, if the constant is longer than 1 there.
    pub fn own_axis(&self, axis: usize, rank: usize) -> Option<usize> {
        (self.shape[axis] > 1).then(|| axis - (self.shape.len() - rank))
    }
}

/// The elements of a constant as `f64`; none where they cannot be read.
pub(super) fn numbers(tensor: &Tensor) -> Option<Vec<f64>> {
    if tensor.data_type.is_real() {
        return tensor.to_f64().ok();
    }
    Some(tensor.to_i64().ok()?.into_iter().map(|x| x as f64).collect())
}

/// Changes constants of a graph; one that others read too is copied first.
#[derive(Debug)]
pub(super) struct Constants {
    /// By value, in how many places it is used.
    uses: Vec<usize>,
    names: Names,
}

impl Constants {
    pub fn new(graph: &Graph) -> Self {
        Self { uses: graph.uses(), names: graph.values().iter().map(|value| value.name.clone()).collect() }
    }

    /// Replaces the constant at an input of a node, its shape included.
    pub fn replace(&mut self, network: &mut NetworkBuilder, node: NodeId, input: usize, tensor: Tensor) {
        let id = network.node(node).inputs[input].expect("the caller has read this input");
        let id = if self.uses[id.0] > 1 { self.copy(network, node, input, id) } else { id };
        network.set_constant(id, tensor);
    }

    fn copy(&mut self, network: &mut NetworkBuilder, node: NodeId, input: usize, id: ValueId) -> ValueId {
        let value = network.value(id).clone();
        let name = self.names.claim(&format!("{}.{}.{input}", value.name, network.node(node).name));
        let copy = network.add_value(Value { name, ..value });
        network.node_mut(node).inputs[input] = Some(copy);
        self.uses[id.0] -= 1;
        self.uses.push(1);
        copy
    }
}

/// The elements of a tensor as their little-endian bytes.
fn bytes(tensor: &Tensor) -> Option<Vec<u8>> {
    use network::Encoding;
    if tensor.encoding == Encoding::Raw {
        return Some(tensor.chunks.concat());
    }
    let size = tensor.data_type.size();
    Some(tensor.to_i64().ok()?.iter().flat_map(|x| x.to_le_bytes()[..size].to_vec()).collect())
}

fn unreadable(value: &Value) -> CompressError {
    CompressError::Unsupported {
        place: format!("tensor {:?}", value.name),
        problem: "changing a constant that is stored so; raw elements are handled".to_string(),
    }
}

/// The tensor with the elements that `is_zero` says set to 0.
pub(super) fn zeroed(value: &Value, tensor: &Tensor, is_zero: &[bool]) -> Result<Tensor, CompressError> {
    let mut bytes = bytes(tensor).ok_or_else(|| unreadable(value))?;
    let elements = bytes.chunks_exact_mut(tensor.data_type.size()).zip(is_zero);
    elements.filter(|(_, zero)| **zero).for_each(|(element, _)| element.fill(0));
    Ok(raw(tensor, tensor.shape.clone(), bytes))
}

/// The tensor with only the entries `kept` of an axis.
pub(super) fn selected(value: &Value, tensor: &Tensor, axis: usize, kept: &[usize]) -> Result<Tensor, CompressError> {
    let bytes = bytes(tensor).ok_or_else(|| unreadable(value))?;
    let inner = tensor.shape[axis + 1..].iter().product::<usize>() * tensor.data_type.size();
    let mut result = Vec::with_capacity(bytes.len());
    for block in bytes.chunks_exact((tensor.shape[axis] * inner).max(1)) {
        kept.iter().for_each(|&i| result.extend_from_slice(&block[i * inner..(i + 1) * inner]));
    }
    let mut shape = tensor.shape.clone();
    shape[axis] = kept.len();
    Ok(raw(tensor, shape, result))
}

fn raw(tensor: &Tensor, shape: Vec<usize>, bytes: Vec<u8>) -> Tensor {
    Tensor { data_type: tensor.data_type, shape, encoding: network::Encoding::Raw, chunks: vec![bytes.into()] }
}
