//! ESN_a by layer, of a network or of a training trace: the targets of section 2.7.

use esn::{BitConvention, BitWidth, LayerEsn, quantize_max_abs};
use network::{LayerId, LayerWeights, MacLayer, Network, WeightValues};
use serde::Deserialize;

use crate::error::CompressError;

/// The ESN_a with c = 1 of every layer of a network, in order of execution: what [`crate::StepRule::EsnAProfile`]
/// takes.
///
/// Quantized layers count as they are; those of real weights as quantized to `bits` bits on mid-rise by their largest
/// magnitude.
///
/// # Errors
///
/// [`CompressError::Option`] for a width outside 1…16; [`CompressError::Layer`] and [`CompressError::Network`] for
/// weights that cannot be read.
pub fn esn_a_profile(network: &Network, bits: u32) -> Result<Vec<f64>, CompressError> {
    let bits = BitWidth::new(bits).map_err(|e| CompressError::Option { option: "bits", problem: e.to_string() })?;
    let of_layer = |index: usize| {
        let layer = &network.layers()[index];
        let shape = layer.geometry.weight_shape();
        let quantized = match network.weights(LayerId(index))? {
            LayerWeights::Quantized { codes, .. } => Ok(codes),
            LayerWeights::Float(WeightValues::F32(values)) => quantize_max_abs(&values, shape, bits).map(|q| q.codes),
            LayerWeights::Float(WeightValues::F64(values)) => quantize_max_abs(&values, shape, bits).map(|q| q.codes),
        };
        let codes =
            quantized.map_err(|e| CompressError::Layer { layer: layer.name.clone(), problem: e.to_string() })?;
        Ok(LayerEsn::new(&codes, 1, BitConvention::default()).esn_a().to_f64())
    };
    (0..network.layers().len()).map(of_layer).collect()
}

/// A training trace: epochs, or the layers of one.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an object with \"epochs\", or with the \"layers\" of one")]
enum Trace {
    Epochs { epochs: Vec<Epoch> },
    Epoch { layers: Vec<TracedLayer> },
}

#[derive(Deserialize)]
struct Epoch {
    epoch: u64,
    layers: Vec<TracedLayer>,
}

#[derive(Deserialize)]
struct TracedLayer {
    name: String,
    esn_a: f64,
}

/// The ESN_a with c = 1 of every layer of `network`, out of a training trace in JSON:
///
/// ```json
/// {"epochs": [{"epoch": 80, "layers": [{"name": "conv1", "esn_a": 1234.5}]}]}
/// ```
///
/// or, of one epoch alone, `{"layers": [{"name": "conv1", "esn_a": 1234.5}]}`. Layers are found by the names of their
/// nodes, else by that of their weights with or without `.weight`, as PyTorch calls the module of a layer; other keys are
/// passed over. `epoch` chooses one by its number, else the last one counts.
///
/// # Errors
///
/// [`CompressError::Option`] if the text is no such trace, has not that epoch, or lacks or repeats a layer.
pub fn esn_a_trace(json: &str, network: &Network, epoch: Option<u64>) -> Result<Vec<f64>, CompressError> {
    let error = |problem: String| CompressError::Option { option: "ESN_a trace", problem };
    let trace: Trace = serde_json::from_str(json).map_err(|e| {
        let expected =
            r#"expected {"layers": [{"name": …, "esn_a": …}, …]} or {"epochs": [{"epoch": …, "layers": …}, …]}"#;
        error(format!("{expected}: {e}"))
    })?;
    let layers = match (trace, epoch) {
        (Trace::Epoch { layers }, None) => layers,
        (Trace::Epoch { .. }, Some(epoch)) => return Err(error(format!("epoch {epoch} of a trace without epochs"))),
        (Trace::Epochs { epochs }, epoch) => {
            let numbers: Vec<u64> = epochs.iter().map(|entry| entry.epoch).collect();
            let found = epochs.into_iter().rfind(|entry| epoch.is_none_or(|epoch| epoch == entry.epoch));
            let missing = || {
                error(format!(
                    "epoch {} is not one of {numbers:?}",
                    epoch.map_or("last".to_string(), |e| e.to_string())
                ))
            };
            found.ok_or_else(missing)?.layers
        }
    };
    let target = |layer: &MacLayer| {
        let weights = layer.weights.name.as_str();
        let names = [layer.name.as_str(), weights, weights.strip_suffix(".weight").unwrap_or(weights)];
        let name = names.into_iter().find(|&name| layers.iter().any(|layer| layer.name == name)).unwrap_or(names[0]);
        let mut found = layers.iter().filter(|layer| layer.name == name);
        match (found.next(), found.next()) {
            (Some(layer), None) if layer.esn_a.is_finite() && layer.esn_a >= 0.0 => Ok(layer.esn_a),
            (Some(layer), None) => Err(error(format!("layer {name} has an ESN_a of {}", layer.esn_a))),
            (None, _) => Err(error(format!("layer {name} of the network is not in it"))),
            (Some(_), Some(_)) => Err(error(format!("layer {name} is in it more than once"))),
        }
    };
    network.layers().iter().map(target).collect()
}
