//! Files of image data sets, as their makers write them.

use std::io::Write;

/// A tar archive of regular files, with its end.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive: Vec<u8> = files.iter().flat_map(|(name, bytes)| tar_entry(name, bytes)).collect();
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// An entry of a tar archive: header, content, and zeros up to a whole block. A name beyond 100 bytes has an entry before it,
/// as GNU tar writes one.
pub fn tar_entry(name: &str, bytes: &[u8]) -> Vec<u8> {
    let long = if name.len() > 100 { tar_block("././@LongLink", b'L', name.as_bytes()) } else { Vec::new() };
    [long, tar_block(&name[..name.len().min(100)], b'0', bytes)].concat()
}

/// An entry of a tar archive of any kind.
pub fn tar_block(name: &str, kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut header = tar_header(name, kind, bytes.len() as u64).to_vec();
    header.extend(bytes);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

/// The header of an entry of a tar archive, which says that `size` bytes follow.
pub fn tar_header(name: &str, kind: u8, size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    let size = if size < 1 << 33 { format!("{size:011o}\0").into_bytes() } else { base_256(size) };
    header[124..136].copy_from_slice(&size);
    header[148..156].fill(b' ');
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn base_256(size: u64) -> Vec<u8> {
    [&[0x80, 0, 0, 0][..], &size.to_be_bytes()].concat()
}

/// Bytes packed by gzip.
///
/// # Panics
///
/// Never: memory takes what is written.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes what is written")
}

/// An array of bytes as MNIST's files have it.
pub fn idx(shape: &[u32], bytes: &[u8]) -> Vec<u8> {
    let extents = shape.iter().flat_map(|extent| extent.to_be_bytes());
    [0, 0, 8, shape.len() as u8].into_iter().chain(extents).chain(bytes.iter().copied()).collect()
}

/// A batch of CIFAR as Python 2 pickled it, protocol 2: lists of labels by their names, then rows of 3,072 bytes.
pub fn cifar_batch(labels: &[(&str, &[u8])], pixels: &[u8]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}q\x01(".to_vec();
    let text = |text: &[u8]| [&[b'U', text.len() as u8], text].concat();
    pickle.extend([text(b"batch_label"), text(b"testing batch 1 of 1")].concat());
    for (name, labels) in labels {
        pickle.extend(text(name.as_bytes()));
        pickle.extend(b"](");
        pickle.extend(labels.iter().flat_map(|&label| [b'K', label]));
        pickle.push(b'e');
    }
    pickle.extend(text(b"data"));
    pickle.extend(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01M");
    pickle.extend(((pixels.len() / 3072) as u16).to_le_bytes());
    pickle.extend(b"M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T");
    pickle.extend((pixels.len() as u32).to_le_bytes());
    pickle.extend(pixels);
    pickle.extend(b"tb");
    pickle.extend([text(b"filenames"), b"](".to_vec(), text(b"a.png"), b"eu.".to_vec()].concat());
    pickle
}

/// Records of CIFAR's binary files: label bytes, then 3,072 bytes of one number each.
pub fn cifar_records(records: &[(&[u8], u8)]) -> Vec<u8> {
    records.iter().flat_map(|(labels, fill)| [*labels, &[*fill; 3072]].concat()).collect()
}
