//! The weights of a file in the graph of an architecture, by name.

use std::collections::{HashMap, HashSet};

use network::architectures::{Architecture, Family, Shortcut, outline};
use network::{
    Bias, MacLayer, MacOp, Network, NetworkBuilder, NetworkError, Note, NoteKind, Tensor, ValueId, WeightSource,
    WeightTransform,
};

use super::quantizer::is_state;
use super::roles::is_feature;
use super::scales::{Quantized, Scales};
use super::{WeightFile, WeightTensor};
use crate::names::{common_prefix, few};
use crate::options::ReadOptions;
use crate::reading::fault::{Fault, invalid, unsupported};
use crate::reading::finish::finished;
use crate::reading::grid::{looks_mid_rise, looks_mid_rise_note};

/// Names of modules in the architectures here, and what other code calls the same modules.
const OTHER_NAMES: [(&str, &str); 6] = [
    ("linear.", "fc."),
    ("fc.", "linear."),
    ("fc.", "classifier."),
    ("classifier.", "fc."),
    (".shortcut.", ".downsample."),
    (".downsample.", ".shortcut."),
];

/// The architecture with the file's tensors.
pub(super) fn network(file: &WeightFile, family: Family, options: &ReadOptions) -> Result<Network, NetworkError> {
    let (made, notes) = filled(file, family, options).map_err(|fault| fault.at(&file.path, "file".to_string()))?;
    Ok(finished(made, &file.path, notes)?.with_open_batch(true).with_metadata(file.metadata.clone()))
}

/// The architecture with the file's tensors, and what a user should know.
fn filled(file: &WeightFile, family: Family, options: &ReadOptions) -> Result<(NetworkBuilder, Vec<Note>), Fault> {
    let mut names = Names::new(file, options)?;
    let architecture = names.architecture(family)?;
    let made =
        outline(&architecture).map_err(|e| invalid!("as {}: {}", describe(&architecture), network::chain(&e)))?;
    let mut made = made.edit();
    made.set_path(&file.path);
    let mut missing = Vec::new();
    for layer in made.layers_mut() {
        missing.extend(fill(layer, &mut names)?);
    }
    for id in (0..made.values().len()).map(ValueId) {
        let Some(shape) = made.value(id).constant.as_ref().map(|tensor| tensor.shape.clone()) else { continue };
        let name = made.value(id).name.clone();
        match names.take(&name) {
            Some(tensor) => made.set_constant(id, Tensor::from_f32(shape.clone(), &vector(tensor, &shape)?)),
            None => missing.push(name),
        }
    }
    let left = names.left();
    if !missing.is_empty() || !left.is_empty() {
        let lists = [("lacks", missing), ("has besides", left)];
        let problems: Vec<String> =
            lists.iter().filter(|(_, l)| !l.is_empty()).map(|(what, l)| format!("{what} {}", few(l))).collect();
        return Err(invalid!("it is no {}: it {}", describe(&architecture), problems.join(", and it ")));
    }
    let mut notes = file.notes.clone();
    let features = file.tensors.iter().map(|tensor| tensor.name.clone()).filter(|name| is_feature(name));
    let features: Vec<String> = features.collect();
    if !features.is_empty() {
        let text = format!("left out are features that training stored: {}", few(&features));
        notes.push(Note::new(NoteKind::LeftOut, text));
    }
    if !names.scales.is_stated && looks_mid_rise(made.layers()) {
        notes.push(looks_mid_rise_note());
    }
    Ok((made, notes))
}

fn describe(architecture: &Architecture) -> String {
    let Architecture { family, width, classes, input_size, .. } = architecture;
    let name = match family {
        Family::CifarResNet { depth, .. } => format!("resnet{depth}"),
        Family::Vgg7 => "vgg7".to_string(),
        Family::DenseNetBc { depth, growth } => format!("densenet-bc of {depth} layers and growth {growth}"),
        Family::ResNet18 => "resnet18".to_string(),
        Family::ResNet50 => "resnet50".to_string(),
    };
    format!("{name} of width {width} with {classes} classes for {input_size}×{input_size} images")
}

