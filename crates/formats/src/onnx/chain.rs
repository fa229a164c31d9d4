//! A constant as a stored tensor and the steps from there. Weights are kept this way, so that reading does not touch
//! them.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use esn::Grid;
use half::f16;
use network::rearrange::rearrange;
use network::{DataType, Tensor, TensorError, WeightQuantization, WeightTransform};

use super::array::{Array, Data};
use super::form::{MAX_FOLDED, is_narrow};
use super::lattice::Lattice;

/// Rearrangements that a chain keeps. No exporter writes more; a constant with more is computed instead.
const MAX_TRANSFORMS: usize = 16;

/// A constant: a stored tensor, and the rearrangements, casts without loss and quantization that lead to the constant.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// Name of the stored tensor.
    pub(super) name: String,
    /// The stored tensor.
    pub(super) tensor: Tensor,
    /// Steps from the stored tensor to the constant.
    pub(super) transforms: Vec<WeightTransform>,
    /// Element type of the constant.
    pub(super) data_type: DataType,
    /// Shape of the constant.
    pub(super) shape: Vec<usize>,
    /// How the constant is quantized.
    pub(super) quantized: Option<Quantized>,
    /// Smallest and largest integer, where a Clip sits on the integers, stored or made by the quantization.
    pub(super) clip: Option<[i32; 2]>,
    /// Whether real numbers were computed from integers, which are lost.
    pub(super) from_integers: bool,
    /// Levels that real numbers may lie on, the likeliest first.
    pub(super) lattices: Vec<Lattice>,
    /// What it is on its levels, by the steps to the weights. Layers that share a constant share its integers.
    pub(super) placed: Placed,
}

/// Integers of weights and their quantization, by what leads from a stored tensor to the weights.
pub(super) type Placed = Rc<RefCell<Vec<(Vec<WeightTransform>, Option<(Tensor, WeightQuantization)>)>>>;

/// The quantization in a [`Chain`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantized {
    /// Scales, zero points and integer type.
    pub(super) parameters: WeightQuantization,
    /// The axis of the constant that more than one scale belongs to.
    pub(super) axis: Option<usize>,
    /// The type of the real numbers that DequantizeLinear made of the integers; `None` where they still are integers.
    pub(super) real: Option<DataType>,
    /// Whether Cast, Sub and Mul are the dequantization.
    pub(super) by_cast: bool,
}

impl Chain {
    /// A stored tensor as it is.
    pub(super) fn stored(name: &str, tensor: Tensor) -> Self {
        let (data_type, shape) = (tensor.data_type, tensor.shape.clone());
        Self {
            name: name.to_string(),
            tensor,
            transforms: Vec::new(),
            data_type,
            shape,
            quantized: None,
            clip: None,
            from_integers: false,
            lattices: Vec::new(),
            placed: Placed::default(),
        }
    }

    /// Number of elements.
    pub(super) fn element_count(&self) -> usize {
        self.tensor.element_count()
    }

    /// The stored tensor, if nothing is done to it.
    pub(super) fn as_stored(&self) -> Option<&Tensor> {
        let whole = self.quantized.is_none() && self.clip.is_none();
        let untouched = self.transforms.is_empty() && whole && self.data_type == self.tensor.data_type;
        untouched.then_some(&self.tensor)
    }

    /// Permutes axes. `None` where the chain gets too long.
    pub(super) fn transposed(mut self, perm: &[usize]) -> Option<Self> {
        let composed = match self.transforms.last() {
            Some(WeightTransform::Transpose(inner)) => {
                let composed = perm.iter().map(|&p| inner[p]).collect();
                self.transforms.pop();
                composed
            }
            _ => perm.to_vec(),
        };
        if !composed.iter().enumerate().all(|(i, &p)| i == p) {
            self.transforms.push(WeightTransform::Transpose(composed));
        }
        self.shape = perm.iter().map(|&p| self.shape[p]).collect();
        self.move_lattices(|axis| perm.iter().position(|&p| p == axis));
        if let Some(quantized) = &mut self.quantized {
            quantized.axis = quantized.axis.and_then(|axis| perm.iter().position(|&p| p == axis));
        }
        (self.transforms.len() <= MAX_TRANSFORMS).then_some(self)
    }

