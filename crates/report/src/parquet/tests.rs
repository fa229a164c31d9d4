//! Files that are written, read by a small reader of the format: footer, pages, levels and values.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;

use super::*;

/// A value of the compact protocol of Thrift.
#[derive(Clone, Debug)]
enum Thrift {
    Int(i64),
    Text(String),
    List(Vec<Thrift>),
    /// Fields by their numbers.
    Struct(BTreeMap<u8, Thrift>),
}

impl Thrift {
    fn field(&self, number: u8) -> &Thrift {
        match self {
            Thrift::Struct(fields) => fields.get(&number).unwrap_or_else(|| panic!("no field {number} in {self:?}")),
            Thrift::Int(_) | Thrift::Text(_) | Thrift::List(_) => panic!("no structure: {self:?}"),
        }
    }

    fn int(&self, number: u8) -> i64 {
        match self.field(number) {
            Thrift::Int(value) => *value,
            other => panic!("no number: {other:?}"),
        }
    }

    fn text(&self, number: u8) -> &str {
        match self.field(number) {
            Thrift::Text(value) => value,
            other => panic!("no text: {other:?}"),
        }
    }

    fn list(&self, number: u8) -> &[Thrift] {
        match self.field(number) {
            Thrift::List(values) => values,
            other => panic!("no list: {other:?}"),
        }
    }
}

