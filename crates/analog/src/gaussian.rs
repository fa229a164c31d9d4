//! Gaussian numbers that are a function of a key and an index.

/// A sequence of standard Gaussian numbers. Each number is found by its index, so there is no state and no order.
///
/// Numbers come in blocks of 32. A block is made of 16 hashes of a counter (Steele et al. 2014, SplitMix64), each of
/// which gives two numbers (Box and Muller 1958). The logarithm, the sine and the cosine are polynomials here, and
/// everything else is exactly rounded by IEEE 754, so that every machine gives the same bits. No number is beyond ±6.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gaussian {
    key: u64,
}

/// Pairs of a block.
const PAIRS: usize = 16;

/// Numbers of a block: first the cosine of every pair, then the sine.
const BLOCK: usize = 2 * PAIRS;

/// Increment of SplitMix64: 2^64 over the golden ratio, odd.
const INCREMENT: u64 = 0x9e37_79b9_7f4a_7c15;

impl Gaussian {
    /// The sequence of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self { key: mix(seed.wrapping_add(INCREMENT)) }
    }

    /// The sequence of this key and a word. Every word has another one.
    pub(crate) fn of(self, word: u64) -> Self {
        Self { key: mix(self.key.rotate_left(32) ^ mix(word.wrapping_add(INCREMENT))) }
    }

    /// The sequence of this key and a text. Every text has another one.
    pub(crate) fn of_text(self, text: &str) -> Self {
        text.bytes().fold(self.of(text.len() as u64), |sequence, byte| sequence.of(byte.into()))
    }

    /// The sequence of this key and some numbers, which are told apart by their bits.
    pub(crate) fn of_numbers(self, numbers: &[f32]) -> Self {
        let mut lanes: [u64; 4] = std::array::from_fn(|lane| self.of(lane as u64).key);
        for words in numbers.chunks(lanes.len()) {
            for (lane, word) in lanes.iter_mut().zip(words) {
                *lane = (*lane ^ u64::from(word.to_bits())).wrapping_mul(INCREMENT).rotate_left(29);
            }
        }
        lanes.into_iter().fold(self.of(numbers.len() as u64), Gaussian::of)
    }

    /// The number at an index.
    pub(crate) fn at(self, index: u64) -> f32 {
        let (block, place) = (index / BLOCK as u64, (index % BLOCK as u64) as usize);
        let (cosine, sine) = pair(self.hash(block * PAIRS as u64 + (place % PAIRS) as u64));
        if place < PAIRS { cosine } else { sine }
    }

    /// The numbers at `first..first + numbers.len()`.
    pub(crate) fn fill(self, first: u64, numbers: &mut [f32]) {
        let skipped = (first % BLOCK as u64) as usize;
        let before = if skipped == 0 { 0 } else { (BLOCK - skipped).min(numbers.len()) };
        let (part, rest) = numbers.split_at_mut(before);
        part.copy_from_slice(&self.block(first / BLOCK as u64)[skipped..skipped + before]);
        let next = first.div_ceil(BLOCK as u64);
        let (blocks, part) = rest.as_chunks_mut::<BLOCK>();
        part.copy_from_slice(&self.block(next + blocks.len() as u64)[..part.len()]);
        lanes::run(
            #[inline(always)]
            move || {
                for (block, numbers) in (next..).zip(blocks.iter_mut()) {
                    self.set_block(block, numbers);
                }
            },
        );
    }

    fn block(self, block: u64) -> [f32; BLOCK] {
        let mut numbers = [0.0; BLOCK];
        self.set_block(block, &mut numbers);
        numbers
    }

    #[inline(always)]
    fn set_block(self, block: u64, numbers: &mut [f32; BLOCK]) {
        let (cosines, sines) = numbers.split_at_mut(PAIRS);
        for i in 0..PAIRS {
            (cosines[i], sines[i]) = pair(self.hash(block * PAIRS as u64 + i as u64));
        }
    }

    #[inline(always)]
    fn hash(self, counter: u64) -> u64 {
        mix(self.key.wrapping_add(counter.wrapping_mul(INCREMENT)))
    }
}

/// The finalizer of SplitMix64.
#[inline(always)]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Two Gaussian numbers from 64 random bits: `sqrt(−2 ln u) · (cos, sin)(2π t)`.
#[inline(always)]
fn pair(bits: u64) -> (f32, f32) {
    // 31 bits make u, at least 2^-32 and at most 1; 32 bits make t, -1/2 to 1/2.
    let u = ((bits >> 33) as i32 as f32 + 0.5) * (1.0 / 2_147_483_648.0);
    let quarters = bits as u32 as i32 as f32 * (4.0 / 4_294_967_296.0);
    let radius = (-2.0 * logarithm(u)).sqrt();
    let (cosine, sine) = cosine_and_sine(quarters);
    (radius * cosine, radius * sine)
}

