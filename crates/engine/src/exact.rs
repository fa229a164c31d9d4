//! Sums of products of a count and a unit, which are rounded once, at the end.

/// A sum that keeps every bit of what is added.
///
/// Its parts do not overlap: each is smaller than the last bit of the next one that is not 0. They grow from the first to the
/// last. J. R. Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates", Discrete &
/// Computational Geometry 18, 1997.
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    parts: Vec<f64>,
}

impl ExactSum {
    /// Adds `count · unit`. The unit is finite, and above 1e-270 in size or 0, so that the last bits of the product are numbers.
    pub fn add_product(&mut self, count: u128, unit: f64) {
        const PIECE_BITS: u32 = 48;
        let mut left = count;
        let mut weight = unit;
        while left > 0 {
            // A piece is a whole number of few bits, and its weight the unit times a power of two: both are exact.
            let piece = (left & ((1 << PIECE_BITS) - 1)) as f64;
            let product = piece * weight;
            self.add(piece.mul_add(weight, -product));
            self.add(product);
            left >>= PIECE_BITS;
            weight *= (1u64 << PIECE_BITS) as f64;
        }
    }

    fn add(&mut self, number: f64) {
        let mut carried = number;
        self.parts.retain_mut(|part| {
            let sum = carried + *part;
            // What is lost in this sum (D. E. Knuth, "The art of computer programming", volume 2, 4.2.2).
            let of_part = sum - carried;
            *part = (carried - (sum - of_part)) + (*part - of_part);
            carried = sum;
            *part != 0.0
        });
        self.parts.push(carried);
    }

    /// The nearest float64; of two that are equally near, the one whose last bit is 0.
    pub fn rounded(mut self) -> f64 {
        let mut sum = self.parts.pop().unwrap_or(0.0);
        while let Some(part) = self.parts.pop() {
            let before = sum;
            sum += part;
            let lost = part - (sum - before);
            if lost == 0.0 {
                continue;
            }
            // Half of a last bit was rounded to even, though what is left of the parts says that it is more than half.
            let beyond = self.parts.last().is_some_and(|next| lost.is_sign_negative() == next.is_sign_negative());
            let other = sum + 2.0 * lost;
            return if beyond && other - sum == 2.0 * lost { other } else { sum };
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(products: &[(u128, f64)]) -> f64 {
        let mut sum = ExactSum::default();
        products.iter().for_each(|&(count, unit)| sum.add_product(count, unit));
        sum.rounded()
    }

    #[test]
    fn known_sums_are_rounded_once() {
        let bit = 2f64.powi(-53);
        let cases: [(&[(u128, f64)], f64); 8] = [
            (&[], 0.0),
            (&[(0, 3.0)], 0.0),
            (&[(10, 0.1)], 1.0),
            (&[(1, 0.1); 10], 1.0),
            // Half of the last bit of 1 goes to even; the least more does not.
            (&[(1, 1.0), (1, bit)], 1.0),
            (&[(1, 1.0), (1, bit), (1, bit * bit)], 1.0 + 2.0 * bit),
            (&[(1, 1.0), (3, bit)], 1.0 + 4.0 * bit),
            (&[(u128::MAX, 1.0)], 2f64.powi(128)),
        ];
        for (products, expected) in cases {
            assert_eq!(sum(products), expected, "{products:?}");
        }
    }

    proptest! {
        /// Units that are whole numbers of one small unit: integers say what the sum is.
        #[test]
        fn a_sum_is_the_integer_that_it_stands_for(
            products in prop::collection::vec((0..1u128 << 60, 0..1u64 << 53), 0..9),
        ) {
            let whole: u128 = products.iter().map(|&(count, unit)| count * u128::from(unit)).sum();
            let scaled = 2f64.powi(-80);
            let products: Vec<(u128, f64)> =
                products.iter().map(|&(count, unit)| (count, unit as f64 * scaled)).collect();
            prop_assert_eq!(sum(&products), whole as f64 * scaled);
        }

        #[test]
        fn what_is_shared_out_otherwise_is_the_same(
            counts in prop::collection::vec(0..1u128 << 60, 1..6), unit in 1e-22..1e-9f64, other in 1e-22..1e-9f64,
        ) {
            let all = [(counts.iter().sum(), unit), (1, other)];
            let shared: Vec<_> = [(1, other)].into_iter().chain(counts.iter().map(|&count| (count, unit))).collect();
            let eighths: Vec<_> = shared.iter().rev().map(|&(count, unit)| (8 * count, unit / 8.0)).collect();
            prop_assert_eq!((sum(&all), sum(&all)), (sum(&shared), sum(&eighths)));
        }
    }
}
