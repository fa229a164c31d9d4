//! Deterministic damage to files as what they are: their parts change, the frame around them stays whole.

use std::io::{Cursor, Read, Write};
use std::ops::Range;

use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::mutate::{Random, mutate, mutate_model};

/// Bytes of an entry of an archive that is taken apart.
const MAX_ENTRY: u64 = 1 << 20;

/// A copy of an input of the target of this name with some of its parts changed; `None` where the target has no such damage
/// or the bytes are not what it takes.
pub fn mutate_structure(target: &str, bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    match target {
        "onnx" | "external" => mutate_model(bytes, random),
        "tflite" => tables(bytes, random),
        "safetensors" => header(bytes, random),
        "index" => json(bytes, random),
        "torch" | "arrays" if bytes.starts_with(b"PK") => archive(bytes, random),
        "torch" => pickle(bytes, random),
        "hardware" | "plan" | "preprocessing" => lines(bytes, random),
        _ => None,
    }
}

/// A FlatBuffer with one to three fields of its tables left out, exchanged, or with another number in their place.
fn tables(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut copy = bytes.to_vec();
    for _ in 0..1 + random.below(3) {
        let fields = fields(&copy);
        if fields.is_empty() {
            return None;
        }
        let (entry, place) = fields[random.below(fields.len())];
        let other = fields[random.below(fields.len())].0;
        match random.below(8) {
            0 => copy[entry..entry + 2].fill(0),
            1 => copy.copy_within(other..other + 2, entry),
            // An offset or a number that is a little off, or one that breaks code which trusts it.
            2 | 3 => add(&mut copy, place, [4, -4, 1, -1, 8][random.below(5)]),
            4 => write(&mut copy, place, random.extreme() as i32),
            _ => {
                // What an offset leads to: the count and the elements of a vector.
                let start = place.checked_add(word(&copy, place)? as usize)?;
                let at = start.checked_add(4 * random.below(6))?;
                let new = if random.below(2) == 0 { random.extreme() as i32 } else { random.below(9) as i32 };
                write(&mut copy, at, new);
            }
        }
    }
    Some(copy)
}

/// Every field of every table: where its vtable entry lies, and where the field.
fn fields(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for at in (0..bytes.len().saturating_sub(3)).step_by(4) {
        let back = word(bytes, at).unwrap_or_default();
        let Ok(vtable) = usize::try_from(at as i64 - i64::from(back)) else { continue };
        let Some(length) = half_word(bytes, vtable).filter(|n| (6..=64).contains(n) && n % 2 == 0) else { continue };
        for entry in (vtable + 4..vtable + usize::from(length)).step_by(2) {
            let offset = half_word(bytes, entry).unwrap_or_default();
            if offset >= 4 && back != 0 {
                found.push((entry, at + usize::from(offset)));
            }
        }
    }
    found
}

fn word(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk().map(|four| i32::from_le_bytes(*four))
}

fn half_word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|two| u16::from_le_bytes(*two))
}

fn write(bytes: &mut [u8], at: usize, number: i32) {
    if let Some(four) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *four = number.to_le_bytes();
    }
}

fn add(bytes: &mut [u8], at: usize, difference: i32) {
    let number = word(bytes, at).unwrap_or_default();
    write(bytes, at, number.wrapping_add(difference));
}

/// A safetensors file whose header says something else.
fn header(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let length = usize::try_from(u64::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    let end = length.checked_add(8)?;
    let header = json(bytes.get(8..end)?, random)?;
    Some([&(header.len() as u64).to_le_bytes(), header.as_slice(), &bytes[end..]].concat())
}

fn json(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    for _ in 0..1 + random.below(3) {
        change_value(&mut value, random);
    }
    serde_json::to_vec(&value).ok()
}

fn change_value(value: &mut Value, random: &mut Random) {
    const WORDS: [&str; 8] = ["F32", "F16", "I8", "U64", "F4", "BOOL", "../a.safetensors", "\u{1b}[2J"];
    match value {
        Value::Object(map) if !map.is_empty() && random.below(8) > 0 => {
            let key = map.keys().nth(random.below(map.len())).cloned().unwrap_or_default();
            match random.below(12) {
                0 => drop(map.remove(&key)),
                1 => {
                    let copy = map[&key].clone();
                    map.insert(format!("{key}_scale"), copy);
                }
                _ => change_value(&mut map[&key], random),
            }
        }
        Value::Array(items) if !items.is_empty() && random.below(8) > 0 => {
            let index = random.below(items.len());
            match random.below(6) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                _ => change_value(&mut items[index], random),
            }
        }
        _ => {
            *value = match random.below(6) {
                0 => Value::from(WORDS[random.below(WORDS.len())]),
                1 => Value::Null,
                2 => Value::Array(vec![Value::from(0); random.below(70)]),
                3 => Value::from(random.below(64)),
                _ => Value::from(random.extreme()),
            }
        }
    }
}