    /// Gives the elements another shape. `None` where the chain gets too long, or where the axis of the scales would be
    /// no axis of its own any more.
    pub(super) fn reshaped(mut self, shape: &[usize]) -> Option<Self> {
        if let Some(Quantized { axis: Some(axis), .. }) = &mut self.quantized {
            *axis = moved_axis(&self.shape, *axis, shape)?;
        }
        if matches!(self.transforms.last(), Some(WeightTransform::Reshape(_))) {
            self.transforms.pop();
        }
        if self.shape_after_transforms() != shape {
            self.transforms.push(WeightTransform::Reshape(shape.to_vec()));
        }
        let from = std::mem::replace(&mut self.shape, shape.to_vec());
        self.move_lattices(|axis| moved_axis(&from, axis, shape));
        (self.transforms.len() <= MAX_TRANSFORMS).then_some(self)
    }

    /// The part at `index` of the first axis, without that axis. Its name is that of the tensor with the index behind it.
    /// `None` where its elements do not stand by themselves in the file.
    pub(super) fn part(&self, index: usize) -> Option<Self> {
        let (stored, steps) = match self.transforms.split_first() {
            Some((WeightTransform::Reshape(shape), steps)) => (shape.clone(), steps),
            _ => (self.tensor.shape.clone(), self.transforms.as_slice()),
        };
        let count = *self.shape.first()?;
        let transforms = steps.iter().map(|step| within_parts(step, count)).collect::<Option<_>>()?;
        let whole = Tensor { shape: stored, ..self.tensor.clone() };
        let tensor = whole.part(index).filter(|_| whole.shape[0] == count)?;
        let quantized = self.quantized.as_ref().map(|quantized| quantized.part(index));
        let (name, shape) = (format!("{}[{index}]", self.name), self.shape[1..].to_vec());
        let mut part = Self { name, tensor, transforms, shape, quantized, ..self.clone() };
        part.placed = Placed::default();
        part.move_lattices(|axis| axis.checked_sub(1));
        Some(part)
    }

    /// These rows of a matrix. Their name is that of the tensor with the range behind it. `None` where their elements do not
    /// stand by themselves in the file.
    pub(super) fn rows(&self, rows: Range<usize>) -> Option<Self> {
        let stored = match self.transforms.as_slice() {
            [] => self.tensor.shape.clone(),
            [WeightTransform::Reshape(shape)] => shape.clone(),
            _ => return None,
        };
        let tensor = Tensor { shape: stored, ..self.tensor.clone() }.rows(rows.clone())?;
        let quantized = self.quantized.as_ref().map(|quantized| quantized.rows(rows.clone()));
        let (name, shape) = (format!("{}[{}..{}]", self.name, rows.start, rows.end), tensor.shape.clone());
        let mut part = Self { name, tensor, transforms: Vec::new(), shape, quantized, ..self.clone() };
        part.placed = Placed::default();
        part.move_lattices(|axis| (axis > 0).then_some(axis));
        Some(part)
    }

