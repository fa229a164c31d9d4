//! Layers, normalization, pooling and reductions of ATen in operators of ONNX.

use network::Tensor;

use super::Translation;
use super::call::Call;
use super::nodes::{axes, operand, output, plain, unknown};
use crate::onnx::proto::AttributeProto;
use crate::onnx::write::attributes::{counts, float, int, int_list, text};
use crate::reading::fault::{Fault, unsupported};

/// Layers, normalization, pooling and reductions; none for another operator.
pub(super) fn layers(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Option<Result<(), Fault>> {
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
        "rms_norm" | "_fused_rms_norm" => rms_norm(t, call),
        "max_pool1d" | "max_pool2d" | "max_pool3d" => pool(t, call, "MaxPool"),
        "max_pool2d_with_indices" | "max_pool3d_with_indices" => pool(t, call, "MaxPool"),
        "avg_pool1d" | "avg_pool2d" | "avg_pool3d" => pool(t, call, "AveragePool"),
        "adaptive_avg_pool1d" | "adaptive_avg_pool2d" | "adaptive_avg_pool3d" => adaptive(t, call, "AveragePool"),
        "_adaptive_avg_pool2d" | "_adaptive_avg_pool3d" => adaptive(t, call, "AveragePool"),
        "adaptive_max_pool1d" | "adaptive_max_pool2d" | "adaptive_max_pool3d" => adaptive(t, call, "MaxPool"),
        "mean" => reduce(t, call, "ReduceMean"),
        "sum" => reduce(t, call, "ReduceSum"),
        "amax" => reduce(t, call, "ReduceMax"),
        "dropout" | "feature_dropout" => dropout(t, call),
        _ => return None,
    })
}

fn convolution(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    call.ignore(&["transposed", "output_padding"]);
    let weight = call.tensor("weight")?;
    let spatial = call.rank(weight)?.saturating_sub(2);
    let mut more = vec![
        int_list("strides", &call.spatial("stride", spatial, 1)?),
        int_list("dilations", &call.spatial("dilation", spatial, 1)?),
        int("group", call.int("groups", 1)?),
    ];
    match call.text("padding") {
        Some("same") => more.push(text("auto_pad", "SAME_UPPER")),
        Some("valid") => {}
        Some(other) => return Err(unsupported!("padding {other:?}")),
        None => {
            let padding = call.spatial("padding", spatial, 0)?;
            more.push(int_list("pads", &padding.repeat(2)));
        }
    }
    with_bias(t, call, "Conv", weight, more)
}

