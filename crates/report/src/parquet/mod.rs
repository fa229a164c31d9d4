//! Tables as Parquet files, which pandas, polars and DuckDB read.
//!
//! Of the format only what a flat table needs: one page a column and group of rows, plain values, definition levels for
//! values that are not there, compressed by gzip. A crate that writes Parquet brings two dozen others along.
//!
//! Source: the specification of Apache Parquet 2.

mod column;
mod thrift;

use std::io::{self, Write};

use esn::Quarters;
use explore::pareto::Survey;
use explore::store::Points;

use crate::frontier::{Kind, Sink, columns, write_table};
use column::Column;
use thrift::Structure;

const MAGIC: &[u8; 4] = b"PAR1";
/// Rows that are in memory together, about 12 MB of them.
const GROUP: usize = 32_768;

/// Writes the table of [`write_frontier_csv`](crate::write_frontier_csv) as a Parquet file: texts, 64-bit integers, reals and
/// flags. ESN_a is a real, which is exact up to 2^51.
///
/// # Errors
///
/// Those of the writer, and of reading the store; a count that passes 2^63, which the file has no type for.
pub fn write_frontier_parquet(writer: &mut dyn Write, points: &Points<'_>, survey: &Survey) -> io::Result<()> {
    let mut file = Parquet::new(writer, columns(survey), GROUP)?;
    write_table(&mut file, points, survey)?;
    file.finish()
}

/// A file under way.
struct Parquet<'a> {
    writer: &'a mut dyn Write,
    /// Bytes so far.
    written: i64,
    columns: Vec<Column>,
    /// The column of the next value.
    place: usize,
    /// Rows of the group under way, and how many make it whole.
    rows: usize,
    rows_of_group: usize,
    groups: Vec<Structure>,
    all_rows: i64,
}

impl<'a> Parquet<'a> {
    fn new(writer: &'a mut dyn Write, columns: Vec<(String, Kind)>, rows_of_group: usize) -> io::Result<Self> {
        let columns = columns.into_iter().map(|(name, kind)| Column::new(name, kind)).collect();
        let mut file =
            Self { writer, written: 0, columns, place: 0, rows: 0, rows_of_group, groups: Vec::new(), all_rows: 0 };
        file.write(MAGIC)?;
        Ok(file)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as i64;
        self.writer.write_all(bytes)
    }

    fn next(&mut self) -> &mut Column {
        self.place += 1;
        &mut self.columns[self.place - 1]
    }

    fn end_group(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut chunks = Vec::new();
        let mut bytes = 0;
        for place in 0..self.columns.len() {
            let page = self.columns[place].take_page()?;
            let offset = self.written;
            self.write(&page.header)?;
            self.write(&page.body)?;
            let compressed = self.written - offset;
            let raw = page.raw_bytes + page.header.len() as i64;
            bytes += raw;
            let column = &self.columns[place];
            let described = column.chunk().i64(5, self.rows as i64).i64(6, raw).i64(7, compressed).i64(9, offset);
            chunks.push(Structure::default().i64(2, offset).structure(3, described));
        }
        let rows = self.rows as i64;
        self.groups.push(Structure::default().structures(1, chunks).i64(2, bytes).i64(3, rows));
        self.all_rows += rows;
        self.rows = 0;
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.end_group()?;
        let root = Structure::default().text(4, "points").i32(5, self.columns.len() as i32);
        let schema = std::iter::once(root).chain(self.columns.iter().map(Column::schema)).collect();
        let footer = Structure::default()
            .i32(1, 2)
            .structures(2, schema)
            .i64(3, self.all_rows)
            .structures(4, std::mem::take(&mut self.groups))
            .text(6, concat!("esnsim ", env!("CARGO_PKG_VERSION")))
            .finish();
        self.write(&footer)?;
        self.write(&(footer.len() as u32).to_le_bytes())?;
        self.write(MAGIC)
    }
}

impl Sink for Parquet<'_> {
    fn text(&mut self, text: Option<&str>) -> io::Result<()> {
        self.next().push(text, |values, text| {
            values.extend((text.len() as u32).to_le_bytes());
            values.extend(text.as_bytes());
        });
        Ok(())
    }

    fn count(&mut self, count: Option<u128>) -> io::Result<()> {
        let column = self.next();
        let small = count.map(i64::try_from).transpose().map_err(|_| {
            let words =
                format!("unsupported: {} of a point passes 2^63, which a Parquet file has no type for", column.name());
            io::Error::other(format!("{words}; write CSV"))
        })?;
        column.push(small, |values, count| values.extend(count.to_le_bytes()));
        Ok(())
    }

    fn quarters(&mut self, quarters: Option<Quarters>) -> io::Result<()> {
        self.real(quarters.map(Quarters::to_f64))
    }

    fn real(&mut self, real: Option<f64>) -> io::Result<()> {
        self.next().push(real, |values, real| values.extend(real.to_le_bytes()));
        Ok(())
    }

    fn flag(&mut self, flag: Option<bool>) -> io::Result<()> {
        self.next().push_flag(flag);
        Ok(())
    }

    fn end_row(&mut self) -> io::Result<()> {
        (self.place, self.rows) = (0, self.rows + 1);
        if self.rows == self.rows_of_group { self.end_group() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
