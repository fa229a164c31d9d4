//! The format of numpy arrays: a header of text, then the elements.
//!
//! The header is read here, and its numbers are compared with the bytes that are there. A library that allocates what a
//! header asks for would let a small file take all memory. What the elements mean is up to the caller.
//!
//! Source: numpy, "A Simple File Format for NumPy Arrays" (NEP 1), versions 1 to 3.

use std::io::Read;

use half::f16;
use network::rearrange::rearrange;
use network::{DataType, WeightTransform};

/// What the header of an array says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Type of the elements.
    pub element: Element,
    /// Extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// Whether the elements lie in the order of Fortran, the first axis running fastest. They are row-major otherwise.
    pub fortran_order: bool,
    /// Bytes before the first element.
    pub data_start: u64,
}

/// Type of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    kind: Kind,
    size: usize,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Signed,
    Unsigned,
    Float,
}

/// Why an array cannot be read.
#[derive(Debug)]
pub enum HeaderError {
    /// The bytes cannot be read.
    Io(std::io::Error),
    /// They are no array.
    Invalid(String),
    /// They are an array of a kind that is not handled.
    Unsupported(String),
}

/// Headers are a few hundred bytes; a longer one is garbage.
const MAX_HEADER: usize = 1 << 16;

/// The header of an array that is written ends at a multiple of this.
const ALIGNMENT: usize = 64;

/// What stands before the elements of an array in row-major order, version 1 of the format. `descr` is numpy's name of their
/// type, as `<f4`.
pub fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    let shape = match shape {
        [_] => extents.trim_end().to_string(),
        _ => extents.trim_end_matches(", ").to_string(),
    };
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let before = 10;
    let len = (before + text.len() + 1).next_multiple_of(ALIGNMENT) - before;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((len as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes.resize(before + len - 1, b' ');
    bytes.push(b'\n');
    bytes
}

impl Header {
    /// Reads the header at the start of an array.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] says what was expected and found.
    pub fn read(reader: &mut impl Read) -> Result<Self, HeaderError> {
        let mut prefix = [0; 8];
        read_exact(reader, &mut prefix)?;
        if &prefix[..6] != b"\x93NUMPY" {
            return Err(HeaderError::Invalid("it does not begin as a numpy array does".to_string()));
        }
        let length_bytes = match prefix[6] {
            1 => 2,
            2 | 3 => 4,
            version => return Err(HeaderError::Unsupported(format!("version {version} of the array format"))),
        };
        let mut length = [0; 4];
        read_exact(reader, &mut length[..length_bytes])?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER {
            return Err(HeaderError::Invalid(format!("a header of {length} bytes; at most {MAX_HEADER} are expected")));
        }
        let mut text = vec![0; length];
        read_exact(reader, &mut text)?;
        let text = String::from_utf8(text).map_err(|_| HeaderError::Invalid("the header is no text".to_string()))?;
        Self::parse(&text, (8 + length_bytes + length) as u64)
    }

    fn parse(text: &str, data_start: u64) -> Result<Self, HeaderError> {
        let field = |key: &str| {
            let marked = [format!("'{key}':"), format!("\"{key}\":")];
            let rest = marked.iter().find_map(|mark| text.split_once(mark.as_str()).map(|(_, rest)| rest.trim_start()));
            rest.ok_or_else(|| HeaderError::Invalid(format!("the header has no {key}: {}", text.trim())))
        };
        let descr = field("descr")?;
        let fortran_order = field("fortran_order")?.starts_with("True");
        let shape = field("shape")?;
        let shape = shape.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(inside, _)| inside);
        let extents = shape.map(|inside| {
            let parts = inside.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(str::parse).collect::<Result<Vec<usize>, _>>()
        });
        match extents {
            Some(Ok(shape)) => Ok(Self { element: Element::parse(descr)?, shape, fortran_order, data_start }),
            _ => Err(HeaderError::Invalid(format!("the header's shape is garbled: {}", text.trim()))),
        }
    }

    /// The extents in the order in which the axes lie in memory, and the permutation that makes the array of them; none where
    /// it is row-major.
    pub fn stored(&self) -> (Vec<usize>, Option<Vec<usize>>) {
        match self.fortran_order && self.shape.len() > 1 {
            true => (self.shape.iter().rev().copied().collect(), Some((0..self.shape.len()).rev().collect())),
            false => (self.shape.clone(), None),
        }
    }

    /// The bytes of all elements, row-major.
    pub fn row_major(&self, bytes: Vec<u8>) -> Vec<u8> {
        let (stored, Some(perm)) = self.stored() else { return bytes };
        let perm = [WeightTransform::Transpose(perm)];
        fn of<const N: usize>(bytes: &[u8], stored: &[usize], perm: &[WeightTransform]) -> Vec<u8> {
            rearrange(bytes.as_chunks::<N>().0.to_vec(), stored, perm).into_flattened()
        }
        match self.element.size {
            1 => of::<1>(&bytes, &stored, &perm),
            2 => of::<2>(&bytes, &stored, &perm),
            4 => of::<4>(&bytes, &stored, &perm),
            _ => of::<8>(&bytes, &stored, &perm),
        }
    }

    /// Bytes of all elements, if they can be counted.
    pub fn data_len(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.element.size as u64, |product, &extent| product.checked_mul(extent as u64))
    }
}

