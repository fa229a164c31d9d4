//! MAC layers in 32-bit float: quick, and with the same sums on every machine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::kernel::{RealConv, RealRoom};
use inference::{ExecutorError, FloatExecutor, MacExecutor, dequantize, scale_and_add};
use network::{LayerId, MacLayer, Network};

use crate::error::CompressError;

/// Below so many output positions a layer gains nothing from a kernel that computes positions side by side.
const FEW_POSITIONS: usize = 8;

/// Computes MAC layers in 32-bit float with the kernel of the analog engine, whose sums are the same to the last bit on
/// every machine. Layers of few output positions, and those that multiply the states of recurrent operators step by step,
/// are computed as [`FloatExecutor`] does.
///
/// For networks as small as those of CIFAR this executor is two to three times as quick as [`FloatExecutor`], which
/// first copies every patch of the input.
#[derive(Clone, Debug)]
pub struct KernelExecutor {
    /// Copies of an executor share them.
    convolutions: Vec<Option<Arc<RealConv>>>,
    /// By layer, whether it is used step by step.
    stepwise: Vec<bool>,
    /// Holds the weights of the layers that have no convolution here.
    float: FloatExecutor,
    /// Memory of layers that are done, for those to come.
    rooms: Arc<Mutex<Vec<RealRoom>>>,
}

impl KernelExecutor {
    /// Reads the weights of a network as it gives them; quantized ones become `code / 2 · scale`.
    ///
    /// # Errors
    ///
    /// [`CompressError::Network`] if weights cannot be read, [`CompressError::Layer`] if a padded input does not fit
    /// the address space.
    pub fn from_network(network: &Network) -> Result<Self, CompressError> {
        let layers = network.layers().len();
        let mut executor = Self {
            convolutions: (0..layers).map(|_| None).collect(),
            stepwise: (0..layers).map(|id| network.multiplies_states(LayerId(id))).collect(),
            float: FloatExecutor::new(vec![Vec::new(); layers]),
            rooms: Arc::default(),
        };
        for (index, layer) in network.layers().iter().enumerate() {
            executor.set_weights(LayerId(index), layer, dequantize(network.weights(LayerId(index))?))?;
        }
        Ok(executor)
    }

    /// Gives one layer other weights, row-major `[filters, channels, kernel_h, kernel_w]`.
    ///
    /// # Errors
    ///
    /// [`CompressError::Layer`] if they do not fit the layer, or its padded input does not fit the address space.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn set_weights(&mut self, id: LayerId, layer: &MacLayer, weights: Vec<f32>) -> Result<(), CompressError> {
        if layer.geometry.positions_per_repeat() < FEW_POSITIONS || self.stepwise[id.0] {
            self.float.set_weights(id, weights);
            return Ok(());
        }
        let convolution = RealConv::new(&layer.name, &layer.geometry, &weights, None);
        let error = |e: engine::EngineError| CompressError::Layer { layer: layer.name.clone(), problem: e.to_string() };
        self.convolutions[id.0] = Some(Arc::new(convolution.map_err(error)?));
        Ok(())
    }

    fn rooms(&self) -> MutexGuard<'_, Vec<RealRoom>> {
        // Nothing that can panic happens under the lock.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `alpha · sum + bias` of the sums of one channel.
fn finish(sums: &[f32], alpha: f32, bias: f32, outputs: &mut [f32]) {
    lanes::run(
        #[inline(always)]
        move || {
            for (output, sum) in outputs.iter_mut().zip(sums) {
                *output = alpha * sum + bias;
            }
        },
    );
}

impl MacExecutor for KernelExecutor {
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32], output: &mut Vec<f32>) -> Result<(), ExecutorError> {
        let Some(Some(convolution)) = self.convolutions.get(id.0) else {
            return self.float.run(id, layer, input, output);
        };
        let images = input.chunks(layer.geometry.input_len());
        output.resize(images.len() * layer.geometry.output_len(), 0.0);
        let bias = layer.bias.as_ref().map(network::Bias::to_float);
        // Sums of a transposed convolution are added first.
        let waits = layer.scatter().is_some();
        let changes = bias.is_some() || layer.alpha != 1.0;
        let mut room = self.rooms().pop().unwrap_or_default();
        let mut made = Vec::new();
        for (image, output) in images.zip(output.chunks_exact_mut(layer.geometry.output_len())) {
            convolution.sum(image, &mut room, |handed| {
                handed.place(&mut made, output, |outputs| match changes && !waits {
                    true => {
                        let bias = bias.as_ref().map_or(0.0, |bias| bias[handed.filter]);
                        finish(handed.sums, layer.alpha, bias, outputs);
                    }
                    false => outputs.copy_from_slice(handed.sums),
                });
            })?;
        }
        self.rooms().push(room);
        if waits {
            *output = layer.outputs(std::mem::take(output));
        }
        if waits && changes {
            scale_and_add(output, bias.as_deref(), layer);
        }
        Ok(())
    }

    fn run_vectors(&self, id: LayerId, layer: &MacLayer, vectors: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        self.float.run_vectors(id, layer, vectors)
    }
}
