//! Mean and variance of activations by channel.

/// Mean and variance of numbers, in 64 bits. Moments of parts merge into those of the whole; in a fixed order of merging
/// the result is the same at any number of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// How many numbers.
    pub count: u64,
    /// Their mean; 0 of none.
    pub mean: f64,
    /// `Σ (x − mean)²`.
    pub squares: f64,
}

impl Moments {
    /// The moments of some numbers, in two passes.
    pub fn of(values: &[f32]) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let mean = sum(values, |x| x) / values.len() as f64;
        Self { count: values.len() as u64, mean, squares: sum(values, |x| (x - mean) * (x - mean)) }
    }

    /// The moments of both together (Chan, Golub and LeVeque 1979).
    pub fn merge(self, other: Self) -> Self {
        if self.count == 0 || other.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        let count = self.count + other.count;
        let (apart, share) = (other.mean - self.mean, other.count as f64 / count as f64);
        let mean = self.mean + apart * share;
        let squares = self.squares + other.squares + apart * apart * self.count as f64 * share;
        Self { count, mean, squares }
    }

    /// Population variance: `Σ (x − mean)² / count`; 0 of none.
    pub fn variance(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.squares / self.count as f64 }
    }
}

/// The moments of every channel of `[n, channels, inner]`.
pub(crate) fn channel_moments(data: &[f32], channels: usize, inner: usize) -> Vec<Moments> {
    let mut moments = vec![Moments::default(); channels];
    for (plane, values) in data.chunks_exact(inner.max(1)).enumerate() {
        let channel = &mut moments[plane % channels];
        *channel = channel.merge(Moments::of(values));
    }
    moments
}

/// Merges parts into a total channel by channel, in order; the total is empty before the first.
pub(crate) fn merge_all(mut total: Vec<Moments>, parts: impl IntoIterator<Item = Vec<Moments>>) -> Vec<Moments> {
    for part in parts {
        if total.is_empty() {
            total = part;
        } else {
            total.iter_mut().zip(part).for_each(|(channel, next)| *channel = channel.merge(next));
        }
    }
    total
}

/// Adds in eight interleaved parts, an order that processors can do at once.
fn sum(values: &[f32], f: impl Fn(f64) -> f64 + Copy) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (chunks, tail) = values.as_chunks::<LANES>();
    let found = &mut sums;
    lanes::run(
        #[inline(always)]
        move || {
            let mut sums = [0.0; LANES];
            for chunk in chunks {
                for lane in 0..LANES {
                    sums[lane] += f(f64::from(chunk[lane]));
                }
            }
            *found = sums;
        },
    );
    sums.iter().sum::<f64>() + tail.iter().map(|&x| f(f64::from(x))).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn parts_merge_into_the_whole_even_far_from_zero() {
        let values: Vec<f32> = (0..1000).map(|i| 4096.0 + (i * i % 97) as f32 * 0.25).collect();
        let whole = Moments::of(&values);
        let exact = values.iter().map(|&x| f64::from(x)).sum::<f64>() / 1000.0;
        let variance = values.iter().map(|&x| (f64::from(x) - exact).powi(2)).sum::<f64>() / 1000.0;
        assert!((whole.mean - exact).abs() < 1e-9 && (whole.variance() - variance).abs() < 1e-9);
        check_all([0, 1, 333, 1000], |&cut| {
            let merged = Moments::of(&values[..cut]).merge(Moments::of(&values[cut..]));
            assert_eq!(merged.count, 1000);
            assert!((merged.mean - exact).abs() < 1e-9 && (merged.variance() - variance).abs() < 1e-9, "{cut}");
        });
    }

    #[test]
    fn channels_are_the_middle_axis() {
        let moments = channel_moments(&[1.0, 3.0, 10.0, 10.0, 5.0, 7.0, 20.0, 40.0], 2, 2);
        assert_eq!(
            moments.iter().map(|m| (m.count, m.mean, m.variance())).collect::<Vec<_>>(),
            [(4, 4.0, 5.0), (4, 20.0, 150.0)]
        );
        assert_eq!(Moments::default().variance(), 0.0);
    }
}
