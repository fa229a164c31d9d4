//! A network in memory on every executor, and what it costs on ideal hardware.

use bytes::Bytes;
use compress::KernelExecutor;
use esn::BitConvention;
use formats::onnx::write::{WriteOptions, to_bytes};
use formats::{BatchAxis, ReadOptions};
use inference::{FloatExecutor, MacExecutor, Session};
use network::{ActivationQuantization, Network};
use runner::{
    CostPlan, EngineExecutor, Hardware, Metric, NetworkCost, Quantization, SteppedLayer, Verdict, cost, step_all,
};

use crate::{Recorded, analog_toml, digital_toml, hardware};

/// An ONNX file in memory as a network.
pub fn read(file: Vec<u8>) -> Network {
    formats::from_bytes("case.onnx", Bytes::from(file), &ReadOptions::default()).expect("it is read")
}

/// As [`read`], of a file whose first axis is no batch.
pub fn read_whole(file: Vec<u8>) -> Network {
    let options = ReadOptions { batch_axis: BatchAxis::None, ..ReadOptions::default() };
    formats::from_bytes("case.onnx", Bytes::from(file), &options).expect("it is read")
}

/// The network as it is written, and read again.
pub fn rewritten(network: &Network) -> Network {
    read(to_bytes(network, &WriteOptions::default()).expect("it is written").bytes)
}

/// What a network makes of an input.
pub fn run(network: &Network, input: &[f32], executor: &dyn MacExecutor) -> Vec<f32> {
    let session = Session::new(network).unwrap_or_else(|error| panic!("{error}: {:?}", network.notes()));
    session.run(input, executor, None).expect("it runs")
}

/// The ideal digital engine, with this quantization of what each layer reads.
pub fn digital(network: &Network, inputs: &[ActivationQuantization]) -> EngineExecutor {
    let digital = Hardware::ideal().into_iter().find(|h| h.metric == Metric::EsnD).expect("it is one of three");
    EngineExecutor::new(network, &digital, Quantization::new(None), inputs).expect("it fits")
}

/// The costs of a network on ideal hardware, which all equal the metric.
pub fn ideal(network: &Network) -> NetworkCost {
    let (quantization, convention) = (Quantization::new(None), BitConvention::NonzeroAtLeastOne);
    let found = cost(&CostPlan { network, hardware: &Hardware::ideal(), quantization, convention });
    let found = found.unwrap_or_else(|error| panic!("{error}"));
    assert!(found.layers.iter().flat_map(|layer| &layer.runs).all(|run| run.check.verdict == Verdict::Pass));
    found
}

/// Asserts that finite and departed machines step through a network of one layer and agree with closed forms.
pub fn assert_steps(network: &Network) {
    let departures = "[dac]\nbits = 8\nbits_per_step = 4\nconversion_j = 1e-13\nconversion_cycles = 1\n\
        [adc]\nbits = 8\nfull_scale = \"max-sum\"\nconversion_cycles = 1\ncolumns_per_converter = 4\n\
        [noise]\nprogramming_sigma = 0.02\nread_sigma = 0.01\nir_drop_along_rows = 0.05\n";
    let all = [
        hardware(&analog_toml("cells", "2", "8", 3)),
        hardware(&(analog_toml("departed", "64", "32", 2) + departures)),
        hardware(&digital_toml("by weight", 4, 8, "weight")),
        hardware(&digital_toml("by filter", 4, 8, "filter")),
    ];
    let stepped = step_all(network, &all, Quantization::new(None), &|| ()).expect("they step");
    assert_eq!(stepped.len(), all.len());
    assert!(stepped.iter().all(SteppedLayer::passes), "{stepped:?}");
}

impl Recorded {
    /// Asserts that the network, whose first axis may be no batch, and the file that is written of it, give the recorded
    /// output on every executor of real numbers. Returns the network.
    pub fn assert_whole(&self) -> Network {
        let network = read_whole(self.file.clone());
        let float = |network: &Network| FloatExecutor::from_file(network).expect("finite");
        self.assert_near(&run(&network, &self.input, &float(&network)));
        self.assert_near(&run(&network, &self.input, &KernelExecutor::from_network(&network).expect("finite")));
        let again = read_whole(to_bytes(&network, &WriteOptions::default()).expect("it is written").bytes);
        self.assert_near(&run(&again, &self.input, &float(&again)));
        network
    }

    /// Asserts that the network, and the file that is written of it, give the recorded output on every executor: on the
    /// digital engine where its one layer reads integers. Returns the network.
    pub fn assert_everywhere(&self) -> Network {
        let network = read(self.file.clone());
        let output = network.graph().value(network.graph().outputs()[0]).shape.clone();
        assert_eq!(output.as_ref(), Some(&self.shape));
        let float = |network: &Network| FloatExecutor::from_file(network).expect("finite");
        self.assert_near(&run(&network, &self.input, &float(&network)));
        self.assert_near(&run(&network, &self.input, &KernelExecutor::from_network(&network).expect("finite")));
        if let Some(quantization) = network.layers()[0].input_quantization {
            self.assert_near(&run(&network, &self.input, &digital(&network, &[quantization])));
        }
        let again = rewritten(&network);
        assert!(again.layers().iter().zip(network.layers()).all(|(a, b)| (a.op, a.operand) == (b.op, b.operand)));
        self.assert_near(&run(&again, &self.input, &float(&again)));
        network
    }

    /// Asserts that an output is that of this case, and names the same classes where it is one of PyTorch's networks.
    fn assert_near(&self, found: &[f32]) {
        let name = &self.name;
        assert_eq!(found.len(), self.output.len(), "{name}");
        let near = |(a, b): &(&f32, &f32)| (**a - **b).abs() <= 1e-4 * b.abs().max(1.0);
        let wrong = found.iter().zip(&self.output).find(|pair| !near(pair));
        assert!(wrong.is_none(), "{name}: {wrong:?}");
        if name.starts_with("torch: ") {
            let class = |logits: &[f32]| (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
            assert!(found.chunks(10).zip(self.output.chunks(10)).all(|(a, b)| class(a) == class(b)), "{name}");
        }
    }
}
