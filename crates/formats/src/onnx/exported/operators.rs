//! Operators of ATen in those of ONNX.
//!
//! Arguments and their defaults are those of PyTorch's `native_functions.yaml`.

use super::call::Call;
use super::{Translation, float, int, ints, quantizers, string};
use crate::onnx::proto::{AttributeProto, TensorProto};
use crate::reading::fault::{Fault, unsupported};

/// Operators that make no tensor, or check something that holds.
pub(super) fn is_silent(operator: &str) -> bool {
    const SILENT: [&str; 6] = [
        "sym_size.int",
        "sym_constrain_range_for_size.default",
        "_assert_scalar.default",
        "_assert_tensor_metadata.default",
        "sym_numel.default",
        "sym_stride.int",
    ];
    SILENT.contains(&operator) || operator.starts_with("_operator.") && operator != "_operator.getitem"
}

/// Writes one call.
pub(super) fn translate(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let (family, overload) = call.operator().split_once('.').unwrap_or((call.operator(), ""));
    let family = family.strip_suffix('_').unwrap_or(family);
    if family == "quantized_decomposed" {
        return quantizers::translate(t, call, overload);
    }
    let known = layers(t, call, family).or_else(|| functions(t, call, family)).or_else(|| movement(t, call, family));
    known.unwrap_or_else(|| unknown(t, call))
}

/// Layers, normalization, pooling and reductions; none for another operator.
fn layers(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Option<Result<(), Fault>> {
    Some(match family {
        "conv1d" | "conv2d" | "conv3d" => convolution(t, call),
        "convolution" => match call.flag("transposed", false) {
            Ok(true) => transposed(t, call),
            Ok(false) => convolution(t, call),
            Err(fault) => Err(fault),
        },
        "conv_transpose1d" | "conv_transpose2d" | "conv_transpose3d" => transposed(t, call),
        "linear" => linear(t, call),
        "addmm" => addmm(t, call),
        "mm" | "bmm" => plain(t, call, "MatMul", &["self", "mat2"], vec![]),
        "matmul" => plain(t, call, "MatMul", &["self", "other"], vec![]),
        "batch_norm" | "_native_batch_norm_legit_no_training" => batch_norm(t, call),
        "layer_norm" | "native_layer_norm" => layer_norm(t, call),
        "max_pool1d" | "max_pool2d" | "max_pool3d" | "max_pool2d_with_indices" => pool(t, call, "MaxPool"),
        "avg_pool1d" | "avg_pool2d" | "avg_pool3d" => pool(t, call, "AveragePool"),
        "adaptive_avg_pool1d" | "adaptive_avg_pool2d" | "_adaptive_avg_pool2d" => adaptive(t, call, "AveragePool"),
        "adaptive_max_pool1d" | "adaptive_max_pool2d" => adaptive(t, call, "MaxPool"),
        "mean" => reduce(t, call, "ReduceMean"),
        "sum" => reduce(t, call, "ReduceSum"),
        "amax" => reduce(t, call, "ReduceMax"),
        "dropout" | "feature_dropout" => dropout(t, call),
        _ => return None,
    })
}

/// Functions of one element or two; none for another operator.
fn functions(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Option<Result<(), Fault>> {
    if let Some(op_type) = unary(family) {
        return Some(plain(t, call, op_type, &["self"], vec![]));
    }
    Some(match family {
        "add" | "sub" | "mul" | "div" | "pow" => binary(t, call, family),
        "gt" | "ge" | "lt" | "le" | "eq" => compare(t, call, family),
        "where" => plain(t, call, "Where", &["condition", "self", "other"], vec![]),
        "relu6" => clip(t, call, Some(0.0), Some(6.0)),
        "hardtanh" => hardtanh(t, call),
        "clamp" | "clip" => clip(t, call, call.number("min"), call.number("max")),
        "clamp_min" => clip(t, call, call.number("min"), None),
        "silu" => times_own(t, call, "Sigmoid"),
        "hardsigmoid" => plain(t, call, "HardSigmoid", &["self"], vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)]),
        "leaky_relu" => leaky_relu(t, call),
        "elu" => elu(t, call),
        "prelu" | "_prelu_kernel" => prelu(t, call),
        "gelu" => gelu(t, call),
        "softmax" | "_softmax" => softmax(t, call, "Softmax"),
        "log_softmax" | "_log_softmax" => softmax(t, call, "LogSoftmax"),
        "to" | "_to_copy" => cast(t, call),
        _ => return None,
    })
}

