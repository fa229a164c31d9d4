//! Runs small networks, and masks channels of them.

use inference::{ExecutorError, FloatExecutor, MacExecutor, Session};
use network::{LayerId, MacLayer, Network};
use testkit::reals;

/// An image of numbers from −1 to 1 that depend on the seed alone.
pub fn image(network: &Network, seed: u64) -> Vec<f32> {
    let shape = network.graph().value(network.graph().inputs()[0]).shape.clone().expect("a known shape");
    reals(seed + 77, shape.iter().product())
}

/// The output of the network for an image, in float.
pub fn run(network: &Network, image: &[f32]) -> Vec<f32> {
    let executor = FloatExecutor::from_file(network).expect("valid weights");
    Session::new(network).expect("a network that runs").run(image, &executor, None).expect("a run")
}

/// Sets input channels of every layer to 0 before it runs, with the weights of the network as it came.
struct Masking<'a> {
    inner: FloatExecutor,
    masks: &'a [Vec<usize>],
}

impl MacExecutor for Masking<'_> {
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32]) -> Result<Vec<f32>, ExecutorError> {
        let spec = layer.geometry.spec();
        let plane = spec.in_size[0] * spec.in_size[1];
        let mut input = input.to_vec();
        for item in input.chunks_mut(plane * spec.in_channels) {
            self.masks[id.0].iter().for_each(|&c| item[c * plane..(c + 1) * plane].fill(0.0));
        }
        self.inner.run(id, layer, &input)
    }
}

/// The output of the network when these input channels of each layer are forced to 0.
pub fn run_masked(network: &Network, image: &[f32], masks: &[Vec<usize>]) -> Vec<f32> {
    let masking = Masking { inner: FloatExecutor::from_file(network).expect("valid weights"), masks };
    Session::new(network).expect("a network that runs").run(image, &masking, None).expect("a run")
}

/// The largest difference, relative to the largest magnitude.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let scale = a.iter().fold(1e-30f32, |max, x| max.max(x.abs()));
    a.iter().zip(b).fold(0.0f32, |max, (x, y)| max.max((x - y).abs())) / scale
}
