//! Resizing by the nearest neighbour or linearly.

use network::{Coordinates, Nearest};

use crate::array::{Array, Buffers};
use crate::error::Problem;
use crate::ops::strided::{AxisMap, gather_mapped};

/// Refuses what nothing here runs.
pub(crate) fn check_coordinates(coordinates: Coordinates) -> Result<(), Problem> {
    match coordinates {
        Coordinates::TfHalfPixelForNn => {
            Err(Problem::Unsupported(format!("resizing with coordinates {:?}", coordinates.name())))
        }
        Coordinates::HalfPixel
        | Coordinates::HalfPixelSymmetric
        | Coordinates::PytorchHalfPixel
        | Coordinates::AlignCorners
        | Coordinates::Asymmetric => Ok(()),
    }
}

/// Position on an axis of `from` elements of element `i` out of `to`.
fn position(coordinates: Coordinates, i: usize, from: usize, to: usize) -> f64 {
    let ratio = from as f64 / to as f64;
    let x = i as f64;
    match coordinates {
        Coordinates::AlignCorners | Coordinates::PytorchHalfPixel if to == 1 => 0.0,
        Coordinates::HalfPixel | Coordinates::HalfPixelSymmetric | Coordinates::PytorchHalfPixel => {
            (x + 0.5) * ratio - 0.5
        }
        Coordinates::AlignCorners => x * (from - 1) as f64 / (to - 1) as f64,
        Coordinates::Asymmetric => x * ratio,
        Coordinates::TfHalfPixelForNn => unreachable!("refused by check_coordinates"),
    }
}

fn round(nearest: Nearest, x: f64) -> f64 {
    match nearest {
        Nearest::RoundPreferFloor => (x - 0.5).ceil(),
        Nearest::RoundPreferCeil => (x + 0.5).floor(),
        Nearest::Floor => x.floor(),
        Nearest::Ceil => x.ceil(),
    }
}

/// Resizes every axis to `shape` by its nearest neighbour.
pub(crate) fn nearest(
    x: &Array,
    shape: &[usize],
    coordinates: Coordinates,
    mode: Nearest,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    check_coordinates(coordinates)?;
    check(x, shape)?;
    let map = |(&from, &to): (&usize, &usize)| -> AxisMap {
        let index = |i| round(mode, position(coordinates, i, from, to)).clamp(0.0, (from - 1) as f64) as usize;
        (0..to).map(|i| Some(if from == to { i } else { index(i) })).collect()
    };
    let maps: Vec<AxisMap> = x.shape.iter().zip(shape).map(map).collect();
    Ok(Array::new(shape.to_vec(), gather_mapped(x, &maps, 0.0, buffers)))
}

/// Resizes every axis to `shape` by linear interpolation, the last axis first.
pub(crate) fn linear(
    x: &Array,
    shape: &[usize],
    coordinates: Coordinates,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    check_coordinates(coordinates)?;
    check(x, shape)?;
    let mut current = x.clone();
    for axis in (0..shape.len()).rev().filter(|&axis| x.shape[axis] != shape[axis]) {
        let next = linear_axis(&current, axis, shape[axis], coordinates, buffers);
        buffers.give(std::mem::replace(&mut current, next).data);
    }
    Ok(current)
}

fn check(x: &Array, shape: &[usize]) -> Result<(), Problem> {
    if x.shape.len() != shape.len() || x.shape.contains(&0) || shape.contains(&0) {
        return Err(Problem::Invalid(format!("shape {:?} cannot be resized to {shape:?}", x.shape)));
    }
    Ok(())
}

fn linear_axis(x: &Array, axis: usize, to: usize, coordinates: Coordinates, buffers: &mut Buffers) -> Array {
    let [_, from, inner] = x.around(axis);
    let mut shape = x.shape.clone();
    shape[axis] = to;
    let mut data = buffers.take(shape.iter().product());
    for block in x.data.chunks_exact(from * inner) {
        for i in 0..to {
            let position = position(coordinates, i, from, to).clamp(0.0, (from - 1) as f64);
            let (low, high) = (position as usize, (position as usize + 1).min(from - 1));
            let weight = (position - low as f64) as f32;
            let (low, high) = (&block[low * inner..][..inner], &block[high * inner..][..inner]);
            data.extend(low.iter().zip(high).map(|(a, b)| (1.0 - weight) * a + weight * b));
        }
    }
    Array::new(shape, data)
}
