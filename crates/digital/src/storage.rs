//! The weights of a layer as they lie in memory: which are kept, and how many bits each takes. All of them, and what is
//! needed to read them, are fetched once a layer.

use engine::{StoredWeights, WeightFormat, WeightMemory};
use esn::{CodeTensor, WeightShape};

use crate::departures::{Departures, ZeroSkipping};
use crate::encoding::{Encoding, width_of};
use crate::spec::Granularity;

/// Bits that name the width of a filter, 0 to 17.
pub const WIDTH_FIELD_BITS: u64 = 5;

/// The weights of a layer in memory.
pub(crate) struct Storage {
    /// All weights of each filter, those that are not kept among them.
    all: Vec<StoredWeights>,
    /// Bits of a stored weight of each filter, with its index.
    weight_bits: Vec<u64>,
    memory: WeightMemory,
}

/// Which weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// All of them. An array that skips single zeros or by a pattern without an index reads them to find out.
    All,
    /// Those of filters and input channels with a nonzero weight. A map of one bit for each filter and each channel says
    /// which they are; where a filter has a field for its width, that says it for the filter.
    Live,
    /// Those that are not zero. The index of each says where it stands.
    Nonzero,
    /// So many of so many neighbouring ones. The index of each says which it is of them.
    Pattern { keep: u32, of: u32 },
}

/// The format of an array.
pub(crate) fn format(granularity: Granularity, departures: &Departures) -> WeightFormat {
    match granularity {
        // Of a pattern, layers have indices that follow it, and the others have none.
        _ if departures.zero_skipping(granularity) == ZeroSkipping::Weights
            && departures.index_bits_per_nonzero > 0 =>
        {
            WeightFormat::Sparse
        }
        Granularity::Fixed(_) => WeightFormat::Fixed,
        Granularity::Filter => WeightFormat::Filter,
        // No width could be told from the next if each weight had its own.
        Granularity::Layer | Granularity::Weight => WeightFormat::Dense,
    }
}

impl Kept {
    fn new(encoding: &Encoding, departures: &Departures) -> Self {
        match encoding.zero_skipping {
            ZeroSkipping::None => Kept::All,
            ZeroSkipping::Filters => Kept::Live,
            ZeroSkipping::Weights if departures.index_bits_per_nonzero > 0 => Kept::Nonzero,
            ZeroSkipping::Weights => Kept::All,
            ZeroSkipping::Pattern { keep, of } if departures.index_bits_per_nonzero > 0 => Kept::Pattern { keep, of },
            ZeroSkipping::Pattern { .. } => Kept::All,
        }
    }
}

impl Storage {
    /// Measures a layer. `live` says which channels have a nonzero weight, `[groups, channels]`; it may be empty unless
    /// zeros are skipped by filters.
    pub(crate) fn new(departures: &Departures, encoding: &Encoding, codes: &CodeTensor, live: &[bool]) -> Self {
        let kept = Kept::new(encoding, departures);
        let filters = 0..codes.shape().filters;
        let all: Vec<StoredWeights> =
            filters.map(|filter| StoredWeights::of(codes.grid(), codes.filter(filter))).collect();
        let filters: Vec<StoredWeights> = all
            .iter()
            .enumerate()
            .map(|(filter, all)| stored(kept, encoding, *all, (codes.shape(), filter), live))
            .collect();
        let layer = filters.iter().fold(StoredWeights::none(codes.grid()), |sum, filter| sum.merge(*filter));
        let of_layer = layer.width(match encoding.granularity {
            Granularity::Fixed(width) => width,
            Granularity::Layer | Granularity::Weight | Granularity::Filter => {
                encoding.rounded[width_of(codes.grid(), layer.largest()) as usize]
            }
        });
        let width = |filter: usize| match encoding.granularity {
            Granularity::Filter => {
                let planes = encoding.rounded[width_of(codes.grid(), all[filter].largest()) as usize];
                filters[filter].width(planes)
            }
            Granularity::Layer | Granularity::Weight | Granularity::Fixed(_) => of_layer,
        };
        let weight_bits: Vec<u64> =
            (0..filters.len()).map(|filter| u64::from(width(filter)) + departures.index_bits_per_nonzero).collect();
        let of_filter = |(stored, bits): (&StoredWeights, &u64)| u128::from(stored.count()) * u128::from(*bits);
        let of_weights: u128 = filters.iter().zip(&weight_bits).map(of_filter).sum();
        let weights = u128::from(layer.count());
        let memory = WeightMemory {
            bits: of_weights + u128::from(beside(kept, encoding.granularity, codes)),
            weights,
            index_bits: weights * u128::from(departures.index_bits_per_nonzero),
        };
        Self { all, weight_bits, memory }
    }

    /// All weights of a filter, those that are not kept among them.
    pub(crate) fn filter(&self, filter: usize) -> &StoredWeights {
        &self.all[filter]
    }

    /// Bits that a weight of a filter takes in memory and in the buffer of a row, with its index. A zero that is skipped
    /// is fetched at most, and takes no room in the buffer.
    pub(crate) fn weight_bits(&self, filter: usize) -> u64 {
        self.weight_bits[filter]
    }

