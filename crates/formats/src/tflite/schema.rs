//! The parts of the TFLite schema that are read: tables of the file as plain structures.
//!
//! Field numbers are those of the schema (`tensorflow/lite/schema/schema.fbs`, version 3).

use network::DataType;

use super::flatbuffer::{Buffer, Scalar, Table};
use super::names;
use super::sparsity::Sparsity;
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// Integers of 4 bits with a sign, two in a byte. Constants alone are read.
pub(super) const INT4: &str = "int4";

/// A model with one graph.
#[derive(Debug)]
pub(super) struct Model<'a> {
    pub(super) codes: Vec<Code>,
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
    pub(super) operators: Vec<Operator<'a>>,
    /// Start and length of each buffer in the file; none where it is empty.
    pub(super) buffers: Vec<Option<(usize, usize)>>,
    /// How many graphs the file has beside the first. Only operators of control flow reach them.
    pub(super) other_graphs: usize,
}

/// What an operator is.
#[derive(Clone, Debug)]
pub(super) struct Code {
    /// Its name in messages.
    pub(super) name: String,
}

/// A tensor of the graph.
#[derive(Clone, Debug)]
pub(super) struct TensorInfo {
    pub(super) name: String,
    /// The type, or the name of one that is not handled.
    pub(super) data_type: Result<DataType, &'static str>,
    pub(super) shape: Vec<usize>,
    /// Which extents the file leaves open. What the shape has there is what a converter put in, mostly 1.
    pub(super) open: Vec<bool>,
    pub(super) buffer: usize,
    pub(super) quantization: Option<TensorQuantization>,
    /// Set where zeros are left out of the data.
    pub(super) sparsity: Option<Sparsity>,
    pub(super) variable: bool,
}

impl TensorInfo {
    /// Whether the file leaves an extent open.
    pub(super) fn is_open(&self, axis: usize) -> bool {
        self.open.get(axis) == Some(&true)
    }

    /// Whether the tensor may have this shape in a run: that of the file, but for extents that are open.
    pub(super) fn may_have(&self, shape: &[usize]) -> bool {
        let fits = |axis: usize| self.shape[axis] == shape[axis] || self.is_open(axis);
        self.shape.len() == shape.len() && (0..shape.len()).all(fits)
    }
}

/// `x = (q − zero_point) · scale`. There is one scale for the whole tensor, or one for each index of `axis`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TensorQuantization {
    pub(super) scales: Vec<f32>,
    pub(super) zero_points: Vec<i32>,
    pub(super) axis: usize,
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Operator<'a> {
    pub(super) code: usize,
    pub(super) inputs: Vec<Option<usize>>,
    pub(super) outputs: Vec<usize>,
    /// Tensors that say how values inside of it are quantized; none of them has elements.
    pub(super) intermediates: Vec<usize>,
    pub(super) options: Options<'a>,
}

/// The options of an operator; the defaults where the file has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options<'a> {
    kind: u8,
    table: Option<Table<'a>>,
}

impl<'a> Options<'a> {
    /// Checks that these are the options of number `kind` in the union of the schema.
    pub(super) fn of_kind(self, kind: u8) -> Result<Self, Fault> {
        match self.kind {
            0 => Ok(Self { kind, table: None }),
            found if found == kind => Ok(self),
            found => Err(invalid!("options of kind {found}; expected {kind}")),
        }
    }

    pub(super) fn scalar<T: Scalar>(&self, field: usize, default: T) -> Result<T, Fault> {
        self.table.map_or(Ok(default), |table| table.scalar(field, default))
    }

    pub(super) fn flag(&self, field: usize) -> Result<bool, Fault> {
        self.table.map_or(Ok(false), |table| table.flag(field))
    }

    pub(super) fn ints(&self, field: usize) -> Result<Option<Vec<i32>>, Fault> {
        self.table.map_or(Ok(None), |table| table.scalars(field))
    }

    /// A number of at least 1.
    pub(super) fn positive(&self, field: usize, default: i32, what: &str) -> Result<usize, Fault> {
        let found = self.scalar(field, default)?;
        usize::try_from(found).ok().filter(|&n| n > 0).ok_or_else(|| invalid!("{what} is {found}; expected at least 1"))
    }
}

