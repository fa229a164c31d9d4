//! MAC layers: what an engine is given to run.

use std::iter;
use std::ops::AddAssign;

use esn::{CodeTensor, Grid, WeightShape};

use crate::activation::ActivationQuantization;
use crate::geometry::Geometry;
use crate::ids::ValueId;
use crate::requantization::Requantization;
use crate::scatter::Scatter;
use crate::tensor::{DataType, Tensor};
use crate::window::WindowAxis;

/// The operator that a layer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum MacOp {
    Conv,
    /// Its geometry has a filter for each output channel and tap, and its sums are added up to outputs.
    ConvTranspose(Scatter),
    Gemm,
    MatMul,
}

impl MacOp {
    /// The name in reports: `Conv`, `ConvTranspose`, `Gemm`, `MatMul`.
    pub fn name(self) -> &'static str {
        match self {
            MacOp::Conv => "Conv",
            MacOp::ConvTranspose(_) => "ConvTranspose",
            MacOp::Gemm => "Gemm",
            MacOp::MatMul => "MatMul",
        }
    }
}

/// How the input of the node is arranged before it is the `[repeats, in_channels, height, width]` of the geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// Convolution: the input is `[N, C, H, W]` (or `[N, C, W]`), the output likewise.
    ChannelsFirst,
    /// Convolution of three dimensions: the input is `[N, C, D, H, W]`, the output likewise. Each output plane is an input
    /// of its own of the geometry, whose channels are, for each channel of the node, the planes under the taps of this
    /// axis, those of padding being 0. Such a geometry has `repeats` · outputs and channels · taps.
    Planes(WindowAxis),
    /// Weights on the right: the input is `[…, K]`, the output `[…, M]`; positions are the leading axes.
    ChannelsLast,
    /// As [`Operand::ChannelsLast`], of images that lie side by side in each position: the input is `[positions, N, K]`, the
    /// output `[positions, N, M]`. Recurrent operators read sequences in this way.
    StepsFirst,
    /// A stack of so many matrices on the right: the output is `[…, matrices, positions, M]`. With a group for each matrix
    /// the input is `[…, matrices, positions, K]`, in one group `[…, positions, K]`, which all of them read.
    Stack(usize),
    /// Weights on the left (`weights · x`): the input is `[…, K, positions]`, the output `[…, M, positions]`. A vector
    /// `[K]` counts as one position. Where the input is one matrix, its columns are those of the first image, then of the
    /// second, …; of a stack of matrices, every image has its own. Of a stack of weights, `K` and `M` count those of all
    /// matrices, or in one group all filters of the same input.
    WeightsLeft,
    /// Gemm with `transA`: the input is `[K, positions]`, the output `[positions, M]`.
    Transposed,
}

/// One MAC layer: a node with constant weights, its geometry, and where its weights lie.
#[derive(Clone, Debug)]
pub struct MacLayer {
    /// Name of the node.
    pub name: String,
    /// The operator it comes from.
    pub op: MacOp,
    /// Its form as a grouped convolution, for one image.
    pub geometry: Geometry,
    /// How the node's input is arranged.
    pub operand: Operand,
    /// Where the weights lie.
    pub weights: WeightSource,
    /// What is added to the outputs of each channel, `[out_channels]`.
    pub bias: Option<Bias>,
    /// Factor of the product (Gemm's `alpha`); 1 elsewhere.
    pub alpha: f32,
    /// How the file quantizes the activation that the layer reads, if it does.
    pub input_quantization: Option<ActivationQuantization>,
    /// How the file makes integers of the layer's sums, where its operator computes on integers. The bias is then
    /// [`Bias::Integer`] or none, and the output goes into a QuantizeLinear of the same scale and zero point.
    pub requantization: Option<Requantization>,
    /// The activation that the layer reads.
    pub input: ValueId,
    /// The activation that it makes.
    pub output: ValueId,
}

impl MacLayer {
    /// Where sums are added up to outputs; none where each sum is an output.
    pub fn scatter(&self) -> Option<&Scatter> {
        if let MacOp::ConvTranspose(scatter) = &self.op { Some(scatter) } else { None }
    }

    /// Filters of the geometry for each output channel, which stand side by side: the taps of a transposed convolution,
    /// else 1.
    pub fn filters_per_channel(&self) -> usize {
        self.scatter().map_or(1, Scatter::taps)
    }

    /// Channels of the output. Bias and requantization are one each.
    pub fn out_channels(&self) -> usize {
        self.geometry.spec().filters / self.filters_per_channel()
    }

    /// Channels of the input.
    pub fn in_channels(&self) -> usize {
        self.geometry.spec().in_channels / self.planes()
    }

    /// Channels of the geometry for each of the input: the taps along the depth.
    pub fn planes(&self) -> usize {
        if let Operand::Planes(depth) = self.operand { depth.kernel } else { 1 }
    }