    /// The whole layer.
    pub(crate) fn memory(&self) -> WeightMemory {
        self.memory
    }
}

/// The weights of a filter that are stored, out of all of them.
fn stored(
    kept: Kept,
    encoding: &Encoding,
    all: StoredWeights,
    (shape, filter): (WeightShape, usize),
    live: &[bool],
) -> StoredWeights {
    match kept {
        Kept::All => all,
        Kept::Nonzero => all.without_zeros(all.zeros()),
        Kept::Pattern { keep, of } => {
            all.without_zeros(all.count() - encoding.kept_by_pattern(shape.filter_len(), keep, of))
        }
        Kept::Live if all.zeros() == all.count() => StoredWeights::none(encoding.grid),
        Kept::Live => {
            let group = filter / (shape.filters / shape.groups);
            let channels = &live[group * shape.channels..(group + 1) * shape.channels];
            all.without_zeros((channels.iter().filter(|live| !**live).count() * shape.taps) as u64)
        }
    }
}

/// Bits beside those of the weights, without which these cannot be read.
fn beside(kept: Kept, granularity: Granularity, codes: &CodeTensor) -> u64 {
    let shape = codes.shape();
    let widths = if granularity == Granularity::Filter { shape.filters as u64 * WIDTH_FIELD_BITS } else { 0 };
    let map = match (kept, granularity) {
        (Kept::All | Kept::Nonzero | Kept::Pattern { .. }, _) => 0,
        (Kept::Live, Granularity::Filter) => shape.groups * shape.channels,
        (Kept::Live, Granularity::Weight | Granularity::Layer | Granularity::Fixed(_)) => {
            shape.groups * shape.channels + shape.filters
        }
    };
    widths + map as u64
}

#[cfg(test)]
mod tests {
    use engine::{Joules, Layer};
    use esn::Grid;
    use network::{Geometry, GeometrySpec};
    use testkit::check_all;

    use super::*;
    use crate::spec::ArraySpec;

    /// Three filters of two channels of two taps: the widest has three bits; the second channel and the third filter are
    /// pruned.
    const CODES: [i32; 12] = [7, -1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];

    fn bits(granularity: Granularity, departures: &Departures) -> (&'static str, u128) {
        let shape = WeightShape { filters: 3, groups: 1, channels: 2, taps: 2 };
        let codes = CodeTensor::new(Grid::MidRise, shape, CODES.to_vec()).expect("odd or 0");
        let geometry = Geometry::new(GeometrySpec::convolution(2, 3, [1, 2], [1, 2])).expect("it is small");
        let layer = Layer::new("conv1", &geometry, &codes).expect("shapes agree");
        let spec =
            ArraySpec { name: "test".to_string(), rows: 1, pes_per_row: 1, granularity, pe_cycle_energy: Joules(1.0) };
        let encoding = Encoding::new(&spec, departures, &layer).expect("it is wide enough");
        let live = encoding.live(&codes);
        (format(granularity, departures).name(), Storage::new(departures, &encoding, &codes, &live).memory().bits)
    }

    #[test]
    fn every_format_holds_what_is_needed_to_read_it() {
        use Granularity::{Filter, Fixed, Layer, Weight};
        let skipping = |zero_skipping, index_bits_per_nonzero| Departures {
            zero_skipping: Some(zero_skipping),
            index_bits_per_nonzero,
            ..Departures::default()
        };
        let (none, filters, weights) = (ZeroSkipping::None, ZeroSkipping::Filters, ZeroSkipping::Weights);
        let rounded = |zero_skipping| Departures { supported_widths: vec![2, 8], ..skipping(zero_skipping, 0) };
        // A zero among weights of three bits takes a fourth.
        let cases = [
            (Layer, skipping(none, 0), ("dense", 12 * 4)),
            (Weight, skipping(weights, 0), ("dense", 12 * 4)),
            // Four live weights, and a map of three filters and two channels.
            (Layer, skipping(filters, 0), ("dense", 4 * 4 + 5)),
            (Layer, rounded(none), ("dense", 12 * 8)),
            (Fixed(8), skipping(none, 0), ("fixed", 12 * 8)),
            (Fixed(3), skipping(none, 0), ("fixed", 12 * 4)),
            (Fixed(8), skipping(filters, 0), ("fixed", 4 * 8 + 5)),
            // Two weights of three bits, two of one bit and one for the zero; three fields, a map of two channels.
            (Filter, skipping(filters, 0), ("filter", 2 * 3 + 2 * 2 + 3 * 5 + 2)),
            (Filter, skipping(none, 0), ("filter", 4 * 4 + 4 * 2 + 4 + 3 * 5)),
            (Weight, skipping(weights, 4), ("sparse", 3 * (3 + 4))),
            (Fixed(8), skipping(weights, 4), ("sparse", 3 * (8 + 4))),
            (Filter, skipping(weights, 4), ("sparse", 2 * (3 + 4) + (1 + 4) + 3 * 5)),
        ];
        check_all(cases, |&(granularity, ref departures, expected)| {
            assert_eq!(bits(granularity, departures), expected, "{granularity:?}, {departures:?}");
        });
    }
}