    /// Whether weights of this name are those of the stored tensor, or a part of them.
    pub(super) fn is_named(&self, name: &str) -> bool {
        name.strip_prefix(&self.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
    }

    fn move_lattices(&mut self, to: impl Fn(usize) -> Option<usize>) {
        let lattices = std::mem::take(&mut self.lattices);
        self.lattices = lattices.into_iter().filter_map(|lattice| lattice.moved(&to)).collect();
    }

    fn shape_after_transforms(&self) -> Vec<usize> {
        self.transforms.iter().fold(self.tensor.shape.clone(), |shape, transform| match transform {
            WeightTransform::Reshape(to) => to.clone(),
            WeightTransform::Transpose(perm) => perm.iter().map(|&p| shape[p]).collect(),
        })
    }

    /// Changes the element type, if that loses nothing. Integers of at most 16 bits become 32-bit float as a
    /// DequantizeLinear of scale 1 makes them.
    pub(super) fn cast(mut self, to: DataType) -> Option<Self> {
        if to == DataType::F32 && is_narrow(self.data_type) {
            let (scales, data_type) = (vec![1.0], self.data_type);
            let one = WeightQuantization { scales, zero_points: vec![0], grid: Grid::MidTread, data_type, clip: None };
            let mut cast = self.dequantize(one, None, to)?;
            cast.quantized.as_mut()?.by_cast = true;
            return Some(cast);
        }
        let exact = match (self.data_type, to) {
            (from, to) if from == to => true,
            (DataType::F16 | DataType::Bf16, DataType::F32 | DataType::F64) => true,
            (DataType::F32, DataType::F64) => true,
            _ => false,
        };
        self.data_type = to;
        exact.then_some(self)
    }

    /// Puts a QuantizeLinear on real numbers, along `axis` where there is more than one scale. Behind a DequantizeLinear
    /// with the same scales and zero points, it gives back the integers. `None` where the integers would be others.
    pub(super) fn quantize(mut self, parameters: WeightQuantization, axis: Option<usize>) -> Option<Self> {
        if !self.data_type.is_real() {
            return None;
        }
        let quantized = Quantized { parameters, axis, real: None, by_cast: false };
        let same = |before: &Quantized| before.agrees(&quantized, &self.shape) && before.come_back();
        if !self.quantized.as_ref().is_none_or(same) {
            return None;
        }
        self.data_type = quantized.parameters.data_type;
        self.quantized = Some(quantized);
        Some(self)
    }

    /// Puts a DequantizeLinear on integers, stored or made by the same quantization; `to` is the type it makes.
    pub(super) fn dequantize(
        mut self,
        parameters: WeightQuantization,
        axis: Option<usize>,
        to: DataType,
    ) -> Option<Self> {
        let dequantized = Quantized { parameters, axis, real: Some(to), by_cast: false };
        if let Some(quantized) = &self.quantized {
            if quantized.real.is_some() || !quantized.agrees(&dequantized, &self.shape) {
                return None;
            }
        } else if self.data_type.is_real() {
            return None;
        }
        self.data_type = to;
        self.quantized = Some(dequantized);
        Some(self)
    }

    /// Multiplies integers behind a Cast by a scale, or by one for each part of an axis. `None` for anything else.
    pub(super) fn scaled(mut self, by: &Chain) -> Option<Self> {
        let (scales, axis) = by.along_one_axis(&self.shape)?;
        let quantized = self.quantized.as_mut().filter(|quantized| quantized.by_cast)?;
        let fits = quantized.axis.is_none() || axis.is_none() || quantized.axis == axis;
        let positive = scales.iter().all(|scale| scale.is_finite() && *scale > 0.0);
        if quantized.parameters.scales != [1.0] || !fits || !positive {
            return None;
        }
        quantized.parameters.scales = scales;
        quantized.axis = quantized.axis.or(axis);
        Some(self)
    }

    /// Subtracts a zero point from integers behind a Cast, as [`Chain::scaled`] takes a scale.
    pub(super) fn shifted(mut self, by: &Chain) -> Option<Self> {
        let (points, axis) = by.along_one_axis(&self.shape)?;
        let quantized = self.quantized.as_mut().filter(|quantized| quantized.by_cast)?;
        let untouched = quantized.parameters.scales == [1.0] && quantized.parameters.zero_points == [0];
        if !untouched || points.iter().any(|point| point.fract() != 0.0 || point.abs() > 65536.0) {
            return None;
        }
        quantized.parameters.zero_points = points.into_iter().map(|point| point as i32).collect();
        quantized.axis = axis;
        Some(self)
    }

    /// The 32-bit floats of a constant that broadcasts to `shape`, and the axis of `shape` along which they differ.
    fn along_one_axis(&self, shape: &[usize]) -> Option<(Vec<f32>, Option<usize>)> {
        if self.data_type != DataType::F32 || self.shape.len() > shape.len() || self.element_count() > MAX_FOLDED {
            return None;
        }
        let before = shape.len() - self.shape.len();
        let mut axes = (0..self.shape.len()).filter(|&axis| self.shape[axis] != 1);
        let axis = axes.next().map(|axis| axis + before);
        let broadcasts = axis.is_none_or(|axis| self.shape[axis - before] == shape[axis]);
        if axes.next().is_some() || !broadcasts {
            return None;
        }
        let reals = self.to_array().ok()?.into_reals()?;
        Some((reals.into_iter().map(|v| v as f32).collect(), axis))
    }

    /// Levels that its elements may lie on.
    pub(super) fn levels(&self) -> Vec<Lattice> {
        match &self.quantized {
            Some(Quantized { parameters, axis, real: Some(_), .. }) => vec![Lattice::dequantized(parameters, *axis)],
            Some(_) | None => self.lattices.clone(),
        }
    }

    /// Real weights, first axis filters, as integers behind a DequantizeLinear, where they lie on known levels.
    pub(super) fn on_levels(&self) -> Option<Self> {
        if self.lattices.is_empty() || self.quantized.is_some() || !self.data_type.is_real() {
            return None;
        }
        let known =
            self.placed.borrow().iter().find(|(steps, _)| *steps == self.transforms).map(|(_, found)| found.clone());
        let found = known.unwrap_or_else(|| {
            let found = self.place();
            self.placed.borrow_mut().push((self.transforms.clone(), found.clone()));
            found
        });
        let (tensor, parameters) = found?;
        let axis = (parameters.scales.len() > 1).then_some(0);
        Self::stored(&self.name, tensor).dequantize(parameters, axis, self.data_type)
    }

    fn place(&self) -> Option<(Tensor, WeightQuantization)> {
        let values = self.to_array().ok()?.into_reals()?;
        self.lattices.iter().find_map(|lattice| lattice.place(&values, &self.shape, self.data_type))
    }

    /// The elements as a stored tensor, which says whether integers were behind them.
    pub(super) fn written_out(&self, name: &str) -> Result<Self, TensorError> {
        let stored = Self::stored(name, self.to_array()?.into_tensor());
        let from_integers = self.is_from_integers() && stored.data_type.is_real();
        Ok(Self { from_integers, lattices: self.levels(), ..stored })
    }

    /// Whether the elements are integers or were computed from integers. A mask is no integer.
    pub(super) fn is_from_integers(&self) -> bool {
        let is_integer = !self.data_type.is_real() && self.data_type != DataType::Bool;
        self.from_integers || self.quantized.is_some() || is_integer
    }

    /// Puts a Clip on integers, stored or made by a quantization. `None` for real numbers, and where no integer of the
    /// type is left.
    pub(super) fn clipped(mut self, [min, max]: [f32; 2]) -> Option<Self> {
        let (lowest, highest) = self.data_type.range()?;
        // A bound of more than 24 bits may have been another integer, unless it lies beyond the type.
        let is_exact = |bound: f32| bound.abs() < 16_777_216.0 || !(lowest + 1..highest).contains(&(bound as i64));
        if !is_exact(min) || !is_exact(max) {
            return None;
        }
        let [before, behind] = self.clip.map_or([lowest, highest], |clip| clip.map(i64::from));
        let [min, max] = [(min.ceil() as i64).max(before), (max.floor() as i64).min(behind)];
        self.clip = Some([i32::try_from(min).ok()?, i32::try_from(max).ok()?]);
        (min <= max).then_some(self)
    }

    /// How the constant is quantized, and the axis that more than one scale belongs to.
    pub(super) fn quantization(&self) -> Option<(WeightQuantization, Option<usize>)> {
        let quantized = self.quantized.as_ref()?;
        Some((WeightQuantization { clip: self.clip, ..quantized.parameters.clone() }, quantized.axis))
    }

    /// The integers of a quantized constant, in memory; its elements where it is not quantized.
    pub(super) fn codes(&self) -> Result<Array, TensorError> {
        let mut integers = self.clone();
        if let Some(quantized) = &mut integers.quantized {
            quantized.real = None;
        }
        integers.to_array()
    }

    /// All elements, in memory.
    pub(super) fn to_array(&self) -> Result<Array, TensorError> {
        let data = if self.tensor.data_type.is_real() {
            Data::Real(rearrange(self.tensor.to_f64()?, &self.tensor.shape, &self.transforms))
        } else {
            Data::Int(rearrange(self.tensor.to_i64()?, &self.tensor.shape, &self.transforms))
        };
        let data = match (data, self.clip) {
            (Data::Int(codes), Some([min, max])) => {
                Data::Int(codes.into_iter().map(|q| q.clamp(i64::from(min), i64::from(max))).collect())
            }
            (data, _) => data,
        };
        let data = match &self.quantized {
            Some(quantized) => quantized.apply(self.clip, data, &self.shape),
            None => data,
        };
        Ok(Array { data_type: self.data_type, shape: self.shape.clone(), data })
    }
}

impl Quantized {
    /// Whether scales, zero points and type of the integers are those of another quantization of the same constant, of
    /// shape `shape`. A scale for each channel may stand for one of them all.
    fn agrees(&self, other: &Self, shape: &[usize]) -> bool {
        let axis = self.axis.or(other.axis);
        let channels = axis.map_or(1, |axis| shape[axis]);
        self.parameters.data_type == other.parameters.data_type
            && [self, other].iter().all(|one| one.axis.is_none() || one.axis == axis)
            && (0..channels).all(|channel| self.parameters.of(channel) == other.parameters.of(channel))
    }

