//! Is a transposed convolution what its definition says, on every executor, and does it cost what the metric says?
//!
//! `reference/conv-transpose.json` has the node tests of ONNX, and networks with the outputs that onnxruntime and PyTorch
//! give. `python/conv_transpose.py` made it.

use compress::KernelExecutor;
use esnsim_tests::Recorded;
use esnsim_tests::executors::{assert_steps, digital, ideal, rewritten, run};
use inference::FloatExecutor;
use network::{ActivationQuantization, Network};
use proptest::prelude::*;
use testkit::{Model, check_all, int, int_list, model};

#[test]
fn recorded_networks_give_what_others_make_of_them() {
    let cases = Recorded::all("conv-transpose.json");
    let count = |kind: &str| cases.iter().filter(|case| case.name.starts_with(kind)).count();
    assert_eq!(["node: ", "random: ", "qdq: ", "torch: "].map(count), [11, 40, 3, 2]);
    check_all(0..cases.len(), |&row| {
        cases[row].assert_everywhere();
    });
}

/// Two groups of weights `[4, 3, 3, 3]` over an input of 5 × 7.
fn two_groups() -> Network {
    let attributes = vec![int("group", 2), int_list("strides", &[2, 1]), int_list("pads", &[1, 0, 1, 2])];
    let file = model().input("x", &[1, 4, 5, 7]).weights("w", &[4, 3, 3, 3]);
    file.node_with("ConvTranspose", &["x", "w"], &["y"], attributes).read()
}

#[test]
fn a_weight_counts_once_for_each_input_position() {
    let network = two_groups();
    let layer = &network.layers()[0];
    let out = layer.window().map(|axis| axis.out);
    assert_eq!((layer.op.name(), layer.out_channels(), out), ("ConvTranspose", 6, [1, 9, 7]));
    assert_eq!((network.parameter_count(), layer.geometry.macs()), (108, 3780));
    let found = ideal(&network);
    assert_eq!((found.layers[0].esn.weights, found.layers[0].esn.macs, found.layers[0].positions), (108, 3780, 35));
}

#[test]
fn finite_and_departed_machines_step_through_it() {
    assert_steps(&two_groups());
}

/// A transposed convolution along height or width.
#[derive(Clone, Copy, Debug)]
struct Along {
    size: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    pads: [usize; 2],
    extra: usize,
}

impl Along {
    fn out(&self) -> Option<usize> {
        let full = (self.size - 1) * self.stride + (self.kernel - 1) * self.dilation + 1 + self.extra;
        full.checked_sub(self.pads[0] + self.pads[1]).filter(|&out| out > 0)
    }
}

#[derive(Clone, Debug)]
struct Transposed {
    axes: [Along; 2],
    /// Groups, and in each of them input and output channels.
    groups: usize,
    channels: usize,
    outs: usize,
    weights: Vec<i8>,
    input: Vec<u8>,
    bias: Vec<i8>,
}

fn transposed() -> impl Strategy<Value = Transposed> {
    let along = || {
        let numbers = (1usize..=5, 1usize..=4, 1usize..=3, 1usize..=3, (0usize..=4, 0usize..=4), 0usize..=2);
        numbers.prop_filter_map("an output is left", |(size, kernel, stride, dilation, pads, extra)| {
            let along = Along { size, kernel, stride, dilation, pads: pads.into(), extra: extra.min(stride - 1) };
            along.out().map(|_| along)
        })
    };
    ((along(), along()), 1usize..=3, 1usize..=3, 1usize..=3).prop_flat_map(|((y, x), groups, channels, outs)| {
        let weights = prop::collection::vec(-127i8..=127, groups * channels * outs * y.kernel * x.kernel);
        let input = prop::collection::vec(any::<u8>(), groups * channels * y.size * x.size);
        (weights, input, prop::collection::vec(any::<i8>(), groups * outs)).prop_map(move |(weights, input, bias)| {
            Transposed { axes: [y, x], groups, channels, outs, weights, input, bias }
        })
    })
}