fn transposed(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let weight = call.tensor("weight")?;
    let spatial = call.rank(weight)?.saturating_sub(2);
    let padding = call.spatial("padding", spatial, 0)?;
    let more = vec![
        int_list("strides", &call.spatial("stride", spatial, 1)?),
        int_list("dilations", &call.spatial("dilation", spatial, 1)?),
        int_list("output_padding", &call.spatial("output_padding", spatial, 0)?),
        int_list("pads", &padding.repeat(2)),
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
    t.add(call, "Transpose", vec![weight.to_string()], &turned, vec![counts("perm", &[1, 0])]);
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
    let more = vec![float("alpha", call.float("alpha", 1.0)? as f32), float("beta", call.float("beta", 1.0)? as f32)];
    plain(t, call, "Gemm", &["mat1", "mat2", "self"], more)
}

fn batch_norm(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    if call.flag("training", false)? {
        return Err(unsupported!("batch normalization in training; export the model after model.eval()"));
    }
    call.ignore(&["momentum"]);
    let mean = call.tensor("running_mean")?;
    let (scale, shift) = (or_filled(t, call, "weight", 1.0)?, or_filled(t, call, "bias", 0.0)?);
    let (Some(scale), Some(shift)) = (scale, shift) else { return unknown(t, call) };
    let [input, variance] = [call.tensor("input")?, call.tensor("running_var")?].map(str::to_string);
    let inputs = vec![input, scale, shift, mean.to_string(), variance];
    t.add(call, "BatchNormalization", inputs, output(call)?, vec![float("epsilon", call.float("eps", 1e-5)? as f32)]);
    Ok(())
}

/// A parameter of each channel; where the call has none, one number for as many channels as there are means. None where the
/// archive stores no means.
fn or_filled(t: &mut Translation<'_>, call: &Call<'_>, name: &str, number: f32) -> Result<Option<String>, Fault> {
    if let Some(parameter) = call.optional_tensor(name)? {
        return Ok(Some(parameter.to_string()));
    }
    let mean = call.tensor("running_mean")?;
    let filled = format!("{mean}.{name}");
    if !t.places.contains_key(&filled) {
        let Some(&place) = t.places.get(mean) else { return Ok(None) };
        let &[channels] = t.graph.initializer[place].dims.as_slice() else { return Ok(None) };
        let numbers = vec![number; channels as usize];
        t.add_initializer(filled.clone(), &Tensor::from_f32(vec![numbers.len()], &numbers))?;
    }
    Ok(Some(filled))
}

fn layer_norm(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let input = call.tensor("input")?;
    let normalized = call.ints("normalized_shape")?.unwrap_or_default();
    let (Some(scale), rank) = (call.optional_tensor("weight")?, call.rank(input)?) else {
        return unknown(t, call);
    };
    let inputs = [Some(input), Some(scale), call.optional_tensor("bias")?].into_iter().flatten().map(str::to_string);
    let first = rank.checked_sub(normalized.len()).ok_or_else(|| unsupported!("{normalized:?} of {rank} axes"))?;
    let more = vec![int("axis", first as i64), float("epsilon", call.float("eps", 1e-5)? as f32)];
    t.add(call, "LayerNormalization", inputs.collect(), output(call)?, more);
    Ok(())
}

/// Without an epsilon it is the smallest step of float32 above 1.
fn rms_norm(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let input = call.tensor("input")?;
    let normalized = call.ints("normalized_shape")?.unwrap_or_default();
    let (Some(scale), rank) = (call.optional_tensor("weight")?, call.rank(input)?) else {
        return unknown(t, call);
    };
    let first = rank.checked_sub(normalized.len()).ok_or_else(|| unsupported!("{normalized:?} of {rank} axes"))?;
    let epsilon = call.float("eps", f64::from(f32::EPSILON))? as f32;
    let more = vec![int("axis", first as i64), float("epsilon", epsilon)];
    t.add(call, "RMSNormalization", vec![input.to_string(), scale.to_string()], output(call)?, more);
    Ok(())
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
        int_list("kernel_shape", &kernel),
        int_list("strides", &stride),
        int_list("pads", &padding.repeat(2)),
        int("ceil_mode", i64::from(call.flag("ceil_mode", false)?)),
    ];
    if op_type == "MaxPool" {
        more.push(int_list("dilations", &call.spatial("dilation", spatial, 1)?));
    } else {
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
    let more = vec![int_list("kernel_shape", &windows), int_list("strides", &windows)];
    t.add(call, op_type, vec![input.to_string()], output(call)?, more);
    Ok(())
}

fn reduce(t: &mut Translation<'_>, call: &Call<'_>, op_type: &str) -> Result<(), Fault> {
    call.ignore(&["dtype"]);
    let Some(to) = t.data_type(output(call)?) else { return unknown(t, call) };
    let found = call.ints("dim")?.unwrap_or_default();
    let keep = int("keepdims", i64::from(call.flag("keepdim", false)?));
    let mut inputs = vec![operand(t, call, "self", to)?];
    // No axes are all axes.
    if !found.is_empty() {
        inputs.push(t.integers(&axes(call, "dim", "self")?, call, "axes")?);
    }
    t.add(call, op_type, inputs, output(call)?, vec![keep]);
    Ok(())
}

fn dropout(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    call.ignore(&["p"]);
    if call.flag("train", false)? {
        return Err(unsupported!("dropout in training; export the model after model.eval()"));
    }
    let input = if call.has("input") { "input" } else { "self" };
    plain(t, call, "Identity", &[input], vec![])
}
