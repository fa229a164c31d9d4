//! Reading of FlatBuffers: tables, vectors and strings, every offset checked against the file.
//!
//! The format (google.github.io/flatbuffers): an offset is an unsigned 32-bit distance from where it stands. A table
//! begins with the signed distance back to its vtable, which holds, in 16 bits each, its own size, the table's size,
//! and where in the table each field lies (0: left out, the default holds). A vector is a 32-bit count and its
//! elements.
//!
//! A file is not verified as a whole: each value is checked when it is read. Many offsets may lead to the same bytes,
//! so that there is also a bound on what is read in all ([`MAX_VISITS`]).

use std::cell::Cell;

use crate::reading::fault::{Fault, invalid};

/// How often the bytes of a file may be read as elements of vectors, in all.
const MAX_VISITS: usize = 8;

/// The bytes of a file, and how much of it may still be read.
#[derive(Debug)]
pub(super) struct Buffer<'a> {
    bytes: &'a [u8],
    budget: Cell<usize>,
}

impl<'a> Buffer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, budget: Cell::new(bytes.len().saturating_mul(MAX_VISITS)) }
    }

    /// The table that the file begins with.
    pub(super) fn root(&self) -> Result<Table<'_>, Fault> {
        let at = self.u32(0)? as usize;
        Table::new(self, at)
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Fault> {
        at.checked_add(N)
            .and_then(|end| self.bytes.get(at..end))
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| invalid!("an offset leads to byte {at}, but the file has {}", self.bytes.len()))
    }

    fn u16(&self, at: usize) -> Result<u16, Fault> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, Fault> {
        self.array(at).map(u32::from_le_bytes)
    }

    /// Where the offset that stands at `at` leads.
    fn follow(&self, at: usize) -> Result<usize, Fault> {
        let distance = self.u32(at)? as usize;
        at.checked_add(distance).ok_or_else(|| invalid!("an offset at byte {at} leads beyond the file"))
    }

    /// Start and count of a vector of elements of `size` bytes at `at`; all of them are in the file.
    fn vector(&self, at: usize, size: usize) -> Result<(usize, usize), Fault> {
        let count = self.u32(at)? as usize;
        let left = self.bytes.len().saturating_sub(at + 4);
        if count.checked_mul(size).is_none_or(|bytes| bytes > left) {
            return Err(invalid!("a vector of {count} elements at byte {at}, with {left} bytes behind it"));
        }
        Ok((at + 4, count))
    }

    fn spend(&self, bytes: usize) -> Result<(), Fault> {
        let left = self.budget.get().checked_sub(bytes);
        self.budget.set(left.ok_or_else(|| invalid!("its vectors overlap: they hold many times the file's bytes"))?);
        Ok(())
    }
}

/// One table. Fields are numbered as the schema lists them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    buffer: &'a Buffer<'a>,
    at: usize,
    vtable: usize,
    /// Bytes of the vtable.
    vtable_len: usize,
}

/// A number that a field or a vector can hold.
pub(super) trait Scalar: Sized + Copy {
    const SIZE: usize;
    fn read(buffer: &Buffer<'_>, at: usize) -> Result<Self, Fault>;
}

macro_rules! scalar {
    ($($type:ty),*) => { $(
        impl Scalar for $type {
            const SIZE: usize = size_of::<$type>();
            fn read(buffer: &Buffer<'_>, at: usize) -> Result<Self, Fault> {
                buffer.array(at).map(<$type>::from_le_bytes)
            }
        }
    )* };
}
scalar!(u8, i8, u16, i32, u32, i64, u64, f32);

impl<'a> Table<'a> {
    fn new(buffer: &'a Buffer<'a>, at: usize) -> Result<Self, Fault> {
        let back = i32::from_le_bytes(buffer.array(at)?);
        let vtable = at as i64 - i64::from(back);
        let vtable = usize::try_from(vtable).map_err(|_| invalid!("the table at byte {at} has no vtable"))?;
        let vtable_len = usize::from(buffer.u16(vtable)?);
        if vtable_len < 4 || !vtable_len.is_multiple_of(2) || vtable + vtable_len > buffer.bytes.len() {
            return Err(invalid!("the vtable at byte {vtable} has {vtable_len} bytes"));
        }
        Ok(Self { buffer, at, vtable, vtable_len })
    }

    /// Where a field lies; `None` where it is left out.
    fn field(&self, index: usize) -> Result<Option<usize>, Fault> {
        let entry = 4 + 2 * index;
        if entry + 2 > self.vtable_len {
            return Ok(None);
        }
        let offset = usize::from(self.buffer.u16(self.vtable + entry)?);
        Ok((offset > 0).then_some(self.at + offset))
    }

