//! Hashes of files by their contents, so that a file is known whatever it is called.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use network::{Encoding, LayerId, Network};
use sha2::{Digest, Sha256};

/// Bytes of a mapped file that are in memory at a time.
const PIECE: usize = 1 << 20;

/// SHA-256 of a network: of the file, if it is one, and of weights and constants where they do not fit into it and so
/// lie outside. What the reader makes of a file is left out, for it may change with the program.
///
/// # Errors
///
/// Those of reading the file.
pub fn network_sha256(network: &Network, file: Option<&Path>) -> io::Result<String> {
    let mut hash = Sha256::new();
    let held: u64 = chunks(network).map(|chunk| chunk.len() as u64).sum();
    let in_file = match file {
        Some(path) => hash_file(&mut hash, path)?,
        None => 0,
    };
    if held > in_file {
        hash_weights(&mut hash, network);
    }
    Ok(hex(&hash.finalize()))
}

/// The bytes of weights and constants, wherever they lie.
fn chunks(network: &Network) -> impl Iterator<Item = &[u8]> {
    let constants = network.graph().values().iter().filter_map(|value| value.constant.as_ref());
    let weights = network.layers().iter().map(|layer| &layer.weights.tensor);
    weights.chain(constants).flat_map(|tensor| &tensor.chunks).map(|chunk| &chunk[..])
}

/// Adds weights and constants, and gives their memory back piece by piece.
fn hash_weights(hash: &mut Sha256, network: &Network) {
    for piece in chunks(network).flat_map(|chunk| chunk.chunks(PIECE)) {
        hash.update(piece);
        network.release(piece);
    }
}

/// SHA-256 of the weights and constants that a network holds, wherever they lie: they need not be in the network's file.
pub fn weights_sha256(network: &Network) -> String {
    let mut hash = Sha256::new();
    hash_weights(&mut hash, network);
    // What is drawn has no bytes: how it is drawn tells it from others.
    for layer in network.layers() {
        if let Encoding::Drawn(draw) = layer.weights.tensor.encoding {
            hash.update(format!("{draw:?}"));
        }
    }
    hex(&hash.finalize())
}

/// The first 128 bits of the SHA-256 of a layer: its name, operator and geometry, and its weights as they are stored. Layers of
/// which they are equal cost the same.
pub fn layer_identity(network: &Network, id: LayerId) -> u128 {
    let layer = &network.layers()[id.0];
    let weights = &layer.weights;
    let tensor = &weights.tensor;
    let mut hash = Sha256::new();
    let form = (&layer.name, layer.op.name(), &layer.geometry, tensor.data_type, &tensor.shape, &weights.transforms);
    hash.update(format!("{form:?} {:?} {:?}", tensor.encoding, weights.quantization));
    tensor.chunks.iter().for_each(|chunk| hash.update(&chunk[..]));
    let digest = hash.finalize();
    u128::from_be_bytes(digest[..16].try_into().expect("a SHA-256 has 32 bytes"))
}

/// SHA-256 of a file.
///
/// # Errors
///
/// Those of reading the file.
pub fn file_sha256(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    hash_file(&mut hash, path)?;
    Ok(hex(&hash.finalize()))
}

/// SHA-256 of a file of images, or of the names and sizes of the files in a folder: thousands of pictures are not read
/// to find out that they are the same.
///
/// # Errors
///
/// Those of reading the file or the folder.
pub fn images_sha256(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    if fs::metadata(path)?.is_dir() {
        let mut files = Vec::new();
        list(path, Path::new(""), &mut files)?;
        files.sort();
        for (name, bytes) in files {
            hash.update(name.to_string_lossy().as_bytes());
            hash.update([0]);
            hash.update(bytes.to_le_bytes());
        }
    } else {
        hash_file(&mut hash, path)?;
    }
    Ok(hex(&hash.finalize()))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of bytes in memory.
pub fn bytes_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Adds a file; returns its length.
fn hash_file(hash: &mut Sha256, path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    let mut len = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(len);
        }
        hash.update(&buffer[..count]);
        len += count as u64;
    }
}

/// Files below `root/folder`, relative to `root`, with their sizes.
fn list(root: &Path, folder: &Path, files: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = folder.join(entry.file_name());
        let metadata = fs::metadata(entry.path())?;
        if metadata.is_dir() {
            list(root, &name, files)?;
        } else {
            files.push((name, metadata.len()));
        }
    }
    Ok(())
}
