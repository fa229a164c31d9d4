//! Weights that Keras saved: HDF5, alone (`.weights.h5`, `.h5`) or in an archive beside the configuration (`.keras`).
//!
//! Keras stores a kernel as `[height, width, channels, filters]`. What a tensor is, and so which of its axes are the
//! filters, is told by the class of its layer: from the configuration where the file has one, else from the name of its
//! group, which Keras makes of the class (`layers/depthwise_conv2d_1`).
//!
//! HDF5 itself is read by `hdf5-reader`, which follows no link to another file.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, Datatype, Hdf5File, OpenOptions};
use network::{DataType, WeightTransform};
use serde_json::Value;

use super::{Content, WeightTensor};
use crate::reading::archive::Archive;
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// What every HDF5 file begins with.
pub(super) const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// The weights in an archive of Keras.
const WEIGHTS_ENTRY: &str = "model.weights.h5";

/// Bytes that may be unpacked from compressed tensors, beside those of the file.
const MAX_UNPACKED: usize = 1 << 29;

/// Groups lie so deep at most, and there are so many objects at most. A hostile file could go round in a circle.
const MAX_DEPTH: usize = 32;
const MAX_OBJECTS: usize = 1 << 20;

/// Whether an archive is one of Keras.
pub(super) fn is_archive(names: &[String]) -> bool {
    names.iter().any(|name| name == WEIGHTS_ENTRY)
}

/// The weights of an archive, with its configuration.
pub(super) fn read_archive(mut archive: Archive) -> Result<Content, Fault> {
    let missing = || invalid!("the archive has no entry {WEIGHTS_ENTRY:?}");
    let weights = archive.entry(WEIGHTS_ENTRY)?.ok_or_else(missing)?;
    let config = archive.entry("config.json")?.map(|text| configuration(&text)).transpose()?;
    read(&weights, config.as_ref())
}

/// The weights of an HDF5 file. `config` is what stands beside it; else the file may hold it itself.
pub(super) fn read(bytes: &Bytes, config: Option<&Value>) -> Result<Content, Fault> {
    let options = OpenOptions::default().with_max_read_bytes(bytes.len() + MAX_UNPACKED);
    let file = Hdf5File::from_owner(bytes.clone(), options).map_err(|e| broken("the file", &e))?;
    let root = file.root_group().map_err(|e| broken("its root", &e))?;
    let own = match root.attribute("model_config").and_then(|attribute| attribute.read_string()) {
        Ok(text) if config.is_none() => Some(configuration(text.as_bytes())?),
        Ok(_) | Err(_) => None,
    };
    let mut walk = Walk {
        layers: Layers::of(config.or(own.as_ref())),
        budget: bytes.len() + MAX_UNPACKED,
        objects: MAX_OBJECTS,
        above: HashSet::new(),
        tensors: Vec::new(),
    };
    walk.group(&root, &[])?;
    let mut found = walk.tensors;
    // Groups are in the order of their names; the configuration has the order of execution.
    found.sort_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, tensor)| tensor).collect::<Vec<_>>().into())
}

fn configuration(text: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(text).map_err(|e| invalid!("its configuration is no JSON: {}", clean(&e.to_string())))
}

fn broken(what: &str, error: &hdf5_reader::error::Error) -> Fault {
    invalid!("{} of the HDF5 format cannot be read: {}", clean(what), clean(&error.to_string()))
}

/// Layers of a configuration by name.
#[derive(Debug, Default)]
struct Layers {
    /// The class, and the place in the order of the configuration.
    by_name: HashMap<String, (String, usize)>,
}

impl Layers {
    fn of(config: Option<&Value>) -> Self {
        let mut layers = Self::default();
        if let Some(config) = config {
            layers.add(config);
        }
        layers
    }

