//! Operators on integers, as the reference kernels of TFLite compute them, bit by bit.
//!
//! Arrays hold the integers as 32-bit floats, exactly. Sums are formed in 64-bit integers: where those kernels would
//! overflow 32 bits, they saturate here.

mod arithmetic;
mod resize;
mod softmax;
mod windows;

use network::TfliteOp;

use crate::array::{Array, Buffers, Input};
use crate::error::Problem;

/// Runs one operator; `inputs` are those that are present, in order, and `shape` is that of the output.
pub(crate) fn run(
    op: &TfliteOp,
    x: Input,
    rest: &[&Array],
    shape: &[usize],
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    match (op, rest) {
        (TfliteOp::Lookup { first, table }, []) => lookup(x, *first, table, buffers),
        (TfliteOp::Quantize { output }, []) => Ok(arithmetic::quantize(x, output, buffers)),
        (TfliteOp::Add { inputs, output, subtract }, [y]) => {
            let sum = arithmetic::Sum::new(inputs, output, *subtract)?;
            arithmetic::zip(x, y, shape, buffers, |a, b| sum.apply(a, b))
        }
        (TfliteOp::Mul { inputs, output }, [y]) => {
            let product = arithmetic::Product::new(inputs, output)?;
            arithmetic::zip(x, y, shape, buffers, |a, b| product.apply(a, b))
        }
        (TfliteOp::PRelu { inputs, output }, [slope]) => {
            let prelu = arithmetic::Prelu::new(inputs, output)?;
            arithmetic::zip(x, slope, shape, buffers, |a, b| prelu.apply(a, b))
        }
        (TfliteOp::AveragePool { pool, min, max }, []) => {
            let result = windows::average(x.array(), pool, [*min, *max], shape, buffers);
            x.recycle(buffers);
            result
        }
        (TfliteOp::Mean { axes, input, output }, []) => {
            let result = arithmetic::mean(x.array(), axes, [input, output], shape, buffers);
            x.recycle(buffers);
            result
        }
        (TfliteOp::Softmax { axis, beta, input, output }, []) => {
            softmax::softmax(x.into_owned(buffers), *axis, *beta, [input, output])
        }
        (TfliteOp::ResizeBilinear { align_corners, half_pixel, float }, []) => {
            let mode = resize::Mode { align_corners: *align_corners, half_pixel: *half_pixel, float: *float };
            let result = resize::resize(x.array(), mode, shape, buffers);
            x.recycle(buffers);
            result
        }
        _ => Err(Problem::Invalid(format!("{} inputs, which is not the number expected", rest.len() + 1))),
    }
}

fn lookup(x: Input, first: i32, table: &[i32], buffers: &mut Buffers) -> Result<Array, Problem> {
    let mut array = x.into_owned(buffers);
    for q in &mut array.data {
        let index = usize::try_from(*q as i64 - i64::from(first)).ok();
        let entry = index.and_then(|index| table.get(index));
        *q = *entry.ok_or_else(|| Problem::Invalid(format!("{q} is no integer of the input's type")))? as f32;
    }
    Ok(array)
}