/// What moves elements and makes none; none for another operator.
fn movement(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Option<Result<(), Fault>> {
    Some(match family {
        "flatten" => flatten(t, call),
        "view" | "reshape" | "_unsafe_view" | "unflatten" => reshape(t, call),
        "squeeze" | "unsqueeze" => squeeze(t, call, family),
        "permute" => permute(t, call),
        "transpose" | "t" | "numpy_T" => swap(t, call),
        "cat" | "concat" => concat(t, call),
        "slice" => slice(t, call),
        "select" => select(t, call),
        "split" | "split_with_sizes" | "chunk" => split(t, call),
        "expand" => expand(t, call),
        "pad" | "constant_pad_nd" => pad(t, call),
        "upsample_nearest2d" => upsample(t, call, "nearest"),
        "upsample_bilinear2d" => upsample(t, call, "linear"),
        "pixel_shuffle" => pixel_shuffle(t, call),
        "contiguous" | "clone" | "alias" | "detach" | "lift_fresh_copy" | "alias_copy" | "view_copy" => {
            plain(t, call, "Identity", &["self"], vec![])
        }
        "as_strided" => as_strided(t, call),
        _ => return None,
    })
}

fn dropout(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    if call.flag("train", false)? {
        return Err(unsupported!("dropout in training; export the model after model.eval()"));
    }
    let input = if call.has("input") { "input" } else { "self" };
    plain(t, call, "Identity", &[input], vec![])
}

fn hardtanh(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let (min, max) = (call.float("min_val", -1.0)?, call.float("max_val", 1.0)?);
    clip(t, call, Some(min), Some(max))
}

fn leaky_relu(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let slope = float("alpha", call.float("negative_slope", 0.01)?);
    plain(t, call, "LeakyRelu", &["self"], vec![slope])
}

fn permute(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let perm = axes(call, "dims", "self")?;
    plain(t, call, "Transpose", &["self"], vec![ints("perm", perm)])
}

fn concat(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let inputs = call.tensors("tensors")?.into_iter().map(str::to_string).collect();
    t.add(call, "Concat", inputs, output(call)?, vec![int("axis", call.int("dim", 0)?)]);
    Ok(())
}

fn select(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let index = t.constant(scalar(call.int("index", 0)?), call, "index");
    let inputs = vec![call.tensor("self")?.to_string(), index];
    t.add(call, "Gather", inputs, output(call)?, vec![int("axis", call.int("dim", 0)?)]);
    Ok(())
}

fn pixel_shuffle(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let more = vec![int("blocksize", call.int("upscale_factor", 1)?), string("mode", "CRD")];
    plain(t, call, "DepthToSpace", &["self"], more)
}

/// An operator without a translation, under its own name: what is made of it is told of unknown operators.
pub(super) fn unknown(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let tensors: Vec<String> = call
        .node
        .inputs
        .iter()
        .flat_map(|argument| super::program::tensor_names(&argument.arg))
        .map(str::to_string)
        .collect();
    let name = call.operator().to_string();
    let outputs: Vec<String> = call.outputs().into_iter().map(str::to_string).collect();
    let Some(first) = outputs.first().cloned() else { return Ok(()) };
    t.add(call, &name, tensors, &first, vec![]);
    let node = t.graph.node.last_mut().expect("it has just been added");
    (node.domain, node.output) = ("aten".to_string(), outputs);
    Ok(())
}

/// The first value that the call makes.
pub(super) fn output<'a>(call: &Call<'a>) -> Result<&'a str, Fault> {
    call.outputs().first().copied().ok_or_else(|| unsupported!("{} makes no tensor", call.operator()))
}