/// `ln u` of a normal number of at most 1: the logarithm of its power of two, and that of the rest as `2 artanh s` with
/// `s = (rest − 1) / (rest + 1)`. The series of `artanh` ends after the term in `s^9`; what is left out is below 1e-9.
#[inline(always)]
fn logarithm(u: f32) -> f32 {
    const ROOT_HALF: i32 = 0x3f35_04f3;
    let above = u.to_bits() as i32 - ROOT_HALF;
    let exponent = above >> 23;
    let rest = f32::from_bits((u.to_bits() as i32 - (exponent << 23)) as u32);
    let s = (rest - 1.0) / (rest + 1.0);
    let q = s * s;
    let series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0))));
    exponent as f32 * std::f32::consts::LN_2 + 2.0 * s * series
}

/// Cosine and sine of an angle in quarters of a turn, -2 to 2. The angle is the nearest whole quarter plus a rest of at
/// most π/4. The rest goes through the first terms of both series, whose remainders are below 1e-8, and the result is
/// turned by the whole quarters.
#[inline(always)]
fn cosine_and_sine(quarters: f32) -> (f32, f32) {
    // Adding 1.5·2^23 rounds to an integer, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let rounded = quarters + ROUND;
    let quadrant = rounded.to_bits();
    let angle = (quarters - (rounded - ROUND)) * std::f32::consts::FRAC_PI_2;
    let q = angle * angle;
    let sine = angle * (1.0 + q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362_880.0)))));
    let cosine = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40_320.0))));
    let swapped = quadrant & 1 == 1;
    let (c, s) = if swapped { (sine, cosine) } else { (cosine, sine) };
    // The cosine is negative in quadrants 1 and 2, the sine in 2 and 3.
    let cosine_sign = ((quadrant ^ (quadrant >> 1)) & 1) << 31;
    let sine_sign = ((quadrant >> 1) & 1) << 31;
    (f32::from_bits(c.to_bits() ^ cosine_sign), f32::from_bits(s.to_bits() ^ sine_sign))
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn a_block_is_what_its_indices_are() {
        let sequence = Gaussian::new(7).of_text("layer");
        check_all([0, 5, 31, 32, 1 << 40], |&first| {
            let mut numbers = [0.0; 100];
            sequence.fill(first, &mut numbers);
            let single: Vec<f32> = (0..100).map(|i| sequence.at(first + i)).collect();
            assert_eq!(numbers.as_slice(), single);
        });
    }

    #[test]
    fn the_polynomials_are_close_to_the_functions() {
        for i in 1..=100_000u32 {
            let u = i as f32 / 100_000.0;
            let exact = f64::from(u).ln();
            assert!((f64::from(logarithm(u)) - exact).abs() <= 2e-7 * exact.abs().max(1.0), "ln {u}");
            let t = (u - 0.5) * 4.0;
            let (c, s) = cosine_and_sine(t);
            let angle = f64::from(t) * std::f64::consts::FRAC_PI_2;
            assert!((f64::from(c) - angle.cos()).abs() < 2e-7, "cos {t}");
            assert!((f64::from(s) - angle.sin()).abs() < 2e-7, "sin {t}");
        }
        assert_eq!(logarithm(1.0), 0.0);
    }

    #[test]
    fn the_moments_and_the_tails_are_those_of_a_gaussian() {
        let mut numbers = vec![0.0f32; 4_000_000];
        Gaussian::new(1).fill(0, &mut numbers);
        let n = numbers.len() as f64;
        let moment = |k: i32| numbers.iter().map(|&x| f64::from(x).powi(k)).sum::<f64>() / n;
        // Five standard errors of each moment.
        check_all([(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0f64)], |&(k, expected, variance)| {
            assert!((moment(k) - expected).abs() < 5.0 * (variance / n).sqrt(), "moment {k} is {}", moment(k));
        });
        // P(|x| > 2), P(|x| > 3), P(|x| > 4) of the standard Gaussian.
        check_all([(2.0, 0.045_500_26), (3.0, 0.002_699_796), (4.0, 6.334_248e-5)], |&(bound, p)| {
            let beyond = numbers.iter().filter(|x| x.abs() > bound).count() as f64;
            assert!((beyond - n * p).abs() < 5.0 * (n * p).sqrt(), "{beyond} of {n} are beyond {bound}");
        });
        let product: f64 = numbers.windows(2).map(|w| f64::from(w[0]) * f64::from(w[1])).sum();
        let apart: f64 = numbers.windows(17).map(|w| f64::from(w[0]) * f64::from(w[16])).sum();
        assert!(product.abs() < 5.0 * n.sqrt() && apart.abs() < 5.0 * n.sqrt(), "{product}, {apart}");
    }

    #[test]
    fn sequences_differ_by_seed_text_and_numbers() {
        let first = |sequence: Gaussian| sequence.at(0);
        let base = Gaussian::new(1);
        let mut seen = vec![first(base), first(Gaussian::new(2)), first(base.of_text("a")), first(base.of_text("b"))];
        seen.extend([first(base.of_text("aa")), first(base.of_text(""))]);
        for numbers in [&[][..], &[0.0], &[-0.0], &[0.0, 0.0], &[1.0, 0.0], &[0.0, 1.0], &[0.0, 0.0, 0.0, 0.0, 1.0]] {
            seen.push(first(base.of_numbers(numbers)));
        }
        let mut bits: Vec<u32> = seen.iter().map(|x| x.to_bits()).collect();
        bits.sort_unstable();
        bits.dedup();
        assert_eq!(bits.len(), seen.len());
    }
}
