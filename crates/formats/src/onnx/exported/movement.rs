//! What moves elements and makes none, of ATen in operators of ONNX.

use network::{DataType, Tensor};

use super::Translation;
use super::call::Call;
use super::nodes::{axes, axis, output, plain, unknown};
use crate::onnx::write::attributes::{counts, int, int_list, text};
use crate::reading::fault::{Fault, unsupported};

/// What moves elements and makes none; none for another operator.
pub(super) fn movement(t: &mut Translation<'_>, call: &Call<'_>, family: &str) -> Option<Result<(), Fault>> {
    Some(match family {
        "flatten" => flatten(t, call),
        "view" | "reshape" | "_unsafe_view" | "unflatten" => reshape(t, call),
        "squeeze" => squeeze(t, call),
        "unsqueeze" => unsqueeze(t, call),
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

/// Reshapes to the shape that the archive gives, the one open extent as −1.
fn to_shape(t: &mut Translation<'_>, call: &Call<'_>, input: &str) -> Result<(), Fault> {
    let made = output(call)?;
    let shape: Vec<i64> = call.shape(made)?.into_iter().map(|extent| extent.unwrap_or(-1)).collect();
    if shape.iter().filter(|&&extent| extent == -1).count() > 1 {
        return Err(unsupported!("{}: several open extents in {shape:?}", call.operator()));
    }
    let shape = t.integers(&shape, call, "shape")?;
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
    call.ignore(&["size", "shape", "dim", "sizes"]);
    to_shape(t, call, call.tensor("self")?)
}

/// Axes of 1 are taken out, all of them or those that are named; a longer one stays.
fn squeeze(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let shape = call.shape(call.tensor("self")?)?;
    let named = if call.has("dim") { axes(call, "dim", "self")? } else { (0..shape.len() as i64).collect() };
    let of_one: Vec<i64> = named.into_iter().filter(|&axis| shape[axis as usize] == Some(1)).collect();
    let mut inputs = vec![call.tensor("self")?.to_string()];
    if of_one.is_empty() {
        t.add(call, "Identity", inputs, output(call)?, vec![]);
        return Ok(());
    }
    inputs.push(t.integers(&of_one, call, "axes")?);
    t.add(call, "Squeeze", inputs, output(call)?, vec![]);
    Ok(())
}

/// The axis counts those of the output.
fn unsqueeze(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let at = axis(call.int("dim", 0)?, call.rank(output(call)?)?)?;
    let inputs = vec![call.tensor("self")?.to_string(), t.integers(&[at as i64], call, "axes")?];
    t.add(call, "Unsqueeze", inputs, output(call)?, vec![]);
    Ok(())
}

fn permute(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let perm = axes(call, "dims", "self")?;
    plain(t, call, "Transpose", &["self"], vec![int_list("perm", &perm)])
}

fn swap(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let rank = call.rank(call.tensor("self")?)?;
    let mut perm: Vec<i64> = (0..rank as i64).collect();
    match call.has("dim0") {
        true => perm.swap(axis(call.int("dim0", 0)?, rank)?, axis(call.int("dim1", 1)?, rank)?),
        false => perm.reverse(),
    }
    plain(t, call, "Transpose", &["self"], vec![int_list("perm", &perm)])
}

fn concat(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let Some(to) = t.data_type(output(call)?) else { return unknown(t, call) };
    let inputs = call.tensors("tensors")?.into_iter().enumerate();
    let inputs = inputs.map(|(place, name)| t.cast(name, to, call, &format!("part{place}"))).collect();
    t.add(call, "Concat", inputs, output(call)?, vec![int("axis", call.int("dim", 0)?)]);
    Ok(())
}

fn slice(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let (start, end) = (call.int("start", 0)?, call.int("end", i64::MAX)?);
    let parts = [("starts", start), ("ends", end), ("axes", call.int("dim", 0)?), ("steps", call.int("step", 1)?)];
    let mut inputs = vec![call.tensor("self")?.to_string()];
    if start == 0 && end == i64::MAX && parts[3].1 == 1 {
        t.add(call, "Identity", inputs, output(call)?, vec![]);
        return Ok(());
    }
    for (what, value) in parts {
        inputs.push(t.integers(&[value], call, what)?);
    }
    t.add(call, "Slice", inputs, output(call)?, vec![]);
    Ok(())
}

fn select(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let index = t.number_of(DataType::I64, call.int("index", 0)? as f64, call, "index")?;
    let inputs = vec![call.tensor("self")?.to_string(), index];
    t.add(call, "Gather", inputs, output(call)?, vec![int("axis", call.int("dim", 0)?)]);
    Ok(())
}

fn split(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    call.ignore(&["split_size", "split_sizes", "chunks"]);
    let input = call.tensor("self")?;
    let along = axis(call.int("dim", 0)?, call.rank(input)?)?;
    let made = call.outputs();
    let extent = |name: &&str| {
        let shape = call.shape(name)?;
        shape.get(along).copied().flatten().ok_or_else(|| unsupported!("a part of open extent"))
    };
    let sizes = made.iter().map(extent).collect::<Result<Vec<i64>, Fault>>()?;
    let sizes = t.integers(&sizes, call, "sizes")?;
    t.add(call, "Split", vec![input.to_string(), sizes], output(call)?, vec![int("axis", along as i64)]);
    t.graph.node.last_mut().expect("it has just been added").output = made.into_iter().map(str::to_string).collect();
    Ok(())
}

fn expand(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    call.ignore(&["size"]);
    let shape: Vec<i64> = call.shape(output(call)?)?.into_iter().map(|extent| extent.unwrap_or(1)).collect();
    let shape = t.integers(&shape, call, "shape")?;
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
    let pads = t.integers(&pads, call, "pads")?;
    let mut inputs = vec![input.to_string(), pads];
    if mode == "constant" {
        let Some(data_type) = t.data_type(output(call)?) else { return unknown(t, call) };
        inputs.push(t.number_of(data_type, call.float("value", 0.0)?, call, "value")?);
    }
    call.ignore(&["value"]);
    t.add(call, "Pad", inputs, output(call)?, vec![text("mode", mode)]);
    Ok(())
}

/// Resizing of height and width. PyTorch steps by the scale factors that a program gives, not by the ratio of the extents.
fn upsample(t: &mut Translation<'_>, call: &Call<'_>, mode: &str) -> Result<(), Fault> {
    let name = if call.has("input") { "input" } else { "self" };
    let (input, made) = (call.tensor(name)?, output(call)?);
    let corners = call.flag("align_corners", false)?;
    let shapes = (call.shape(input)?, call.shape(made)?);
    let (Some(from), Some(to)) = (shapes.0.get(2..), shapes.1.get(2..)) else { return unknown(t, call) };
    call.ignore(&["output_size"]);
    let mut inputs = vec![input.to_string(), String::new()];
    match scale_factors(call)? {
        // Aligned corners take their steps from the extents alone.
        Some(factors) if !corners => {
            let sides = factors.iter().zip(from.iter().zip(to));
            let factors: Vec<f32> = sides.map(|(&by, (&from, &to))| factor_of(mode, by, from, to)).collect();
            inputs.push(t.constant(&Tensor::from_f32(vec![factors.len()], &factors), call, "scales")?);
        }
        _ => {
            let Some(extents) = to.iter().copied().collect::<Option<Vec<i64>>>() else { return unknown(t, call) };
            inputs.extend([String::new(), t.integers(&extents, call, "sizes")?]);
        }
    }
    let place = match (mode, corners) {
        ("nearest", _) => "asymmetric",
        (_, true) => "align_corners",
        (_, false) => "half_pixel",
    };
    let mut more = vec![counts("axes", &[2, 3]), text("mode", mode), text("coordinate_transformation_mode", place)];
    if mode == "nearest" {
        more.push(text("nearest_mode", "floor"));
    }
    t.add(call, "Resize", inputs, made, more);
    Ok(())
}

/// The factors of height and width, where the call gives both.
fn scale_factors(call: &Call<'_>) -> Result<Option<[f64; 2]>, Fault> {
    let sides = call.number("scales_h").zip(call.number("scales_w"));
    Ok(match call.floats("scale_factors")? {
        Some(factors) => factors.as_slice().try_into().ok(),
        None => sides.map(|(height, width)| [height, width]),
    })
}

/// The factor in 32 bits. PyTorch computes extents in 64: where that gives another extent, the factor is a neighbour. An
/// axis that keeps its extent is copied, whatever the factor, and doubled for its nearest elements.
fn factor_of(mode: &str, factor: f64, from: Option<i64>, to: Option<i64>) -> f32 {
    let near = factor as f32;
    let (Some(from), Some(to)) = (from, to) else { return near };
    if from == to {
        return 1.0;
    }
    if mode == "nearest" && Some(to) == from.checked_mul(2) {
        return 2.0;
    }
    let reaches = |factor: &f32| (from as f32 * factor).floor() as i64 == to;
    [near, near.next_up(), near.next_down()].into_iter().find(reaches).unwrap_or(near)
}

fn pixel_shuffle(t: &mut Translation<'_>, call: &Call<'_>) -> Result<(), Fault> {
    let more = vec![int("blocksize", call.int("upscale_factor", 1)?), text("mode", "CRD")];
    plain(t, call, "DepthToSpace", &["self"], more)
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