/// A node with these arguments as its inputs.
fn plain(
    t: &mut Translation<'_>,
    call: &Call<'_>,
    op_type: &str,
    arguments: &[&str],
    more: Vec<AttributeProto>,
) -> Result<(), Fault> {
    let inputs = arguments.iter().map(|name| call.tensor(name).map(str::to_string)).collect::<Result<Vec<_>, _>>()?;
    t.add(call, op_type, inputs, output(call)?, more);
    Ok(())
}

/// The operator of ONNX that computes the same of each element.
fn unary(family: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 16] = [
        ("mish", "Mish"),
        ("hardswish", "HardSwish"),
        ("relu", "Relu"),
        ("sigmoid", "Sigmoid"),
        ("tanh", "Tanh"),
        ("exp", "Exp"),
        ("neg", "Neg"),
        ("abs", "Abs"),
        ("sqrt", "Sqrt"),
        ("log", "Log"),
        ("erf", "Erf"),
        ("floor", "Floor"),
        ("ceil", "Ceil"),
        ("round", "Round"),
        ("sign", "Sign"),
        ("reciprocal", "Reciprocal"),
    ];
    NAMES.iter().find(|(aten, _)| *aten == family).map(|(_, op_type)| *op_type)
}

/// A 64-bit integer without axes.
fn scalar(value: i64) -> TensorProto {
    TensorProto { data_type: 7, raw_data: Some(value.to_le_bytes().to_vec().into()), ..TensorProto::default() }
}

/// An axis counted from the front.
fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let counted = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(counted).ok().filter(|&axis| axis < rank).ok_or_else(|| unsupported!("axis {axis} of {rank}"))
}

fn axes(call: &Call<'_>, name: &str, of: &str) -> Result<Vec<i64>, Fault> {
    let rank = call.rank(call.tensor(of)?)?;
    let found = call.ints(name)?.unwrap_or_default();
    found.into_iter().map(|one| axis(one, rank).map(|axis| axis as i64)).collect()
}

fn convolution(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let weight = call.tensor("weight")?;
    let spatial = call.rank(weight)?.saturating_sub(2);
    let mut more = vec![
        ints("strides", call.spatial("stride", spatial, 1)?),
        ints("dilations", call.spatial("dilation", spatial, 1)?),
        int("group", call.int("groups", 1)?),
    ];
    match call.text("padding") {
        Some("same") => more.push(string("auto_pad", "SAME_UPPER")),
        Some("valid") => {}
        Some(other) => return Err(unsupported!("padding {other:?}")),
        None => {
            let padding = call.spatial("padding", spatial, 0)?;
            more.push(ints("pads", [padding.clone(), padding].concat()));
        }
    }
    with_bias(t, call, "Conv", weight, more)
}

fn transposed(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let weight = call.tensor("weight")?;
    let spatial = call.rank(weight)?.saturating_sub(2);
    let padding = call.spatial("padding", spatial, 0)?;
    let more = vec![
        ints("strides", call.spatial("stride", spatial, 1)?),
        ints("dilations", call.spatial("dilation", spatial, 1)?),
        ints("output_padding", call.spatial("output_padding", spatial, 0)?),
        ints("pads", [padding.clone(), padding].concat()),
        int("group", call.int("groups", 1)?),
    ];
    with_bias(t, call, "ConvTranspose", weight, more)
}

fn with_bias(
    t: &mut Translation<'_>,
    call: &Call<'_>,
    op_type: &str,
    weight: &str,
    more: Vec<AttributeProto>,
) -> Result<(), Fault> {
    let bias = call.optional_tensor("bias")?;
    let inputs = [Some(call.tensor("input")?), Some(weight), bias].into_iter().flatten();
    t.add(call, op_type, inputs.map(str::to_string).collect(), output(call)?, more);
    Ok(())
}

