//! Tables as Arrow streams, which pandas, polars, pyarrow and others take without a copy through Python objects.
//!
//! The type of a column is the narrowest that holds every value exactly: integers become `int64`, else `uint64`, else
//! `decimal128(38, 0)`, else text; a column of integers and reals is one of reals where none of its integers is rounded, else text.

use std::ffi::CStr;

use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow_data::{ArrayData, ArrayDataBuilder};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyCapsule, PyFloat, PyInt, PyString};

use crate::errors::bad_argument;
use crate::stream::Stream;

/// The name that the Arrow PyCapsule interface gives to a capsule of a stream.
const STREAM: &CStr = c"arrow_array_stream";

/// Digits of `decimal128(38, 0)`: integers below 10^38 have no more.
const DECIMAL_DIGITS: u8 = 38;

/// Integers up to here are reals, too, each of which is told apart.
const EXACT_IN_F64: i128 = 1 << 53;

/// A value of a cell.
enum Cell {
    Missing,
    Truth(bool),
    Whole(i128),
    Real(f64),
    /// A text, or an integer of more than 127 bits in decimal digits.
    Text(String),
}

/// A capsule of a stream of one batch, whose columns have these names and values.
#[pyfunction]
pub fn arrow_stream<'py>(
    py: Python<'py>,
    names: Vec<String>,
    columns: Vec<Vec<Bound<'py, PyAny>>>,
) -> PyResult<Bound<'py, PyCapsule>> {
    let rows = columns.first().map_or(0, Vec::len);
    let columns = columns.iter().map(|values| Ok(column(&cells(values)?))).collect::<PyResult<Vec<_>>>()?;
    let stream = batch(names, columns, rows).and_then(|(schema, batch)| Stream::new(schema, batch));
    // Dropped with the capsule, the stream releases what its consumer has not taken.
    PyCapsule::new_with_value(py, stream.map_err(|error| bad_argument(format!("the table: {error}")))?, STREAM)
}

/// Columns as one batch: an array of structures, a field for each.
fn batch(names: Vec<String>, columns: Vec<ArrayDataBuilder>, rows: usize) -> Result<(Schema, ArrayData), ArrowError> {
    let columns = columns.into_iter().map(ArrayDataBuilder::build).collect::<Result<Vec<_>, _>>()?;
    let fields =
        names.into_iter().zip(&columns).map(|(name, column)| Field::new(name, column.data_type().clone(), true));
    let fields: Fields = fields.collect();
    let batch = ArrayData::builder(DataType::Struct(fields.clone())).len(rows).child_data(columns).build()?;
    Ok((Schema::new(fields), batch))
}

fn cells(values: &[Bound<'_, PyAny>]) -> PyResult<Vec<Cell>> {
    values.iter().map(cell).collect()
}

fn cell(value: &Bound<'_, PyAny>) -> PyResult<Cell> {
    if value.is_none() {
        return Ok(Cell::Missing);
    }
    // A truth is an integer of Python, too, and comes first.
    if value.is_instance_of::<PyBool>() {
        return Ok(Cell::Truth(value.extract()?));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(match value.extract::<i128>() {
            Ok(whole) => Cell::Whole(whole),
            Err(_) => Cell::Text(value.str()?.to_string()),
        });
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Cell::Real(value.extract()?));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(Cell::Text(value.extract()?));
    }
    // Lists and tables in a cell, as the entries of a ledger.
    let json = value.py().import("json")?.getattr("dumps")?.call1((value,))?;
    Ok(Cell::Text(json.extract()?))
}

/// The column of the narrowest type that holds all of its values.
fn column(cells: &[Cell]) -> ArrayDataBuilder {
    let all = |fits: &dyn Fn(&Cell) -> bool| cells.iter().all(|cell| matches!(cell, Cell::Missing) || fits(cell));
    let wholes = |fits: &dyn Fn(i128) -> bool| all(&|cell| matches!(cell, Cell::Whole(whole) if fits(*whole)));
    if all(&|_| false) {
        return ArrayData::builder(DataType::Null).len(cells.len());
    }
    if all(&|cell| matches!(cell, Cell::Truth(_))) {
        let truths = BooleanBuffer::collect_bool(cells.len(), |row| matches!(cells[row], Cell::Truth(true)));
        return of_type(DataType::Boolean, cells).add_buffer(truths.into_inner());
    }
    // What is missing has some value, too, which nobody reads.
    let whole = |cell: &Cell| if let Cell::Whole(whole) = cell { *whole } else { 0 };
    if wholes(&|whole| i64::try_from(whole).is_ok()) {
        return numbers(DataType::Int64, cells, |cell| whole(cell) as i64);
    }
    if wholes(&|whole| u64::try_from(whole).is_ok()) {
        return numbers(DataType::UInt64, cells, |cell| whole(cell) as u64);
    }
    if wholes(&|whole| whole.unsigned_abs() < 10u128.pow(DECIMAL_DIGITS.into())) {
        return numbers(DataType::Decimal128(DECIMAL_DIGITS, 0), cells, whole);
    }
    let real = |cell: &Cell| match cell {
        Cell::Real(real) => Some(*real),
        Cell::Whole(whole) => (whole.abs() <= EXACT_IN_F64).then_some(*whole as f64),
        Cell::Missing | Cell::Truth(_) | Cell::Text(_) => None,
    };
    if all(&|cell| real(cell).is_some()) {
        return numbers(DataType::Float64, cells, |cell| real(cell).unwrap_or(0.0));
    }
    texts(cells)
}

/// A column without its values: its length, and which rows have none.
fn of_type(data_type: DataType, cells: &[Cell]) -> ArrayDataBuilder {
    let there: NullBuffer = cells.iter().map(|cell| !matches!(cell, Cell::Missing)).collect();
    ArrayData::builder(data_type).len(cells.len()).nulls(Some(there).filter(|there| there.null_count() > 0))
}

fn numbers<T: arrow_buffer::ArrowNativeType>(
    data_type: DataType,
    cells: &[Cell],
    number: impl Fn(&Cell) -> T,
) -> ArrayDataBuilder {
    of_type(data_type, cells).add_buffer(Buffer::from_vec(cells.iter().map(number).collect::<Vec<T>>()))
}

/// Texts one behind another, and where each ends. Offsets of 64 bits hold texts of any length.
fn texts(cells: &[Cell]) -> ArrayDataBuilder {
    let (mut all, mut ends) = (String::new(), vec![0i64]);
    for cell in cells {
        match cell {
            Cell::Missing => {}
            Cell::Truth(truth) => all += &truth.to_string(),
            Cell::Whole(whole) => all += &whole.to_string(),
            Cell::Real(real) => all += &format!("{real:?}"),
            Cell::Text(text) => all += text,
        }
        ends.push(all.len() as i64);
    }
    of_type(DataType::LargeUtf8, cells)
        .add_buffer(Buffer::from_vec(ends))
        .add_buffer(Buffer::from_vec(all.into_bytes()))
}
