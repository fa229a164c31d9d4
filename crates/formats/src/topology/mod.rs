//! The geometry of layers as a table: the topology files of SCALE-Sim.
//!
//! A weight file says which weights a layer has, but not at how many positions they meet its input. A [`Topology`] adds
//! that. It has one row for each layer, in one of the two layouts of SCALE-Sim
//! (<https://github.com/scalesim-project/SCALE-Sim>):
//!
//! ```text
//! Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
//! Layer, M, N, K,
//! ```
//!
//! There is no column for padding: the input feature map (IFMAP) is the padded one. A GEMM row is `N` filters of `K`
//! weights at `M` output positions. The layouts know neither dilation nor groups; [`write()`] documents how such layers
//! stand there.

mod alone;
mod csv;
mod fit;
mod pair;
mod write;

use std::path::{Path, PathBuf};

use network::{NetworkError, Note};

pub use write::{TopologyText, write};

/// The rows of a topology file.
#[derive(Clone, Debug)]
pub struct Topology {
    path: PathBuf,
    rows: Vec<Row>,
    notes: Vec<Note>,
}

/// One row; all numbers are at least 1.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    name: String,
    /// Line of the file, from 1.
    line: usize,
    form: Form,
}

/// What a row says of its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Conv {
        /// Padded height and width of the input.
        input: [usize; 2],
        kernel: [usize; 2],
        channels: usize,
        filters: usize,
        stride: [usize; 2],
    },
    Gemm {
        /// `M`.
        positions: usize,
        /// `N`.
        filters: usize,
        /// `K`.
        depth: usize,
    },
}

impl Topology {
    /// Reads a topology file.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] names the line: a column that is missing, a size that is no whole number of at least 1; and a
    /// file that is larger than any table of layers.
    pub fn read(path: &Path) -> Result<Self, NetworkError> {
        csv::read(path)
    }

    /// Reads a topology file in memory; `path` stands for it in messages.
    ///
    /// # Errors
    ///
    /// As [`Topology::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, NetworkError> {
        csv::parse(path, text)
    }

    /// What a user should know about the reading.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn invalid(&self, place: String, problem: String) -> NetworkError {
        NetworkError::Invalid { path: self.path.clone(), place, problem }
    }
}

/// A layer's name as it may stand in a cell: without `.weight`, and with `_` for commas and control characters, which a
/// cell cannot quote.
fn cell_name(name: &str) -> String {
    let name = name.trim();
    let stem = name.strip_suffix(".weight").filter(|stem| !stem.is_empty()).unwrap_or(name);
    stem.chars().map(|c| if c == ',' || c.is_control() { '_' } else { c }).collect()
}
