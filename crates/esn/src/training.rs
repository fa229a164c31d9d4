//! Equation (5): the analog ESN of weights while they are trained.

use thiserror::Error;

use crate::snr::SignalNoise;

/// Why snapshots of training weights give no ratio.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TrainingError {
    /// A snapshot is longer or shorter than the first.
    #[error("snapshot {snapshot} has {found} weights; the epoch started with {expected}")]
    Length {
        /// Number of the snapshot: 0 is the start of the epoch, then the iterations from 1.
        snapshot: u64,
        /// Weights at the start of the epoch.
        expected: usize,
        /// Weights in this snapshot.
        found: usize,
    },
    /// A weight is NaN or infinite.
    #[error("weight {index} of snapshot {snapshot} is {value}; weights must be finite")]
    NotFinite {
        /// Number of the snapshot, as in [`TrainingError::Length`].
        snapshot: u64,
        /// Index of the weight.
        index: usize,
        /// The weight.
        value: f64,
    },
    /// The sum of squared weights does not fit a float64.
    #[error("the squared weights of snapshot {snapshot} are too large to add in float64")]
    Overflow {
        /// Number of the snapshot, as in [`TrainingError::Length`].
        snapshot: u64,
    },
    /// No iteration was observed.
    #[error("an epoch of no iterations has no signal and no noise")]
    NoSnapshots,
}

/// Signal and noise of the weights of one layer over one epoch of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingPower {
    /// `S` and `N` of equation (5), means over the iterations.
    pub power: SignalNoise,
    /// Iterations observed, `n`.
    pub iterations: u64,
    /// `‖W‖_0` after the last iteration.
    pub nonzero: u128,
}

impl TrainingPower {
    /// Equation (4) with this `S / N`. `c` is 1, or the output positions of the layer. `None` where the noise is 0,
    /// unless every weight is pruned.
    pub fn esn_a(&self, c: u64) -> Option<f64> {
        self.power.esn_a(c, self.nonzero)
    }
}

/// Collects the weights of one layer, iteration by iteration, over one epoch.
///
/// ```text
/// S = (1/n) Σ_i ‖W_i‖_F²,   N = (1/n) Σ_i ‖W_i − W_init‖_F²,   i = 1 … n
/// ```
///
/// `W_init` is the snapshot at the start of the epoch, `W_i` the weights after iteration `i`. Equation (5).
///
/// ```
/// let mut epoch = esn::TrainingNoise::start(&[1.0f32, 0.0])?;
/// epoch.observe(&[1.5f32, 0.0])?;
/// epoch.observe(&[0.5f32, 0.0])?;
/// let result = epoch.finish()?;
/// assert_eq!(result.power.signal, 1.25);
/// assert_eq!(result.power.noise, 0.25);
/// assert_eq!(result.esn_a(12), Some(5.0));
/// # Ok::<(), esn::TrainingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrainingNoise {
    init: Vec<f64>,
    sums: SignalNoise,
    iterations: u64,
    nonzero: u128,
}

impl TrainingNoise {
    /// Starts an epoch with its first weights, in any fixed order.
    ///
    /// # Errors
    ///
    /// [`TrainingError::NotFinite`] if a weight is NaN or infinite.
    pub fn start<T: Copy + Into<f64>>(init: &[T]) -> Result<Self, TrainingError> {
        let init: Vec<f64> = init.iter().map(|&weight| weight.into()).collect();
        check_finite(&init, 0)?;
        Ok(Self { init, sums: SignalNoise::default(), iterations: 0, nonzero: 0 })
    }

    /// Adds the weights after the next iteration, in the order of the first weights. A snapshot that is refused changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`TrainingError`] if the snapshot has another length, a weight is not finite, or a sum does not fit a float64.
    pub fn observe<T: Copy + Into<f64>>(&mut self, weights: &[T]) -> Result<(), TrainingError> {
        let snapshot = self.iterations + 1;
        if weights.len() != self.init.len() {
            return Err(TrainingError::Length { snapshot, expected: self.init.len(), found: weights.len() });
        }
        let mut sums = SignalNoise::default();
        let mut nonzero = 0;
        for (&weight, &start) in weights.iter().zip(&self.init) {
            let weight: f64 = weight.into();
            sums.signal += weight * weight;
            sums.noise += (weight - start) * (weight - start);
            nonzero += u128::from(weight != 0.0);
        }
        let sums = self.sums + sums;
        if !(sums.signal.is_finite() && sums.noise.is_finite()) {
            check_finite(weights, snapshot)?;
            return Err(TrainingError::Overflow { snapshot });
        }
        *self = Self { init: std::mem::take(&mut self.init), sums, iterations: snapshot, nonzero };
        Ok(())
    }

    /// Ends the epoch.
    ///
    /// # Errors
    ///
    /// [`TrainingError::NoSnapshots`] if no iteration was observed.
    pub fn finish(self) -> Result<TrainingPower, TrainingError> {
        if self.iterations == 0 {
            return Err(TrainingError::NoSnapshots);
        }
        let n = self.iterations as f64;
        let power = SignalNoise { signal: self.sums.signal / n, noise: self.sums.noise / n };
        Ok(TrainingPower { power, iterations: self.iterations, nonzero: self.nonzero })
    }
}

fn check_finite<T: Copy + Into<f64>>(weights: &[T], snapshot: u64) -> Result<(), TrainingError> {
    for (index, &weight) in weights.iter().enumerate() {
        let value: f64 = weight.into();
        if !value.is_finite() {
            return Err(TrainingError::NotFinite { snapshot, index, value });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
