//! The grid that stored integers lie on.
//!
//! A file stores integers and their scale. On the mid-tread grid the integers count whole steps, on the mid-rise grid
//! half steps. No format has a field for that: only the metadata of the file or the user can say it.

use esn::Grid;
use network::{Encoding, MacLayer, Mend, Note, NoteKind, load_weights};

use super::fault::{Fault, invalid, unsupported};

/// The key of the file's metadata under which the grid of its stored weights stands: `mid-rise` or `mid-tread`.
pub const GRID_KEY: &str = "esnsim.grid";

/// The note of a file that looks like mid-rise where nobody says that it is.
pub(crate) fn looks_mid_rise_note() -> Note {
    let text = "every nonzero integer of its weights is odd, as half-steps of the mid-rise grid are, but the file names no \
                grid; they are taken for whole steps (mid-tread)";
    Note::new(NoteKind::Assumed, text).mended_by(Mend::NameGrid)
}

/// The grid that the metadata of a file names.
pub(crate) fn stated(metadata: &[(String, String)]) -> Result<Option<Grid>, Fault> {
    let Some((_, name)) = metadata.iter().find(|(key, _)| key == GRID_KEY) else { return Ok(None) };
    let grid = [Grid::MidRise, Grid::MidTread].into_iter().find(|&grid| grid.name() == name);
    grid.map(Some).ok_or_else(|| invalid!("metadata {GRID_KEY} is {name:?}; expected \"mid-rise\" or \"mid-tread\""))
}

/// The grid of all quantized layers; `None` where there are none. Files say it once for all of them.
pub(crate) fn of_all(layers: &[MacLayer]) -> Result<Option<Grid>, Fault> {
    let quantized = |layer: &MacLayer| Some((layer.weights.quantization.as_ref()?.grid, layer.name.clone()));
    let mut grids = layers.iter().filter_map(quantized);
    let Some((grid, first)) = grids.next() else { return Ok(None) };
    match grids.find(|(other, _)| *other != grid) {
        None => Ok(Some(grid)),
        Some((_, other)) => Err(unsupported!("layers {first:?} and {other:?} lie on different grids")),
    }
}

/// Whether quantized layers have nonzero weights and all of their integers, less the zero point, are odd. Almost every
/// other file shows an even one within its first bytes, so that no more of it is read.
pub(crate) fn looks_mid_rise(layers: &[MacLayer]) -> bool {
    let mut any = false;
    for layer in layers {
        match parity(layer) {
            Parity::SomeEven => return false,
            Parity::AllOdd => any = true,
            Parity::Nothing => {}
        }
    }
    any
}

/// What the nonzero integers of a layer are.
enum Parity {
    Nothing,
    AllOdd,
    SomeEven,
}

fn parity(layer: &MacLayer) -> Parity {
    let (source, tensor) = (&layer.weights, &layer.weights.tensor);
    let Some(quantization) = source.quantization.as_ref().filter(|_| !tensor.data_type.is_real()) else {
        return Parity::Nothing;
    };
    let zero_point = quantization.zero_points.first().copied().unwrap_or(0);
    let uniform = quantization.zero_points.iter().all(|&other| other == zero_point);
    if !uniform || tensor.encoding != Encoding::Raw || quantization.clip.is_some() {
        return parity_of_codes(layer);
    }
    let size = tensor.data_type.size();
    let zero = &i64::from(zero_point).to_le_bytes()[..size];
    // The lowest bit of a difference is that of the lowest bytes.
    let nonzero = tensor.chunks.iter().flat_map(|chunk| chunk.chunks_exact(size)).filter(|element| *element != zero);
    of_bits(nonzero.map(|element| (element[0] ^ zero[0]) & 1 == 1))
}

/// The same where integers and their zero points have to be read first. Weights that cannot be read are an error later,
/// when somebody asks for them.
fn parity_of_codes(layer: &MacLayer) -> Parity {
    match load_weights(layer) {
        Ok(network::LayerWeights::Quantized { codes, .. }) => {
            of_bits(codes.codes().iter().filter(|&&code| code != 0).map(|code| code / 2 % 2 != 0))
        }
        _ => Parity::Nothing,
    }
}

fn of_bits(odd: impl Iterator<Item = bool>) -> Parity {
    let mut found = Parity::Nothing;
    for odd in odd {
        if !odd {
            return Parity::SomeEven;
        }
        found = Parity::AllOdd;
    }
    found
}
