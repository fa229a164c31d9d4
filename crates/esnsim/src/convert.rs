//! A network in another file.

use std::path::Path;

use formats::{PreparedFile, WriteFormat};
use network::{Network, Note, NoteKind};
use report::write_file;

use crate::error::{Error, Need};

/// Ends of names of files that are read and never written.
const READ_ONLY: [&str; 6] = ["pt", "pth", "th", "bin", "npy", "tflite"];

/// What a compressed network is written as: what the end of the name says, ONNX where it says nothing.
///
/// # Errors
///
/// [`Error::ReadOnly`] for a format that is only read; [`Error::NeedsGraph`] for weights without a graph as ONNX.
pub fn write_format(path: &Path, network: &Network) -> Result<WriteFormat, Error> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if READ_ONLY.contains(&extension.as_str()) {
        return Err(Error::ReadOnly { path: path.to_path_buf(), extension });
    }
    let format = WriteFormat::of_name(path).unwrap_or(WriteFormat::Onnx);
    check_format(network, format)?;
    Ok(format)
}

/// Refuses a format that cannot hold the network.
///
/// # Errors
///
/// [`Error::NeedsGraph`] for weights without a graph as ONNX.
pub fn check_format(network: &Network, format: WriteFormat) -> Result<(), Error> {
    match format.holds_graph() && !network.has_graph() {
        true => Err(Error::NeedsGraph { path: network.path().to_path_buf(), need: Need::Onnx }),
        false => Ok(()),
    }
}

/// What a file of a network says about its making where nothing was done to it: the program's version.
pub fn provenance() -> Vec<(String, String)> {
    vec![("esnsim.version".to_string(), env!("CARGO_PKG_VERSION").to_string())]
}

/// What the network lost when its file was read, or what the new file does not hold of it.
fn losses<'a>(network: &'a Network, file: &'a PreparedFile<'_>) -> impl Iterator<Item = &'a Note> {
    network.notes().iter().filter(|note| note.kind() == NoteKind::LeftOut).chain(file.notes())
}

/// Writes a network; the result is what the new file does not hold, one line each.
///
/// # Errors
///
/// Those of [`check_format`] and of the writer; [`Error::Lossy`] if `strict` and something would be lost, or was left out
/// when the network was read ([`NoteKind::LeftOut`]). Nothing is written then.
pub fn write(
    network: &Network,
    path: &Path,
    format: WriteFormat,
    provenance: &[(String, String)],
    strict: bool,
) -> Result<Vec<Note>, Error> {
    check_format(network, format)?;
    let file: PreparedFile<'_> = formats::prepare(network, format, provenance)?;
    let mut lost = losses(network, &file);
    if let (true, Some(first)) = (strict, lost.next()) {
        let more = lost.count();
        return Err(Error::Lossy { path: network.path().to_path_buf(), first: first.to_string(), more });
    }
    write_file(path, |writer| file.write(writer))?;
    Ok(file.notes().to_vec())
}
