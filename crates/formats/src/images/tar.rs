//! Tar archives: names and contents, one after another.
//!
//! Source: POSIX.1-2001 `pax`, and `tar.h` of GNU tar for long names.

use std::path::Path;

use bytes::Bytes;

use super::error::ImageError;
use super::gzip::Unpacker;

/// Headers and contents fill whole blocks.
const BLOCK: usize = 512;
/// The longest name, and the most bytes of attributes of one entry.
const MAX_ATTRIBUTES: u64 = 1 << 20;

/// A file in an archive.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: String,
    /// What it holds; `None` where it was not asked for.
    pub bytes: Option<Bytes>,
}

/// An archive as a row of bytes.
pub(super) enum Stream {
    /// As it lies in the file.
    Plain(Bytes),
    /// Packed by gzip.
    Gzip(Box<Unpacker>),
}

impl Stream {
    /// The next bytes: `count` of them, or all that are left.
    fn take(&mut self, count: u64) -> Result<Bytes, ImageError> {
        match self {
            Stream::Plain(bytes) => Ok(bytes.split_to(count.min(bytes.len() as u64) as usize)),
            Stream::Gzip(unpacker) => unpacker.read_up_to(count),
        }
    }

    /// Passes over bytes; how many there were.
    fn skip(&mut self, count: u64) -> Result<u64, ImageError> {
        match self {
            Stream::Plain(bytes) => Ok(bytes.split_to(count.min(bytes.len() as u64) as usize).len() as u64),
            Stream::Gzip(unpacker) => unpacker.skip_up_to(count),
        }
    }
}

/// Whether the bytes begin with the header of an entry, whose sum of bytes is right.
pub(super) fn is_tar(bytes: &[u8]) -> bool {
    bytes.first_chunk::<BLOCK>().is_some_and(|block| Header::read(block).is_some())
}

/// The regular files of an archive. Of those that `is_wanted` names the contents are kept.
///
/// # Errors
///
/// An archive that is cut off, that has no end, or whose headers are garbled.
pub(super) fn entries(
    path: &Path,
    mut stream: Stream,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Entry>, ImageError> {
    let mut entries = Vec::new();
    let (mut at, mut said) = (0_u64, Attributes::default());
    let cut_off = |at: u64| ImageError::invalid(path, format!("the tar archive is cut off at byte {at}"));
    loop {
        let block = stream.take(BLOCK as u64)?;
        let Some(block) = block.first_chunk::<BLOCK>() else { return Err(cut_off(at + block.len() as u64)) };
        if block.iter().all(|&byte| byte == 0) {
            return Ok(entries);
        }
        let header = Header::read(block)
            .ok_or_else(|| ImageError::invalid(path, format!("byte {at} of the tar archive begins no entry")))?;
        at += BLOCK as u64;
        let is_file = matches!(header.kind, b'0' | b'\0' | b'7');
        let size = said.size.filter(|_| is_file).unwrap_or(header.size);
        let name = said.name.clone().unwrap_or(header.name);
        let padded = size.checked_next_multiple_of(BLOCK as u64).ok_or_else(|| cut_off(at))?;
        let is_attribute = matches!(header.kind, b'L' | b'x');
        let kept = if is_attribute || is_file && is_wanted(&name) {
            if is_attribute && size > MAX_ATTRIBUTES {
                return Err(ImageError::unsupported(path, format!("{size} bytes of attributes at byte {at}")));
            }
            Some(stream.take(padded)?)
        } else {
            let skipped = stream.skip(padded)?;
            if skipped != padded { Some(Bytes::from(vec![])) } else { None }
        };
        if kept.as_ref().is_some_and(|bytes| (bytes.len() as u64) < padded) {
            let problem = format!("the tar archive is cut off: {name} at byte {at} should have {size} bytes");
            return Err(ImageError::invalid(path, problem));
        }
        at += padded;
        let kept = kept.map(|bytes| bytes.slice(..size as usize));
        match (header.kind, kept) {
            (b'L', Some(bytes)) => said.name = Some(text(&bytes)),
            (b'x', Some(bytes)) => said.read(&bytes),
            (b'S', _) => {
                return Err(ImageError::unsupported(path, format!("{name} is a sparse file of a tar archive")));
            }
            (_, bytes) if is_file => {
                entries.push(Entry { name, bytes });
                said = Attributes::default();
            }
            // Folders, links, attributes of all entries.
            (b'g' | b'K', _) => {}
            _ => said = Attributes::default(),
        }
    }
}

/// What an entry says of the one behind it.
#[derive(Default)]
struct Attributes {
    name: Option<String>,
    size: Option<u64>,
}

impl Attributes {
    /// Reads lines of `LENGTH KEY=VALUE`.
    fn read(&mut self, mut bytes: &[u8]) {
        while let Some(space) = bytes.iter().position(|&byte| byte == b' ') {
            let length = std::str::from_utf8(&bytes[..space]).ok().and_then(|text| text.parse::<usize>().ok());
            let Some(line) = length.filter(|&length| length > space + 1).and_then(|length| bytes.get(..length)) else {
                return;
            };
            let line = &line[space + 1..];
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let value =
                |key: &str| line.strip_prefix(key.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned());
            if let Some(name) = value("path=") {
                self.name = Some(name);
            }
            if let Some(size) = value("size=").and_then(|size| size.parse().ok()) {
                self.size = Some(size);
            }
            bytes = &bytes[length.unwrap_or(bytes.len())..];
        }
    }
}

/// What the header of an entry says.
struct Header {
    name: String,
    size: u64,
    kind: u8,
}

impl Header {
    /// Reads a block; `None` where its sum of bytes is not what it says.
    fn read(block: &[u8; BLOCK]) -> Option<Self> {
        /// Where the header says the sum of its bytes, with spaces for the sum itself.
        const SUM: std::ops::Range<usize> = 148..156;
        let sum = (0..BLOCK).map(|i| if SUM.contains(&i) { u64::from(b' ') } else { block[i].into() }).sum::<u64>();
        if octal(&block[SUM])? != sum {
            return None;
        }
        let name = text(&block[..100]);
        let is_posix = &block[257..263] == b"ustar\0";
        let prefix = if is_posix { text(&block[345..500]) } else { String::new() };
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let size = number(&block[124..136])?;
        Some(Self { name, size, kind: block[156] })
    }
}

/// Text up to the first zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// A number in octal digits, or where the first bit is set in bytes, big-endian.
fn number(bytes: &[u8]) -> Option<u64> {
    if bytes[0] & 0x80 == 0 {
        return octal(bytes);
    }
    let digits = bytes.iter().enumerate().map(|(i, &byte)| if i == 0 { byte & 0x7f } else { byte });
    digits.into_iter().try_fold(0_u64, |sum, digit| sum.checked_mul(256)?.checked_add(digit.into()))
}

fn octal(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}
