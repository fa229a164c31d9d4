//! One column of a group of rows.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::thrift::{Structure, varint};
use crate::frontier::Kind;

/// Numbers that the format gives to what stands here.
const DATA_PAGE: i32 = 0;
const PLAIN: i32 = 0;
const RLE: i32 = 3;
const GZIP: i32 = 2;
const OPTIONAL: i32 = 1;
const UTF8: i32 = 0;
const BOOLEAN: i32 = 0;
const INT64: i32 = 2;
const DOUBLE: i32 = 5;
const BYTE_ARRAY: i32 = 6;

/// Values of one column.
pub(super) struct Column {
    name: String,
    kind: Kind,
    /// Whether each value is there, a bit each, the lowest first.
    there: Bits,
    /// The values that are there. Flags stand in `flags` until the page is complete.
    values: Vec<u8>,
    flags: Bits,
}

/// A page that is ready to be written.
pub(super) struct Page {
    pub header: Vec<u8>,
    pub body: Vec<u8>,
    /// Bytes of the body before it was compressed.
    pub raw_bytes: i64,
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        self.bytes[self.len / 8] |= u8::from(bit) << (self.len % 8);
        self.len += 1;
    }
}

impl Column {
    pub fn new(name: String, kind: Kind) -> Self {
        Self { name, kind, there: Bits::default(), values: Vec::new(), flags: Bits::default() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a value, written by `write`.
    pub fn push<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
        self.there.push(value.is_some());
        if let Some(value) = value {
            write(&mut self.values, value);
        }
    }

    pub fn push_flag(&mut self, flag: Option<bool>) {
        self.there.push(flag.is_some());
        if let Some(flag) = flag {
            self.flags.push(flag);
        }
    }

    /// The type of the values.
    fn physical(&self) -> i32 {
        match self.kind {
            Kind::Text => BYTE_ARRAY,
            Kind::Count => INT64,
            Kind::Quarters | Kind::Real => DOUBLE,
            Kind::Flag => BOOLEAN,
        }
    }

    /// The entry of the schema.
    pub fn schema(&self) -> Structure {
        let entry = Structure::default().i32(1, self.physical()).i32(3, OPTIONAL).text(4, &self.name);
        if self.kind == Kind::Text { entry.i32(6, UTF8) } else { entry }
    }

    /// What is the same of every page of the column.
    pub fn chunk(&self) -> Structure {
        Structure::default().i32(1, self.physical()).i32s(2, &[PLAIN, RLE]).texts(3, &[&self.name]).i32(4, GZIP)
    }

    /// The values so far as a page; none are left.
    ///
    /// # Errors
    ///
    /// A page that takes 2^31 bytes or more, which the format has no number for.
    pub fn take_page(&mut self) -> io::Result<Page> {
        let there = std::mem::take(&mut self.there);
        let mut values = std::mem::take(&mut self.values);
        values.extend(std::mem::take(&mut self.flags).bytes);
        // One run of packed bits, eight to a group.
        let mut levels = Vec::new();
        varint(&mut levels, (there.bytes.len() as u64) << 1 | 1);
        levels.extend(&there.bytes);
        let mut body = GzEncoder::new(Vec::new(), Compression::fast());
        body.write_all(&(levels.len() as u32).to_le_bytes())?;
        body.write_all(&levels)?;
        body.write_all(&values)?;
        let (body, raw_bytes) = (body.finish()?, 4 + levels.len() + values.len());
        let size = |bytes: usize| i32::try_from(bytes).map_err(|_| self.too_large());
        let page = Structure::default().i32(1, there.len as i32).i32(2, PLAIN).i32(3, RLE).i32(4, RLE);
        let header = Structure::default()
            .i32(1, DATA_PAGE)
            .i32(2, size(raw_bytes)?)
            .i32(3, size(body.len())?)
            .structure(5, page)
            .finish();
        Ok(Page { header, body, raw_bytes: raw_bytes as i64 })
    }

    fn too_large(&self) -> io::Error {
        io::Error::other(format!("unsupported: a page of {} that takes 2^31 bytes or more; write CSV", self.name))
    }
}
