//! How far the output of a network moves when one of its layers is quantized.
//!
//! All images go through the network once, node by node. Where they reach a layer, they branch off for each way to
//! quantize it, so that no way computes the layers before it again.

use network::{LayerId, MacLayer, Network, Op};
use rayon::prelude::*;

use super::choices::Candidate;
use super::{KeptSamples, SensitivityPlan};
use crate::error::CompressError;
use crate::reestimate::{ReestimateOptions, Run, Task};

/// A network whose layers are quantized one at a time, and what it says without that.
pub(super) struct Measurement<'a> {
    task: Task,
    images: &'a KeptSamples,
    memory_bytes: u64,
    /// Outputs of all images, one image after another.
    outputs: Vec<f32>,
    /// `Σ (y − ȳ)²`.
    spread: f64,
}

impl<'a> Measurement<'a> {
    pub fn new(plan: &SensitivityPlan<'_>, images: &'a KeptSamples) -> Result<Self, CompressError> {
        let task = match plan.reestimate {
            true => Task::new(plan.network, plan.original, images)?,
            false => Task::nothing(plan.network),
        };
        // Each thread has a branch with the activations of its own images.
        let branches = rayon::current_num_threads() as u64 + 1;
        let memory_bytes = ReestimateOptions::default().memory_bytes / branches;
        let mut measurement = Self { task, images, memory_bytes, outputs: Vec::new(), spread: 0.0 };
        let run = Run::new(&measurement.task.network, images, memory_bytes)?;
        measurement.outputs = measurement.finish(run, &measurement.task.network, 0)?;
        measurement.spread = spread(&measurement.outputs, measurement.outputs.len() / images.0.len());
        if !(measurement.spread.is_finite() && measurement.spread > 0.0) {
            let problem = format!(
                "the network says the same of {} of them, or nothing finite; expected images that it tells apart",
                images.0.len()
            );
            return Err(CompressError::Option { option: "images", problem });
        }
        Ok(measurement)
    }

    /// The error of every candidate, in their order: `Σ (y − ŷ)² / Σ (y − ȳ)²`. `done` is called after each.
    pub fn errors(&self, candidates: &[Candidate], done: &(dyn Fn() + Sync)) -> Result<Vec<f64>, CompressError> {
        let network = &self.task.network;
        let mut run = Run::new(network, self.images, self.memory_bytes)?;
        let mut errors = vec![0.0; candidates.len()];
        let first_nodes = first_nodes(network);
        for node in 0..network.graph().nodes().len() {
            for layer in (0..first_nodes.len()).filter(|&layer| first_nodes[layer] == node) {
                let own = |candidate: &&(usize, &Candidate)| candidate.1.tensor == layer;
                let own: Vec<(usize, &Candidate)> = candidates.iter().enumerate().filter(|one| own(&one)).collect();
                run.advance(node)?;
                let measured = own.par_iter().map(|(_, candidate)| {
                    let error = self.error_of(&run, &candidate.quantized, node);
                    done();
                    error
                });
                // Of several errors that of the first way, whichever is found first.
                for ((place, _), error) in own.iter().zip(measured.collect::<Vec<_>>()) {
                    errors[*place] = error?;
                }
            }
            run.renew(&self.task, network, node)?;
        }
        Ok(errors)
    }

    /// The error with these layers in place of the network's own, for images that have come to a node before the first.
    fn error_of(&self, run: &Run<'_>, quantized: &[(usize, MacLayer)], node: usize) -> Result<f64, CompressError> {
        let mut layers = self.task.network.layers().to_vec();
        for (layer, quantized) in quantized {
            layers[*layer] = quantized.clone();
        }
        let network = crate::rebuild::with_layers(&self.task.network, layers)?;
        let others: Vec<LayerId> = quantized.iter().map(|(layer, _)| LayerId(*layer)).collect();
        let outputs = self.finish(run.branch(&network, &others)?, &network, node)?;
        let squares = self.outputs.iter().zip(&outputs).map(|(y, moved)| (f64::from(*y) - f64::from(*moved)).powi(2));
        let moved: f64 = squares.sum();
        Ok(moved / self.spread)
    }

    /// Outputs of a run that goes on from a node.
    fn finish(&self, mut run: Run<'_>, network: &Network, from: usize) -> Result<Vec<f32>, CompressError> {
        for node in from..network.graph().nodes().len() {
            run.renew(&self.task, network, node)?;
        }
        run.outputs()
    }
}

/// By layer, the first node that computes with its weights: its own, or the one that goes through the steps of a recurrent
/// operator, which asks for the products of each.
fn first_nodes(network: &Network) -> Vec<usize> {
    let graph = network.graph();
    let node_of = |layer: usize| {
        let own = graph.nodes().iter().position(|node| matches!(node.op, Op::Mac(id) if id.0 == layer));
        let steps = network.multiplies_states(LayerId(layer)).then(|| graph.producer(network.layers()[layer].input));
        steps.flatten().map(|node| node.0).or(own).expect("every layer of a network that runs is a node of its graph")
    };
    (0..network.layers().len()).map(node_of).collect()
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
