//! Layers whose weights are one tensor: a network that applies a layer twice, twins, a decoder that is its encoder's
//! transpose.

use std::collections::HashMap;

use crate::ids::LayerId;
use crate::layer::{MacLayer, WeightSource};

/// By layer, the first one whose weights are the same tensor; the layer itself where it is the first.
///
/// Weights are one tensor where they are the same bytes of a file, or have the same name, type and content, which may be
/// none where the file has no values; and where their integers stand for the same numbers. Each layer may arrange them in
/// its own way, unless the scales say which axis is the filters'.
pub(crate) fn first_uses(layers: &[MacLayer]) -> Vec<LayerId> {
    let mut by_storage: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut first = Vec::with_capacity(layers.len());
    for (index, layer) in layers.iter().enumerate() {
        let source = &layer.weights;
        // What has no bytes is nowhere, and is known by its name alone.
        let stored = source.tensor.chunks.first().map(|chunk| (chunk.as_ptr().addr(), chunk.len()));
        let at = stored.map(|place| by_storage.entry(place).or_default());
        let named = by_name.entry(&source.name).or_default();
        let mut alike = at.iter().flat_map(|at| at.iter()).chain(named.iter()).copied();
        let same = alike.find(|&other| is_one(&layers[other].weights, source));
        if same.is_none() {
            at.into_iter().for_each(|at| at.push(index));
            named.push(index);
        }
        first.push(LayerId(same.unwrap_or(index)));
    }
    first
}

fn is_one(a: &WeightSource, b: &WeightSource) -> bool {
    let scales = a.quantization.as_ref().map_or(1, |found| found.scales.len());
    let stored = |source: &WeightSource| (source.tensor.data_type, source.tensor.encoding);
    stored(a) == stored(b)
        && a.tensor.shape == b.tensor.shape
        && a.quantization == b.quantization
        && (a.transforms == b.transforms || scales == 1)
        && (is_one_place(a, b) || (a.name == b.name && a.tensor.chunks == b.tensor.chunks))
}

/// Whether both are the same bytes of memory or of a mapped file.
fn is_one_place(a: &WeightSource, b: &WeightSource) -> bool {
    let places = |source: &WeightSource| {
        source.tensor.chunks.iter().map(|chunk| (chunk.as_ptr(), chunk.len())).collect::<Vec<_>>()
    };
    // What has no bytes, because the file has none of it, is nowhere.
    !a.tensor.chunks.is_empty() && places(a) == places(b)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::{DataType, Geometry, GeometrySpec, MacOp, Operand, Tensor, ValueId};

    /// A layer of which the file has no values.
    fn without_values(name: String) -> MacLayer {
        let tensor = Tensor::absent(DataType::F32, vec![2, 2, 1, 1]);
        MacLayer {
            name: name.clone(),
            op: MacOp::Conv,
            geometry: Geometry::new(GeometrySpec::convolution(2, 2, [1, 1], [3, 3])).expect("a valid geometry"),
            operand: Operand::ChannelsFirst,
            weights: WeightSource { name, tensor, transforms: Vec::new(), quantization: None },
            bias: None,
            alpha: 1.0,
            input_quantization: None,
            requantization: None,
            input: ValueId(0),
            output: ValueId(1),
        }
    }

    #[test]
    fn many_layers_without_values_are_told_apart_in_no_time() {
        let mut layers: Vec<MacLayer> = (0..100_000).map(|index| without_values(format!("row{index}"))).collect();
        layers.push(without_values("row7".to_string()));
        let started = Instant::now();
        let first = first_uses(&layers);
        assert!((0..100_000).all(|index| first[index] == LayerId(index)));
        assert_eq!(first[100_000], LayerId(7), "one name");
        // Pair by pair it would take minutes.
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
}
