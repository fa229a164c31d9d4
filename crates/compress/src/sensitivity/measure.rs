//! How far the output of a network moves when one of its layers is quantized.

use inference::{Samples, Session, gather};
use network::{MacLayer, Network};
use rayon::prelude::*;

use super::{KeptSamples, SensitivityPlan};
use crate::error::CompressError;
use crate::executor::KernelExecutor;
use crate::reestimate::{Original, ReestimateOptions, reestimate};

/// A network whose layers are quantized one at a time, and its outputs without that.
pub(super) struct Measurement<'a> {
    network: &'a Network,
    original: Original<'a>,
    images: &'a KeptSamples,
    reestimate: Option<ReestimateOptions>,
    /// Outputs of all images, one image after another.
    outputs: Vec<f32>,
    /// `Σ (y − ȳ)²`.
    spread: f64,
}

impl<'a> Measurement<'a> {
    pub fn new(plan: &'a SensitivityPlan<'a>, images: &'a KeptSamples) -> Result<Self, CompressError> {
        // Each thread measures one layer and holds the activations of its own images.
        let memory_bytes = ReestimateOptions::default().memory_bytes / rayon::current_num_threads() as u64;
        let mut measurement = Self {
            network: plan.network,
            original: plan.original,
            images,
            reestimate: plan.reestimate.then_some(ReestimateOptions { memory_bytes }),
            outputs: Vec::new(),
            spread: 0.0,
        };
        measurement.outputs = measurement.outputs_of(plan.network)?;
        measurement.spread = spread(&measurement.outputs, measurement.outputs.len() / images.len());
        Ok(measurement)
    }

    /// The error with these layers in place of the network's own: `Σ (y − ŷ)² / Σ (y − ȳ)²`.
    pub fn error_of(&self, quantized: &[(usize, MacLayer)]) -> Result<f64, CompressError> {
        let mut layers = self.network.layers().to_vec();
        for (layer, quantized) in quantized {
            layers[*layer] = quantized.clone();
        }
        let network = crate::rebuild::with_layers(self.network, layers)?;
        let outputs = self.outputs_of(&network)?;
        let squares = self.outputs.iter().zip(&outputs).map(|(y, moved)| (f64::from(*y) - f64::from(*moved)).powi(2));
        let moved: f64 = squares.sum();
        Ok(if moved == 0.0 { 0.0 } else { moved / self.spread })
    }

    /// Outputs of a network on all images, its statistics re-estimated first where that is asked for.
    fn outputs_of(&self, network: &Network) -> Result<Vec<f32>, CompressError> {
        let renewed = match &self.reestimate {
            Some(options) => Some(reestimate(network, self.original, self.images, options)?.0),
            None => None,
        };
        let network = renewed.as_ref().unwrap_or(network);
        let (session, executor) = (Session::new(network)?, KernelExecutor::from_network(network)?);
        let batch = session.batch();
        let starts: Vec<usize> = (0..self.images.len()).step_by(batch).collect();
        let outputs = starts.into_par_iter().map(|start| {
            let (input, _) = gather(self.images, start, batch).map_err(inference::InferenceError::from)?;
            let mut output = session.run(&input, &executor, None)?;
            output.truncate(output.len() / batch * batch.min(self.images.len() - start));
            Ok(output)
        });
        Ok(outputs.collect::<Result<Vec<_>, CompressError>>()?.concat())
    }
}

/// `Σ (y − ȳ)²`, each of the `len` outputs around its own mean over the images.
fn spread(outputs: &[f32], len: usize) -> f64 {
    let images = (outputs.len() / len) as f64;
    let column = |index: usize| outputs.iter().skip(index).step_by(len).map(|&y| f64::from(y));
    let of_output = |index: usize| {
        let mean = column(index).sum::<f64>() / images;
        column(index).map(|y| (y - mean).powi(2)).sum::<f64>()
    };
    (0..len).map(of_output).sum()
}
