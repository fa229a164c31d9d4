//! How the input and output of a MAC node are laid out around its convolution.

use std::borrow::Cow;

use network::{MacLayer, Operand, WindowAxis};

use crate::array::{Array, Buffers};
use crate::error::Problem;
use crate::ops::{gather_strided, strides};

/// Brings a node's input into `[n, in_channels, height, width]`, `n` being the geometry's repeats times `batch`.
pub(crate) fn arrange<'a>(
    layer: &MacLayer,
    batch: usize,
    x: &'a Array,
    buffers: &mut Buffers,
) -> Result<Cow<'a, [f32]>, Problem> {
    let spec = layer.geometry.spec();
    let depth = if let Operand::Planes(depth) = layer.operand { depth.size } else { 1 };
    let positions = depth * spec.in_size[0] * spec.in_size[1];
    // Each matrix of a stack reads a part of its own.
    let parts = if let Operand::Stack(_) = layer.operand { spec.groups } else { 1 };
    let sizes = [layer.repeats() * batch * parts, layer.in_channels() / parts, positions];
    let expected = sizes.iter().product::<usize>();
    if x.data.len() != expected {
        let shape = &x.shape;
        return Err(Problem::Invalid(format!("an input of shape {shape:?}; the layer takes {expected} elements")));
    }
    if let Operand::Planes(depth) = layer.operand {
        return Ok(Cow::Owned(planes(&x.data, sizes, depth, buffers)));
    }
    Ok(match permutation(layer.operand, sizes) {
        None => Cow::Borrowed(&x.data),
        // `perm[i]` is where axis i of [n, channels, positions] lies in the node's input.
        Some(perm) => Cow::Owned(permuted(&x.data, sizes, perm, buffers)),
    })
}

/// Brings the executor's output, `[n, out_channels, out_height, out_width]`, into the node's arrangement, of shape `shape`.
pub(crate) fn restore(
    layer: &MacLayer,
    batch: usize,
    output: Vec<f32>,
    shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    let spec = layer.geometry.spec();
    let parts = if let Operand::Stack(matrices) = layer.operand { matrices } else { 1 };
    let sizes = [spec.repeats * batch * parts, layer.out_channels() / parts, layer.out_positions()];
    let expected = sizes.iter().product::<usize>();
    let declared = shape.iter().product::<usize>();
    if output.len() != expected || declared != expected {
        let found = output.len();
        return Err(Problem::Invalid(format!(
            "the executor made {found} elements, the geometry {expected}, and the node's shape is {shape:?}"
        )));
    }
    // Positions trail in the result of the executor; where they lead in the node, the axes lie as [n, positions, M].
    let data = match (layer.operand, sizes) {
        // [n, depth, M, positions] becomes [n, M, depth, positions].
        (Operand::Planes(WindowAxis { out, .. }), [n, filters, positions]) if out > 1 => {
            let from = strides(&[n / out, out, filters, positions]);
            let sizes = [n / out, filters, out, positions];
            let data = gather_strided(&output, 0, &sizes, &[from[0], from[2], from[1], from[3]], buffers);
            buffers.give(output);
            data
        }
        (Operand::ChannelsLast | Operand::Stack(_) | Operand::Transposed, [n, filters, positions]) if positions > 1 => {
            let from = strides(&[n, filters, positions]);
            let data = gather_strided(&output, 0, &[n, positions, filters], &[from[0], from[2], from[1]], buffers);
            buffers.give(output);
            data
        }
        // [n, M, positions] becomes [positions, n, M].
        (Operand::StepsFirst, [n, filters, positions]) => {
            let from = strides(&[n, filters, positions]);
            let data = gather_strided(&output, 0, &[positions, n, filters], &[from[2], from[0], from[1]], buffers);
            buffers.give(output);
            data
        }
        _ => output,
    };
    Ok(Array::new(shape.to_vec(), data))
}

/// What an executor made of a layer, `[n, filters, out_height, out_width]`, in the arrangement of its node's output.
///
/// `n` is the geometry's repeats times `batch`. An observer of a session sees outputs as executors make them
/// ([`crate::Observe`]); the graph has them as they come out here, but that images are never side by side: the second
/// follows the first.
///
/// # Panics
///
/// If there are not as many numbers as the geometry says.
pub fn node_output(layer: &MacLayer, batch: usize, output: &[f32]) -> Vec<f32> {
    let shape = [output.len()];
    let operand = if layer.operand == Operand::StepsFirst { Operand::ChannelsLast } else { layer.operand };
    let layer = &MacLayer { operand, ..layer.clone() };
    let restored = restore(layer, batch, output.to_vec(), &shape, &mut Buffers::default());
    restored.unwrap_or_else(|_| panic!("{} numbers are not the output of {}", output.len(), layer.name)).data
}

/// The planes under the kernel of each output plane: from `[n, channels, depth, positions]`, `sizes` with depth and
/// positions multiplied, to `[n, outputs, channels, taps, positions]`. Padding is 0.
fn planes(data: &[f32], [n, channels, len]: [usize; 3], depth: WindowAxis, buffers: &mut Buffers) -> Vec<f32> {
    let positions = len / depth.size;
    let mut all = buffers.take(n * depth.out * channels * depth.kernel * positions);
    for image in data.chunks_exact(channels * len) {
        for output in 0..depth.out {
            for channel in image.chunks_exact(len) {
                for tap in 0..depth.kernel {
                    match depth.source(output, tap) {
                        Some(plane) => all.extend_from_slice(&channel[plane * positions..][..positions]),
                        None => all.resize(all.len() + positions, 0.0),
                    }
                }
            }
        }
    }
    all
}

/// The order of the axes n, channels and positions in the input of a node, if it is another than that.
fn permutation(operand: Operand, [n, channels, positions]: [usize; 3]) -> Option<[usize; 3]> {
    match operand {
        Operand::ChannelsFirst | Operand::Planes(_) | Operand::WeightsLeft => None,
        Operand::ChannelsLast | Operand::Stack(_) => (positions > 1 && channels > 1).then_some([0, 2, 1]),
        Operand::StepsFirst => (positions > 1).then_some([2, 0, 1]),
        Operand::Transposed => (n > 1 && channels > 1).then_some([1, 0, 2]),
    }
}

/// Rearranges the node's input, whose axes lie in the order `order` of [n, channels, positions], into just that.
fn permuted(data: &[f32], sizes: [usize; 3], order: [usize; 3], buffers: &mut Buffers) -> Vec<f32> {
    let stored = strides(&order.map(|axis| sizes[axis]));
    let mut walk = [0; 3];
    for (place, &axis) in order.iter().enumerate() {
        walk[axis] = stored[place];
    }
    gather_strided(data, 0, &sizes, &walk, buffers)
}
