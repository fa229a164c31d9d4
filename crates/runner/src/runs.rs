//! Runs that follow one another, added up: layers of a network, images through a layer.

use std::fmt;

use engine::{Cycles, LayerRun, Ledger, Occupancy};
use serde::{Serialize, Serializer};

/// What one hardware counted on images, summed over them.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredRuns {
    /// How many images were counted.
    pub images: u64,
    /// The sums, one a layer.
    pub layers: Vec<LayerRun>,
}

/// The mean of a count over images, kept as its sum. One image is the usual case: there the mean is the count.
///
/// ```
/// use runner::PerImage;
///
/// let whole = PerImage { sum: 23_600, images: 50 };
/// assert_eq!((whole.to_string(), whole.to_f64()), ("472".to_string(), 472.0));
/// assert_eq!(PerImage { sum: 5, images: 2 }.to_string(), "2.5");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerImage {
    /// The count of all images.
    pub sum: u128,
    /// How many images were counted, at least 1.
    pub images: u64,
}

impl PerImage {
    /// The mean, if it is an integer.
    pub fn whole(self) -> Option<u128> {
        let images = u128::from(self.images);
        self.sum.is_multiple_of(images).then(|| self.sum / images)
    }

    /// The mean as the nearest number.
    pub fn to_f64(self) -> f64 {
        self.sum as f64 / self.images as f64
    }
}

/// An integer in full; any other mean in the shortest form that reads back as the same number.
impl fmt::Display for PerImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whole() {
            Some(count) => write!(f, "{count}"),
            None => write!(f, "{:?}", self.to_f64()),
        }
    }
}

impl Serialize for PerImage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(count) => serializer.serialize_u128(count),
            None => serializer.serialize_f64(self.to_f64()),
        }
    }
}

/// The sum of two runs. Layers, and images, run one after another, so that cycles add like energies.
pub(crate) fn add_runs(mut sum: LayerRun, next: &LayerRun) -> LayerRun {
    let mut ledger = Ledger::new();
    ledger.merge(&sum.ledger);
    ledger.merge(&next.ledger);
    for &(cause, count) in &next.idle {
        match sum.idle.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, total)) => *total += count,
            None => sum.idle.push((cause, count)),
        }
    }
    LayerRun {
        cycles: Cycles(sum.cycles.0 + next.cycles.0),
        ledger,
        occupancy: Occupancy::merge(sum.occupancy, next.occupancy),
        idle: sum.idle,
        memory: sum.memory.plus(next.memory),
    }
}