/// A zip archive with one of its entries changed, lost, renamed, or pressed together.
fn archive(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut entries = entries(bytes)?;
    let index = random.below(entries.len());
    let other = entries[random.below(entries.len())].1.clone();
    let (name, content) = &mut entries[index];
    match random.below(10) {
        0 => *name = name.replace("data", "Data"),
        1 => *content = other,
        2 => drop(entries.remove(index)),
        3 if name.ends_with(".npy") => *content = mutate(content, &other, random),
        _ if name.ends_with(".npy") => *content = array(content, random),
        _ => {
            let of_pickle = entries.iter_mut().find(|(name, _)| name.ends_with("data.pkl"));
            let (_, content) = of_pickle?;
            *content = pickle(content, random)?;
        }
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in &entries {
        let method = if random.below(8) == 0 { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        writer.start_file(name.as_str(), SimpleFileOptions::default().compression_method(method)).ok()?;
        writer.write_all(content).ok()?;
    }
    Some(writer.finish().ok()?.into_inner())
}

fn entries(bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut entries = Vec::new();
    for index in 0..zip.len().min(64) {
        let entry = zip.by_index(index).ok()?;
        let (name, mut content) = (entry.name().to_string(), Vec::new());
        entry.take(MAX_ENTRY).read_to_end(&mut content).ok()?;
        entries.push((name, content));
    }
    (!entries.is_empty()).then_some(entries)
}

/// A numpy array with another word or number in its header, of the same length.
fn array(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    const WORDS: [&str; 10] =
        ["<f8", "|i1", ">f4", "True ", "(0,)", "(9999999999,)", "()", "(-1", "',\n", "(4294967296,4294967296,0)"];
    let mut copy = bytes.to_vec();
    let word = WORDS[random.below(WORDS.len())].as_bytes();
    let end = bytes.len().min(120);
    let at = 10 + random.below(end.saturating_sub(10 + word.len()).max(1));
    if let Some(place) = copy.get_mut(at..at + word.len()) {
        place.copy_from_slice(word);
    }
    copy
}

/// A pickle, or a file that begins with some, with one to three of its operations changed.
fn pickle(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    const PLAIN: [u8; 27] = *b"N\x88\x89)]}(tle0121\x85\x86\x87\x94RQbsau.o\x81";
    let mut copy = bytes.to_vec();
    for _ in 0..1 + random.below(3) {
        let operations = operations(&copy);
        if operations.is_empty() {
            return None;
        }
        let place = operations[random.below(operations.len())].clone();
        let from = random.below(operations.len());
        let to = (from + 1 + random.below(6)).min(operations.len()) - 1;
        match random.below(7) {
            0 => drop(copy.drain(place)),
            1 => drop(copy.splice(place.start..place.start, [PLAIN[random.below(PLAIN.len())]])),
            2 => copy[place.start] = PLAIN[random.below(PLAIN.len())],
            3 => {
                let number = random.extreme().to_le_bytes();
                copy.splice(place, [0x8a, 8].into_iter().chain(number));
            }
            4 => {
                let memo = [[b'h', b'q'][random.below(2)], random.below(4) as u8];
                copy.splice(place.start..place.start, memo);
            }
            _ => {
                let piece = copy[operations[from].start..operations[to].end].to_vec();
                copy.splice(place.start..place.start, piece);
            }
        }
    }
    Some(copy)
}

/// Where the operations of a pickle lie, as far as they can be followed.
fn operations(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    let line = |from: usize| bytes.get(from..).and_then(|rest| rest.iter().position(|&b| b == b'\n')).map(|n| n + 1);
    while let Some(&operation) = bytes.get(at) {
        let from = at + 1;
        let count = |size: usize| {
            let mut count = [0; 8];
            count[..size].copy_from_slice(bytes.get(from..from + size)?);
            usize::try_from(u64::from_le_bytes(count)).ok()?.checked_add(size)
        };
        let argument = match operation {
            0x80 | b'K' | b'q' | b'h' | 0x82 => Some(1),
            b'M' | 0x83 => Some(2),
            b'J' | b'r' | b'j' | 0x84 => Some(4),
            b'G' | 0x95 => Some(8),
            0x8a | b'U' | 0x8c | b'C' => count(1),
            b'X' | b'T' | 0x8b | b'B' => count(4),
            0x8d | 0x8e | 0x96 => count(8),
            b'c' | b'i' => line(from).and_then(|first| Some(first + line(from + first)?)),
            b'I' | b'L' | b'F' | b'S' | b'V' | b'p' | b'g' | b'P' => line(from),
            _ => Some(0),
        };
        let end = argument.and_then(|length| from.checked_add(length)).filter(|&end| end <= bytes.len());
        let Some(end) = end else { break };
        found.push(at..end);
        at = end;
    }
    found
}

/// A text of lines `key = value` with some of them changed, lost, repeated or exchanged.
fn lines(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    const VALUES: [&str; 16] = [
        "nan",
        "inf",
        "-inf",
        "-1",
        "0",
        "1",
        "1e308",
        "5e-324",
        "-0.0",
        "18446744073709551615",
        "9223372036854775807",
        "\"unbounded\"",
        "[]",
        "{}",
        "true",
        "\"\\u001b\"",
    ];
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    for _ in 0..1 + random.below(3) {
        if lines.is_empty() {
            return None;
        }
        let (index, other) = (random.below(lines.len()), random.below(lines.len()));
        match random.below(6) {
            0 => drop(lines.remove(index)),
            1 => lines.insert(index, lines[other].clone()),
            2 => lines.swap(index, other),
            _ => {
                let key = lines[index].split('=').next().unwrap_or_default().trim().to_string();
                lines[index] = format!("{key} = {}", VALUES[random.below(VALUES.len())]);
            }
        }
    }
    Some(lines.join("\n").into_bytes())
}