/// Puts weight and bias into a layer; the result is what the file lacks of them.
fn fill(layer: &mut MacLayer, names: &mut Names<'_>) -> Result<Option<String>, Fault> {
    let name = layer.weights.name.clone();
    let Some(tensor) = names.take(&name) else { return Ok(Some(name)) };
    let four = layer.weights.tensor.shape.clone();
    let expected = if layer.op == MacOp::Conv { &four[..] } else { &four[..2] };
    check_shape(tensor, expected)?;
    let quantization = match names.scales.of(tensor)? {
        Quantized::Yes(quantization) => Some(quantization),
        Quantized::No => None,
        Quantized::Unknown => {
            let found = tensor.tensor.data_type.name();
            return Err(unsupported!("tensor {:?} of {found} has no scale; expected real numbers", tensor.name));
        }
    };
    let mut transforms = tensor.transforms.clone();
    if tensor.shape != four {
        transforms.push(WeightTransform::Reshape(four.clone()));
    }
    layer.weights = WeightSource { name: tensor.name.clone(), tensor: tensor.tensor.clone(), transforms, quantization };
    let bias = name.strip_suffix("weight").map(|stem| format!("{stem}bias")).unwrap_or_default();
    match (names.take(&bias), layer.bias.is_some()) {
        (Some(tensor), _) => layer.bias = Some(bias_of(tensor, four[0], names)?),
        (None, true) => return Ok(Some(bias)),
        (None, false) => {}
    }
    Ok(None)
}

/// A bias of real numbers, or of 32-bit integers with a scale beside them.
fn bias_of(tensor: &WeightTensor, filters: usize, names: &mut Names<'_>) -> Result<Bias, Fault> {
    if tensor.tensor.data_type.is_real() {
        return Ok(Bias::Float(vector(tensor, &[filters])?));
    }
    check_shape(tensor, &[filters])?;
    let name = &tensor.name;
    let scale = names.scales.named(&format!("{name}_scale"));
    let scale =
        scale.ok_or_else(|| unsupported!("tensor {name:?} of integers has no {:?}", format!("{name}_scale")))?;
    names.taken.insert(&scale.name[names.prefix..]);
    let count = scale.tensor.element_count();
    if count != 1 && count != filters {
        return Err(invalid!("tensor {:?} has {count} numbers; expected 1 or {filters}", scale.name));
    }
    let scales = vector(scale, &scale.shape)?;
    let values = tensor.tensor.to_i64().map_err(|e| invalid!("tensor {name:?}: {e}"))?;
    Ok(Bias::Integer { values, scales })
}

fn check_shape(tensor: &WeightTensor, expected: &[usize]) -> Result<(), Fault> {
    match tensor.shape == expected {
        true => Ok(()),
        false => Err(invalid!("tensor {:?} has shape {:?}; expected {expected:?}", tensor.name, tensor.shape)),
    }
}

/// The real numbers of a small tensor.
fn vector(tensor: &WeightTensor, expected: &[usize]) -> Result<Vec<f32>, Fault> {
    check_shape(tensor, expected)?;
    let values = tensor.tensor.to_f32().map_err(|e| invalid!("tensor {:?}: {e}", tensor.name))?;
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(invalid!("tensor {:?} holds {value}; expected finite numbers", tensor.name)),
        None => Ok(values),
    }
}

/// The file's tensors by the names that the architecture may give them.
struct Names<'a> {
    tensors: HashMap<&'a str, &'a WeightTensor>,
    /// In the order of the file.
    order: Vec<&'a str>,
    taken: HashSet<&'a str>,
    scales: Scales<'a>,
    /// Bytes of what all names begin with.
    prefix: usize,
}

impl<'a> Names<'a> {
    fn new(file: &'a WeightFile, options: &ReadOptions) -> Result<Self, Fault> {
        let of_network = || file.tensors.iter().filter(|tensor| !is_feature(&tensor.name));
        let prefix = common_prefix(of_network().map(|tensor| tensor.name.as_str()));
        let pair = |tensor: &'a WeightTensor| (&tensor.name[prefix..], tensor);
        let tensors: HashMap<_, _> = of_network().map(pair).collect();
        let order = of_network().map(|tensor| &tensor.name[prefix..]).collect();
        Ok(Self { tensors, order, taken: HashSet::new(), scales: Scales::new(file, options.grid)?, prefix })
    }