    /// A number, or the default.
    pub(super) fn scalar<T: Scalar>(&self, index: usize, default: T) -> Result<T, Fault> {
        self.field(index)?.map_or(Ok(default), |at| T::read(self.buffer, at))
    }

    pub(super) fn flag(&self, index: usize) -> Result<bool, Fault> {
        Ok(self.scalar(index, 0u8)? != 0)
    }

    pub(super) fn table(&self, index: usize) -> Result<Option<Table<'a>>, Fault> {
        let Some(at) = self.field(index)? else { return Ok(None) };
        Table::new(self.buffer, self.buffer.follow(at)?).map(Some)
    }

    /// The tables of a vector; none where it is left out.
    pub(super) fn tables(&self, index: usize) -> Result<Vec<Table<'a>>, Fault> {
        let Some((start, count)) = self.elements(index, 4)? else { return Ok(Vec::new()) };
        (0..count).map(|i| Table::new(self.buffer, self.buffer.follow(start + 4 * i)?)).collect()
    }

    /// The numbers of a vector; `None` where it is left out.
    pub(super) fn scalars<T: Scalar>(&self, index: usize) -> Result<Option<Vec<T>>, Fault> {
        let Some((start, count)) = self.elements(index, T::SIZE)? else { return Ok(None) };
        (0..count).map(|i| T::read(self.buffer, start + i * T::SIZE)).collect::<Result<_, _>>().map(Some)
    }

    /// A string; bytes that are no UTF-8 are replaced.
    pub(super) fn string(&self, index: usize) -> Result<String, Fault> {
        let Some((start, count)) = self.elements(index, 1)? else { return Ok(String::new()) };
        Ok(String::from_utf8_lossy(&self.buffer.bytes[start..start + count]).into_owned())
    }

    /// Start and length in the file of a vector of bytes, which are not read; `None` where it is left out.
    pub(super) fn bytes(&self, index: usize) -> Result<Option<(usize, usize)>, Fault> {
        let Some(at) = self.field(index)? else { return Ok(None) };
        self.buffer.vector(self.buffer.follow(at)?, 1).map(Some)
    }

    fn elements(&self, index: usize, size: usize) -> Result<Option<(usize, usize)>, Fault> {
        let Some(at) = self.field(index)? else { return Ok(None) };
        let (start, count) = self.buffer.vector(self.buffer.follow(at)?, size)?;
        self.buffer.spend(count * size)?;
        Ok(Some((start, count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root table with a number (field 0), nothing (field 1) and a vector of two bytes (field 2).
    const FILE: [u8; 38] = [
        20, 0, 0, 0, b'T', b'F', b'L', b'3', // where the root is, identifier
        10, 0, 12, 0, 4, 0, 0, 0, 8, 0, 0, 0, // vtable: its size, the table's, the fields; padding
        12, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, // the table: back to its vtable, the number, where the vector is
        2, 0, 0, 0, 5, 6,
    ];

    #[test]
    fn fields_are_read_or_default() {
        let buffer = Buffer::new(&FILE);
        let root = buffer.root().expect("it has a root");
        assert_eq!(root.scalar(0, 0i32).expect("it is there"), 7);
        assert_eq!(root.scalar(1, 3i32).expect("it is left out"), 3);
        assert_eq!(root.scalar(9, 4u8).expect("it is beyond the vtable"), 4);
        assert!(root.table(1).expect("it is left out").is_none());
        assert_eq!(root.scalars(2).expect("it is there"), Some(vec![5u8, 6]));
        assert_eq!(root.bytes(2).expect("it is there"), Some((36, 2)));
        assert!(root.scalars::<u32>(2).is_err());
    }

    #[test]
    fn every_cut_and_every_offset_is_an_error_or_a_value() {
        for len in 0..FILE.len() {
            let buffer = Buffer::new(&FILE[..len]);
            let _ = buffer.root().and_then(|root| root.scalars::<i64>(0));
        }
        for at in 0..FILE.len() {
            for byte in [0x7f, 0x80, 0xff] {
                let mut bytes = FILE;
                bytes[at] = byte;
                let buffer = Buffer::new(&bytes);
                let Ok(root) = buffer.root() else { continue };
                for field in 0..4 {
                    let _ = (root.tables(field), root.string(field), root.bytes(field), root.scalar(field, 0u64));
                }
            }
        }
    }

    #[test]
    fn overlapping_vectors_are_bounded() {
        let buffer = Buffer::new(&FILE);
        assert!(buffer.spend(FILE.len() * MAX_VISITS).is_ok());
        assert!(buffer.spend(1).is_err());
    }
}
