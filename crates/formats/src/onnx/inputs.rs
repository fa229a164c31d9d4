//! Shapes that a file declares: those of its inputs, and those of inner values, which are used where inference knows
//! none.

use std::collections::HashSet;

use network::DataType;

use super::batch_axis::Readers;
use super::form::{Form, check_size};
use super::order;
use super::proto::{DimensionValue, GraphProto, TensorShapeProto, ValueInfoProto};
use super::tensors;
use crate::options::{BatchAxis, ReadOptions};
use crate::reading::fault::{Fault, invalid, unsupported};

/// The inputs of a graph, and the number of images in one run.
pub(super) struct Inputs<'a> {
    pub(super) fed: Vec<(&'a str, Form)>,
    /// Weights and the like that the file has no values of.
    pub(super) parameters: Vec<(&'a str, DataType, Vec<usize>)>,
    pub(super) batch: usize,
    /// The axis of the first input that the batch is on.
    pub(super) batch_axis: usize,
    /// Whether the file leaves the batch open, and no shape was given for it.
    pub(super) open_batch: bool,
}

/// Makes every shape of an input a number. Inputs that are initializers too (as files of IR version 3 list them) are
/// constants.
pub(super) fn inputs<'a>(graph: &'a GraphProto, options: &ReadOptions) -> Result<Inputs<'a>, (String, Fault)> {
    let stored: HashSet<&str> = graph.stored_names().collect();
    let given = |input: &ValueInfoProto| options.input_shapes.iter().any(|(name, _)| *name == input.name);
    let unstored = graph.input.iter().filter(|i| !stored.contains(i.name.as_str()));
    let parameters = parameters(graph, unstored.clone().filter(|input| !given(input)).collect());
    let is_fed = |input: &&ValueInfoProto| !parameters.iter().any(|(name, ..)| *name == input.name);
    let fed: Vec<&ValueInfoProto> = unstored.filter(is_fed).collect();
    let made: HashSet<&str> = graph.node.iter().flat_map(|node| &node.output).map(String::as_str).collect();
    for (name, _) in &options.input_shapes {
        if !fed.iter().any(|input| input.name == *name) && !made.contains(name.as_str()) {
            let names: Vec<&str> = fed.iter().map(|input| input.name.as_str()).collect();
            let problem = "there is neither such an input nor a node that makes it";
            return Err((format!("value {name:?}"), invalid!("{problem}; inputs are {names:?}")));
        }
    }
    let (mut batch, mut batch_axis, mut open_batch) = (1, 0, false);
    let readers = Readers::of(graph);
    let mut forms = Vec::with_capacity(fed.len());
    for (i, input) in fed.iter().enumerate() {
        let given = options.input_shapes.iter().rev().find(|(name, _)| *name == input.name).map(|(_, shape)| shape);
        let rank = given.map_or_else(|| declared_rank(input), Vec::len);
        let axis = readers.batch_axis(&input.name, rank);
        let form = input_form(input, given.map(Vec::as_slice), axis, batch);
        let form = form.map_err(|fault| (format!("input {:?}", input.name), fault))?;
        if let (0, Some(shape), Some(axis)) = (i, &form.shape, axis) {
            batch = match options.batch_axis {
                BatchAxis::First => shape.get(axis).copied().unwrap_or(1),
                BatchAxis::None => 1,
            };
            batch_axis = axis;
            open_batch = given.is_none() && is_open(input, axis);
        }
        forms.push((input.name.as_str(), form));
    }
    Ok(Inputs { fed: forms, parameters, batch, batch_axis, open_batch })
}

/// Inputs that are weights and the like: where a file lost the values of its initializers, their types and shapes may be
/// left among its inputs. Such an input is read as a parameter of an operator and as nothing else, all its extents are
/// numbers, and the first of them is not the batch that every fed input begins with.
fn parameters<'a>(graph: &'a GraphProto, inputs: Vec<&'a ValueInfoProto>) -> Vec<(&'a str, DataType, Vec<usize>)> {
    let (as_parameter, otherwise) = uses(graph);
    let is_candidate =
        |input: &ValueInfoProto| as_parameter.contains(input.name.as_str()) && !otherwise.contains(input.name.as_str());
    let Some(first) = inputs.iter().find(|input| !is_candidate(input)) else { return Vec::new() };
    let batch = declared_extents(first).and_then(|extents| extents.first().copied().flatten()).unwrap_or(1);
    let parameter = |input: &&'a ValueInfoProto| {
        let shape = declared_extents(input)?.into_iter().collect::<Option<Vec<usize>>>()?;
        let tensor = input.r#type.as_ref()?.tensor_type.as_ref()?;
        let data_type = tensors::data_type(tensor.elem_type).ok()?;
        let is_one = shape.first().is_some_and(|&extent| extent != batch) && tensors::element_count(&shape).is_ok();
        (is_one && !shape.contains(&0)).then_some((input.name.as_str(), data_type, shape))
    };
    inputs.iter().filter(|input| is_candidate(input)).filter_map(parameter).collect()
}