fn read_exact(reader: &mut impl Read, buffer: &mut [u8]) -> Result<(), HeaderError> {
    let cut_off = || HeaderError::Invalid("it ends within the header".to_string());
    let is_cut_off = |error: &std::io::Error| error.kind() == std::io::ErrorKind::UnexpectedEof;
    reader.read_exact(buffer).map_err(|error| if is_cut_off(&error) { cut_off() } else { HeaderError::Io(error) })
}

impl Element {
    /// `'<f4'` and the like, at the start of `text`.
    fn parse(text: &str) -> Result<Self, HeaderError> {
        let quoted = text.strip_prefix(['\'', '"']).and_then(|rest| rest.split_once(['\'', '"'])).map(|(code, _)| code);
        let unsupported = || {
            let shown: String = text.chars().take(24).collect();
            HeaderError::Unsupported(format!("elements {shown}; numbers and bool are handled"))
        };
        let code = quoted.ok_or_else(unsupported)?;
        let (order, code) = code.split_at_checked(1).ok_or_else(unsupported)?;
        let (kind, size) = match code {
            "b1" | "u1" => (Kind::Unsigned, 1),
            "i1" => (Kind::Signed, 1),
            "u2" | "u4" | "u8" => (Kind::Unsigned, usize::from(code.as_bytes()[1] - b'0')),
            "i2" | "i4" | "i8" => (Kind::Signed, usize::from(code.as_bytes()[1] - b'0')),
            "f2" | "f4" | "f8" => (Kind::Float, usize::from(code.as_bytes()[1] - b'0')),
            _ => return Err(unsupported()),
        };
        match order {
            "<" | "|" | "=" => Ok(Self { kind, size, big_endian: false }),
            ">" => Ok(Self { kind, size, big_endian: true }),
            _ => Err(unsupported()),
        }
    }

    /// Whether the bytes of an element are in big-endian order.
    pub fn is_swapped(self) -> bool {
        self.big_endian && self.size > 1
    }

    /// The type of the numbers, in whichever order their bytes are. A truth value counts as an unsigned byte.
    pub fn number_type(self) -> DataType {
        match (self.kind, self.size) {
            (Kind::Float, 2) => DataType::F16,
            (Kind::Float, 4) => DataType::F32,
            (Kind::Float, _) => DataType::F64,
            (Kind::Signed, 1) => DataType::I8,
            (Kind::Signed, 2) => DataType::I16,
            (Kind::Signed, 4) => DataType::I32,
            (Kind::Signed, _) => DataType::I64,
            (Kind::Unsigned, 1) => DataType::U8,
            (Kind::Unsigned, 2) => DataType::U16,
            (Kind::Unsigned, 4) => DataType::U32,
            (Kind::Unsigned, _) => DataType::U64,
        }
    }

    /// Bytes of an element.
    pub fn size(self) -> usize {
        self.size
    }

    /// Whether elements are whole numbers.
    pub fn is_integer(self) -> bool {
        self.kind != Kind::Float
    }

    /// Decodes elements to numbers of 32 bits, rounded as [`Element::decode`] rounds them.
    pub fn decode_all(self, bytes: &[u8]) -> Vec<f32> {
        match (self.kind, self.size, self.big_endian) {
            (Kind::Unsigned, 1, _) => bytes.iter().map(|&byte| byte.into()).collect(),
            (Kind::Signed, 1, _) => bytes.iter().map(|&byte| (byte as i8).into()).collect(),
            (Kind::Float, 4, false) => bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
            _ => bytes.chunks_exact(self.size).map(|bytes| self.decode(bytes) as f32).collect(),
        }
    }

    /// Decodes one element; `bytes` are its [`Element::size`]. Whole numbers beyond 2^53 are rounded.
    pub fn decode(self, bytes: &[u8]) -> f64 {
        let mut little = [0; 8];
        little[..self.size].copy_from_slice(&bytes[..self.size]);
        if self.big_endian {
            little[..self.size].reverse();
        }
        let word = u64::from_le_bytes(little);
        let unused = 64 - 8 * self.size as u32;
        match (self.kind, self.size) {
            (Kind::Float, 2) => f16::from_bits(word as u16).to_f64(),
            (Kind::Float, 4) => f32::from_bits(word as u32).into(),
            (Kind::Float, _) => f64::from_bits(word),
            (Kind::Unsigned, _) => word as f64,
            (Kind::Signed, _) => ((word << unused) as i64 >> unused) as f64,
        }
    }
}