    /// Adds every layer in a part of the configuration: an object with a class and the name that its own part has.
    fn add(&mut self, part: &Value) {
        match part {
            Value::Object(fields) => {
                let name = fields.get("config").and_then(|config| config.get("name")).and_then(Value::as_str);
                if let (Some(class), Some(name)) = (fields.get("class_name").and_then(Value::as_str), name) {
                    let place = self.by_name.len();
                    self.by_name.entry(name.to_string()).or_insert_with(|| (snake_case(class), place));
                }
                fields.values().for_each(|inner| self.add(inner));
            }
            Value::Array(parts) => parts.iter().for_each(|inner| self.add(inner)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// The name of a group that Keras makes of a class: `DepthwiseConv2D` is `depthwise_conv2d`.
fn snake_case(class: &str) -> String {
    let mut name = String::new();
    let letters: Vec<char> = class.chars().collect();
    for (i, &letter) in letters.iter().enumerate() {
        let is_lower = |place: usize| letters.get(place).is_some_and(|letter| letter.is_lowercase());
        if i > 0 && letter.is_uppercase() && (is_lower(i - 1) || is_lower(i + 1)) {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// What a file is searched with.
struct Walk {
    layers: Layers,
    /// Bytes that tensors may still take.
    budget: usize,
    /// Objects that may still be looked at.
    objects: usize,
    /// Addresses of the groups on the way to this one.
    above: HashSet<u64>,
    /// Tensors, with the place of their layer in the configuration.
    tensors: Vec<(usize, WeightTensor)>,
}

impl Walk {
    /// Adds all tensors below a group. `path` are the groups on the way to it.
    fn group(&mut self, group: &Group, path: &[Part]) -> Result<(), Fault> {
        if path.len() > MAX_DEPTH || !self.above.insert(group.address()) {
            return Err(unsupported!("its groups lie more than {MAX_DEPTH} deep, or in a circle"));
        }
        let (groups, datasets) = group.members().map_err(|e| broken(&format!("group {:?}", shown(path)), &e))?;
        self.objects = self
            .objects
            .checked_sub(groups.len() + datasets.len())
            .ok_or_else(|| unsupported!("it has more than {MAX_OBJECTS} groups and tensors"))?;
        for dataset in datasets {
            self.dataset(&dataset, path)?;
        }
        for inner in groups {
            self.group(&inner, &[path, &[Part::of(&inner)]].concat())?;
        }
        self.above.remove(&group.address());
        Ok(())
    }

    fn dataset(&mut self, dataset: &Dataset, path: &[Part]) -> Result<(), Fault> {
        let place = format!("{}/{}", shown(path), dataset.name());
        let Some(data_type) = data_type(dataset) else {
            return Err(unsupported!("tensor {:?}: elements of {:?}", clean(&place), dataset.dtype()));
        };
        let shape = dataset.shape().iter().map(|&extent| usize::try_from(extent)).collect::<Result<Vec<_>, _>>();
        let shape = shape.map_err(|_| unsupported!("tensor {:?} is too large to count", clean(&place)))?;
        let unreadable = |e: hdf5_reader::error::Error| broken(&format!("tensor {place:?}"), &e);
        let size = dataset.raw_byte_len().map_err(unreadable)?;
        self.budget = self
            .budget
            .checked_sub(size)
            .ok_or_else(|| unsupported!("its tensors take more than {MAX_UNPACKED} bytes beyond the file"))?;
        // Opaque to HDF5, so that it says nothing of the order of their bytes; Keras writes them little-endian.
        let is_opaque = data_type == DataType::Bf16;
        let bytes = if is_opaque { dataset.read_raw_bytes() } else { dataset.read_native_bytes() };
        let bytes = bytes.map_err(unreadable)?;
        let named = Named::of(path, dataset.name());
        let layer = self.layers.by_name.get(&named.layer);
        let class = layer.map_or(named.class.as_str(), |(class, _)| class.as_str());
        let variable = variable(class, &named.variable, shape.len());
        let name = [named.within.as_slice(), &[named.layer.clone(), variable.clone()]].concat().join(".");
        let order = layer.map_or(usize::MAX, |(_, place)| *place);
        let stored = WeightTensor::new(name, data_type, shape, little_endian(bytes, data_type).into())?;
        self.tensors.push((order, arranged(stored, class, &variable)));
        Ok(())
    }
}

/// The bytes as they are stored here, of those in the order of this machine.
fn little_endian(mut bytes: Vec<u8>, data_type: DataType) -> Vec<u8> {
    if cfg!(target_endian = "big") && data_type != DataType::Bf16 {
        bytes.chunks_exact_mut(data_type.size()).for_each(<[u8]>::reverse);
    }
    bytes
}

/// The type of a tensor's elements; none where there is none here.
fn data_type(dataset: &Dataset) -> Option<DataType> {
    let said = || dataset.attribute("dtype").and_then(|name| name.read_string()).ok();
    // What is left has no elements that are numbers.
    #[allow(clippy::wildcard_enum_match_arm)]
    match dataset.dtype() {
        Datatype::FloatingPoint { size, .. } => match size {
            2 => Some(DataType::F16),
            4 => Some(DataType::F32),
            8 => Some(DataType::F64),
            _ => None,
        },
        Datatype::FixedPoint { size, signed, .. } => match (size, signed) {
            (1, true) => Some(DataType::I8),
            (1, false) => Some(DataType::U8),
            (2, true) => Some(DataType::I16),
            (2, false) => Some(DataType::U16),
            (4, true) => Some(DataType::I32),
            (4, false) => Some(DataType::U32),
            (8, true) => Some(DataType::I64),
            (8, false) => Some(DataType::U64),
            _ => None,
        },
        // Keras names the types that HDF5 does not have.
        Datatype::Opaque { size: 2, .. } => (said()? == "bfloat16").then_some(DataType::Bf16),
        _ => None,
    }
}

/// A group on the way to a tensor.
#[derive(Clone, Debug)]
struct Part {
    group: String,
    /// The name that the user gave to the layer or network, where the file says it.
    given: Option<String>,
}

impl Part {
    fn of(group: &Group) -> Self {
        let said = group.group("vars").and_then(|own| own.attribute("name")).and_then(|name| name.read_string());
        Self { group: group.name().to_string(), given: said.ok().filter(|name| !name.is_empty()) }
    }

    fn name(&self) -> &str {
        self.given.as_ref().unwrap_or(&self.group)
    }
}

/// A path as messages show it.
fn shown(path: &[Part]) -> String {
    path.iter().map(|part| part.group.as_str()).collect::<Vec<_>>().join("/")
}

/// Where a tensor belongs, by the path to it.
#[derive(Debug)]
struct Named {
    /// Networks and layers that the layer lies in.
    within: Vec<String>,
    layer: String,
    /// What the group of the layer is called, without a number behind it.
    class: String,
    /// The name of the tensor in its layer, or a number.
    variable: String,
}

impl Named {
    fn of(path: &[Part], dataset: &str) -> Self {
        const WRAPPERS: [&str; 4] = ["layers", "vars", "model_weights", "_layer_checkpoint_dependencies"];
        let mut way: Vec<&Part> = path.iter().filter(|part| !WRAPPERS.contains(&part.group.as_str())).collect();
        // An older file repeats the name of a layer behind that of the network: "stem/sequential/stem".
        let again = way.first().and_then(|first| way.iter().rposition(|part| part.group == first.group));
        way.drain(..again.unwrap_or(0));
        // The state of an optimizer is told by the name of its group.
        let is_state = path.first().is_some_and(|part| part.group.starts_with("optimizer"));
        let name = |part: &&Part| if is_state { part.group.clone() } else { part.name().to_string() };
        let (layer, group) = way.pop().map_or_else(Default::default, |part| (name(&part), part.group.clone()));
        let class =
            group.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('_').unwrap_or(&group).to_string();
        let variable = dataset.split(':').next().unwrap_or(dataset).to_string();
        Self { within: way.iter().map(name).collect(), layer, class, variable }
    }
}

/// The name of a tensor that has a number for a name, in the order in which layers of the class make their tensors.
fn variable(class: &str, name: &str, rank: usize) -> String {
    let Ok(place) = name.parse::<usize>() else { return name.to_string() };
    let names: &[&str] = match class {
        _ if class.starts_with("separable_") => &["depthwise_kernel", "pointwise_kernel", "bias"],
        "batch_normalization" => &["gamma", "beta", "moving_mean", "moving_variance"],
        "embedding" => &["embeddings"],
        "dense" | "einsum_dense" => &["kernel", "bias"],
        _ if class.contains("conv") => &["kernel", "bias"],
        _ if rank >= 2 && place == 0 => &["kernel"],
        _ => &[],
    };
    names.get(place).map_or(name.to_string(), ToString::to_string)
}

/// The tensor with its filters in front, as everywhere here: `[filters, channels, …]`.
fn arranged(mut tensor: WeightTensor, class: &str, variable: &str) -> WeightTensor {
    let is_kernel = variable.ends_with("kernel");
    let rank = tensor.shape.len();
    if !is_kernel || rank < 2 || class == "einsum_dense" {
        return tensor;
    }
    let depthwise = variable == "depthwise_kernel" || class.starts_with("depthwise_");
    let kernel = 0..rank - 2;
    let [before_last, last] = [rank - 2, rank - 1];
    let perm: Vec<usize> = if depthwise || class.contains("transpose") {
        [before_last, last].into_iter().chain(kernel).collect()
    } else {
        [last, before_last].into_iter().chain(kernel).collect()
    };
    tensor.shape = perm.iter().map(|&axis| tensor.shape[axis]).collect();
    tensor.transforms.push(WeightTransform::Transpose(perm));
    if depthwise {
        // Every filter sees one channel.
        let mut stored = tensor.in_order();
        let filters = stored.shape[0].saturating_mul(stored.shape[1]);
        stored.shape.splice(0..2, [filters, 1]);
        return WeightTensor { shape: stored.shape.clone(), tensor: stored, transforms: Vec::new(), ..tensor };
    }
    tensor
}