    /// Independent inputs of the node in one image.
    pub fn repeats(&self) -> usize {
        let outputs = if let Operand::Planes(depth) = self.operand { depth.out } else { 1 };
        self.geometry.spec().repeats / outputs
    }

    /// The window of the operator as the file has it: along depth, height and width.
    pub fn window(&self) -> [WindowAxis; 3] {
        let (spec, out) = (self.geometry.spec(), self.geometry.out_size());
        let planar = |axis: usize| WindowAxis {
            size: spec.in_size[axis],
            kernel: spec.kernel[axis],
            stride: spec.stride[axis],
            dilation: spec.dilation[axis],
            pads: [spec.pads[axis], spec.pads[axis + 2]],
            out: out[axis],
        };
        match (&self.op, self.operand) {
            (MacOp::ConvTranspose(scatter), _) => scatter.axes,
            (_, Operand::Planes(depth)) => [depth, planar(0), planar(1)],
            _ => [WindowAxis::ONE, planar(0), planar(1)],
        }
    }

    /// Outputs of one channel of one input of the geometry.
    pub fn out_positions(&self) -> usize {
        self.scatter().map_or(self.geometry.positions_per_repeat(), Scatter::out_positions)
    }

    /// Outputs out of sums: from `[n, filters, height, width]` of the geometry to `[n, out_channels, out_height,
    /// out_width]`.
    pub fn outputs<T: Copy + Default + AddAssign>(&self, sums: Vec<T>) -> Vec<T> {
        match self.scatter() {
            Some(scatter) => scatter.add_up(&sums),
            None => sums,
        }
    }

    /// The shape of the weights with a filter for each output channel, `[out_channels, channels, taps]`. Those of a
    /// transposed convolution lie as `[out_channels, taps, channels]`.
    pub fn channel_shape(&self) -> WeightShape {
        let shape = self.geometry.weight_shape();
        let (each, planes) = (self.filters_per_channel(), self.planes());
        let taps = shape.taps * each * planes;
        WeightShape { filters: shape.filters / each, channels: shape.channels / planes, taps, ..shape }
    }

    /// The layer with these codes for weights, `[out_channels, …]` or `[filters, …]`, under the name `name`. `steps` is
    /// `Δ`: one number, or one an output channel. `None` if there are as many as neither.
    pub fn with_codes(&self, name: &str, codes: &CodeTensor, steps: &[f32]) -> Option<Self> {
        if steps.len() != 1 && steps.len() != self.out_channels() {
            return None;
        }
        let each = if steps.len() == 1 { 1 } else { self.filters_per_channel() };
        let steps: Vec<f32> = steps.iter().flat_map(|&step| iter::repeat_n(step, each)).collect();
        let codes = CodeTensor::new(codes.grid(), self.geometry.weight_shape(), codes.codes().to_vec()).ok()?;
        let weights = WeightSource::from_codes(name, self.geometry.weight_extents(), &codes, &steps)?;
        Some(Self { weights, ..self.clone() })
    }
}

/// What is added to the outputs of a layer.
#[derive(Clone, Debug)]
pub enum Bias {
    /// Real numbers, one an output channel, with Gemm's `beta` already applied.
    Float(Vec<f32>),
    /// Integers and their scale (one number, or one an output channel): `bias = value · scale`.
    Integer {
        /// The integers, one an output channel; of at most 32 bits, but with activations of 16 bits.
        values: Vec<i64>,
        /// Their scale.
        scales: Vec<f32>,
    },
}

impl Bias {
    /// The bias of one output channel as a real number; exact up to 29 bits of an integer, and rounded once beyond.
    ///
    /// # Panics
    ///
    /// If there is no such channel.
    pub fn value(&self, channel: usize) -> f64 {
        match self {
            Bias::Float(values) => f64::from(values[channel]),
            Bias::Integer { values, scales } => {
                let scale = if scales.len() == 1 { scales[0] } else { scales[channel] };
                values[channel] as f64 * f64::from(scale)
            }
        }
    }

    /// The bias of every output channel as real numbers.
    pub fn to_float(&self) -> Vec<f32> {
        let channels = match self {
            Bias::Float(values) => values.len(),
            Bias::Integer { values, .. } => values.len(),
        };
        (0..channels).map(|m| self.value(m) as f32).collect()
    }
}

/// Where the weights of a layer lie and how they become `[filters, channels, kernel_h, kernel_w]`.
#[derive(Clone, Debug)]
pub struct WeightSource {
    /// Name of the tensor in the file.
    pub name: String,
    /// The stored tensor: real numbers, or the integers of quantized weights.
    pub tensor: Tensor,
    /// Steps from the stored tensor to row-major `[filters, channels, kernel_h, kernel_w]`, applied in order.
    pub transforms: Vec<WeightTransform>,
    /// Scale and zero point, if the file quantizes the weights. A scale has one entry or one a filter.
    pub quantization: Option<WeightQuantization>,
}