/// Decodes a model; its tensors' data stay where they are.
pub(super) fn decode<'a>(buffer: &'a Buffer<'a>, file_len: usize) -> Result<Model<'a>, Fault> {
    let root = buffer.root()?;
    let version = root.scalar(0, 0u32)?;
    if version != 3 {
        return Err(unsupported!("schema version {version}; 3 is read"));
    }
    let graphs = root.tables(2)?;
    let graph = graphs.first().ok_or_else(|| invalid!("it holds no graph"))?;
    let codes = root.tables(1)?.iter().map(code).collect::<Result<Vec<_>, _>>()?;
    let buffers = root.tables(4)?.iter().map(|table| stored(table, file_len)).collect::<Result<Vec<_>, _>>()?;
    let tensors = graph.tables(0)?;
    let tensors: Vec<TensorInfo> = tensors.iter().enumerate().map(tensor).collect::<Result<_, _>>()?;
    let indices = |field: usize, what: &str| {
        let found = graph.scalars::<i32>(field)?.unwrap_or_default();
        found.into_iter().map(|i| index(i, tensors.len(), what)).collect::<Result<Vec<_>, Fault>>()
    };
    let operators = graph.tables(3)?;
    let operator = |table: &Table<'a>| operator(table, codes.len(), tensors.len());
    Ok(Model {
        inputs: indices(1, "input")?,
        outputs: indices(2, "output")?,
        operators: operators.iter().map(operator).collect::<Result<_, _>>()?,
        codes,
        tensors,
        buffers,
        other_graphs: graphs.len() - 1,
    })
}

fn index(found: i32, count: usize, what: &str) -> Result<usize, Fault> {
    usize::try_from(found)
        .ok()
        .filter(|&i| i < count)
        .ok_or_else(|| invalid!("{what} {found} does not exist; there are {count} tensors"))
}

fn code(table: &Table<'_>) -> Result<Code, Fault> {
    // Numbers beyond 127 came later and have a field of their own; the old one then holds 127.
    let builtin = table.scalar(3, 0i32)?.max(i32::from(table.scalar(0, 0i8)?));
    let custom = clean(&table.string(1)?);
    let name = match names::operator(builtin) {
        Some("CUSTOM") if !custom.is_empty() => format!("CUSTOM:{custom}"),
        Some(name) => name.to_string(),
        None => format!("operator {builtin}"),
    };
    Ok(Code { name })
}

/// Where the bytes of a buffer are. They stand behind the buffer, or, in files of more than 2 GiB, at an offset in the
/// file.
fn stored(table: &Table<'_>, file_len: usize) -> Result<Option<(usize, usize)>, Fault> {
    let (offset, size) = (table.scalar(1, 0u64)?, table.scalar(2, 0u64)?);
    if offset > 1 {
        let place = usize::try_from(offset).ok().zip(usize::try_from(size).ok());
        let inside = place.filter(|(offset, size)| offset.checked_add(*size).is_some_and(|end| end <= file_len));
        return inside
            .map(Some)
            .ok_or_else(|| invalid!("a buffer of {size} bytes at {offset} ends beyond the file's {file_len}"));
    }
    Ok(table.bytes(0)?.filter(|&(_, len)| len > 0))
}

