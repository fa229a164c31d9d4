//! safetensors: eight bytes of length, a header of JSON, then the elements one tensor behind the other.

use std::fmt::Write as _;
use std::io::{self, Write};

use network::DataType;

use super::WeightList;
use super::list::Entry;

/// The header is padded so that the elements begin at a multiple of this.
const ALIGNMENT: usize = 8;

pub(super) fn write(list: &WeightList<'_>, writer: &mut dyn Write) -> io::Result<()> {
    // Wide elements first, so that each tensor is aligned to its type.
    let mut entries: Vec<&Entry> = list.entries.iter().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.data_type.size()));
    let mut header = header(&list.metadata, &entries);
    header.push_str(&" ".repeat(header.len().next_multiple_of(ALIGNMENT) - header.len()));
    writer.write_all(&(header.len() as u64).to_le_bytes())?;
    writer.write_all(header.as_bytes())?;
    for entry in entries {
        for chunk in entry.elements(list.network).map_err(io::Error::other)? {
            writer.write_all(&chunk)?;
        }
    }
    Ok(())
}

fn header(metadata: &[(String, String)], entries: &[&Entry]) -> String {
    let mut fields: Vec<String> = Vec::with_capacity(entries.len() + 1);
    if !metadata.is_empty() {
        let pairs: Vec<String> = metadata.iter().map(|(key, value)| format!("{}:{}", text(key), text(value))).collect();
        fields.push(format!("\"__metadata__\":{{{}}}", pairs.join(",")));
    }
    let mut start = 0;
    for entry in entries {
        let (name, data_type, shape, end) =
            (text(&entry.name), name(entry.data_type), &entry.shape, start + entry.len());
        fields
            .push(format!("{name}:{{\"dtype\":\"{data_type}\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}"));
        start = end;
    }
    format!("{{{}}}", fields.join(","))
}

/// A string of JSON.
fn text(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            _ if c.is_control() && (c as u32) < 0x10000 => {
                let _ = write!(quoted, "\\u{:04x}", c as u32);
            }
            _ => quoted.push(c),
        }
    }
    quoted + "\""
}

fn name(data_type: DataType) -> &'static str {
    match data_type {
        DataType::F16 => "F16",
        DataType::Bf16 => "BF16",
        DataType::F32 => "F32",
        DataType::F64 => "F64",
        DataType::I4 | DataType::I8 => "I8",
        DataType::U4 | DataType::U8 => "U8",
        DataType::I16 => "I16",
        DataType::U16 => "U16",
        DataType::I32 => "I32",
        DataType::U32 => "U32",
        DataType::I64 => "I64",
        DataType::U64 => "U64",
        DataType::Bool => "BOOL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        assert_eq!(text("a\"b\\c\nd\u{e9}"), "\"a\\\"b\\\\c\\u000ad\u{e9}\"");
    }
}
