//! Writing a network into a file: the one place that knows which formats are written, and which writer makes each.

use std::io::{self, Write};
use std::path::Path;

use network::{Network, NetworkError, Note};

use crate::onnx::write::{WriteOptions, to_bytes};
use crate::weight_writer::{WeightFormat, WeightList};

/// A format that networks are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFormat {
    /// ONNX: the graph, the weights and their quantization.
    Onnx,
    /// safetensors: the weights alone.
    Safetensors,
    /// A zip archive of numpy arrays: the weights alone.
    Npz,
}

impl WriteFormat {
    /// Every format that is written.
    pub const ALL: [WriteFormat; 3] = [WriteFormat::Onnx, WriteFormat::Safetensors, WriteFormat::Npz];

    /// What the name of such a file ends in, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            WriteFormat::Onnx => "onnx",
            WriteFormat::Safetensors => "safetensors",
            WriteFormat::Npz => "npz",
        }
    }

    /// The format that the end of a file's name stands for, in upper or lower case: `Model.ONNX` is ONNX. `None` where
    /// the name ends in something else.
    pub fn of_name(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        Self::ALL.into_iter().find(|format| format.extension().eq_ignore_ascii_case(extension))
    }

    /// Whether a file of this format has a place for the graph; the others hold weights alone.
    pub fn holds_graph(self) -> bool {
        match self {
            WriteFormat::Onnx => true,
            WriteFormat::Safetensors | WriteFormat::Npz => false,
        }
    }
}

/// A file that is ready to be written: everything that can be wrong with its network has been said.
///
/// The caller sees first what the file will not hold ([`PreparedFile::notes`]), and may then still decide against it.
#[derive(Debug)]
pub struct PreparedFile<'a> {
    content: Content<'a>,
    notes: Vec<Note>,
}

/// Where the bytes come from.
#[derive(Debug)]
enum Content<'a> {
    /// They are in memory.
    Bytes(Vec<u8>),
    /// They are made layer by layer while they are written, so that no more than one layer is in memory.
    Weights(WeightList<'a>, WeightFormat),
}

/// Prepares a file of a network in a format. Nothing is written yet.
///
/// `provenance` is what the file says about where it comes from, as pairs of key and value (`esnsim.version`). An entry
/// takes the place of one that the network has under the same key. Numpy archives have no place for them.
///
/// # Errors
///
/// Those of [`crate::onnx::write::to_bytes`] for ONNX, which among others refuses weights without a graph, and those of
/// [`WeightList::new`] for weights.
pub fn prepare<'a>(
    network: &'a Network,
    format: WriteFormat,
    provenance: &[(String, String)],
) -> Result<PreparedFile<'a>, NetworkError> {
    match format {
        WriteFormat::Onnx => {
            let written = to_bytes(network, &WriteOptions { provenance: provenance.to_vec() })?;
            Ok(PreparedFile { content: Content::Bytes(written.bytes), notes: written.notes })
        }
        WriteFormat::Safetensors => weights(network, WeightFormat::Safetensors, provenance),
        WriteFormat::Npz => weights(network, WeightFormat::Npz, provenance),
    }
}

fn weights<'a>(
    network: &'a Network,
    format: WeightFormat,
    provenance: &[(String, String)],
) -> Result<PreparedFile<'a>, NetworkError> {
    let metadata = [network.metadata(), provenance].concat();
    let list = WeightList::new(network, format, &metadata)?;
    let notes = list.losses().to_vec();
    Ok(PreparedFile { content: Content::Weights(list, format), notes })
}

impl PreparedFile<'_> {
    /// What the file will not hold of the network, one line each, in the order in which a user is told.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Writes the file. The same network and provenance give the same bytes.
    ///
    /// # Errors
    ///
    /// Those of `writer`, and those of reading the weights where the file they lie in has changed meanwhile.
    pub fn write(&self, writer: &mut dyn Write) -> io::Result<()> {
        match &self.content {
            Content::Bytes(bytes) => writer.write_all(bytes),
            Content::Weights(list, format) => list.write(*format, writer),
        }
    }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn the_end_of_a_name_tells_the_format() {
        let of = |name: &str| WriteFormat::of_name(Path::new(name));
        assert_eq!(of("a/b.onnx"), Some(WriteFormat::Onnx));
        assert_eq!(of("b.x.SafeTensors"), Some(WriteFormat::Safetensors));
        assert_eq!(of("b.npz"), Some(WriteFormat::Npz));
        check_all(["onnx", ".npz", "b.npy", "b.onnx.gz", "b", ""], |&other| assert_eq!(of(other), None, "{other}"));
    }
}
