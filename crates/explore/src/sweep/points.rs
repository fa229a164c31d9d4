//! The points of a plan, by their numbers: which there are, and their keys. None is held.

use std::collections::HashSet;
use std::num::NonZeroU64;

use network::grouped;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::inputs::Inputs;
use super::plan::{MAX_POINTS, PlanFile};
use super::product::{Product, Way};
use super::sample::sample;
use crate::configuration::Configuration;
use crate::key::PointKey;

/// Points whose keys are made at a time.
const STRETCH: u64 = 1 << 14;

/// The points that a plan lists: its product or a sample of it, and then its single points.
pub(super) struct ListedPoints {
    product: Product,
    /// Numbers of the product, where not all of them are wanted.
    sample: Option<Vec<u128>>,
    single: Vec<Way>,
}

impl ListedPoints {
    /// Counts the points of a plan.
    ///
    /// # Errors
    ///
    /// More than can be counted through; what is wrong with widths of layers.
    pub fn new(file: &PlanFile, inputs: &Inputs) -> Result<Self, String> {
        let product = Product::new(file, inputs.networks().iter().map(|shared| &shared.network))?;
        let seed = file.seed.unwrap_or(0);
        let sampled = |count: NonZeroU64| sample(&product, count.get() as usize, seed, file.method.unwrap_or_default());
        let sample = file.sample.map(sampled);
        let len = product.len();
        if sample.is_none() && len > u128::from(MAX_POINTS) {
            return Err(format!(
                "{} points; expected at most {}, or sample, a number of points to take of them",
                grouped(len),
                grouped(MAX_POINTS.into())
            ));
        }
        let single = file.point.iter().map(|entry| inputs.way(entry)).collect();
        Ok(Self { product, sample, single })
    }

    /// How many there are, some perhaps twice.
    pub fn len(&self) -> u64 {
        self.of_product() + self.single.len() as u64
    }

    fn of_product(&self) -> u64 {
        let count = self.sample.as_ref().map_or(self.product.len(), |sample| sample.len() as u128);
        u64::try_from(count).expect("a plan has at most ten million points")
    }

    /// A point by its number, below [`ListedPoints::len`].
    pub fn way(&self, number: u64) -> Way {
        match number.checked_sub(self.of_product()) {
            Some(single) => self.single[single as usize].clone(),
            None => self.product.way(match &self.sample {
                Some(sample) => sample[number as usize],
                None => u128::from(number),
            }),
        }
    }

    /// Tells every point in order, with its key; of points that come twice the first.
    pub fn each(&self, keys: &Keys, mut tell: impl FnMut(u64, PointKey)) {
        let mut seen = HashSet::new();
        for start in (0..self.len()).step_by(STRETCH as usize) {
            let stretch = start..self.len().min(start + STRETCH);
            let made: Vec<PointKey> = stretch.into_par_iter().map(|number| keys.of(&self.way(number))).collect();
            for (number, key) in (start..).zip(made) {
                if seen.insert(key) {
                    tell(number, key);
                }
            }
        }
    }
}

/// The keys of points, by network and whether statistics are re-estimated.
pub(super) struct Keys(pub Vec<[KeyOf; 2]>);

impl Keys {
    /// The key of the configuration that the point has.
    pub fn of(&self, way: &Way) -> PointKey {
        let KeyOf { before, between, behind } = &self.0[way.network][usize::from(way.reestimate)];
        let mut hash = Sha256::new();
        hash.update(before);
        hash.update(json(&way.prune));
        hash.update(between);
        hash.update(json(&way.quantize));
        hash.update(behind);
        PointKey::of(hash)
    }
}

/// The JSON of a configuration but for how a network is pruned and quantized. Descriptions of hardware are most of it, and the
/// same for all points.
pub(super) struct KeyOf {
    before: String,
    between: &'static str,
    behind: String,
}

impl KeyOf {
    /// Of a configuration that says nothing about pruning and quantization.
    pub fn new(common: &Configuration) -> Self {
        const PRUNE: &str = r#""prune":"#;
        const QUANTIZE: &str = r#","quantize":"#;
        let text = common.to_json();
        let (before, behind) = text
            .split_once(&format!("{PRUNE}null{QUANTIZE}null"))
            .expect("the configuration has neither, and the fields stand in this order");
        Self { before: format!("{before}{PRUNE}"), between: QUANTIZE, behind: behind.to_string() }
    }
}

fn json(options: &impl serde::Serialize) -> String {
    serde_json::to_string(options).expect("options out of TOML have a JSON form")
}