/// Names that nodes read as parameters, and names that are read otherwise.
fn uses(graph: &GraphProto) -> (HashSet<&str>, HashSet<&str>) {
    let (mut as_parameter, mut otherwise) = (HashSet::new(), HashSet::new());
    otherwise.extend(graph.output.iter().map(|output| output.name.as_str()));
    for node in &graph.node {
        let parameters = match (node.domain.as_str(), node.op_type.as_str()) {
            ("" | "ai.onnx", "Conv" | "ConvTranspose" | "Gemm") => 1..3,
            ("" | "ai.onnx", "MatMul") => 1..2,
            ("" | "ai.onnx", "BatchNormalization") => 1..5,
            ("" | "ai.onnx", "GRU" | "LSTM" | "RNN") => 1..4,
            _ => 0..0,
        };
        for (index, name) in node.input.iter().enumerate() {
            let names = if parameters.contains(&index) { &mut as_parameter } else { &mut otherwise };
            names.insert(name.as_str());
        }
        // What a branch takes from around it is among what it reads.
        otherwise.extend(node.graphs().flat_map(order::used));
    }
    (as_parameter, otherwise)
}

fn declared_rank(input: &ValueInfoProto) -> usize {
    declared_extents(input).map_or(0, |extents| extents.len())
}

fn declared_extents(input: &ValueInfoProto) -> Option<Vec<Option<usize>>> {
    let tensor = input.r#type.as_ref()?.tensor_type.as_ref()?;
    extents(tensor.shape.as_ref()?).ok()
}

/// Whether the extent that the file declares for this axis of an input is a name or nothing.
fn is_open(input: &ValueInfoProto, axis: usize) -> bool {
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let dimension = tensor.and_then(|t| t.shape.as_ref()).and_then(|shape| shape.dim.get(axis));
    dimension.is_some_and(|dimension| !matches!(dimension.value, Some(DimensionValue::DimValue(_))))
}

/// Type and shape of an input, of whose extents that on the axis of the batch may be left open.
fn input_form(
    input: &ValueInfoProto,
    given: Option<&[usize]>,
    batch_axis: Option<usize>,
    batch: usize,
) -> Result<Form, Fault> {
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| unsupported!("an input that is no tensor"))?;
    let data_type = tensors::data_type(tensor.elem_type)?;
    let declared = tensor.shape.as_ref().map(extents).transpose()?;
    let shape = match (given, declared) {
        (Some(given), declared) => {
            if declared.as_ref().is_some_and(|declared| !matches(declared, given)) {
                return Err(invalid!("shape {given:?} was given, but the file declares {}", show(declared.as_deref())));
            }
            given.to_vec()
        }
        (None, None) => return Err(Fault::OpenShape("the file gives no shape".to_string())),
        (None, Some(declared)) => {
            let extent =
                |(axis, extent): (usize, &Option<usize>)| extent.or((Some(axis) == batch_axis).then_some(batch));
            let shape: Option<Vec<usize>> = declared.iter().enumerate().map(extent).collect();
            shape.ok_or_else(|| {
                Fault::OpenShape(format!("shape {} has open extents besides the batch", show(Some(&declared))))
            })?
        }
    };
    if shape.contains(&0) {
        return Err(invalid!("shape {shape:?} has an extent of 0"));
    }
    let form = Form::new(Some(data_type), shape);
    check_size(&form)?;
    Ok(form)
}

/// Extents of a declared shape; `None` where one is left open. −1 is how some exporters write an open extent.
fn extents(shape: &TensorShapeProto) -> Result<Vec<Option<usize>>, Fault> {
    let extent = |value: Option<&DimensionValue>| match value {
        Some(&DimensionValue::DimValue(n)) if n != -1 => {
            usize::try_from(n).map(Some).map_err(|_| invalid!("a declared extent of {n}"))
        }
        _ => Ok(None),
    };
    shape.dim.iter().map(|dim| extent(dim.value.as_ref())).collect()
}

fn matches(declared: &[Option<usize>], given: &[usize]) -> bool {
    declared.len() == given.len() && declared.iter().zip(given).all(|(d, g)| d.is_none_or(|d| d == *g))
}

fn show(declared: Option<&[Option<usize>]>) -> String {
    let extent = |e: &Option<usize>| e.map_or("?".to_string(), |n| n.to_string());
    let list: Vec<String> = declared.unwrap_or_default().iter().map(extent).collect();
    format!("[{}]", list.join(", "))
}

/// Checks a shape that comes out of a node against the extents that the file declares for it.
pub(super) fn check_declared(info: &ValueInfoProto, shape: &[usize]) -> Result<(), Fault> {
    match declared_extents(info) {
        Some(declared) if !matches(&declared, shape) => {
            let declared = show(Some(&declared));
            Err(unsupported!("shape {shape:?} comes out of it, but the file declares {declared}"))
        }
        _ => Ok(()),
    }
}

/// What a file declares of a value that is no input, as far as it makes sense.
pub(super) fn declared_form(info: &ValueInfoProto, batch: usize) -> Form {
    let Some(tensor) = info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()) else { return Form::default() };
    let extent = |(axis, extent): (usize, Option<usize>)| extent.or((axis == 0).then_some(batch));
    let shape = tensor.shape.as_ref().and_then(|shape| extents(shape).ok());
    let shape = shape.and_then(|shape| shape.into_iter().enumerate().map(extent).collect());
    let form = Form { data_type: tensors::data_type(tensor.elem_type).ok(), shape };
    if check_size(&form).is_ok() { form } else { Form::default() }
}