impl Transposed {
    /// Every output by the definition: loops over groups, output and input channels, input positions and taps.
    fn outputs(&self) -> Vec<i64> {
        let [y, x] = self.axes;
        let [height, width] = self.axes.map(|axis| axis.out().expect("it was chosen so"));
        let plane = height * width;
        let mut outputs: Vec<i64> = self.bias.iter().flat_map(|&bias| vec![i64::from(bias); plane]).collect();
        let place = |along: Along, position: usize, tap: usize, out: usize| {
            let place = (position * along.stride + tap * along.dilation).checked_sub(along.pads[0])?;
            (place < out).then_some(place)
        };
        for (i, &weight) in self.weights.iter().enumerate() {
            let (tap_x, tap_y) = (i % x.kernel, i / x.kernel % y.kernel);
            let (out, channel) = (i / x.kernel / y.kernel % self.outs, i / x.kernel / y.kernel / self.outs);
            let row = channel / self.channels * self.outs + out;
            for position in 0..y.size * x.size {
                let line = place(y, position / x.size, tap_y, height);
                let column = place(x, position % x.size, tap_x, width);
                let (Some(line), Some(column)) = (line, column) else { continue };
                let input = i64::from(self.input[channel * y.size * x.size + position]);
                outputs[row * plane + line * width + column] += i64::from(weight) * input;
            }
        }
        outputs
    }

    /// A file whose weights are these integers, as they are or behind a DequantizeLinear of scale 1.
    fn model(&self, quantized: bool) -> Model {
        let numbers = |of: fn(&Along) -> usize| self.axes.iter().map(|axis| of(axis) as i64).collect::<Vec<_>>();
        let attributes = vec![
            int("group", self.groups as i64),
            int_list("strides", &numbers(|axis| axis.stride)),
            int_list("dilations", &numbers(|axis| axis.dilation)),
            int_list("pads", &[numbers(|axis| axis.pads[0]), numbers(|axis| axis.pads[1])].concat()),
            int_list("output_padding", &numbers(|axis| axis.extra)),
        ];
        let kernel = numbers(|axis| axis.kernel);
        let shape = [vec![(self.groups * self.channels) as i64, self.outs as i64], kernel].concat();
        let bias: Vec<f32> = self.bias.iter().map(|&b| f32::from(b)).collect();
        let size = numbers(|axis| axis.size);
        let file = model().input("x", &[vec![0, (self.groups * self.channels) as i64], size].concat());
        let file = file.floats("b", &[bias.len() as i64], &bias).floats("one", &[], &[1.0]).int8s("zero", &[], &[0]);
        let file = if quantized {
            let file = file.int8s("q", &shape, &self.weights);
            file.node("DequantizeLinear", &["q", "one", "zero"], &["w"])
        } else {
            file.floats("w", &shape, &self.weights.iter().map(|&w| f32::from(w)).collect::<Vec<_>>())
        };
        file.node_with("ConvTranspose", &["x", "w", "b"], &["y"], attributes)
    }
}

proptest! {
    /// Integers below 2^24 are exact in 32-bit float, too.
    #[test]
    fn every_executor_gives_what_the_definition_gives(case in transposed()) {
        let input: Vec<f32> = case.input.iter().map(|&x| f32::from(x)).collect();
        let expected: Vec<f32> = case.outputs().into_iter().map(|y| y as f32).collect();
        let (real, integer) = (case.model(false).read(), case.model(true).read());
        prop_assert_eq!(run(&real, &input, &FloatExecutor::from_file(&real).expect("finite")), expected.clone());
        prop_assert_eq!(run(&real, &input, &KernelExecutor::from_network(&real).expect("finite")), expected.clone());
        let bytes = ActivationQuantization { scale: 1.0, zero_point: 0, min: 0, max: 255 };
        for network in [&integer, &rewritten(&integer)] {
            prop_assert_eq!(run(network, &input, &digital(network, &[bytes])), expected.clone());
        }
        let positions = case.axes[0].size * case.axes[1].size;
        prop_assert_eq!(ideal(&integer).layers[0].esn.macs, (case.weights.len() * positions) as u128);
    }
}
