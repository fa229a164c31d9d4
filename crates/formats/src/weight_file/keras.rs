//! Weights that Keras saved: HDF5, alone (`.weights.h5`, `.h5`) or in an archive beside the configuration (`.keras`).
//!
//! What a tensor is, and so which of its axes are the filters, is told by the class of its layer: from the configuration
//! where the file has one, else from the name of its group, which Keras makes of the class
//! (`layers/depthwise_conv2d_1`).
//!
//! HDF5 itself is read by `hdf5-reader`, which follows no link to another file.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, Datatype, Hdf5File, OpenOptions};
use network::{DataType, Note, NoteKind};
use serde_json::Value;

use super::keras_layer::{Found, Kind, Role, Stored, part_of_attention};
use super::{Content, Doubt, WeightTensor};
use crate::names::few;
use crate::reading::archive::Archive;
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// The weights in an archive of Keras.
const WEIGHTS_ENTRY: &str = "model.weights.h5";

/// Bytes that may be unpacked from compressed tensors, beside those of the file.
const MAX_UNPACKED: usize = 1 << 29;

/// Groups lie so deep at most, and there are so many objects at most. A hostile file could go round in a circle.
const MAX_DEPTH: usize = 32;
const MAX_OBJECTS: usize = 1 << 20;

/// Layers of which a group `cell` is a part, and those that have products for their heads.
const RECURRENT: [&str; 7] =
    ["lstm", "gru", "simple_rnn", "conv_lstm1d", "conv_lstm2d", "conv_lstm3d", "bidirectional"];
const ATTENTION: [&str; 3] = ["multi_head_attention", "group_query_attention", "grouped_query_attention"];

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
    let file = of_library(|| Hdf5File::from_owner(bytes.clone(), options))?.map_err(|e| broken("the file", &e))?;
    let root = of_library(|| file.root_group())?.map_err(|e| broken("its root", &e))?;
    let said = of_library(|| root.attribute("model_config").and_then(|attribute| attribute.read_string()))?;
    let own = match said {
        Ok(text) if config.is_none() => Some(configuration(text.as_bytes())?),
        Ok(_) | Err(_) => None,
    };
    let mut walk = Walk {
        layers: Layers::of(config.or(own.as_ref())),
        budget: bytes.len() + MAX_UNPACKED,
        objects: MAX_OBJECTS,
        above: HashSet::new(),
        found: Vec::new(),
    };
    walk.group(&root, &[])?;
    let mut found = walk.found;
    // Groups are in the order of their names; the configuration has the order of execution.
    found.sort_by_key(|(place, _)| *place);
    Ok(listed(found.into_iter().map(|(_, found)| found)))
}

/// What the library that reads HDF5 answers.
///
/// It multiplies sizes of the file without looking whether they fit. Where such arithmetic is checked, it panics on sizes that
/// no file has: that is a fault of the file all the same. Its calls alone are made here, for a panic of this reader is none.
fn of_library<T>(call: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| invalid!("its HDF5 sizes contradict one another"))
}

/// The tensors, and what is said of them.
fn listed(all: impl Iterator<Item = Found>) -> Content {
    let (mut content, mut assumed) = (Content::default(), Vec::new());
    for Found { tensor, role } in all {
        let name = tensor.name.clone();
        match role {
            Role::Plain => {}
            Role::Assumed => assumed.push(name),
            Role::Doubt(reason) => content.doubts.push(Doubt { name, reason }),
        }
        content.tensors.push(tensor);
    }
    if !assumed.is_empty() {
        let text = "the file does not tell whether the convolution is a transposed one, and it is taken as a plain one";
        content.notes.push(Note::new(NoteKind::Assumed, format!("{}: {text}", few(&assumed))));
    }
    content
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
    by_name: HashMap<String, Configured>,
}

/// A layer in the configuration.
#[derive(Debug)]
struct Configured {
    class: String,
    kind: Kind,
    /// The place in the order of the configuration.
    place: usize,
}

