//! Who computes the MAC layers of a session.

use network::{ActivationQuantization, Cause, LayerId, MacLayer};

use crate::codes::CodeOutput;

/// An executor's own error, carried through.
pub type ExecutorError = Cause;

/// Codes of 8 bits that a layer reads, and how its numbers become such codes again.
#[derive(Clone, Copy, Debug)]
pub struct CodedInput<'a> {
    /// Codes from 0 on.
    pub codes: &'a [u8],
    /// What they stand for.
    pub quantization: &'a ActivationQuantization,
    /// What is made of the layer's numbers.
    pub finish: &'a CodeOutput,
}

/// Computes MAC layers, whole: `alpha · outputs(weights ∗ input) + bias`, with [`MacLayer::outputs`],
/// [`MacLayer::alpha`] and [`MacLayer::bias`] of the layer. The session adds nothing to what it gets.
///
/// An implementation must give the same output for the same input on every call and thread.
pub trait MacExecutor: Sync {
    /// Computes one layer. `input` is `[repeats, in_channels, height, width]` of the layer's geometry and `output` becomes
    /// `[repeats, out_channels, out_height, out_width]` of the layer, `repeats` times the network's batch: whatever
    /// arrangement the node has is undone before and restored after. What lies in `output` before does not matter; it is
    /// mostly as long as it is to be.
    ///
    /// # Errors
    ///
    /// Whatever the executor finds wrong; the session adds the layer's name.
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32], output: &mut Vec<f32>) -> Result<(), ExecutorError>;

    /// Computes a layer whose input are codes of 8 bits and whose output becomes such codes, and fills `output` with them.
    /// The codes are those of what [`MacExecutor::run`] makes of the numbers that the input stands for, and extents are the
    /// same. An executor that does not say, or has no such arithmetic for this layer, returns false and changes nothing.
    ///
    /// # Errors
    ///
    /// As [`MacExecutor::run`].
    fn run_codes(
        &self,
        id: LayerId,
        layer: &MacLayer,
        codes: CodedInput<'_>,
        output: &mut [u8],
    ) -> Result<bool, ExecutorError> {
        let _ = (id, layer, codes, output);
        Ok(false)
    }

    /// Computes a layer of 1 × 1 whose input is one row of vectors, on any number of vectors: from `[n, in_channels]` to
    /// `[n, out_channels]`. That is how a recurrent operator comes from step to step. The layer runs as a whole on all
    /// steps afterwards, so that nothing of this run may be counted.
    ///
    /// Without an arithmetic of its own, an executor runs whole inputs whose other positions are 0.
    ///
    /// # Errors
    ///
    /// As [`MacExecutor::run`].
    fn run_vectors(&self, id: LayerId, layer: &MacLayer, vectors: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        let [depth, filters, positions] = [layer.in_channels(), layer.out_channels(), layer.out_positions()];
        let (mut made, mut output) = (Vec::new(), Vec::new());
        for part in vectors.chunks(depth * positions) {
            let count = part.len() / depth;
            let mut input = vec![0.0; depth * positions];
            for (i, x) in part.iter().enumerate() {
                input[i % depth * positions + i / depth] = *x;
            }
            self.run(id, layer, &input, &mut output)?;
            made.extend((0..count * filters).map(|i| output[i % filters * positions + i / filters]));
        }
        Ok(made)
    }
}