/// `input · weightᵀ + bias`, the input of any rank.
fn linear(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let (input, weight) = (call.tensor("input")?, call.tensor("weight")?);
    if call.rank(input)? == 2 {
        return with_bias(t, call, "Gemm", weight, vec![int("transB", 1)]);
    }
    let made = output(call)?;
    let turned = format!("{made}.weight");
    t.add(call, "Transpose", vec![weight.to_string()], &turned, vec![ints("perm", vec![1, 0])]);
    let Some(bias) = call.optional_tensor("bias")? else {
        t.add(call, "MatMul", vec![input.to_string(), turned], made, vec![]);
        return Ok(());
    };
    let product = format!("{made}.product");
    t.add(call, "MatMul", vec![input.to_string(), turned], &product, vec![]);
    // The product is the layer, and has its name.
    t.graph.node.last_mut().expect("it has just been added").name = call.name();
    t.add(call, "Add", vec![product, bias.to_string()], made, vec![]);
    t.graph.node.last_mut().expect("it has just been added").name = made.to_string();
    Ok(())
}

fn addmm(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let more = vec![float("alpha", call.float("alpha", 1.0)?), float("beta", call.float("beta", 1.0)?)];
    plain(t, call, "Gemm", &["mat1", "mat2", "self"], more)
}

fn batch_norm(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    if call.flag("training", false)? {
        return Err(unsupported!("batch normalization in training; export the model after model.eval()"));
    }
    let mean = call.tensor("running_mean")?;
    let channels = call.shape(mean)?;
    let [Some(channels)] = channels[..] else { return Err(unsupported!("statistics of shape {channels:?}")) };
    let parameter = |name: &str, value: f32, t: &mut Translation<'_>| match call.optional_tensor(name)? {
        Some(tensor) => Ok::<String, Fault>(tensor.to_string()),
        None => {
            let count = usize::try_from(channels).map_err(|_| unsupported!("{channels} channels"))?;
            let raw_data = Some(value.to_le_bytes().repeat(count).into());
            let tensor = TensorProto { dims: vec![channels], data_type: 1, raw_data, ..TensorProto::default() };
            Ok(t.constant(tensor, call, name))
        }
    };
    let (scale, shift) = (parameter("weight", 1.0, t)?, parameter("bias", 0.0, t)?);
    let inputs = vec![
        call.tensor("input")?.to_string(),
        scale,
        shift,
        mean.to_string(),
        call.tensor("running_var")?.to_string(),
    ];
    t.add(call, "BatchNormalization", inputs, output(call)?, vec![float("epsilon", call.float("eps", 1e-5)?)]);
    Ok(())
}

fn layer_norm(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let input = call.tensor("input")?;
    let normalized = call.ints("normalized_shape")?.unwrap_or_default();
    let (Some(scale), rank) = (call.optional_tensor("weight")?, call.rank(input)?) else {
        return unknown(t, call);
    };
    let inputs = [Some(input), Some(scale), call.optional_tensor("bias")?].into_iter().flatten().map(str::to_string);
    let first = rank.checked_sub(normalized.len()).ok_or_else(|| unsupported!("{normalized:?} of {rank} axes"))?;
    let more = vec![int("axis", first as i64), float("epsilon", call.float("eps", 1e-5)?)];
    t.add(call, "LayerNormalization", inputs.collect(), output(call)?, more);
    Ok(())
}

