//! Tables as Arrow streams, which pandas, polars, pyarrow and others take without a copy through Python objects.
//!
//! The type of a column is the narrowest that holds every value exactly: integers become `int64`, else `uint64`, else
//! `decimal128(38, 0)`, else text; a column of integers and reals is one of reals where none of its integers is rounded, else text.

use std::ffi::CStr;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Decimal128Builder, Float64Builder, Int64Builder, StringBuilder, UInt64Builder,
};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{ArrayRef, NullArray, RecordBatch, RecordBatchIterator, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyCapsule, PyFloat, PyInt, PyString};

use crate::errors::bad_argument;

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
    let arrays = columns.iter().map(|values| Ok(array(&cells(values)?))).collect::<PyResult<Vec<ArrayRef>>>()?;
    let field = |(name, array): (String, &ArrayRef)| Field::new(name, array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(names.into_iter().zip(&arrays).map(field).collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)
        .map_err(|error| bad_argument(format!("columns of a table have one length: {error}")))?;
    let stream = FFI_ArrowArrayStream::new(Box::new(RecordBatchIterator::new([Ok(batch)], schema)));
    // Dropped with the capsule, the stream releases what its consumer has not taken.
    PyCapsule::new_with_value(py, stream, STREAM)
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
fn array(cells: &[Cell]) -> ArrayRef {
    let all = |fits: &dyn Fn(&Cell) -> bool| cells.iter().all(|cell| matches!(cell, Cell::Missing) || fits(cell));
    let wholes = |fits: &dyn Fn(i128) -> bool| all(&|cell| matches!(cell, Cell::Whole(whole) if fits(*whole)));
    if all(&|_| false) {
        return Arc::new(NullArray::new(cells.len()));
    }
    if all(&|cell| matches!(cell, Cell::Truth(_))) {
        return truths(cells);
    }
    if wholes(&|whole| i64::try_from(whole).is_ok()) {
        return signed(cells);
    }
    if wholes(&|whole| u64::try_from(whole).is_ok()) {
        return unsigned(cells);
    }
    if wholes(&|whole| whole.unsigned_abs() < 10u128.pow(DECIMAL_DIGITS.into())) {
        return decimals(cells);
    }
    let is_real = |cell: &Cell| match cell {
        Cell::Real(_) => true,
        Cell::Whole(whole) => whole.abs() <= EXACT_IN_F64,
        Cell::Missing | Cell::Truth(_) | Cell::Text(_) => false,
    };
    if all(&is_real) { reals(cells) } else { texts(cells) }
}

fn whole(cell: &Cell) -> Option<i128> {
    if let Cell::Whole(whole) = cell { Some(*whole) } else { None }
}

fn truths(cells: &[Cell]) -> ArrayRef {
    let mut column = BooleanBuilder::with_capacity(cells.len());
    let truth = |cell: &Cell| if let Cell::Truth(truth) = cell { Some(*truth) } else { None };
    cells.iter().for_each(|cell| column.append_option(truth(cell)));
    Arc::new(column.finish())
}

fn signed(cells: &[Cell]) -> ArrayRef {
    let mut column = Int64Builder::with_capacity(cells.len());
    let number = |whole| i64::try_from(whole).expect("every integer of the column fits");
    cells.iter().for_each(|cell| column.append_option(whole(cell).map(number)));
    Arc::new(column.finish())
}

fn unsigned(cells: &[Cell]) -> ArrayRef {
    let mut column = UInt64Builder::with_capacity(cells.len());
    let number = |whole| u64::try_from(whole).expect("every integer of the column fits");
    cells.iter().for_each(|cell| column.append_option(whole(cell).map(number)));
    Arc::new(column.finish())
}

fn decimals(cells: &[Cell]) -> ArrayRef {
    let column = Decimal128Builder::with_capacity(cells.len()).with_precision_and_scale(DECIMAL_DIGITS, 0);
    let mut column = column.expect("38 digits are the most of the type");
    cells.iter().for_each(|cell| column.append_option(whole(cell)));
    Arc::new(column.finish())
}

fn reals(cells: &[Cell]) -> ArrayRef {
    let mut column = Float64Builder::with_capacity(cells.len());
    for cell in cells {
        column.append_option(match cell {
            Cell::Real(real) => Some(*real),
            Cell::Whole(whole) => Some(*whole as f64),
            Cell::Missing | Cell::Truth(_) | Cell::Text(_) => None,
        });
    }
    Arc::new(column.finish())
}

fn texts(cells: &[Cell]) -> ArrayRef {
    let mut column = StringBuilder::new();
    for cell in cells {
        column.append_option(match cell {
            Cell::Missing => None,
            Cell::Truth(truth) => Some(truth.to_string()),
            Cell::Whole(whole) => Some(whole.to_string()),
            Cell::Real(real) => Some(format!("{real:?}")),
            Cell::Text(text) => Some(text.clone()),
        });
    }
    Arc::new(column.finish())
}
