//! Layers whose weights are one tensor: a network that applies a layer twice, twins, a decoder that is its encoder's
//! transpose.

use std::collections::HashMap;

use crate::ids::LayerId;
use crate::layer::{MacLayer, WeightSource};

/// By layer, the first one whose weights are the same tensor; the layer itself where it is the first.
///
/// Weights are one tensor where they are the same bytes of a file, or have the same name, type and content, which may be
/// none where the file has no values; and where
/// their integers stand for the same numbers. Each layer may arrange them in its own way, unless the scales say which
/// axis is the filters'.
pub(crate) fn first_uses(layers: &[MacLayer]) -> Vec<LayerId> {
    let mut by_storage: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut first = Vec::with_capacity(layers.len());
    for (index, layer) in layers.iter().enumerate() {
        let source = &layer.weights;
        let stored = source.tensor.chunks.first().map_or((0, 0), |chunk| (chunk.as_ptr().addr(), chunk.len()));
        let (at, named) = (by_storage.entry(stored).or_default(), by_name.entry(&source.name).or_default());
        let same = at.iter().chain(named.iter()).copied().find(|&other| is_one(&layers[other].weights, source));
        if same.is_none() {
            at.push(index);
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
