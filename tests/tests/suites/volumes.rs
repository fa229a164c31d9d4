//! Is a convolution over depth, height and width what its definition says, on every executor, and does it cost what the
//! metric says? Do pools and transposed convolutions have a depth, too?
//!
//! `reference/volumes.json` has the node tests of ONNX, and networks with the outputs that onnxruntime and PyTorch give.
//! `python/volumes.py` made it.

use esnsim_tests::executors::{assert_steps, digital, ideal, rewritten, run};
use esnsim_tests::{Recorded, run_in};
use inference::FloatExecutor;
use network::{ActivationQuantization, Network, Operand, WindowAxis};
use proptest::prelude::*;
use testkit::{Model, check_all, int, int_list, model};

#[test]
fn recorded_networks_give_what_others_make_of_them() {
    let cases = Recorded::all("volumes.json");
    let count = |kind: &str| cases.iter().filter(|case| case.name.starts_with(kind)).count();
    let kinds = ["node: ", "conv: ", "transposed: ", "pool: ", "qdq: ", "torch: "];
    assert_eq!(kinds.map(count), [2, 30, 10, 16, 2, 2]);
    check_all(0..cases.len(), |&row| {
        let network = cases[row].assert_everywhere();
        if cases[row].name.starts_with("conv: ") {
            assert!(
                matches!(network.layers()[0].operand, Operand::Planes(_))
                    || network.layers()[0].window()[0] == WindowAxis::ONE
            );
        }
    });
}

/// Two groups of weights `[4, 3, 3, 2, 2]` over an input of 5 × 4 × 6, every second plane.
fn two_groups() -> Model {
    let attributes = vec![int("group", 2), int_list("strides", &[2, 1, 1]), int_list("pads", &[1, 0, 0, 1, 0, 1])];
    let file = model().input("x", &[0, 6, 5, 4, 6]).weights("w", &[4, 3, 3, 2, 2]);
    file.node_with("Conv", &["x", "w"], &["y"], attributes)
}

#[test]
fn a_weight_counts_once_for_each_position_of_the_volume() {
    let network = two_groups().read();
    let layer = &network.layers()[0];
    // Depth (5 + 1 + 1 − 3) / 2 + 1 = 3, height 4 − 2 + 1 = 3, width 6 + 1 − 2 + 1 = 6.
    assert_eq!(layer.window().map(|axis| axis.out), [3, 3, 6]);
    assert_eq!((layer.in_channels(), layer.out_channels(), layer.repeats()), (6, 4, 1));
    assert_eq!((network.parameter_count(), layer.geometry.macs()), (4 * 3 * 12, 144 * 54));
    let found = ideal(&network);
    assert_eq!((found.layers[0].esn.weights, found.layers[0].esn.macs, found.layers[0].positions), (144, 7776, 54));
    assert_steps(&network);
}

