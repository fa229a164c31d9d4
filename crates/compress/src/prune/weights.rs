//! The weights of a layer while it is pruned.

use esn::WeightShape;
use network::rearrange::transpose;
use network::{DataType, Encoding, MacLayer, Tensor, WeightSource, WeightValues};

/// Real weights of one layer, row-major `[filters, channels, taps]`. The filters of an output channel of a transposed
/// convolution, one a tap, are one filter here: they go together.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    pub shape: WeightShape,
    pub values: WeightValues,
    /// Whether the layer has them as `[filters, taps, channels]`.
    by_tap: bool,
    /// Whether any weight differs from that of the file.
    pub changed: bool,
}

/// Does the same with weights of either precision: `$values` is a slice or `Vec` of them.
macro_rules! either {
    ($weights:expr, $values:ident => $body:expr) => {
        match $weights {
            WeightValues::F32($values) => $body,
            WeightValues::F64($values) => $body,
        }
    };
}

#[allow(clippy::useless_conversion, reason = "one text for both precisions")]
impl Weights {
    pub fn new(layer: &MacLayer, values: WeightValues) -> Self {
        let (shape, by_tap) = (layer.channel_shape(), layer.scatter().is_some());
        let turned = [shape.filters, shape.taps, shape.channels];
        Self { shape, values: if by_tap { swapped(&values, turned) } else { values }, by_tap, changed: false }
    }

    /// Number of weights.
    pub fn len(&self) -> usize {
        either!(&self.values, values => values.len())
    }

    /// Magnitudes, exact.
    pub fn magnitudes(&self) -> Vec<f64> {
        either!(&self.values, values => values.iter().map(|&w| f64::from(w).abs()).collect())
    }

    /// `‖W_m‖_F²` of every filter.
    pub fn norms(&self) -> Vec<f64> {
        let len = self.shape.filter_len();
        let norm = |filter: &mut dyn Iterator<Item = f64>| filter.map(|w| w * w).sum();
        either!(&self.values, values => values.chunks(len).map(|f| norm(&mut f.iter().map(|&w| f64::from(w)))).collect())
    }

    /// The largest magnitude of every filter.
    pub fn peaks(&self) -> Vec<f64> {
        let len = self.shape.filter_len();
        either!(&self.values, values =>
            values.chunks(len).map(|filter| filter.iter().fold(0.0, |peak, &w| f64::from(w).abs().max(peak))).collect())
    }

    /// For every filter and channel of its group, row-major, whether a weight is not 0.
    pub fn occupied(&self) -> Vec<bool> {
        let taps = self.shape.taps;
        either!(&self.values, values => values.chunks(taps).map(|block| block.iter().any(|&w| w != 0.0)).collect())
    }

    /// Number of weights that are not 0.
    pub fn nonzero(&self) -> u64 {
        either!(&self.values, values => values.iter().filter(|&&w| w != 0.0).count() as u64)
    }

    /// Sets a range of weights to 0.
    pub fn zero(&mut self, range: std::ops::Range<usize>) {
        either!(&mut self.values, values => {
            self.changed |= values[range.clone()].iter().any(|&w| w != 0.0);
            values[range].fill(0.0);
        });
    }

    /// Sets to 0 the weights whose magnitude `goes`, asked in order.
    pub fn zero_where(&mut self, mut goes: impl FnMut(f64) -> bool) {
        let mut changed = false;
        either!(&mut self.values, values => {
            for w in values.iter_mut() {
                if goes(f64::from(*w).abs()) {
                    changed |= *w != 0.0;
                    *w = 0.0;
                }
            }
        });
        self.changed |= changed;
    }

    /// The weights of `filters`, of each those of the channels that `channels` gives for it.
    pub fn select(&mut self, filters: &[usize], channels: impl Fn(usize) -> Vec<usize>) {
        let (taps, len) = (self.shape.taps, self.shape.filter_len());
        let starts = |&filter: &usize| channels(filter).into_iter().map(move |channel| filter * len + channel * taps);
        let starts: Vec<usize> = filters.iter().flat_map(starts).collect();
        self.changed = true;
        either!(&mut self.values, values => {
            *values = starts.iter().flat_map(|&start| &values[start..start + taps]).copied().collect();
        });
    }

    /// The weights in memory, in `shape` = `[filters, channels, kernel_h, kernel_w]` of the layer's geometry.
    pub fn source(&self, name: &str, shape: [usize; 4]) -> WeightSource {
        let taps = self.shape.taps;
        let values = if self.by_tap { &swapped(&self.values, [shape[0] / taps, shape[1], taps]) } else { &self.values };
        match values {
            WeightValues::F32(values) => WeightSource::from_f32(name, shape, values),
            WeightValues::F64(values) => {
                let bytes: Vec<u8> = values.iter().flat_map(|w| w.to_le_bytes()).collect();
                let (data_type, chunks) = (DataType::F64, vec![bytes.into()]);
                let tensor = Tensor { data_type, shape: shape.to_vec(), encoding: Encoding::Raw, chunks };
                WeightSource { name: name.to_string(), tensor, transforms: Vec::new(), quantization: None }
            }
        }
    }
}

/// Values of shape `[n, a, b]` as `[n, b, a]`.
fn swapped(values: &WeightValues, shape: [usize; 3]) -> WeightValues {
    match values {
        WeightValues::F32(values) => WeightValues::F32(transpose(values, &shape, &[0, 2, 1])),
        WeightValues::F64(values) => WeightValues::F64(transpose(values, &shape, &[0, 2, 1])),
    }
}