    /// The name in the file of what the architecture calls `name`.
    fn find(&self, name: &str) -> Option<&'a str> {
        let names = std::iter::once(name.to_string()).chain(
            OTHER_NAMES
                .iter()
                .filter(|(ours, _)| name.contains(ours))
                .map(|(ours, other)| name.replacen(ours, other, 1)),
        );
        let mut found = names.filter_map(|name| self.tensors.get_key_value(name.as_str()));
        found.next().map(|(name, _)| *name)
    }

    fn take(&mut self, name: &str) -> Option<&'a WeightTensor> {
        let found = self.find(name)?;
        self.taken.insert(found);
        Some(self.tensors[found])
    }

    /// Names that nothing took. Counters of training and what observers of activations saw are not among them, for nobody
    /// misses them, and neither are scales, which go with their weights.
    fn left(&self) -> Vec<String> {
        let is_left = |name: &&&str| {
            let goes_along = name.ends_with("num_batches_tracked")
                || self.scales.is_parameter(&self.tensors[*name].name)
                || is_state(name);
            !goes_along && !self.taken.contains(*name)
        };
        let left = self.order.iter().filter(is_left);
        left.map(|name| name.to_string()).collect()
    }

    /// An extent of a tensor that every member of the family has.
    fn extent(&self, name: &str, axis: usize) -> Result<usize, Fault> {
        let shape = self.find(name).map(|name| &self.tensors[name].shape);
        let shape = shape.ok_or_else(|| {
            invalid!(
                "it lacks tensor {name:?} of the architecture; the first it has is {:?}",
                self.order.first().unwrap_or(&"")
            )
        })?;
        let extent = shape.get(axis).copied().filter(|&extent| extent > 0);
        extent.ok_or_else(|| invalid!("tensor {name:?} has shape {shape:?}; expected an extent above 0 on axis {axis}"))
    }

    /// The member of the family that the tensors are of.
    fn architecture(&self, family: Family) -> Result<Architecture, Fault> {
        let base = Architecture::new(family);
        let width = |name: &str, channels: f64| self.extent(name, 0).map(|found| found as f64 / channels);
        Ok(match family {
            Family::CifarResNet { depth, .. } => Architecture {
                family: Family::CifarResNet { depth, shortcut: self.shortcut() },
                width: width("conv1.weight", 16.0)?,
                classes: self.extent("linear.weight", 0)?,
                ..base
            },
            Family::ResNet18 | Family::ResNet50 => {
                Architecture { width: width("conv1.weight", 64.0)?, classes: self.extent("fc.weight", 0)?, ..base }
            }
            Family::Vgg7 => {
                let width = width("features.0.weight", 128.0)?;
                let last = ((512.0 * width).round() as usize).max(1);
                // Three maxima halve the image before a layer that reads all of it.
                let pixels = self.extent("classifier.weight", 1)? / last;
                Architecture {
                    width,
                    classes: self.extent("classifier.weight", 0)?,
                    input_size: pixels.isqrt().saturating_mul(8),
                    ..base
                }
            }
            Family::DenseNetBc { .. } => {
                let layer = |n: usize| format!("features.denseblock1.denselayer{n}.conv1.weight");
                let layers = (1..).take_while(|&n| self.find(&layer(n)).is_some()).count();
                let growth = self.extent("features.conv0.weight", 0)? / 2;
                let family = Family::DenseNetBc { depth: 6 * layers + 4, growth };
                Architecture { family, classes: self.extent("classifier.weight", 0)?, ..base }
            }
        })
    }

    fn shortcut(&self) -> Shortcut {
        let projects = |stage: usize| self.find(&format!("layer{stage}.0.shortcut.0.weight")).is_some();
        match (projects(1), projects(2)) {
            (true, _) => Shortcut::Paper,
            (false, true) => Shortcut::Projection,
            (false, false) => Shortcut::A,
        }
    }
}
