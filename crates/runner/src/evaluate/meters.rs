//! Hardware whose cost depends on the activations: inference shows every layer's input to it, and it counts.

use engine::{Activations, Arithmetic, EngineError, Layer, LayerRun};
use esn::CodeTensor;
use network::{ActivationQuantization, LayerId, MacLayer, Network};
use rayon::prelude::*;

use crate::error::RunnerError;
use crate::finish::quantize_activations;
use crate::hardware::{Hardware, refused};
use crate::prepare::{Quantization, prepare};
use crate::runs::add_runs;

/// What one hardware counted on some images, layer by layer; none for a layer that it was not shown.
pub(crate) type Counts = Vec<Option<LayerRun>>;

/// The hardware of one group of engines whose cost depends on the activations.
pub(crate) struct Meters<'a> {
    network: &'a Network,
    hardware: Vec<(usize, &'a Hardware)>,
    /// The weights, one tensor a layer; empty where there is no hardware to count on.
    codes: Vec<CodeTensor>,
    activations: &'a [ActivationQuantization],
}

impl<'a> Meters<'a> {
    /// Takes those of `members` whose cost depends on the input.
    ///
    /// # Errors
    ///
    /// As [`crate::cost`].
    pub(crate) fn new(
        network: &'a Network,
        hardware: &'a [Hardware],
        members: &[usize],
        quantization: Quantization,
        activations: &'a [ActivationQuantization],
    ) -> Result<Self, RunnerError> {
        let dependent = members.iter().filter(|&&h| hardware[h].engine.cost_depends_on_input());
        let hardware: Vec<(usize, &Hardware)> = dependent.map(|&h| (h, &hardware[h])).collect();
        let layers = if hardware.is_empty() { 0 } else { network.layers().len() };
        let codes: Vec<Result<CodeTensor, RunnerError>> =
            (0..layers).into_par_iter().map(|l| Ok(prepare(network, LayerId(l), quantization)?.codes)).collect();
        Ok(Self { network, hardware, codes: codes.into_iter().collect::<Result<_, _>>()?, activations })
    }

    /// Indices of the hardware that is counted.
    pub(crate) fn members(&self) -> impl Iterator<Item = usize> {
        self.hardware.iter().map(|(h, _)| *h)
    }

    /// Starts on a batch. Only its first `images` images count: the rest are copies that fill it up.
    pub(crate) fn start(&self, images: usize) -> Reading<'_> {
        let none = vec![vec![None; self.network.layers().len()]; self.hardware.len()];
        Reading { meters: self, images, counts: none, failed: None }
    }

    fn run(&self, hardware: &Hardware, id: LayerId, image: &[f32]) -> Result<LayerRun, EngineError> {
        let MacLayer { name, geometry, .. } = &self.network.layers()[id.0];
        let layer = Layer::new(name, geometry, &self.codes[id.0])?;
        match hardware.engine.arithmetic() {
            Arithmetic::Real => hardware.engine.run_on(&layer, Activations::Real(image)),
            Arithmetic::Integer => {
                let quantization = self.activations.get(id.0).expect("layers that are run on integers are calibrated");
                let integers = quantize_activations(image, *quantization);
                hardware.engine.run_on(&layer, Activations::Integer(&integers))
            }
        }
    }
}

/// The counts of one batch while it runs.
pub(crate) struct Reading<'a> {
    meters: &'a Meters<'a>,
    images: usize,
    counts: Vec<Counts>,
    failed: Option<RunnerError>,
}

impl Reading<'_> {
    /// Counts a layer on every image of `input`, `[batch, repeats, in_channels, height, width]`.
    pub(crate) fn see(&mut self, id: LayerId, input: &[f32]) {
        let len = self.meters.network.layers()[id.0].geometry.input_len();
        for ((_, hardware), counts) in self.meters.hardware.iter().zip(&mut self.counts) {
            for image in input.chunks_exact(len).take(self.images) {
                match self.meters.run(hardware, id, image) {
                    Ok(run) => add(&mut counts[id.0], &run),
                    Err(error) => {
                        self.failed.get_or_insert_with(|| refused(self.meters.network, hardware, error));
                    }
                }
            }
        }
    }

    /// The counts of every hardware, by layer.
    ///
    /// # Errors
    ///
    /// The first layer that an engine refused.
    pub(crate) fn finish(self) -> Result<Vec<Counts>, RunnerError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.counts),
        }
    }
}

/// Adds counts of further images. All of them are run with the same weights, which are in memory once.
pub(crate) fn add(sum: &mut Option<LayerRun>, next: &LayerRun) {
    *sum = Some(match sum.take() {
        Some(sum) => LayerRun { memory: next.memory, ..add_runs(sum, next) },
        None => next.clone(),
    });
}
