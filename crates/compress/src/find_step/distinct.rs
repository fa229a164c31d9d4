//! The distinct values that weights take.

/// Distinct values kept; no grid of 16 bits has more levels, even where each level comes as a few neighbouring numbers.
const MAX_DISTINCT: usize = 1 << 18;

/// The values that weights take.
#[derive(Clone, Debug, Default)]
pub(super) struct Distinct {
    /// Ascending, without 0; empty where there are too many.
    pub values: Vec<f64>,
    /// Weights that are not 0.
    pub nonzero: u64,
    /// Weights that are 0.
    pub zeros: u64,
    /// Whether there are more values than any grid has levels.
    pub too_many: bool,
}

impl Distinct {
    /// The values of these weights.
    pub fn of<T: Copy + Into<f64>>(weights: &[T]) -> Self {
        let mut keys: Vec<i64> = weights.iter().map(|&weight| key(weight.into())).filter(|&key| key != 0).collect();
        let nonzero = keys.len() as u64;
        keys.sort_unstable();
        keys.dedup();
        let too_many = keys.len() > MAX_DISTINCT;
        let values = if too_many { Vec::new() } else { keys.into_iter().map(value).collect() };
        Self { values, nonzero, zeros: weights.len() as u64 - nonzero, too_many }
    }

    /// The values of all of these together.
    pub fn merge(parts: &[Distinct]) -> Self {
        let mut merged = Self {
            nonzero: parts.iter().map(|part| part.nonzero).sum(),
            zeros: parts.iter().map(|part| part.zeros).sum(),
            too_many: parts.iter().any(|part| part.too_many),
            values: Vec::new(),
        };
        let mut keys: Vec<i64> = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            keys.extend(part.values.iter().map(|&value| key(value)));
            if keys.len() > 2 * MAX_DISTINCT || index + 1 == parts.len() {
                keys.sort_unstable();
                keys.dedup();
            }
            if merged.too_many || keys.len() > MAX_DISTINCT {
                return Self { too_many: true, ..merged };
            }
        }
        merged.values = keys.into_iter().map(value).collect();
        merged
    }

    /// Distinct magnitudes, ascending.
    pub fn magnitudes(&self) -> Vec<f64> {
        let mut magnitudes: Vec<f64> = self.values.iter().map(|value| value.abs()).collect();
        magnitudes.sort_unstable_by(f64::total_cmp);
        magnitudes.dedup();
        magnitudes
    }
}

/// An integer that orders as the number does; 0 for both zeros.
fn key(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
}

fn value(key: i64) -> f64 {
    let bits = if key < 0 { i64::MIN.wrapping_sub(key) } else { key };
    f64::from_bits(bits as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_order_without_zeros() {
        let distinct = Distinct::of(&[0.5f32, -0.0, 2.0, -1.0, 0.5, 0.0, -3.5]);
        assert_eq!(distinct.values, [-3.5, -1.0, 0.5, 2.0]);
        assert_eq!((distinct.nonzero, distinct.zeros, distinct.too_many), (5, 2, false));
        assert_eq!(distinct.magnitudes(), [0.5, 1.0, 2.0, 3.5]);
        let merged = Distinct::merge(&[distinct, Distinct::of(&[1.0f64, 2.0])]);
        assert_eq!((merged.values.len(), merged.nonzero), (5, 7));
    }

    #[test]
    fn more_values_than_levels_are_not_kept() {
        let weights: Vec<f32> = (0..MAX_DISTINCT + 2).map(|i| i as f32).collect();
        let halves: Vec<Distinct> = weights.chunks(1 << 17).map(Distinct::of).collect();
        assert!(Distinct::of(&weights).too_many && Distinct::merge(&halves).too_many);
    }
}