impl Configured {
    fn new(class: String, config: &Value, place: usize) -> Self {
        let equation = || config.get("equation").and_then(Value::as_str).map(str::to_string);
        let kind = Kind::of_class(&class);
        let kind = if kind == Kind::Einsum(None) { Kind::Einsum(equation()) } else { kind };
        Self { class, kind, place }
    }
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
                    let layer = Configured::new(snake_case(class), &fields["config"], self.by_name.len());
                    self.by_name.entry(name.to_string()).or_insert(layer);
                }
                fields.values().for_each(|inner| self.add(inner));
            }
            Value::Array(parts) => parts.iter().for_each(|inner| self.add(inner)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// What the layer at the end of a path is: by the layer that it is a part of, by the configuration, or by its names.
    fn kind(&self, way: &[&Part]) -> Kind {
        let Some((own, around)) = way.split_last() else { return Kind::Unknown };
        let is_in = |classes: &[&str]| around.iter().any(|part| classes.iter().any(|class| self.is_of(part, class)));
        let is_cell = own.group == "cell" && is_in(&RECURRENT);
        let of_attention = is_in(&ATTENTION) || own.group.ends_with("_dense");
        let part = part_of_attention(&own.group).filter(|_| of_attention);
        let composed = if is_cell { Some(Kind::Recurrent) } else { part };
        let configured = || self.by_name.get(own.name()).map(|layer| layer.kind.clone());
        let named = || own.classes().map(Kind::of_class).find(|kind| *kind != Kind::Unknown);
        composed.or_else(configured).or_else(named).unwrap_or(Kind::Unknown)
    }

    fn is_of(&self, part: &Part, class: &str) -> bool {
        match self.by_name.get(part.name()) {
            Some(layer) => layer.class == class,
            None => part.classes().any(|found| found == class),
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
    found: Vec<(usize, Found)>,
}

impl Walk {
    /// Adds all tensors below a group. `path` are the groups on the way to it.
    fn group(&mut self, group: &Group, path: &[Part]) -> Result<(), Fault> {
        if path.len() > MAX_DEPTH || !self.above.insert(group.address()) {
            return Err(unsupported!("its groups lie more than {MAX_DEPTH} deep, or in a circle"));
        }
        let (groups, datasets) =
            of_library(|| group.members())?.map_err(|e| broken(&format!("group {:?}", shown(path)), &e))?;
        self.objects = self
            .objects
            .checked_sub(groups.len() + datasets.len())
            .ok_or_else(|| unsupported!("it has more than {MAX_OBJECTS} groups and tensors"))?;
        let bias = bias(&datasets);
        for dataset in datasets {
            self.dataset(&dataset, path, bias.as_deref())?;
        }
        for inner in groups {
            self.group(&inner, &[path, &[Part::of(&inner)?]].concat())?;
        }
        self.above.remove(&group.address());
        Ok(())
    }

    /// Adds one tensor. `bias` is the shape of the one beside it that may be a bias.
    fn dataset(&mut self, dataset: &Dataset, path: &[Part], bias: Option<&[usize]>) -> Result<(), Fault> {
        let place = format!("{}/{}", shown(path), dataset.name());
        let Some(data_type) = data_type(dataset)? else {
            return Err(unsupported!("tensor {:?}: elements of {:?}", clean(&place), dataset.dtype()));
        };
        let shape = dataset.shape().iter().map(|&extent| usize::try_from(extent)).collect::<Result<Vec<_>, _>>();
        let shape = shape.map_err(|_| unsupported!("tensor {:?} is too large to count", clean(&place)))?;
        let unreadable = |e: hdf5_reader::error::Error| broken(&format!("tensor {place:?}"), &e);
        let size = of_library(|| dataset.raw_byte_len())?.map_err(unreadable)?;
        self.budget = self
            .budget
            .checked_sub(size)
            .ok_or_else(|| unsupported!("its tensors take more than {MAX_UNPACKED} bytes beyond the file"))?;
        // Opaque to HDF5, so that it says nothing of the order of their bytes; Keras writes them little-endian.
        let is_opaque = data_type == DataType::Bf16;
        let read = || if is_opaque { dataset.read_raw_bytes() } else { dataset.read_native_bytes() };
        let bytes = of_library(read)?.map_err(unreadable)?;
        let way = way(path);
        let Named { within, layer, variable } = Named::of(path, &way, dataset.name());
        let stored = Stored { kind: &self.layers.kind(&way), variable: &variable, bias };
        let name = [within.as_slice(), &[layer, stored.name(shape.len())]].concat().join(".");
        let configured = way.iter().rev().find_map(|part| self.layers.by_name.get(part.name()));
        let order = configured.map_or(usize::MAX, |layer| layer.place);
        let tensor = WeightTensor::new(name, data_type, shape, little_endian(bytes, data_type).into())?;
        self.found.push((order, stored.found(tensor)));
        Ok(())
    }
}

/// The shape of the tensor among those of a group that has the name of a bias, or else the place of one.
fn bias(datasets: &[Dataset]) -> Option<Vec<usize>> {
    let called = |name: &str| datasets.iter().find(|dataset| plain(dataset.name()) == name);
    let bias = called("bias").or_else(|| called("1"))?;
    bias.shape().iter().map(|&extent| usize::try_from(extent).ok()).collect()
}

/// The bytes as they are stored here, of those in the order of this machine.
fn little_endian(mut bytes: Vec<u8>, data_type: DataType) -> Vec<u8> {
    if cfg!(target_endian = "big") && data_type != DataType::Bf16 {
        bytes.chunks_exact_mut(data_type.size()).for_each(<[u8]>::reverse);
    }
    bytes
}

/// The type of a tensor's elements; none where there is none here.
fn data_type(dataset: &Dataset) -> Result<Option<DataType>, Fault> {
    let said = || of_library(|| dataset.attribute("dtype").and_then(|name| name.read_string()).ok());
    // What is left has no elements that are numbers.
    #[allow(clippy::wildcard_enum_match_arm)]
    let found = match dataset.dtype() {
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
        Datatype::Opaque { size: 2, .. } => said()?.filter(|name| name == "bfloat16").map(|_| DataType::Bf16),
        _ => None,
    };
    Ok(found)
}

/// A group on the way to a tensor.
#[derive(Clone, Debug)]
struct Part {
    group: String,
    /// The name that the user gave to the layer or network, where the file says it.
    given: Option<String>,
}

impl Part {
    fn of(group: &Group) -> Result<Self, Fault> {
        let name = || group.group("vars").and_then(|own| own.attribute("name")).and_then(|name| name.read_string());
        let said = of_library(name)?;
        Ok(Self { group: group.name().to_string(), given: said.ok().filter(|name| !name.is_empty()) })
    }

    fn name(&self) -> &str {
        self.given.as_ref().unwrap_or(&self.group)
    }

    /// Classes that it may be named after, without a number behind them.
    fn classes(&self) -> impl Iterator<Item = &str> {
        let class = |name: &'_ str| name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let names = [Some(&self.group), self.given.as_ref()].into_iter().flatten();
        names.map(move |name| name[..class(name)].strip_suffix('_').unwrap_or(name))
    }
}

/// A path as messages show it.
fn shown(path: &[Part]) -> String {
    path.iter().map(|part| part.group.as_str()).collect::<Vec<_>>().join("/")
}

/// The networks and layers on a path, the layer of its tensors last.
fn way(path: &[Part]) -> Vec<&Part> {
    const WRAPPERS: [&str; 4] = ["layers", "vars", "model_weights", "_layer_checkpoint_dependencies"];
    let mut way: Vec<&Part> = path.iter().filter(|part| !WRAPPERS.contains(&part.group.as_str())).collect();
    // An older file repeats the name of a layer behind that of the network: "stem/sequential/stem".
    let again = way.first().and_then(|first| way.iter().rposition(|part| part.group == first.group));
    way.drain(..again.unwrap_or(0));
    way
}

/// Where a tensor belongs, by the path to it.
#[derive(Debug)]
struct Named {
    /// Networks and layers that the layer lies in.
    within: Vec<String>,
    layer: String,
    /// The name of the tensor in its layer, or a number.
    variable: String,
}

impl Named {
    fn of(path: &[Part], way: &[&Part], dataset: &str) -> Self {
        // The state of an optimizer is told by the name of its group.
        let is_state = path.first().is_some_and(|part| part.group.starts_with("optimizer"));
        let name = |part: &&Part| if is_state { part.group.clone() } else { part.name().to_string() };
        let mut within: Vec<String> = way.iter().map(name).collect();
        let layer = within.pop().unwrap_or_default();
        Self { within, layer, variable: plain(dataset).to_string() }
    }
}

/// The name of a tensor without the number that Keras 2 writes behind it.
fn plain(dataset: &str) -> &str {
    dataset.split(':').next().unwrap_or(dataset)
}
