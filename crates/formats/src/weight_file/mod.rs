//! Weight files without a graph: PyTorch checkpoints, safetensors, numpy arrays.
//!
//! A [`WeightFile`] lists named tensors whose elements stay in the mapped file. It becomes a [`Network`] in one of two
//! ways. Without an architecture, every tensor of two axes or more is a layer of its own with one output position
//! ([`WeightFile::to_network`]). With one, the tensors go by name into the graph that [`network::architectures`] makes
//! ([`WeightFile::in_architecture`]).
//!
//! Pickles are read, never run.
//!
//! The files, each resting on those above it:
//!
//! ```text
//! keras_layer.rs   what the tensors of a layer of Keras are
//! keras.rs         HDF5 of Keras, alone or in an archive
//! numpy.rs         arrays of numpy, one or an archive of them
//! safetensors.rs   safetensors; index.rs several of them with an index
//! torch_tensor.rs  one tensor of a PyTorch checkpoint
//! state_dict.rs    where in a checkpoint the weights are, and what they are called
//! torch.rs         PyTorch checkpoints, old and new
//! optimizer.rs     the state of optimizers, which is left out
//! copies.rs        copies of one network, of which one is taken
//! formula.rs       how one weight is computed of several tensors
//! whole.rs         which tensors make one weight
//! quantizer.rs     state of quantizers, and weights that it rounds
//! mod.rs           which format a file has, and its list of tensors
//! scales.rs        integers and the scales beside them
//! roles.rs         which tensors are layers where there is no graph
//! graphless.rs     the tensors as a network without a graph
//! fit.rs           the tensors in the graph of an architecture
//! ```

mod copies;
mod eight_bits;
mod fit;
mod formula;
mod graphless;
mod index;
mod keras;
mod keras_layer;
mod numpy;
mod optimizer;
mod quantizer;
mod roles;
mod safetensors;
mod scales;
mod state_dict;
mod torch;
mod torch_tensor;
mod whole;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use network::architectures::Family;
use network::rearrange::rearrange;
use network::{
    DataType, Encoding, Mapping, Mend, Network, NetworkError, Note, Tensor, WeightQuantization, WeightTransform,
};

use crate::kind::HDF5;
use crate::options::ReadOptions;
use crate::reading::archive::Archive;
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// One tensor of a weight file.
#[derive(Clone, Debug)]
pub struct WeightTensor {
    /// Name in the file; keys of nested dictionaries are joined by dots.
    pub name: String,
    /// Extents.
    pub shape: Vec<usize>,
    /// The elements as they are stored.
    pub tensor: Tensor,
    /// Steps from the stored elements to row-major `shape`.
    pub transforms: Vec<WeightTransform>,
    /// Scale and zero point, where the file stores integers with them.
    pub quantization: Option<WeightQuantization>,
    /// The number in `onnx.proto` of the type of 8 bits that the file has, which is widened here.
    eight_bits: Option<i32>,
}

impl WeightTensor {
    /// A row-major tensor whose elements are all of `bytes`.
    fn new(name: String, data_type: DataType, shape: Vec<usize>, bytes: Bytes) -> Result<Self, Fault> {
        let count = shape.iter().try_fold(data_type.size(), |product, &n| product.checked_mul(n));
        if count != Some(bytes.len()) {
            let (found, data_type) = (bytes.len(), data_type.name());
            return Err(invalid!("tensor {name:?} of {data_type} and shape {shape:?} has {found} bytes"));
        }
        let tensor = Tensor { data_type, shape: shape.clone(), encoding: Encoding::Raw, chunks: vec![bytes] };
        Ok(Self { name, shape, tensor, transforms: Vec::new(), quantization: None, eight_bits: None })
    }

    /// The elements row-major: those of the file where they are stored so, else a copy.
    fn in_order(&self) -> Tensor {
        if self.transforms.is_empty() {
            return Tensor { shape: self.shape.clone(), ..self.tensor.clone() };
        }
        let stored = self.tensor.chunks.concat();
        let bytes = match self.tensor.data_type.size() {
            1 => self.rearranged::<1>(&stored),
            2 => self.rearranged::<2>(&stored),
            4 => self.rearranged::<4>(&stored),
            _ => self.rearranged::<8>(&stored),
        };
        Tensor { shape: self.shape.clone(), chunks: vec![bytes.into()], ..self.tensor.clone() }
    }

