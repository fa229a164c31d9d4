//! Reads network files and writes each again into a folder, so that other programs can compare the two: `rewrite
//! [--bits N] FOLDER NETWORK...`. With `--bits`, real weights are quantized first, mid-rise, per layer. What cannot be
//! read or written is named, and the others go on.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use esn::{BitWidth, quantize_max_abs};
use formats::ReadOptions;
use formats::onnx::write::{WriteOptions, write};
use network::{LayerId, LayerWeights, Network, Note, WeightValues};

fn main() -> ExitCode {
    let mut arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let mut bits = None;
    if arguments.first().is_some_and(|first| first.as_os_str() == "--bits") && arguments.len() > 1 {
        bits = arguments[1].to_str().and_then(|n| BitWidth::new(n.parse().ok()?).ok());
        arguments.drain(..2);
    }
    let mut arguments = arguments.into_iter();
    let Some(folder) = arguments.next() else {
        eprintln!("usage: rewrite [--bits N] FOLDER NETWORK...");
        return ExitCode::from(2);
    };
    let mut code = ExitCode::SUCCESS;
    for path in arguments {
        match rewrite(&path, &folder, bits) {
            Ok(notes) => notes.iter().for_each(|note| println!("{}: note: {note}", path.display())),
            Err(error) => {
                println!("{error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn rewrite(path: &Path, folder: &Path, bits: Option<BitWidth>) -> Result<Vec<Note>, Box<dyn std::error::Error>> {
    let mut network = formats::read(path, &ReadOptions::default())?;
    if let Some(bits) = bits {
        network = quantized(network, bits)?;
    }
    let name = path.file_name().ok_or("expected the path of a file")?;
    // Made in memory first: a file is not cut off where it cannot be written.
    let mut bytes = Vec::new();
    let notes = write(&network, &WriteOptions::default(), &mut bytes)?;
    File::create(folder.join(name))?.write_all(&bytes)?;
    Ok(notes)
}

/// The same network with its real weights on the mid-rise grid, `Δ = max|W| / 2^(bits − 1)` a layer.
fn quantized(network: Network, bits: BitWidth) -> Result<Network, Box<dyn std::error::Error>> {
    let mut rounded = network.edit();
    for (i, layer) in rounded.layers_mut().iter_mut().enumerate() {
        let LayerWeights::Float(WeightValues::F32(values)) = network.weights(LayerId(i))? else { continue };
        let found = quantize_max_abs(&values, layer.geometry.weight_shape(), bits)?;
        let rounded = layer.with_codes(&layer.weights.name, &found.codes, &[found.step as f32]);
        *layer = rounded.ok_or("codes of more than 16 bits")?;
    }
    Ok(rounded.finish()?.with_notes(Vec::new()).with_metadata(Vec::new()))
}
