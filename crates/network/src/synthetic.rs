//! Weights for networks whose file has none: a network exchanged for its sizes alone still has costs.

use esn::Grid;

use crate::draw::Draw;
use crate::layer::{MacLayer, WeightQuantization, WeightSource};
use crate::random::mixed;
use crate::tensor::{DataType, Encoding, Tensor};

/// How weights are drawn that a file lacks.
///
/// A weight is a function of the seed, the name of its tensor and its place in the tensor. It depends neither on other
/// tensors nor on an order, so that one workload in two files has the same weights under the same names.
///
/// - Real weights are normal, of mean 0 and variance `2 / fan`, the fan being the weights of a filter (He et al. 2015).
/// - Integers that the file quantizes are normal, of deviation `2 · largest / bits`, rounded and clipped to `±largest`;
///   near enough the deviation at which a quantizer of so many bits has the least error on normal numbers (Max 1960).
///   Their zero point is 0, their scales are those of the file.
/// - Each weight is 0 with the probability of the sparsity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Synthetic {
    seed: u64,
    sparsity: f64,
}

impl Synthetic {
    /// From this seed. `None` unless `0 ≤ sparsity < 1`.
    pub fn new(seed: u64, sparsity: f64) -> Option<Self> {
        (0.0..1.0).contains(&sparsity).then_some(Self { seed, sparsity })
    }

    /// What weights are drawn from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The probability of a weight to be 0.
    pub fn sparsity(&self) -> f64 {
        self.sparsity
    }

    /// The weights of a layer whose file has none of them.
    pub(crate) fn weights_of(&self, layer: &MacLayer) -> WeightSource {
        let source = layer.weights.clone();
        let key = self.key(&source.name);
        let Some(quantization) = source.quantization else {
            let deviation = (2.0 / layer.geometry.rows() as f64).sqrt();
            let draw = Draw::real(key, deviation, self.sparsity);
            return WeightSource { tensor: drawn(DataType::F32, source.tensor, draw), ..source };
        };
        let (data_type, largest) = integers(&quantization);
        let bits = 1.0 + (largest + 1.0).log2();
        let odd = quantization.grid == Grid::MidRise;
        let draw = Draw::integers(key, 2.0 * largest / bits, self.sparsity, largest, odd);
        let quantization = WeightQuantization { zero_points: vec![0], data_type, clip: None, ..quantization };
        WeightSource {
            tensor: drawn(data_type, source.tensor, draw),
            quantization: Some(quantization),
            name: source.name,
            transforms: source.transforms,
        }
    }

    /// What the elements of a tensor are drawn from: FNV-1a (Fowler, Noll and Vo) of its name, stirred with the seed.
    fn key(&self, name: &str) -> u64 {
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let name = name.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
        mixed(mixed(self.seed).wrapping_add(name))
    }
}

fn drawn(data_type: DataType, absent: Tensor, draw: Draw) -> Tensor {
    Tensor { data_type, encoding: Encoding::Drawn(draw), ..absent }
}

/// The signed type of the integers that are drawn, and their largest magnitude.
fn integers(quantization: &WeightQuantization) -> (DataType, f64) {
    let (data_type, of_type) = match quantization.data_type {
        DataType::I4 | DataType::U4 => (DataType::I4, 7),
        DataType::I8 | DataType::U8 => (DataType::I8, 127),
        DataType::I16 | DataType::U16 | DataType::I32 | DataType::U32 | DataType::I64 | DataType::U64 => {
            (DataType::I16, 32767)
        }
        DataType::F16 | DataType::Bf16 | DataType::F32 | DataType::F64 | DataType::Bool => (DataType::I8, 127),
    };
    let clipped = quantization.clip.map_or(of_type, |[min, max]| (i64::from(max) - i64::from(min)) / 2);
    (data_type, clipped.clamp(1, of_type) as f64)
}
