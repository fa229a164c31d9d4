//! A zip archive of numpy arrays, not compressed and without times, so that the same network gives the same bytes.

use std::io::{self, Write};

use network::DataType;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::WeightList;
use crate::npy;

/// A member of an archive with more bytes than this is given 64-bit lengths.
const LARGE: u64 = u32::MAX as u64 - (1 << 16);

pub(super) fn write(list: &WeightList<'_>, writer: &mut dyn Write) -> io::Result<()> {
    let mut archive = ZipWriter::new_stream(writer);
    for entry in &list.entries {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(entry.len() > LARGE);
        archive.start_file(format!("{}.npy", entry.name), options)?;
        archive.write_all(&npy::header(name(entry.data_type), &entry.shape))?;
        for chunk in entry.elements(list.network).map_err(io::Error::other)? {
            archive.write_all(&chunk)?;
        }
    }
    archive.finish()?;
    Ok(())
}

/// numpy's name of a type; bfloat16, which has none, is widened before.
fn name(data_type: DataType) -> &'static str {
    match data_type {
        DataType::F16 => "<f2",
        DataType::F32 | DataType::Bf16 => "<f4",
        DataType::F64 => "<f8",
        DataType::I4 | DataType::I8 => "|i1",
        DataType::U4 | DataType::U8 => "|u1",
        DataType::I16 => "<i2",
        DataType::U16 => "<u2",
        DataType::I32 => "<i4",
        DataType::U32 => "<u4",
        DataType::I64 => "<i8",
        DataType::U64 => "<u8",
        DataType::Bool => "|b1",
    }
}
