//! Writes what a network makes of numbers: `outputs NET.onnx (float|integer) INPUT OUTPUT`.
//!
//! INPUT and OUTPUT are 32-bit floats, little-endian, one image after another. `float` computes MAC layers in 32-bit
//! float, `integer` on the digital engine, with activations quantized as the file says. `tests/python` compares both with
//! other runtimes.

use std::error::Error;
use std::fs;
use std::path::Path;

use formats::ReadOptions;
use inference::{FloatExecutor, MacExecutor, Session};
use network::Network;
use runner::{EngineExecutor, Hardware, Metric, Quantization};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [net, executor, input, output] = arguments.as_slice() else {
        return Err("expected NET.onnx (float|integer) INPUT OUTPUT".into());
    };
    let network = formats::read(Path::new(net), &ReadOptions::default())?;
    let session = Session::new(&network)?;
    let executor: Box<dyn MacExecutor> = match executor.as_str() {
        "float" => Box::new(FloatExecutor::from_file(&network)?),
        "integer" => Box::new(integer(&network)?),
        other => return Err(format!("expected float or integer, not {other}").into()),
    };
    let bytes = fs::read(input)?;
    let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let image: usize = session.input_shape().iter().product();
    let mut outputs = Vec::new();
    for values in values.chunks_exact(image.max(1)) {
        outputs.extend(session.run(values, executor.as_ref(), None)?.iter().flat_map(|x| x.to_le_bytes()));
    }
    fs::write(output, outputs)?;
    Ok(())
}

/// The digital engine, whose input the file must quantize at every layer.
fn integer(network: &Network) -> Result<EngineExecutor, Box<dyn Error>> {
    let inputs: Option<Vec<_>> = network.layers().iter().map(|layer| layer.input_quantization).collect();
    let inputs = inputs.ok_or("the input of a layer is not quantized")?;
    let ideal = Hardware::ideal().into_iter().find(|hardware| hardware.metric == Metric::EsnD);
    let hardware = ideal.ok_or("no digital engine")?;
    Ok(EngineExecutor::new(network, &hardware, Quantization::new(None), &inputs)?)
}