    /// The same for elements of `N` bytes.
    fn rearranged<const N: usize>(&self, stored: &[u8]) -> Vec<u8> {
        let elements: Vec<[u8; N]> = stored.as_chunks().0.to_vec();
        rearrange(elements, &self.tensor.shape, &self.transforms).into_flattened()
    }
}

/// The tensors of a file.
#[derive(Clone, Debug)]
pub struct WeightFile {
    path: PathBuf,
    tensors: Vec<WeightTensor>,
    notes: Vec<Note>,
    /// What the file says about itself by key.
    metadata: Vec<(String, String)>,
    /// Tensors that make weights in a way that the file does not tell.
    doubts: Vec<Doubt>,
    mappings: Vec<Mapping>,
}

/// A tensor that weights depend on, nobody knows how.
#[derive(Clone, Debug)]
struct Doubt {
    name: String,
    reason: String,
}

/// What a file looks like from its first bytes.
enum Format {
    Archive,
    Array,
    Pickle,
    Safetensors,
    Index,
    Hdf5,
}

fn format_of(bytes: &[u8]) -> Option<Format> {
    match bytes {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Format::Archive),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(Format::Array),
        _ if bytes.starts_with(HDF5) => Some(Format::Hdf5),
        // Before pickles: the length of a header may begin as they do (640 is 0x0280), while no pickle goes on like
        // this.
        _ if safetensors::is_begin(bytes) => Some(Format::Safetensors),
        // No ONNX model begins with this byte: it would be a field of number 16.
        [0x80, 1..=5, ..] => Some(Format::Pickle),
        _ if index::is_begin(bytes) => Some(Format::Index),
        _ => None,
    }
}

/// Whether the bytes begin as one of these formats does.
pub(crate) fn is_weight_file(bytes: &[u8]) -> bool {
    format_of(bytes).is_some()
}

impl WeightFile {
    /// Reads the list of tensors of a file. Which format it is in is told by its content.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] if the file is of none of these formats, breaks its rules, or holds something that is not
    /// handled.
    pub fn read(path: &Path) -> Result<Self, NetworkError> {
        let mapping = Mapping::open(path).map_err(|source| NetworkError::Io { path: path.to_path_buf(), source })?;
        Self::parse(path, mapping.bytes(), vec![mapping], None)
    }

    /// Reads a file in memory; `name` stands for it in messages.
    ///
    /// # Errors
    ///
    /// As [`WeightFile::read`]. An index of other files is refused: there is no folder to look in.
    pub fn from_bytes(name: &str, bytes: Bytes) -> Result<Self, NetworkError> {
        Self::parse(Path::new(name), bytes, Vec::new(), None)
    }

