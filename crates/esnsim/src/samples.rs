//! Some of many images.

use inference::{Sample, SampleError, Samples};

/// So many of some images, spread evenly over them: those of a folder come class by class.
pub(crate) struct Spread<'a> {
    samples: &'a dyn Samples,
    count: usize,
}

impl<'a> Spread<'a> {
    pub(crate) fn new(samples: &'a dyn Samples, count: usize) -> Self {
        Self { samples, count: count.min(samples.len()) }
    }
}

impl Samples for Spread<'_> {
    fn len(&self) -> usize {
        self.count
    }

    fn sample(&self, index: usize) -> Result<Sample, SampleError> {
        self.samples.sample(index * self.samples.len() / self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbers(usize);

    impl Samples for Numbers {
        fn len(&self) -> usize {
            self.0
        }

        fn sample(&self, index: usize) -> Result<Sample, SampleError> {
            assert!(index < self.0);
            Ok(Sample { values: vec![index as f32], label: None })
        }
    }

    #[test]
    fn images_are_spread_over_all() {
        let chosen = |of, count| -> Vec<f32> {
            let (numbers, count) = (Numbers(of), count);
            let spread = Spread::new(&numbers, count);
            (0..spread.len()).map(|index| spread.sample(index).expect("it is there").values[0]).collect()
        };
        assert_eq!(chosen(10, 4), [0.0, 2.0, 5.0, 7.0]);
        assert_eq!(chosen(3, 8), [0.0, 1.0, 2.0]);
    }
}