fn binary(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Result<(), Fault> {
    if call.has("rounding_mode") {
        return unknown(t, call);
    }
    let op_type = match family {
        "add" => "Add",
        "sub" => "Sub",
        "mul" => "Mul",
        "div" => "Div",
        _ => "Pow",
    };
    let second = if family == "pow" { "exponent" } else { "other" };
    // A number takes the type of what is computed.
    let data_type = t.element_type(output(call)?);
    let operand = |name: &str, t: &mut Translation<'_>| match call.number(name) {
        Some(number) => t.number_of(data_type, number, call, name),
        None => Ok(call.tensor(name)?.to_string()),
    };
    let (left, mut right) = (operand("self", t)?, operand(second, t)?);
    let alpha = call.float("alpha", 1.0)?;
    if alpha != 1.0 {
        let (factor, scaled) = (t.number_of(data_type, alpha, call, "alpha")?, format!("{}.scaled", output(call)?));
        t.add(call, "Mul", vec![right, factor], &scaled, vec![]);
        right = scaled;
    }
    t.add(call, op_type, vec![left, right], output(call)?, vec![]);
    Ok(())
}

fn clip(t: &mut Translation<'_>, call: &Call<'_>, min: Option<f64>, max: Option<f64>) -> Result<(), Fault> {
    if (call.has("min") && min.is_none()) || (call.has("max") && max.is_none()) {
        return unknown(t, call);
    }
    let data_type = t.element_type(output(call)?);
    let mut bound = |bound: Option<f64>, what| match bound {
        Some(bound) => t.number_of(data_type, bound, call, what),
        None => Ok(String::new()),
    };
    let inputs = vec![call.tensor("self")?.to_string(), bound(min, "min")?, bound(max, "max")?];
    t.add(call, "Clip", inputs, output(call)?, vec![]);
    Ok(())
}

/// `x · f(x)`.
fn times_own(t: &mut Translation<'_>, call: &Call<'_>, function: &str) -> Result<(), Fault> {
    let (input, made) = (call.tensor("self")?.to_string(), output(call)?);
    let gate = format!("{made}.gate");
    t.add(call, function, vec![input.clone()], &gate, vec![]);
    t.add(call, "Mul", vec![input, gate], made, vec![]);
    Ok(())
}

fn elu(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    if call.float("scale", 1.0)? != 1.0 || call.float("input_scale", 1.0)? != 1.0 {
        return unknown(t, call);
    }
    plain(t, call, "Elu", &["self"], vec![float("alpha", call.float("alpha", 1.0)?)])
}

/// One slope for all channels, or one for each of them: `[C]` beside `[N, C, …]`.
fn prelu(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let (input, slope) = (call.tensor("self")?, call.tensor("weight")?);
    let (rank, shape) = (call.rank(input)?, call.shape(slope)?);
    if shape.len() != 1 || rank < 2 {
        return plain(t, call, "PRelu", &["self", "weight"], vec![]);
    }
    let spread: Vec<i64> = std::iter::once(-1).chain(std::iter::repeat_n(1, rank - 2)).collect();
    let by_channel = format!("{}.slope", output(call)?);
    let spread = t.integers(&spread, call, "shape");
    t.add(call, "Reshape", vec![slope.to_string(), spread], &by_channel, vec![]);
    t.add(call, "PRelu", vec![input.to_string(), by_channel], output(call)?, vec![]);
    Ok(())
}

fn gelu(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let form = call.text("approximate").unwrap_or("none").to_string();
    plain(t, call, "Gelu", &["self"], vec![string("approximate", &form)])
}

fn softmax(t: &mut Translation<'_>, call: &Call<'_>, op_type: &str) -> Result<(), Fault> {
    plain(t, call, op_type, &["self"], vec![int("axis", call.int("dim", -1)?)])
}