    /// Reads a file of these bytes. Where it holds several networks, `state` names the one that is meant.
    pub(crate) fn parse(
        path: &Path,
        bytes: Bytes,
        mut mappings: Vec<Mapping>,
        state: Option<&str>,
    ) -> Result<Self, NetworkError> {
        let folder = if mappings.is_empty() { None } else { Some(path.parent().unwrap_or(Path::new("."))) };
        let read = content(path, &bytes, folder, &mut mappings, state);
        let Content { tensors, notes, metadata, mut doubts, .. } =
            read.map_err(|fault| fault.at(path, "file".to_string()))?;
        let names: HashSet<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        doubts.retain(|doubt| names.contains(doubt.name.as_str()));
        Ok(Self { path: path.to_path_buf(), tensors, notes, metadata, doubts, mappings })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors, in the order of the file. State of optimizers and copies of the network are not among them.
    pub fn tensors(&self) -> &[WeightTensor] {
        &self.tensors
    }

    /// What a user should know about the reading.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// What the file says about itself by key; only safetensors do.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    /// The file as a network without a graph, in the order of the file. Every tensor of real numbers with two axes or
    /// more is a layer with one output position. A tensor of integers is one where a scale stands beside it.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] if no tensor is a layer, or one is too large to count.
    pub fn to_network(&self, options: &ReadOptions) -> Result<Network, NetworkError> {
        // Who names the layers says that their tensors are the weights.
        if options.layers.is_empty() {
            self.refuse_doubts(Some(Mend::NameLayers))?;
        }
        let network = graphless::network(self, options)?;
        Ok(network.with_mappings(self.mappings.clone()))
    }

    /// The file's weights in the graph of an architecture, by name. Channels, classes and image size are those of the
    /// tensors. Integers are weights where a scale stands beside them.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] names tensors that are missing, left over or of another shape than the architecture's.
    pub fn in_architecture(&self, family: Family, options: &ReadOptions) -> Result<Network, NetworkError> {
        self.refuse_doubts(None)?;
        let network = fit::network(self, family, options)?;
        Ok(network.with_mappings(self.mappings.clone()))
    }

    /// Refuses weights that are not those that the network computes with.
    fn refuse_doubts(&self, mend: Option<Mend>) -> Result<(), NetworkError> {
        let Some(Doubt { name, reason }) = self.doubts.first() else { return Ok(()) };
        let count = match self.doubts.len() {
            1 => String::new(),
            count => format!(" (and {} more tensors are like it)", count - 1),
        };
        let problem = format!("{reason}{count}; expected the weights that the network computes with");
        let (path, place) = (self.path.clone(), format!("tensor {:?}", clean(name)));
        Err(NetworkError::Unsupported { path, place, problem, mend })
    }

    /// The prefix that every name begins with because the model was wrapped: `module.` of DataParallel, `_orig_mod.` of
    /// torch.compile, or none.
    fn wrapper(&self) -> String {
        let all = |prefix: &str| self.tensors.iter().all(|tensor| tensor.name.starts_with(prefix));
        let mut prefix = String::new();
        // An empty name ends the loop: it begins with no prefix.
        while let Some(more) = ["module.", "_orig_mod."].into_iter().find(|more| all(&format!("{prefix}{more}"))) {
            prefix += more;
        }
        prefix
    }
}

/// What is in a file.
#[derive(Default)]
struct Content {
    tensors: Vec<WeightTensor>,
    notes: Vec<Note>,
    metadata: Vec<(String, String)>,
    /// Whether it holds the state alone that was asked for.
    is_chosen: bool,
    doubts: Vec<Doubt>,
}

impl From<Vec<WeightTensor>> for Content {
    fn from(tensors: Vec<WeightTensor>) -> Self {
        Self { tensors, ..Self::default() }
    }
}

fn content(
    path: &Path,
    bytes: &Bytes,
    folder: Option<&Path>,
    mappings: &mut Vec<Mapping>,
    state: Option<&str>,
) -> Result<Content, Fault> {
    let found = match format_of(bytes) {
        Some(Format::Archive) => of_archive(bytes, state)?,
        Some(Format::Array) => {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            vec![numpy::read_array(&name, bytes)?].into()
        }
        Some(Format::Pickle) => torch::read_legacy(bytes, state)?,
        Some(Format::Safetensors) => safetensors::read(bytes)?,
        Some(Format::Hdf5) => keras::read(bytes, None)?,
        Some(Format::Index) => index::read(bytes, folder, mappings)?,
        None => return Err(invalid!("expected a PyTorch checkpoint, safetensors, Keras weights, .npz or .npy")),
    };
    let mut names: Vec<&str> = found.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(invalid!("two tensors have the name {:?}", pair[0])),
        None if found.tensors.is_empty() => Err(invalid!("it holds no tensor")),
        None => {
            let state = state.filter(|_| !found.is_chosen);
            let whole = quantizer::rounded(whole::joined(eight_bits::scaled(optimizer::without_state(found)?)?)?)?;
            copies::one_network(whole, state)
        }
    }
}

fn of_archive(bytes: &Bytes, state: Option<&str>) -> Result<Content, Fault> {
    let archive = Archive::open(bytes.clone())?;
    let names = archive.names();
    if let Some(entry) = torch::pickle_entry(&names).cloned() {
        return torch::read_archive(archive, &entry, state);
    }
    if keras::is_archive(&names) {
        return keras::read_archive(archive);
    }
    if names.iter().any(|name| name.ends_with(".npy")) {
        return Ok(numpy::read_archive(archive)?.into());
    }
    let shown: Vec<String> = names.iter().take(3).map(|name| clean(name)).collect();
    Err(unsupported!(
        "an archive without data.pkl (PyTorch), model.weights.h5 (Keras) and arrays (.npz); its {} entries begin with {shown:?}",
        names.len()
    ))
}