fn tensor((number, table): (usize, &Table<'_>)) -> Result<TensorInfo, Fault> {
    let name = match table.string(3)? {
        name if name.is_empty() => format!("tensor {number}"),
        name => clean(&name),
    };
    let wrong = |what: String| invalid!("tensor {name:?}: {what}");
    let shape = table.scalars::<i32>(0)?.unwrap_or_default();
    let extent = |&n: &i32| usize::try_from(n).map_err(|_| wrong(format!("shape {shape:?} has a negative extent")));
    let extents = shape.iter().map(extent).collect::<Result<Vec<_>, _>>()?;
    let signature = table.scalars::<i32>(7)?.unwrap_or_default();
    let data_type = data_type(table.scalar(1, 0i8)?).map_err(wrong)?;
    let quantization = match table.table(4)? {
        Some(parameters) => quantization(&parameters, &extents)
            .map_err(|fault| if let Fault::Invalid(problem) = fault { wrong(problem) } else { fault })?,
        None => None,
    };
    Ok(TensorInfo {
        data_type,
        open: signature.iter().map(|&extent| extent == -1).collect(),
        buffer: table.scalar(2, 0u32)? as usize,
        quantization,
        sparsity: table.table(6)?.map(|parameters| Sparsity::decode(&parameters)).transpose()?,
        variable: table.flag(5)?,
        shape: extents,
        name,
    })
}

fn quantization(table: &Table<'_>, shape: &[usize]) -> Result<Option<TensorQuantization>, Fault> {
    let scales = table.scalars::<f32>(2)?.unwrap_or_default();
    if scales.is_empty() {
        return Ok(None);
    }
    let zero_points = table.scalars::<i64>(3)?.unwrap_or_default();
    let axis = table.scalar(6, 0i32)?;
    if let Some((i, scale)) = scales.iter().enumerate().find(|(_, s)| !s.is_finite() || **s <= 0.0) {
        return Err(invalid!("scale {i} is {scale}; expected a finite number above 0"));
    }
    let narrow = |&q: &i64| i32::try_from(q).map_err(|_| invalid!("zero point {q} does not fit 32 bits"));
    let zero_points = zero_points.iter().map(narrow).collect::<Result<Vec<_>, _>>()?;
    if zero_points.len() > 1 && zero_points.len() != scales.len() {
        return Err(invalid!("{} zero points and {} scales", zero_points.len(), scales.len()));
    }
    let zero_points = if zero_points.is_empty() { vec![0] } else { zero_points };
    // A tensor of one axis can have them along that one alone. Old converters say the axis of the weights for a bias.
    let axis = if shape.len() == 1 { 0 } else { usize::try_from(axis).unwrap_or(usize::MAX) };
    if scales.len() > 1 && shape.get(axis) != Some(&scales.len()) {
        return Err(invalid!("{} scales for axis {axis} of {shape:?}", scales.len()));
    }
    Ok(Some(TensorQuantization { scales, zero_points, axis }))
}

fn operator<'a>(table: &Table<'a>, codes: usize, tensors: usize) -> Result<Operator<'a>, Fault> {
    let code = table.scalar(0, 0u32)? as usize;
    if code >= codes {
        return Err(invalid!("an operator of code {code}; there are {codes} codes"));
    }
    let input = |i: i32| if i == -1 { Ok(None) } else { index(i, tensors, "input").map(Some) };
    let inputs = table.scalars::<i32>(1)?.unwrap_or_default();
    let outputs = table.scalars::<i32>(2)?.unwrap_or_default();
    let intermediates = table.scalars::<i32>(8)?.unwrap_or_default();
    Ok(Operator {
        code,
        inputs: inputs.into_iter().map(input).collect::<Result<_, Fault>>()?,
        outputs: outputs.into_iter().map(|i| index(i, tensors, "output")).collect::<Result<_, Fault>>()?,
        intermediates: intermediates
            .into_iter()
            .map(|i| index(i, tensors, "intermediate tensor"))
            .collect::<Result<_, Fault>>()?,
        options: Options { kind: table.scalar(3, 0u8)?, table: table.table(4)? },
    })
}

/// The element type of a number; the inner error names one that exists but is not handled.
fn data_type(number: i8) -> Result<Result<DataType, &'static str>, String> {
    const OTHERS: [(i8, &str); 10] = [
        (5, "string"),
        (8, "complex64"),
        (11, "complex128"),
        (13, "resource"),
        (14, "variant"),
        (17, INT4),
        (19, "int2"),
        (20, "uint4"),
        (21, "float8e4m3fn"),
        (22, "float8e5m2"),
    ];
    Ok(Ok(match number {
        0 => DataType::F32,
        1 => DataType::F16,
        2 => DataType::I32,
        3 => DataType::U8,
        4 => DataType::I64,
        6 => DataType::Bool,
        7 => DataType::I16,
        9 => DataType::I8,
        10 => DataType::F64,
        12 => DataType::U64,
        15 => DataType::U32,
        16 => DataType::U16,
        18 => DataType::Bf16,
        _ => match OTHERS.iter().find(|(n, _)| *n == number) {
            Some((_, name)) => return Ok(Err(name)),
            None => return Err(format!("element type {number} does not exist")),
        },
    }))
}