fn pool(t: &mut Translation<'_>, call: &Call<'_>, op_type: &str) -> Result<(), Fault> {
    let input = call.tensor("self")?;
    let spatial = call.rank(input)?.saturating_sub(2);
    let kernel = call.spatial("kernel_size", spatial, 1)?;
    let stride = match call.ints("stride")? {
        None => kernel.clone(),
        Some(list) if list.is_empty() => kernel.clone(),
        Some(_) => call.spatial("stride", spatial, 1)?,
    };
    let padding = call.spatial("padding", spatial, 0)?;
    let mut more = vec![
        ints("kernel_shape", kernel),
        ints("strides", stride),
        ints("pads", [padding.clone(), padding].concat()),
        int("ceil_mode", i64::from(call.flag("ceil_mode", false)?)),
    ];
    if op_type == "MaxPool" {
        more.push(ints("dilations", call.spatial("dilation", spatial, 1)?));
    } else {
        call.refuse("divisor_override")?;
        more.push(int("count_include_pad", i64::from(call.flag("count_include_pad", true)?)));
    }
    t.add(call, op_type, vec![input.to_string()], output(call)?, more);
    Ok(())
}

/// Pooling to a given size: over everything, or windows of one size where the size divides the input.
fn adaptive(t: &mut Translation<'_>, call: &Call<'_>, op_type: &str) -> Result<(), Fault> {
    let input = call.tensor("self")?;
    let shape = call.shape(input)?;
    let size = &shape[2.min(shape.len())..];
    let wanted = call.spatial("output_size", size.len(), 1)?;
    if wanted.iter().all(|&extent| extent == 1) {
        return plain(t, call, &format!("Global{op_type}"), &["self"], vec![]);
    }
    let window = |(from, &to): (&Option<i64>, &i64)| from.filter(|from| to > 0 && from % to == 0).map(|from| from / to);
    let windows = size.iter().zip(&wanted).map(window).collect::<Option<Vec<i64>>>();
    let Some(windows) = windows else { return unknown(t, call) };
    let more = vec![ints("kernel_shape", windows.clone()), ints("strides", windows)];
    t.add(call, op_type, vec![input.to_string()], output(call)?, more);
    Ok(())
}

fn reduce(t: &mut Translation<'_>, call: &Call<'_>, op_type: &str) -> Result<(), Fault> {
    let found = call.ints("dim")?.unwrap_or_default();
    let keep = int("keepdims", i64::from(call.flag("keepdim", false)?));
    let mut inputs = vec![call.tensor("self")?.to_string()];
    // No axes are all axes.
    if !found.is_empty() {
        inputs.push(t.integers(&axes(call, "dim", "self")?, call, "axes"));
    }
    t.add(call, op_type, inputs, output(call)?, vec![keep]);
    Ok(())
}

/// Reshapes to the shape that the archive gives, the one open extent as −1.
fn to_shape(t: &mut Translation<'_>, call: &Call<'_>, input: &str) -> Result<(), Fault> {
    let made = output(call)?;
    let shape: Vec<i64> = call.shape(made)?.into_iter().map(|extent| extent.unwrap_or(-1)).collect();
    if shape.iter().filter(|&&extent| extent == -1).count() > 1 {
        return Err(unsupported!("{}: several open extents in {shape:?}", call.operator()));
    }
    let shape = t.integers(&shape, call, "shape");
    t.add(call, "Reshape", vec![input.to_string(), shape], made, vec![]);
    Ok(())
}

fn flatten(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let input = call.tensor("self")?;
    let rank = call.rank(input)?;
    let (start, end) = (axis(call.int("start_dim", 0)?, rank)?, axis(call.int("end_dim", -1)?, rank)?);
    if start == 1 && end + 1 == rank {
        return plain(t, call, "Flatten", &["self"], vec![int("axis", 1)]);
    }
    to_shape(t, call, input)
}

fn reshape(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    to_shape(t, call, call.tensor("self")?)
}