/// Bytes that are read from the first to the last.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn four(&mut self) -> usize {
        u32::from_le_bytes(self.take(4).try_into().expect("four bytes")) as usize
    }

    fn eight(&mut self) -> [u8; 8] {
        self.take(8).try_into().expect("eight bytes")
    }

    fn varint(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.take(1)[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }

    fn structure(&mut self) -> Thrift {
        let (mut fields, mut number) = (BTreeMap::new(), 0);
        loop {
            let head = self.take(1)[0];
            if head == 0 {
                return Thrift::Struct(fields);
            }
            number += head >> 4;
            fields.insert(number, self.value(head & 15));
        }
    }

    fn value(&mut self, kind: u8) -> Thrift {
        match kind {
            5 | 6 => {
                let zigzag = self.varint();
                Thrift::Int((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
            }
            8 => {
                let len = self.varint() as usize;
                Thrift::Text(String::from_utf8(self.take(len).to_vec()).expect("text"))
            }
            9 => {
                let head = self.take(1)[0];
                let len = if head >> 4 == 15 { self.varint() } else { u64::from(head >> 4) };
                Thrift::List((0..len).map(|_| self.value(head & 15)).collect())
            }
            12 => self.structure(),
            other => panic!("a field of type {other}"),
        }
    }
}

/// The values of a chunk of a column, each as text, and none where there is none.
fn values(file: &[u8], chunk: &Thrift, rows: usize) -> Vec<Option<String>> {
    let mut page = Bytes(&file[chunk.int(9) as usize..]);
    let before = page.0.len();
    let header = page.structure();
    let compressed = page.take(header.int(3) as usize);
    assert_eq!((before - page.0.len()) as i64, chunk.int(7), "bytes of the chunk");
    assert_eq!((header.int(1), header.field(5).int(1)), (0, rows as i64), "a page of data with all rows");
    let mut raw = Vec::new();
    GzDecoder::new(compressed).read_to_end(&mut raw).expect("gzip");
    assert_eq!(raw.len() as i64, header.int(2), "bytes of the page");
    let mut raw = Bytes(&raw);
    let levels = raw.four();
    let mut levels = Bytes(raw.take(levels));
    let groups = levels.varint();
    assert_eq!((groups & 1, (groups >> 1) as usize), (1, rows.div_ceil(8)), "one run of packed bits");
    let (there, mut flags) = (levels.take(rows.div_ceil(8)), 0);
    let value = |row: usize| {
        let is_there = there[row / 8] >> (row % 8) & 1 == 1;
        is_there.then(|| match chunk.int(1) {
            0 => {
                flags += 1;
                (raw.0[(flags - 1) / 8] >> ((flags - 1) % 8) & 1 == 1).to_string()
            }
            2 => i64::from_le_bytes(raw.eight()).to_string(),
            5 => f64::from_le_bytes(raw.eight()).to_string(),
            6 => {
                let len = raw.four();
                String::from_utf8(raw.take(len).to_vec()).expect("text")
            }
            other => panic!("values of type {other}"),
        })
    };
    (0..rows).map(value).collect()
}

/// The names of the columns of a file, and its rows.
fn read(file: &[u8]) -> (Vec<String>, Vec<Vec<Option<String>>>) {
    let (start, end) = (MAGIC.as_slice(), file.len() - MAGIC.len());
    assert!(file.starts_with(start) && &file[end..] == start, "it begins and ends as the format says");
    let len = Bytes(&file[end - 4..end]).four();
    let footer = Bytes(&file[end - 4 - len..end - 4]).structure();
    let schema = footer.list(2);
    assert_eq!(schema[0].int(5) as usize, schema.len() - 1, "columns of the root");
    let names = schema[1..].iter().map(|column| column.text(4).to_string()).collect();
    let mut all = Vec::new();
    for group in footer.list(4) {
        let rows = group.int(3) as usize;
        let chunks = group.list(1).iter().zip(&schema[1..]).map(|(chunk, column)| {
            let chunk = chunk.field(3);
            assert_eq!(chunk.int(1), column.int(1), "the type of the column");
            assert_eq!(chunk.int(5) as usize, rows, "values of the chunk");
            values(file, chunk, rows)
        });
        let chunks: Vec<Vec<Option<String>>> = chunks.collect();
        all.extend((0..rows).map(|row| chunks.iter().map(|chunk| chunk[row].clone()).collect::<Vec<_>>()));
    }
    assert_eq!(footer.int(3) as usize, all.len(), "rows of the file");
    (names, all)
}

const NAMES: [(&str, Kind); 5] = [
    ("text", Kind::Text),
    ("count", Kind::Count),
    ("quarters", Kind::Quarters),
    ("real", Kind::Real),
    ("flag", Kind::Flag),
];

/// A file of so many rows, of which every third lacks one value.
fn written(rows: usize, rows_of_group: usize) -> (Vec<u8>, Vec<Vec<Option<String>>>) {
    let (mut bytes, mut expected) = (Vec::new(), Vec::new());
    let columns = NAMES.map(|(name, kind)| (name.to_string(), kind)).to_vec();
    let mut file = Parquet::new(&mut bytes, columns, rows_of_group).expect("memory takes it");
    for row in 0..rows {
        let is_there = |column: usize| row % 3 != 0 || row / 3 % NAMES.len() != column;
        let text = format!("ö{}", "x".repeat(row % 200));
        let (count, quarters) = ((row as u128) << 40, Quarters(row as u128));
        let (real, flag) = (row as f64 / 3.0, row % 7 < 3);
        file.text(is_there(0).then_some(text.as_str())).expect("a text");
        file.count(is_there(1).then_some(count)).expect("a count");
        file.quarters(is_there(2).then_some(quarters)).expect("quarters");
        file.real(is_there(3).then_some(real)).expect("a real");
        file.flag(is_there(4).then_some(flag)).expect("a flag");
        file.end_row().expect("memory takes it");
        let all = [text, count.to_string(), quarters.to_f64().to_string(), real.to_string(), flag.to_string()];
        let those_there = all.into_iter().enumerate().map(|(column, value)| is_there(column).then_some(value));
        expected.push(those_there.collect());
    }
    file.finish().expect("memory takes it");
    (bytes, expected)
}

#[test]
fn what_is_written_is_read_again() {
    // No row, groups that are whole, a last one that is not, and more rows than a group has.
    testkit::check_all([(0, 4), (1, 4), (4, 4), (9, 4), (1000, 300)], |&(rows, rows_of_group)| {
        let (file, expected) = written(rows, rows_of_group);
        let (names, found) = read(&file);
        assert_eq!(names, NAMES.map(|(name, _)| name));
        assert_eq!(found, expected);
    });
}

#[test]
fn a_count_without_a_type_is_refused_and_its_column_named() {
    let mut bytes = Vec::new();
    let mut file = Parquet::new(&mut bytes, vec![("esn_d".to_string(), Kind::Count)], 4).expect("memory takes it");
    file.count(Some(i64::MAX as u128)).expect("the largest that there is a type for");
    file.end_row().expect("memory takes it");
    let refused = file.count(Some(1 << 63)).expect_err("it is one more");
    let expected = "unsupported: esn_d of a point passes 2^63, which a Parquet file has no type for; write CSV";
    assert_eq!(refused.to_string(), expected);
}