impl WeightSource {
    /// Real weights in memory, row-major in `shape` = `[filters, channels, kernel_h, kernel_w]`.
    pub fn from_f32(name: &str, shape: [usize; 4], weights: &[f32]) -> Self {
        let tensor = Tensor::from_f32(shape.to_vec(), weights);
        Self { name: name.to_string(), tensor, transforms: Vec::new(), quantization: None }
    }

    /// Quantized weights in memory, in `shape` = `[filters, channels, kernel_h, kernel_w]`: signed bytes where all fit,
    /// else 16-bit integers, else (mid-rise at 16 bits, whose half-steps reach ±65535) 32-bit ones. `steps` is `Δ`, one
    /// number or one a filter. `None` if there are neither 1 step nor one a filter.
    pub fn from_codes(name: &str, shape: [usize; 4], codes: &CodeTensor, steps: &[f32]) -> Option<Self> {
        if steps.len() != 1 && steps.len() != codes.shape().filters {
            return None;
        }
        let (grid, per_integer) = (codes.grid(), if codes.grid() == Grid::MidRise { 1 } else { 2 });
        let integers: Vec<i32> = codes.codes().iter().map(|code| code / per_integer).collect();
        let fits = |min: i32, max: i32| integers.iter().all(|q| (min..=max).contains(q));
        let tensor = if fits(-127, 127) {
            Tensor::from_i8(shape.to_vec(), &integers)
        } else if fits(-32768, 32767) {
            Tensor::from_i16(shape.to_vec(), &integers)
        } else {
            Tensor::from_i32(shape.to_vec(), &integers)
        };
        // Halving an f32 is exact unless it is subnormal, and no weight that small is worth a step.
        let scales = steps.iter().map(|step| if grid == Grid::MidRise { step * 0.5 } else { *step }).collect();
        let data_type = tensor.data_type;
        let quantization = WeightQuantization { scales, zero_points: vec![0], grid, data_type, clip: None };
        Some(Self { name: name.to_string(), tensor, transforms: Vec::new(), quantization: Some(quantization) })
    }

    /// The shape that the weights have in a file without a graph, where the last step makes four axes of it.
    pub fn file_shape(&self) -> Vec<usize> {
        let mut shape = self.tensor.shape.clone();
        for (i, transform) in self.transforms.iter().enumerate() {
            match transform {
                WeightTransform::Transpose(perm) => shape = perm.iter().map(|&axis| shape[axis]).collect(),
                WeightTransform::Reshape(_) if i + 1 == self.transforms.len() => {}
                WeightTransform::Reshape(to) => shape.clone_from(to),
            }
        }
        shape
    }

    /// The same weights, stored in the shape that `other` has in its file, if they are as many and stored in four axes.
    pub fn in_file_shape_of(mut self, other: &WeightSource) -> Self {
        let shape = other.file_shape();
        let same_count = shape.iter().product::<usize>() == self.tensor.element_count();
        if self.transforms.is_empty() && self.tensor.shape != shape && same_count {
            let four_axes = std::mem::replace(&mut self.tensor.shape, shape);
            self.transforms.push(WeightTransform::Reshape(four_axes));
        }
        self
    }
}

/// How the file quantizes weights: `w = (q − zero_point) · scale`.
///
/// On the mid-tread grid a stored integer is `W_int` and the scale is `Δ`. On the mid-rise grid it counts half-steps,
/// `q − zero_point = 2·W_int`, odd or 0, and the scale is `Δ/2`: that is how a standard file holds levels ±0.5, ±1.5, ….
#[derive(Clone, Debug, PartialEq)]
pub struct WeightQuantization {
    /// One number, or one a filter.
    pub scales: Vec<f32>,
    /// One number, or one a filter.
    pub zero_points: Vec<i32>,
    /// Which levels the integers stand for.
    pub grid: Grid,
    /// Type of the integers. Where the stored tensor is real (a QuantizeLinear sits on it), it is rounded to this type.
    pub data_type: DataType,
    /// Smallest and largest integer, where the file clips the integers to fewer than their type has.
    pub clip: Option<[i32; 2]>,
}

/// A rearrangement of stored weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WeightTransform {
    /// Permutes axes: axis `i` of the result is axis `perm[i]`.
    Transpose(Vec<usize>),
    /// Same elements, another shape.
    Reshape(Vec<usize>),
}

/// Real weights, in the precision of the file (half precision is widened, exactly).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum WeightValues {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// The weights of one layer, row-major `[filters, channels, kernel_h, kernel_w]`, out of the file.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerWeights {
    /// The file holds real numbers; all are finite.
    Float(WeightValues),
    /// The file holds integers: `codes` are `2·(q − zero_point)` on the mid-tread grid, `q − zero_point` on mid-rise.
    Quantized {
        /// The integers.
        codes: CodeTensor,
        /// Weight = `code / 2 · scale`, the scale being `Δ`; one number, or one a filter.
        scales: Vec<f32>,
    },
}