fn squeeze(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Result<(), Fault> {
    let input = call.tensor("self")?.to_string();
    let mut inputs = vec![input.clone()];
    if call.has("dim") {
        // An axis of Unsqueeze counts those of its output.
        let of = if family == "unsqueeze" { output(call)? } else { call.tensor("self")? };
        let (rank, shape) = (call.rank(of)?, call.shape(of)?);
        let found = call.ints("dim")?.unwrap_or_default();
        let counted = found.into_iter().map(|one| axis(one, rank)).collect::<Result<Vec<_>, _>>()?;
        // Squeeze of PyTorch leaves an axis that is longer than 1.
        let kept =
            counted.into_iter().filter(|&axis| shape[axis] == Some(1)).map(|axis| axis as i64).collect::<Vec<_>>();
        if kept.is_empty() {
            t.add(call, "Identity", inputs, output(call)?, vec![]);
            return Ok(());
        }
        inputs.push(t.integers(&kept, call, "axes"));
    }
    let op_type = if family == "squeeze" { "Squeeze" } else { "Unsqueeze" };
    t.add(call, op_type, inputs, output(call)?, vec![]);
    Ok(())
}

fn swap(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let rank = call.rank(call.tensor("self")?)?;
    let mut perm: Vec<i64> = (0..rank as i64).collect();
    match call.has("dim0") {
        true => perm.swap(axis(call.int("dim0", 0)?, rank)?, axis(call.int("dim1", 1)?, rank)?),
        false => perm.reverse(),
    }
    plain(t, call, "Transpose", &["self"], vec![ints("perm", perm)])
}

fn slice(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let (start, end) = (call.int("start", 0)?, call.int("end", i64::MAX)?);
    let parts = [("starts", start), ("ends", end), ("axes", call.int("dim", 0)?), ("steps", call.int("step", 1)?)];
    let mut inputs = vec![call.tensor("self")?.to_string()];
    if start == 0 && end == i64::MAX && parts[3].1 == 1 {
        t.add(call, "Identity", inputs, output(call)?, vec![]);
        return Ok(());
    }
    inputs.extend(parts.map(|(what, value)| t.integers(&[value], call, what)));
    t.add(call, "Slice", inputs, output(call)?, vec![]);
    Ok(())
}

fn split(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let input = call.tensor("self")?;
    let along = axis(call.int("dim", 0)?, call.rank(input)?)?;
    let made = call.outputs();
    let extent = |name: &&str| {
        let shape = call.shape(name)?;
        shape.get(along).copied().flatten().ok_or_else(|| unsupported!("a part of open extent"))
    };
    let sizes = made.iter().map(extent).collect::<Result<Vec<i64>, Fault>>()?;
    let sizes = t.integers(&sizes, call, "sizes");
    t.add(call, "Split", vec![input.to_string(), sizes], output(call)?, vec![int("axis", along as i64)]);
    t.graph.node.last_mut().expect("it has just been added").output = made.into_iter().map(str::to_string).collect();
    Ok(())
}

fn expand(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let shape: Vec<i64> = call.shape(output(call)?)?.into_iter().map(|extent| extent.unwrap_or(1)).collect();
    let shape = t.integers(&shape, call, "shape");
    t.add(call, "Expand", vec![call.tensor("self")?.to_string(), shape], output(call)?, vec![]);
    Ok(())
}

/// Pads are listed from the last axis on, before and after.
fn pad(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let input = call.tensor("self")?;
    let rank = call.rank(input)?;
    let found = call.ints("pad")?.unwrap_or_default();
    let mode = match call.text("mode").unwrap_or("constant") {
        "constant" => "constant",
        "reflect" => "reflect",
        "replicate" => "edge",
        other => return Err(unsupported!("padding of the mode {other:?}")),
    };
    let mut pads = vec![0; 2 * rank];
    for (place, pair) in found.chunks(2).enumerate() {
        let axis = rank.checked_sub(place + 1).ok_or_else(|| unsupported!("pads {found:?} of {rank} axes"))?;
        pads[axis] = pair[0];
        pads[axis + rank] = pair.get(1).copied().unwrap_or(0);
    }
    let pads = t.integers(&pads, call, "pads");
    let mut inputs = vec![input.to_string(), pads];
    if mode == "constant" {
        let data_type = t.element_type(output(call)?);
        inputs.push(t.number_of(data_type, call.float("value", 0.0)?, call, "value")?);
    }
    t.add(call, "Pad", inputs, output(call)?, vec![string("mode", mode)]);
    Ok(())
}

fn upsample(t: &mut Translation<'_>, call: &Call<'_>, mode: &str) -> Result<(), Fault> {
    let name = if call.has("input") { "input" } else { "self" };
    let input = call.tensor(name)?;
    let made = output(call)?;
    let extents = [call.shape(input)?, call.shape(made)?];
    let fixed =
        |shape: &[Option<i64>]| shape.get(2..).and_then(|size| size.iter().copied().collect::<Option<Vec<i64>>>());
    let (Some(from), Some(to)) = (fixed(&extents[0]), fixed(&extents[1])) else { return unknown(t, call) };
    let scales: Vec<f32> =
        [1.0, 1.0].into_iter().chain(to.iter().zip(&from).map(|(to, from)| *to as f32 / *from as f32)).collect();
    let raw_data = Some(scales.iter().flat_map(|scale| scale.to_le_bytes()).collect::<Vec<u8>>().into());
    let dims = vec![scales.len() as i64];
    let scales = t.constant(TensorProto { dims, data_type: 1, raw_data, ..TensorProto::default() }, call, "scales");
    let corners = call.flag("align_corners", false)?;
    let place = match (mode, corners) {
        ("nearest", _) => "asymmetric",
        (_, true) => "align_corners",
        (_, false) => "half_pixel",
    };
    let mut more = vec![string("mode", mode), string("coordinate_transformation_mode", place)];
    if mode == "nearest" {
        more.push(string("nearest_mode", "floor"));
    }
    t.add(call, "Resize", vec![input.to_string(), String::new(), scales], made, more);
    Ok(())
}

/// A view that has the shape of its input and its elements in their places is the input.
fn as_strided(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let meta = call.program.graph().tensor_values.get(call.tensor("self")?);
    let same = meta.is_some_and(|meta| {
        let numbers =
            |sizes: &[super::program::Size]| sizes.iter().map(super::program::Size::fixed).collect::<Vec<_>>();
        let (shape, strides) = (numbers(&meta.sizes), numbers(&meta.strides));
        let asked = |name: &str| call.ints(name).ok().flatten().unwrap_or_default();
        let (size, stride) = (asked("size"), asked("stride"));
        let moves = |axis: usize| shape[axis] != Some(1) && strides.get(axis) != Some(&stride.get(axis).copied());
        shape.iter().copied().eq(size.iter().map(|&extent| Some(extent)))
            && !(0..shape.len()).any(moves)
            && meta.storage_offset.fixed() == call.int("storage_offset", 0).ok()
    });
    if same { plain(t, call, "Identity", &["self"], vec![]) } else { unknown(t, call) }
}

fn compare(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Result<(), Fault> {
    let op_type = match family {
        "gt" => "Greater",
        "ge" => "GreaterOrEqual",
        "lt" => "Less",
        "le" => "LessOrEqual",
        _ => "Equal",
    };
    let left = call.tensor("self")?;
    let right = match call.number("other") {
        Some(number) => t.number_of(t.element_type(left), number, call, "other")?,
        None => call.tensor("other")?.to_string(),
    };
    t.add(call, op_type, vec![left.to_string(), right], output(call)?, vec![]);
    Ok(())
}

fn cast(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let input = call.tensor("self")?;
    let program = call.program;
    let of =
        |name: &str| program.graph().tensor_values.get(name).and_then(|meta| super::weights::element_type(meta.dtype));
    match (of(input), of(output(call)?)) {
        (Some(from), Some(to)) if from == to => plain(t, call, "Identity", &["self"], vec![]),
        (_, Some(to)) => plain(t, call, "Cast", &["self"], vec![int("to", i64::from(to))]),
        (_, None) => unknown(t, call),
    }
}
