//! Runs small networks, and masks channels of them.

use compress::{PruneOptions, PruneReport, prune};
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
    fn run(&self, id: LayerId, layer: &MacLayer, input: &[f32], output: &mut Vec<f32>) -> Result<(), ExecutorError> {
        let spec = layer.geometry.spec();
        let plane = spec.in_size[0] * spec.in_size[1];
        let mut input = input.to_vec();
        for item in input.chunks_mut(plane * spec.in_channels) {
            self.masks[id.0].iter().for_each(|&c| item[c * plane..(c + 1) * plane].fill(0.0));
        }
        self.inner.run(id, layer, &input, output)
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

/// Prunes, and checks that zeroed, masked and compact forms agree and that what should be zero is. Returns the report of
/// the compact form, and that form.
pub fn check(network: &Network, options: &PruneOptions) -> (PruneReport, Network) {
    let (zeroed, report) = prune(network, options).expect("it can be pruned");
    let options = PruneOptions { compact: true, ..options.clone() };
    let (compact, small) = prune(network, &options).expect("it can be made compact");
    let masks: Vec<Vec<usize>> = report.layers.iter().map(|layer| layer.dead_channels.clone()).collect();
    for seed in 0..3 {
        let image = image(network, seed);
        let expected = run_masked(network, &image, &masks);
        let found = run_watched(&zeroed, &image, &masks);
        assert!(distance(&expected, &found) < 1e-5, "masked {expected:?}, zeroed {found:?}");
        let last = run(&compact, &image);
        assert!(distance(&found, &last) < 1e-5, "zeroed {found:?}, compact {last:?}");
    }
    (small, compact)
}

/// Runs the pruned network; the channels that it says are dead must arrive as exact zeros.
fn run_watched(network: &Network, image: &[f32], masks: &[Vec<usize>]) -> Vec<f32> {
    let executor = FloatExecutor::from_file(network).expect("valid weights");
    let mut watch = |id: LayerId, input: &[f32], _: &[f32]| {
        let spec = network.layers()[id.0].geometry.spec();
        let plane = spec.in_size[0] * spec.in_size[1];
        for &c in &masks[id.0] {
            assert!(input[c * plane..(c + 1) * plane].iter().all(|&x| x == 0.0), "layer {} channel {c}", id.0);
        }
    };
    Session::new(network).expect("it runs").run(image, &executor, Some(&mut watch)).expect("a run")
}
