//! Operators on the numbers of a shape, which converters write where a batch is open: SHAPE, the extents that are taken of
//! it, and the new shape that is made of these.

use network::DataType;

use super::builder::{Builder, Held};
use super::constants::{Constant, Elements, elements};
use super::fused::Fused;
use super::movement;
use super::operation::Operation;
use crate::reading::fault::Fault;

/// A list of more numbers is no shape.
const MAX_NUMBERS: usize = 64;

/// Integers without an axis, or along one.
struct Numbers {
    values: Vec<i64>,
    is_scalar: bool,
}

/// Computes an operator whose inputs are constant; `None` where they are no numbers of a shape.
pub(super) fn fold(b: &Builder<'_>, operation: &Operation<'_>) -> Result<Option<Constant>, Fault> {
    let output = operation.output()?;
    let Ok(data_type @ (DataType::I32 | DataType::I64)) = b.slots[output].info.data_type else { return Ok(None) };
    let inputs = match operation.kind {
        // The others say where it is cut, and along which axis.
        "STRIDED_SLICE" | "REDUCE_PROD" => &operation.inputs[..operation.inputs.len().min(1)],
        _ => operation.inputs,
    };
    let mut given = Vec::with_capacity(inputs.len());
    for tensor in inputs {
        let Some(tensor) = *tensor else { return Ok(None) };
        let Some(numbers) = numbers(b, tensor)? else { return Ok(None) };
        given.push(numbers);
    }
    let made = match operation.kind {
        "STRIDED_SLICE" => sliced(b, operation, &given)?,
        "PACK" => joined(&given, true),
        "CONCATENATION" => joined(&given, false).filter(|_| operation.fused(1).is_ok_and(|fused| fused == Fused::None)),
        "GATHER" => gathered(operation, &given),
        "REDUCE_PROD" => product(operation, &given),
        "CAST" => given.pop(),
        _ => arithmetic(operation, &given),
    };
    let fits = |value: &i64| data_type == DataType::I64 || i32::try_from(*value).is_ok();
    Ok(made.filter(|made| made.values.len() <= MAX_NUMBERS && made.values.iter().all(fits)).map(|made| {
        let shape = if made.is_scalar { Vec::new() } else { vec![made.values.len()] };
        Constant { tensor: Elements::Int(made.values, data_type).into_tensor(&shape), dequantized: None }
    }))
}

/// The integers of a constant of at most one axis.
fn numbers(b: &Builder<'_>, tensor: usize) -> Result<Option<Numbers>, Fault> {
    let Held::Constant(constant) = &b.slots[tensor].held else { return Ok(None) };
    let shape = &constant.tensor.shape;
    if shape.len() > 1 || constant.tensor.element_count() > MAX_NUMBERS {
        return Ok(None);
    }
    match elements(constant, &b.slots[tensor].info.name)? {
        Elements::Int(values, DataType::I32 | DataType::I64) => {
            Ok(Some(Numbers { values, is_scalar: shape.is_empty() }))
        }
        Elements::Int(..) | Elements::Real(_) => Ok(None),
    }
}

fn sliced(b: &Builder<'_>, operation: &Operation<'_>, given: &[Numbers]) -> Result<Option<Numbers>, Fault> {
    let [list] = given else { return Ok(None) };
    if list.is_scalar {
        return Ok(None);
    }
    match movement::cut_of_list(b, operation, &list.values) {
        Ok((values, is_scalar)) => Ok(Some(Numbers { values, is_scalar })),
        Err(Fault::NotRun(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// All numbers as one list: single ones, or lists.
fn joined(given: &[Numbers], of_scalars: bool) -> Option<Numbers> {
    let fits = given.iter().all(|numbers| numbers.is_scalar == of_scalars);
    fits.then(|| Numbers {
        values: given.iter().flat_map(|numbers| numbers.values.iter().copied()).collect(),
        is_scalar: false,
    })
}

/// The numbers of a list at some places. Options are an axis and how many axes are of batches.
fn gathered(operation: &Operation<'_>, given: &[Numbers]) -> Option<Numbers> {
    let [list, places] = given else { return None };
    let is_plain = [0, 1].iter().all(|&field| operation.options.scalar(field, 0i32).is_ok_and(|option| option == 0));
    let at = |&place: &i64| list.values.get(usize::try_from(place).ok()?).copied();
    let values = places.values.iter().map(at).collect::<Option<Vec<i64>>>();
    let values = values.filter(|_| is_plain && !list.is_scalar)?;
    Some(Numbers { values, is_scalar: places.is_scalar })
}

/// The product of a list, which has one axis alone.
fn product(operation: &Operation<'_>, given: &[Numbers]) -> Option<Numbers> {
    let [list] = given else { return None };
    let product = list.values.iter().try_fold(1i64, |product, &n| product.checked_mul(n));
    let is_scalar = !operation.options.flag(0).ok()?;
    product.filter(|_| !list.is_scalar).map(|product| Numbers { values: vec![product], is_scalar })
}

/// ADD, SUB and MUL, of two lists as long as one another or with a single number.
fn arithmetic(operation: &Operation<'_>, given: &[Numbers]) -> Option<Numbers> {
    let [a, b] = given else { return None };
    let compute = match operation.kind {
        "ADD" => i64::checked_add,
        "SUB" => i64::checked_sub,
        "MUL" => i64::checked_mul,
        _ => return None,
    };
    let count = a.values.len().max(b.values.len());
    let at = |numbers: &Numbers, i: usize| numbers.values.get(if numbers.values.len() == 1 { 0 } else { i }).copied();
    let is_plain = operation.fused(0).is_ok_and(|fused| fused == Fused::None);
    let values =
        (0..count).map(|i| compute(at(a, i)?, at(b, i)?)).collect::<Option<Vec<i64>>>().filter(|_| is_plain)?;
    Some(Numbers { values, is_scalar: a.is_scalar && b.is_scalar })
}
