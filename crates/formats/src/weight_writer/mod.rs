//! The writers of weight files: safetensors and numpy archives.
//!
//! A [`WeightList`] names every tensor of a network that such a file can hold, and says what it cannot. Elements are
//! made one layer at a time while a file is written, so that no more than one is in memory.
//!
//! The weights of a layer are called `LAYER.weight`. Their shape is `[filters, channels, kernel_h, kernel_w]`, or
//! `[filters, inputs]`. Where they are integers, `LAYER.weight_scale` stands beside them, and `LAYER.weight_zero_point`
//! if a zero point is not 0. Both hold one number, or one for each filter: `weight = (q − zero_point) · scale`. A bias
//! is `LAYER.bias`; parameters of BatchNorm keep their names.

mod list;
mod npz;
mod safetensors;

use std::io::{self, Write};

use network::{Network, NetworkError, Note};

use list::Entry;

/// What a weight file can hold of a network.
#[derive(Debug)]
pub struct WeightList<'a> {
    network: &'a Network,
    entries: Vec<Entry>,
    metadata: Vec<(String, String)>,
    losses: Vec<Note>,
}

/// Formats of weight files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightFormat {
    /// A header of JSON, then the elements. Source: <https://github.com/huggingface/safetensors>.
    Safetensors,
    /// A zip archive of numpy arrays, not compressed. Source: numpy, NEP 1.
    Npz,
}

impl<'a> WeightList<'a> {
    /// Lists the tensors of a network and reads every weight once, so that nothing can be wrong with them later.
    ///
    /// `metadata` is what the file says about itself beside the grid of its integers. Numpy archives have no place for
    /// it.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] as [`Network::weights`] and [`Network::check_complete`], and unsupported for integers that lie on different grids.
    pub fn new(
        network: &'a Network,
        format: WeightFormat,
        metadata: &[(String, String)],
    ) -> Result<Self, NetworkError> {
        network.check_complete()?;
        list::list(network, format, metadata)
    }

    /// What the file will not hold, one line each.
    pub fn losses(&self) -> &[Note] {
        &self.losses
    }

    /// Names and shapes, in the order of the file.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.entries.iter().map(|entry| (entry.name.as_str(), entry.shape.as_slice()))
    }

    /// Writes the file. The same network gives the same bytes.
    ///
    /// # Errors
    ///
    /// Those of the writer, and of reading the weights where the file they lie in has changed meanwhile.
    pub fn write(&self, format: WeightFormat, writer: &mut dyn Write) -> io::Result<()> {
        match format {
            WeightFormat::Safetensors => safetensors::write(self, writer),
            WeightFormat::Npz => npz::write(self, writer),
        }
    }
}