#[test]
fn the_commands_show_and_change_it() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("volume.onnx"), two_groups().bytes()).expect("it is written");
    let output = |arguments: &str| {
        let output = run_in(folder.path(), arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let shown = output("inspect volume.onnx");
    for cell in ["6×5×4×6", "3×2×2", "2×1×1", "1,0,0,1,0,1", "4×3×3×6", "7,776"] {
        assert!(shown.contains(cell), "{cell}: {shown}");
    }
    output("compress volume.onnx --prune filters=0.5 --bits 4 -o half.onnx");
    let shown = output("inspect half.onnx");
    assert!(shown.contains("3×2×2"), "{shown}");
}

/// A convolution of small integers along depth, height and width.
#[derive(Clone, Debug)]
struct Volume {
    axes: [WindowAxis; 3],
    groups: usize,
    channels: usize,
    outs: usize,
    weights: Vec<i8>,
    input: Vec<u8>,
}

fn volume() -> impl Strategy<Value = Volume> {
    let along = || {
        let numbers = (1usize..=5, 1usize..=3, 1usize..=3, 1usize..=2, (0usize..=2, 0usize..=2));
        numbers.prop_filter_map("the kernel fits", |(size, kernel, stride, dilation, pads)| {
            let axis = WindowAxis { size, kernel, stride, dilation, pads: pads.into(), out: 0 };
            axis.outputs().map(|out| WindowAxis { out, ..axis })
        })
    };
    let sizes = (1usize..=2, 1usize..=2, 1usize..=2);
    ((along(), along(), along()), sizes).prop_flat_map(|((z, y, x), (groups, channels, outs))| {
        let weights = groups * channels * outs * z.kernel * y.kernel * x.kernel;
        let weights = prop::collection::vec(-127i8..=127, weights);
        let input = prop::collection::vec(any::<u8>(), groups * channels * z.size * y.size * x.size);
        (weights, input).prop_map(move |(weights, input)| Volume {
            axes: [z, y, x],
            groups,
            channels,
            outs,
            weights,
            input,
        })
    })
}

impl Volume {
    fn product(&self, of: fn(&WindowAxis) -> usize) -> usize {
        self.axes.iter().map(of).product()
    }

    /// Every output by the definition: loops over output channels and positions, weights and what they meet.
    fn outputs(&self) -> Vec<f32> {
        let [z, y, x] = self.axes;
        let (positions, taps, size) = (self.product(|a| a.out), self.product(|a| a.kernel), self.product(|a| a.size));
        let mut outputs = Vec::new();
        for (filter, position) in (0..self.groups * self.outs).flat_map(|f| (0..positions).map(move |p| (f, p))) {
            let [oz, oy, ox] = [position / x.out / y.out, position / x.out % y.out, position % x.out];
            let own = &self.weights[filter * self.channels * taps..][..self.channels * taps];
            let first = filter / self.outs * self.channels;
            let terms = own.iter().enumerate().map(|(i, &weight)| {
                let (channel, tap) = (first + i / taps, i % taps);
                let [tz, ty, tx] = [tap / x.kernel / y.kernel, tap / x.kernel % y.kernel, tap % x.kernel];
                let place = z.source(oz, tz).zip(y.source(oy, ty)).zip(x.source(ox, tx));
                let met = place
                    .map_or(0, |((z, row), column)| self.input[channel * size + (z * y.size + row) * x.size + column]);
                i64::from(weight) * i64::from(met)
            });
            outputs.push(terms.sum::<i64>() as f32);
        }
        outputs
    }

    /// A file whose weights are these integers behind a DequantizeLinear of scale 1.
    fn read(&self) -> Network {
        let numbers = |of: fn(&WindowAxis) -> usize| self.axes.iter().map(|axis| of(axis) as i64).collect::<Vec<_>>();
        let attributes = vec![
            int("group", self.groups as i64),
            int_list("strides", &numbers(|axis| axis.stride)),
            int_list("dilations", &numbers(|axis| axis.dilation)),
            int_list("pads", &[numbers(|axis| axis.pads[0]), numbers(|axis| axis.pads[1])].concat()),
        ];
        let of_input = [vec![0, (self.groups * self.channels) as i64], numbers(|axis| axis.size)].concat();
        let ends = vec![(self.groups * self.outs) as i64, self.channels as i64];
        let of_weights = [ends, numbers(|axis| axis.kernel)].concat();
        let file = model().input("x", &of_input).floats("one", &[], &[1.0]).int8s("zero", &[], &[0]);
        let file = file.int8s("q", &of_weights, &self.weights).node("DequantizeLinear", &["q", "one", "zero"], &["w"]);
        file.node_with("Conv", &["x", "w"], &["y"], attributes).read()
    }
}

proptest! {
    /// Integers below 2^24 are exact in 32-bit float, too.
    #[test]
    fn every_executor_gives_what_the_definition_gives(case in volume()) {
        let input: Vec<f32> = case.input.iter().map(|&x| f32::from(x)).collect();
        let (expected, network) = (case.outputs(), case.read());
        let bytes = ActivationQuantization { scale: 1.0, zero_point: 0, min: 0, max: 255 };
        for network in [&network, &rewritten(&network)] {
            prop_assert_eq!(&run(network, &input, &FloatExecutor::from_file(network).expect("finite")), &expected);
            prop_assert_eq!(&run(network, &input, &digital(network, &[bytes])), &expected);
        }
        let macs = case.weights.len() * case.product(|axis| axis.out);
        prop_assert_eq!(ideal(&network).layers[0].esn.macs, macs as u128);
    }
}
