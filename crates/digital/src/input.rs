//! Activations at the edge of the array. They are checked once, and then laid out with their padding, so that elements
//! need not know where the image ends.

use engine::{Activations, Arithmetic, EngineError, Layer};
use network::Geometry;

/// Largest magnitude of an activation.
const MAX_ACTIVATION: u32 = 1 << 16;

/// Most weights of a filter. The sum of so many products of a code below `2^17` and an activation of `2^16` fits 64
/// bits, even while one weight is added plane by plane.
const MAX_FILTER_LEN: usize = 1 << 29;

/// Refuses filters whose sums might not fit the accumulators.
pub(crate) fn check_accumulators(layer: &Layer<'_>) -> Result<(), EngineError> {
    let len = layer.geometry().rows();
    if len <= MAX_FILTER_LEN {
        return Ok(());
    }
    let problem = format!("filters of {len} weights; 64-bit accumulators take {MAX_FILTER_LEN} at most");
    Err(EngineError::Unsupported { layer: layer.name().to_string(), problem })
}

/// The input of a layer as the integers that a digital array takes, `[repeats, in_channels, height, width]`.
///
/// # Errors
///
/// [`EngineError::Arithmetic`] if the input is not made of integers, [`EngineError::Shape`] if it has the wrong length,
/// [`EngineError::Activation`] if an integer is above `2^16` in magnitude. All of them name the `layer`.
pub(crate) fn integers<'a>(layer: &str, geometry: &Geometry, input: Activations<'a>) -> Result<&'a [i32], EngineError> {
    let layer = || layer.to_string();
    let Activations::Integer(input) = input else {
        return Err(EngineError::Arithmetic { layer: layer(), expected: Arithmetic::Integer });
    };
    if input.len() != geometry.input_len() {
        let (expected, found) = (geometry.input_len(), input.len());
        return Err(EngineError::Shape { layer: layer(), what: "input", expected, found });
    }
    match input.iter().position(|x| x.unsigned_abs() > MAX_ACTIVATION) {
        None => Ok(input),
        Some(index) => Err(EngineError::Activation {
            layer: layer(),
            index,
            value: input[index].to_string(),
            expected: "activations reach ±65536 at most",
        }),
    }
}

/// The input with its padding in place, `[repeats · in_channels, padded height, stride, padded width / stride]`.
///
/// The element of output position `p` that works on weight `w` reads `values[corner(p) + offset(w)]`. On padding it
/// reads 0. A line holds every `stride`-th element first, then those after them, and so on. What neighbouring positions
/// read for a weight therefore stands side by side at every stride.
pub(crate) struct PaddedInput {
    pub(crate) values: Vec<i32>,
    height: usize,
    line: Line,
}

/// Where the elements of a line stand.
#[derive(Clone, Copy)]
struct Line {
    stride: usize,
    /// Elements that are read with the same remainder of `x / stride`.
    per_remainder: usize,
    len: usize,
}

impl Line {
    fn new(width: usize, stride: usize) -> Self {
        let per_remainder = width.div_ceil(stride);
        Self { stride, per_remainder, len: per_remainder * stride.min(width) }
    }

    fn place(&self, x: usize) -> usize {
        x % self.stride * self.per_remainder + x / self.stride
    }
}

impl PaddedInput {
    /// Copies the input between zeros.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unsupported`] if it has more than `2^32` elements with its padding.
    pub(crate) fn new(layer: &Layer<'_>, input: &[i32]) -> Result<Self, EngineError> {
        let spec = layer.geometry().spec();
        let [top, left, bottom, right] = spec.pads;
        let [in_height, in_width] = spec.in_size;
        let height = in_height + top + bottom;
        let line = Line::new(in_width + left + right, spec.stride[1]);
        let planes = spec.repeats * spec.in_channels;
        let len = planes.checked_mul(height).and_then(|len| len.checked_mul(line.len));
        let Some(len) = len.filter(|&len| len <= 1 << 32) else {
            let problem = "more than 2^32 input elements with their padding".to_string();
            return Err(EngineError::Unsupported { layer: layer.name().to_string(), problem });
        };
        let mut values = vec![0; len];
        let places: Vec<usize> = (left..left + in_width).map(|x| line.place(x)).collect();
        for (index, from) in input.chunks_exact(in_width).enumerate() {
            let (plane, y) = (index / in_height, index % in_height);
            let start = (plane * height + y + top) * line.len;
            let to = &mut values[start..start + line.len];
            places.iter().zip(from).for_each(|(&place, &x)| to[place] = x);
        }
        Ok(Self { values, height, line })
    }

    /// Where the receptive field of every output position begins, for all repeats one after another.
    pub(crate) fn corners(&self, geometry: &Geometry) -> Vec<u32> {
        let spec = geometry.spec();
        let [out_height, out_width] = geometry.out_size();
        let mut corners = Vec::with_capacity(spec.repeats * out_height * out_width);
        for repeat in 0..spec.repeats {
            for y in 0..out_height {
                let line = repeat * spec.in_channels * self.height + y * spec.stride[0];
                corners.extend((0..out_width).map(|x| (line * self.line.len + x) as u32));
            }
        }
        corners
    }

    /// How far the input of each weight lies from the corner, `[channels, taps]`. It is the same for all filters of a
    /// group.
    pub(crate) fn offsets(&self, geometry: &Geometry, group: usize) -> Vec<u32> {
        let spec = geometry.spec();
        let channels = spec.in_channels / spec.groups;
        let mut offsets = Vec::with_capacity(geometry.rows());
        for channel in group * channels..(group + 1) * channels {
            for y in 0..spec.kernel[0] {
                let line = channel * self.height + y * spec.dilation[0];
                let place = |x: usize| line * self.line.len + self.line.place(x * spec.dilation[1]);
                offsets.extend((0..spec.kernel[1]).map(|x| place(x) as u32));
            }
        }
        offsets
    }
}