    /// The quantization of a part of the first axis.
    fn part(&self, index: usize) -> Self {
        let mut part = self.clone();
        part.axis = self.axis.and_then(|axis| axis.checked_sub(1));
        if self.axis == Some(0) {
            let (scale, zero_point) = self.parameters.of(index);
            (part.parameters.scales, part.parameters.zero_points) = (vec![scale], vec![zero_point]);
        }
        part
    }

    /// The quantization of a range of the first axis.
    fn rows(&self, rows: Range<usize>) -> Self {
        let mut part = self.clone();
        if self.axis == Some(0) {
            let of = rows.map(|row| self.parameters.of(row));
            (part.parameters.scales, part.parameters.zero_points) = of.unzip();
        }
        part
    }

    /// Whether the integers come back where QuantizeLinear follows DequantizeLinear. Product and quotient are each
    /// rounded to `p` bits, so that `q` is off by at most
    ///
    /// ```text
    /// |q - zero_point| * 2^(1-p)
    /// ```
    ///
    /// which has to be less than half. The product must not overflow.
    fn come_back(&self) -> bool {
        let (bits, largest) = match self.real {
            Some(DataType::F32 | DataType::F64) => (24, f32::MAX),
            Some(DataType::F16) => (11, f16::MAX.to_f32()),
            Some(DataType::Bf16) | None => return false,
            // No DequantizeLinear makes integers.
            Some(DataType::I4 | DataType::U4 | DataType::I8 | DataType::U8 | DataType::I16 | DataType::U16) => {
                return false;
            }
            Some(DataType::I32 | DataType::U32 | DataType::I64 | DataType::U64 | DataType::Bool) => return false,
        };
        let Some((min, max)) = self.parameters.data_type.range() else { return false };
        let farthest = max.abs_diff(min);
        farthest < 1 << (bits - 2) && self.parameters.scales.iter().all(|scale| farthest as f32 * scale <= largest)
    }

