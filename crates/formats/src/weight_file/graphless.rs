//! A weight file as a network of layers that nothing connects.
//!
//! Tensors that are not the weights of a layer (biases, statistics, integers without a scale) become constants that no
//! node reads. A file that is written of the network has them again.

use network::{
    Geometry, GeometrySpec, MacLayer, MacOp, Mend, Network, NetworkBuilder, NetworkError, NotCosted, Note, NoteKind,
    Operand, Value, ValueId, WeightQuantization, WeightSource, WeightTransform,
};

use super::roles::Roles;
use super::scales::{Quantized, Scales};
use super::{WeightFile, WeightTensor};
use crate::names::tensors;
use crate::options::ReadOptions;
use crate::reading::fault::{Fault, invalid, unsupported};
use crate::reading::finish::finished;
use crate::reading::grid::{looks_mid_rise, looks_mid_rise_note};

/// What is said of a file that does not say how often a weight is used.
const NO_GRAPH: &str = "there is no graph in this file: each layer has one output position, so that c = MACs counts every \
                        weight once";

/// Every tensor that holds weights as a layer.
pub(super) fn network(file: &WeightFile, options: &ReadOptions) -> Result<Network, NetworkError> {
    let mut parts = Parts::of(file, options).map_err(|fault| fault.at(&file.path, "file".to_string()))?;
    let inputs = parts.network.layers().iter().map(|layer| layer.input).collect();
    parts.network.set_outside(inputs);
    let mut notes = file.notes.clone();
    if options.topology.is_none() {
        notes.push(Note::new(NoteKind::Assumed, NO_GRAPH).mended_by(Mend::NameArchitectureOrTopology));
    }
    notes.extend(parts.roles.notes());
    if !parts.scales.is_stated && looks_mid_rise(parts.network.layers()) {
        notes.push(looks_mid_rise_note());
    }
    let network = finished(parts.network, &file.path, notes)?;
    Ok(network.with_not_costed(parts.not_costed).with_metadata(file.metadata.clone()))
}

struct Parts<'a> {
    scales: Scales<'a>,
    prefix: String,
    network: NetworkBuilder,
    not_costed: Vec<NotCosted>,
    roles: Roles<'a>,
}

impl<'a> Parts<'a> {
    fn of(file: &'a WeightFile, options: &'a ReadOptions) -> Result<Self, Fault> {
        let mut parts = Self {
            scales: Scales::new(file, options.grid)?,
            prefix: file.wrapper(),
            network: NetworkBuilder::new(&file.path),
            not_costed: Vec::new(),
            roles: Roles::new(&file.tensors, options)?,
        };
        for tensor in &file.tensors {
            parts.add(tensor)?;
        }
        if parts.network.layers().is_empty() {
            let count = file.tensors.len();
            return Err(unsupported!(
                "its {} hold no weights of a layer: none has real numbers, two axes and elements, unless its name says \
                 that it is something else",
                tensors(count)
            ));
        }
        Ok(parts)
    }

    fn add(&mut self, tensor: &'a WeightTensor) -> Result<(), Fault> {
        if self.scales.is_parameter(&tensor.name) {
            return Ok(());
        }
        let may_be_layer = tensor.shape.len() >= 2 && !tensor.shape.contains(&0);
        let decision = if may_be_layer { self.roles.decide(tensor) } else { None };
        if !may_be_layer || decision.is_some_and(|decision| !decision.is_layer()) {
            decision.into_iter().for_each(|decision| self.roles.tell(decision, tensor));
            self.put_aside(tensor);
            return Ok(());
        }
        let quantization = match self.scales.of(tensor)? {
            Quantized::No => None,
            Quantized::Yes(quantization) => Some(quantization),
            Quantized::Unknown => {
                self.skip(tensor);
                self.put_aside(tensor);
                return Ok(());
            }
        };
        let name = tensor.name.strip_prefix(&self.prefix).unwrap_or(&tensor.name);
        let name = name.strip_suffix(".weight").unwrap_or(name).to_string();
        if self.roles.is_counted(tensor) {
            return Ok(());
        }
        decision.into_iter().for_each(|decision| self.roles.tell(decision, tensor));
        self.push(name, tensor, quantization)
    }

    fn skip(&mut self, tensor: &WeightTensor) {
        let operator = format!("{} {:?}", tensor.tensor.data_type.name(), tensor.shape);
        let reason = "integers without a scale beside them".to_string();
        self.not_costed.push(NotCosted { node: tensor.name.clone(), operator, reason });
    }

    fn push(
        &mut self,
        name: String,
        tensor: &WeightTensor,
        quantization: Option<WeightQuantization>,
    ) -> Result<(), Fault> {
        let [filters, channels, height, width] = matrix(&tensor.shape);
        let geometry = Geometry::new(GeometrySpec::convolution(channels, filters, [height, width], [height, width]));
        let geometry = geometry.map_err(|e| invalid!("tensor {:?} of shape {:?}: {e}", tensor.name, tensor.shape))?;
        let is_conv = tensor.shape.len() > 2;
        let (op, operand) = match is_conv {
            true => (MacOp::Conv, Operand::ChannelsFirst),
            false => (MacOp::Gemm, Operand::ChannelsLast),
        };
        let mut transforms = tensor.transforms.clone();
        let shape = vec![filters, channels, height, width];
        if tensor.shape != shape {
            transforms.push(WeightTransform::Reshape(shape));
        }
        let input_shape = if is_conv { vec![1, channels, height, width] } else { vec![1, channels] };
        let output_shape = if is_conv { vec![1, filters, 1, 1] } else { vec![1, filters] };
        let input = self.value(format!("{name}.input"), input_shape);
        let output = self.value(format!("{name}.output"), output_shape);
        let layer = MacLayer {
            name,
            op,
            geometry,
            operand,
            weights: WeightSource {
                name: tensor.name.clone(),
                tensor: tensor.tensor.clone(),
                transforms,
                quantization,
            },
            bias: None,
            alpha: 1.0,
            input_quantization: None,
            requantization: None,
            input,
            output,
        };
        self.network.add_mac(op.name(), layer);
        Ok(())
    }

    /// Keeps a tensor that no layer has.
    fn put_aside(&mut self, tensor: &WeightTensor) {
        self.network.add_constant(tensor.name.clone(), tensor.in_order());
    }

    fn value(&mut self, name: String, shape: Vec<usize>) -> ValueId {
        self.network.add_value(Value::new(name, None, Some(shape)))
    }
}

/// `[filters, channels, kernel_h, kernel_w]`: `[M, K]` is `[M, K, 1, 1]`, `[M, C, k]` is `[M, C, 1, k]`, and axes
/// between the first and the last two count as channels.
fn matrix(shape: &[usize]) -> [usize; 4] {
    match *shape {
        [filters, depth] => [filters, depth, 1, 1],
        [filters, channels, width] => [filters, channels, 1, width],
        [filters, ref between @ .., height, width] => {
            // A product that does not fit is refused with the geometry.
            let channels = between.iter().fold(1usize, |product, &n| product.saturating_mul(n));
            [filters, channels, height, width]
        }
        _ => unreachable!("a layer has at least two axes"),
    }
}
