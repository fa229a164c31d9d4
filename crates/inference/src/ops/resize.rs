//! Resizing by the nearest neighbour, linearly, or by cubic splines.

use network::{Coordinates, Interpolation, Nearest};

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

/// An axis that is resized.
#[derive(Clone, Copy)]
struct Axis {
    from: usize,
    to: usize,
    coordinates: Coordinates,
    /// The scale of the file, where it is not exactly the ratio of the extents.
    scale: Option<f32>,
}

impl Axis {
    /// Where element `i` of the new axis lies on the old one.
    fn position(self, i: usize) -> f64 {
        match self.scale {
            Some(scale) => f64::from(self.scaled_position(i, scale)),
            None => self.exact_position(i),
        }
    }

    fn exact_position(self, i: usize) -> f64 {
        let Self { from, to, coordinates, .. } = self;
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

    /// In 32-bit float, as onnxruntime computes it: between two elements it decides which one is the nearest.
    fn scaled_position(self, i: usize, scale: f32) -> f32 {
        let (from, to, x) = (self.from as f32, self.to as f32, i as f32);
        match self.coordinates {
            Coordinates::AlignCorners | Coordinates::PytorchHalfPixel if self.to == 1 => 0.0,
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (x + 0.5) / scale - 0.5,
            Coordinates::HalfPixelSymmetric => {
                let middle = from / 2.0 * (1.0 - to / (scale * from));
                middle + (x + 0.5) / scale - 0.5
            }
            Coordinates::AlignCorners => x * (from - 1.0) / (to - 1.0),
            Coordinates::Asymmetric => x / scale,
            Coordinates::TfHalfPixelForNn => unreachable!("refused by check_coordinates"),
        }
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

/// Resizes every axis to `shape`; `scales` has the scale of each axis, where it is not exactly the ratio of the extents.
pub(crate) fn resize(
    x: &Array,
    shape: &[usize],
    interpolation: Interpolation,
    coordinates: Coordinates,
    scales: Option<&[f32]>,
    buffers: &mut Buffers,
) -> Result<Array, Problem> {
    check_coordinates(coordinates)?;
    let counts = [Some(shape.len()), scales.map(<[f32]>::len)];
    let fits = counts.iter().flatten().all(|&count| count == x.shape.len());
    if !fits || x.shape.contains(&0) || shape.contains(&0) {
        return Err(Problem::Invalid(format!("shape {:?} cannot be resized to {shape:?}", x.shape)));
    }
    let axis = |axis: usize| {
        let scale = scales.map(|scales| scales[axis]).filter(|&scale| scale != 1.0);
        Axis { from: x.shape[axis], to: shape[axis], coordinates, scale }
    };
    let axes: Vec<Axis> = (0..shape.len()).map(axis).collect();
    if let Interpolation::Nearest(mode) = interpolation {
        return Ok(nearest(x, shape, &axes, mode, buffers));
    }
    let mut current = x.clone();
    for (axis, resized) in
        axes.iter().enumerate().rev().filter(|(_, axis)| axis.from != axis.to || axis.scale.is_some())
    {
        let taps = match interpolation {
            Interpolation::Cubic { coefficient, exclude_outside } => {
                (0..resized.to).map(|i| cubic(*resized, i, f64::from(coefficient), exclude_outside)).collect()
            }
            Interpolation::Linear | Interpolation::Nearest(_) => (0..resized.to).map(|i| linear(*resized, i)).collect(),
        };
        let next = weighted(&current, axis, taps, buffers);
        buffers.give(std::mem::replace(&mut current, next).data);
    }
    Ok(current)
}

/// Each element is that of its nearest neighbour.
fn nearest(x: &Array, shape: &[usize], axes: &[Axis], mode: Nearest, buffers: &mut Buffers) -> Array {
    let map = |axis: &Axis| -> AxisMap {
        let index = |i| round(mode, axis.position(i)).clamp(0.0, (axis.from - 1) as f64) as usize;
        let same = axis.from == axis.to && axis.scale.is_none();
        (0..axis.to).map(|i| Some(if same { i } else { index(i) })).collect()
    };
    let maps: Vec<AxisMap> = axes.iter().map(map).collect();
    Array::new(shape.to_vec(), gather_mapped(x, &maps, 0.0, buffers))
}

/// What an element is the weighted sum of: places of an axis and their weights.
type Taps = Vec<(usize, f32)>;

/// The two neighbours.
fn linear(axis: Axis, i: usize) -> Taps {
    let position = axis.position(i).clamp(0.0, (axis.from - 1) as f64);
    let (low, high) = (position as usize, (position as usize + 1).min(axis.from - 1));
    let weight = (position - low as f64) as f32;
    vec![(low, 1.0 - weight), (high, weight)]
}

/// The two neighbours on each side. At distance `d` of at most 1 the weight is `(a + 2)·d³ − (a + 3)·d² + 1`, beyond it
/// `a·d³ − 5a·d² + 8a·d − 4a`. What lies beyond an edge is the element at the edge, or has no weight.
fn cubic(axis: Axis, i: usize, a: f64, exclude_outside: bool) -> Taps {
    let position = axis.position(i);
    let base = position.floor();
    let weight = |place: f64| {
        let d = (position - place).abs();
        if d <= 1.0 {
            ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
        } else {
            ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
        }
    };
    let last = (axis.from - 1) as f64;
    let places = [base - 1.0, base, base + 1.0, base + 2.0];
    let is_inside = |place: f64| !exclude_outside || (0.0..=last).contains(&place);
    let sum: f64 = places.iter().filter(|&&place| is_inside(place)).map(|&place| weight(place)).sum();
    let whole = if exclude_outside { sum } else { 1.0 };
    let kept = places.iter().filter(|&&place| is_inside(place));
    kept.map(|&place| (place.clamp(0.0, last) as usize, (weight(place) / whole) as f32)).collect()
}

/// An axis on which each element is a weighted sum.
fn weighted(x: &Array, axis: usize, taps: Vec<Taps>, buffers: &mut Buffers) -> Array {
    let [_, from, inner] = x.around(axis);
    let mut shape = x.shape.clone();
    shape[axis] = taps.len();
    let mut data = buffers.take(shape.iter().product());
    for block in x.data.chunks_exact(from * inner) {
        for taps in &taps {
            let start = data.len();
            data.resize(start + inner, 0.0);
            for &(place, weight) in taps {
                let row = &block[place * inner..][..inner];
                data[start..].iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x);
            }
        }
    }
    Array::new(shape, data)
}