    /// The numbers behind the quantization; `data` has shape `shape`. Real numbers become integers within `clip`.
    fn apply(&self, clip: Option<[i32; 2]>, data: Data, shape: &[usize]) -> Data {
        let channels = self.axis.map_or(1, |axis| shape[axis]);
        let inner = self.axis.map_or(1, |axis| shape[axis + 1..].iter().product::<usize>()).max(1);
        let parameters = WeightQuantization { clip, ..self.parameters.clone() };
        let of = |i: usize| parameters.of(if self.axis.is_some() { i / inner % channels } else { 0 });
        let codes: Vec<i64> = match data {
            Data::Int(codes) => codes,
            Data::Real(values) => {
                let round = |(i, &v): (usize, &f64)| parameters.round(v as f32, of(i));
                values.iter().enumerate().map(round).collect()
            }
        };
        if self.real.is_none() {
            return Data::Int(codes);
        }
        let real = |(i, &code): (usize, &i64)| {
            let (scale, zero_point) = of(i);
            f64::from((code - i64::from(zero_point)) as f32 * scale)
        };
        Data::Real(codes.iter().enumerate().map(real).collect())
    }
}

/// A step as each of `count` parts of the first axis takes it; `None` where it does not leave that axis alone.
fn within_parts(step: &WeightTransform, count: usize) -> Option<WeightTransform> {
    match step {
        WeightTransform::Reshape(to) => {
            let (first, rest) = to.split_first()?;
            (*first == count).then(|| WeightTransform::Reshape(rest.to_vec()))
        }
        WeightTransform::Transpose(perm) => {
            let (first, rest) = perm.split_first()?;
            (*first == 0).then(|| WeightTransform::Transpose(rest.iter().map(|axis| axis - 1).collect()))
        }
    }
}

/// Where axis `axis` of shape `from` is in shape `to`. `None` where it is not a whole axis there: axis 1 of `[2, 3, 4]`
/// is axis 1 of `[2, 3, 2, 2]`, and none of `[6, 4]`.
fn moved_axis(from: &[usize], axis: usize, to: &[usize]) -> Option<usize> {
    let outer: usize = from[..axis].iter().product();
    let mut before = 1usize;
    for (i, &extent) in to.iter().enumerate() {
        if before == outer && extent == from[axis] {
            return Some(i);
        }
        before = before.saturating_mul(extent);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Chain {
        let values: Vec<f32> = (0..24).map(|i| i as f32).collect();
        Chain::stored("w", Tensor::from_f32(vec![2, 3, 4], &values))
    }

    #[test]
    fn transposes_compose_and_vanish() {
        let twice = chain().transposed(&[2, 0, 1]).and_then(|c| c.transposed(&[1, 2, 0])).expect("short");
        assert!(twice.transforms.is_empty());
        assert_eq!(twice.shape, [2, 3, 4]);
    }

    #[test]
    fn a_reshape_back_vanishes() {
        let back = chain().reshaped(&[24]).and_then(|c| c.reshaped(&[2, 3, 4])).expect("short");
        assert!(back.as_stored().is_some());
    }

    #[test]
    fn parts_of_the_first_axis_are_chains() {
        let part = |chain: &Chain| chain.part(1).map(|part| part.to_array().expect("it is stored").data);
        let turned = chain().transposed(&[0, 2, 1]).expect("short");
        let of_turned = [12.0, 16.0, 20.0, 13.0, 17.0, 21.0, 14.0, 18.0, 22.0, 15.0, 19.0, 23.0];
        assert_eq!(part(&turned), Some(Data::Real(of_turned.to_vec())));
        let reshaped = chain().reshaped(&[4, 6]).and_then(|chain| chain.reshaped(&[4, 2, 3])).expect("short");
        assert_eq!(part(&reshaped), Some(Data::Real((6..12).map(f64::from).collect())));
        let across = chain().transposed(&[1, 0, 2]).expect("short");
        assert_eq!(part(&across), None);
        assert!(turned.is_named("w[1]") && turned.is_named("w") && !turned.is_named("w1"));
    }

    #[test]
    fn channel_axis_follows_reshapes() {
        assert_eq!(moved_axis(&[2, 3, 4], 1, &[2, 3, 2, 2]), Some(1));
        assert_eq!(moved_axis(&[2, 3, 4], 2, &[6, 4, 1]), Some(1));
        assert_eq!(moved_axis(&[2, 3, 4], 1, &[6, 4]), None);
    }
}
