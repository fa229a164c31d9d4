//! Weights of a layer in chunks, for layers that are larger than memory.

use std::borrow::Cow;
use std::ops::Range;

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use crate::draw::Draw;
use crate::error::NetworkError;
use crate::ids::LayerId;
use crate::layer::WeightTransform;
use crate::network::Network;
use crate::tensor::{DataType, Encoding, Tensor};

/// Reads the real weights of one layer piece by piece. What is read anew comes from the file again.
#[derive(Clone, Copy, Debug)]
pub struct WeightStream<'a> {
    network: &'a Network,
    layer: LayerId,
    content: Content<'a>,
}

/// Where weights come from.
#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Stored(&'a [u8], Elements),
    /// Nowhere: so many are drawn.
    Drawn(Draw, usize),
}

/// The types that weights are streamed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elements {
    F32,
    Bf16,
    F16,
}

impl Elements {
    /// Bytes of an element.
    fn size(self) -> usize {
        match self {
            Elements::F32 => 4,
            Elements::Bf16 | Elements::F16 => 2,
        }
    }
}

impl Network {
    /// The weights of a layer in chunks; `None` where they have to be read at once: they are integers, doubles, or not
    /// stored in the order `[filters, channels, kernel_h, kernel_w]`.
    ///
    /// # Panics
    ///
    /// If `layer` comes from another network.
    pub fn weight_stream(&self, layer: LayerId) -> Option<WeightStream<'_>> {
        let source = &self.layers()[layer.0].weights;
        let in_order = source.transforms.iter().all(|transform| matches!(transform, WeightTransform::Reshape(_)));
        if source.quantization.is_some() || !in_order {
            return None;
        }
        let content = match source.tensor.encoding {
            Encoding::Raw => stored(&source.tensor)?,
            Encoding::Drawn(draw) => Content::Drawn(draw, source.tensor.element_count()),
            Encoding::Varint | Encoding::Absent => return None,
        };
        Some(WeightStream { network: self, layer, content })
    }
}

/// The bytes of a tensor, where they are elements of a type that is streamed, in one piece.
fn stored(tensor: &Tensor) -> Option<Content<'_>> {
    let handled = [(DataType::F32, Elements::F32), (DataType::Bf16, Elements::Bf16), (DataType::F16, Elements::F16)];
    let (_, elements) = handled.into_iter().find(|(data_type, _)| *data_type == tensor.data_type)?;
    let [bytes] = tensor.chunks.as_slice() else { return None };
    let whole = tensor.element_count().checked_mul(elements.size()) == Some(bytes.len());
    whole.then_some(Content::Stored(bytes, elements))
}

impl WeightStream<'_> {
    /// Number of weights.
    pub fn len(&self) -> usize {
        match self.content {
            Content::Stored(bytes, elements) => bytes.len() / elements.size(),
            Content::Drawn(_, count) => count,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Weights by their row-major index: those of the file themselves where they are float32 and aligned, or else copied
    /// into `buffer`, whose old content goes. Half precision is widened, exactly.
    ///
    /// # Panics
    ///
    /// If `range` is not within [`WeightStream::len`].
    pub fn read<'b>(&'b self, range: Range<usize>, buffer: &'b mut Vec<f32>) -> &'b [f32] {
        let (bytes, elements) = match self.content {
            Content::Stored(bytes, elements) => (part(bytes, elements, range), elements),
            Content::Drawn(draw, count) => {
                assert!(range.end <= count, "{range:?} of {count} weights");
                buffer.resize(range.len(), 0.0);
                draw.fill(range.start, buffer);
                return buffer;
            }
        };
        let in_place = cfg!(target_endian = "little") && elements == Elements::F32;
        if in_place && let Ok(weights) = bytemuck::try_cast_slice(bytes) {
            return weights;
        }
        buffer.resize(bytes.len() / elements.size(), 0.0);
        match elements {
            Elements::F32 => fill(buffer, bytes, f32::from_le_bytes),
            // A bfloat16 is the upper half of a float32.
            Elements::Bf16 => fill(buffer, bytes, |[low, high]| f32::from_le_bytes([0, 0, low, high])),
            Elements::F16 => {
                let words: Cow<'_, [u16]> = match bytemuck::try_cast_slice(bytes) {
                    Ok(words) if cfg!(target_endian = "little") => words.into(),
                    _ => bytes.as_chunks().0.iter().map(|&bytes| u16::from_le_bytes(bytes)).collect(),
                };
                words.reinterpret_cast::<f16>().convert_to_f32_slice(buffer);
            }
        }
        buffer
    }

    /// Gives back the memory of weights that have been read, where they lie in a file.
    ///
    /// # Panics
    ///
    /// As [`WeightStream::read`].
    pub fn release(&self, range: Range<usize>) {
        if let Content::Stored(bytes, elements) = self.content {
            self.network.release(part(bytes, elements, range));
        }
    }

    /// The error that a weight which is not finite makes.
    pub fn not_finite(&self, index: usize, value: f32) -> NetworkError {
        let layer = &self.network.layers()[self.layer.0];
        NetworkError::Invalid {
            path: self.network.path().to_path_buf(),
            place: format!("layer {:?}", layer.name),
            problem: format!("weight {index} of tensor {:?} is {value}; expected a finite number", layer.weights.name),
        }
    }
}

/// The bytes of a range of elements.
fn part(bytes: &[u8], elements: Elements, range: Range<usize>) -> &[u8] {
    let size = elements.size();
    &bytes[range.start * size..range.end * size]
}

/// Decodes elements into memory that is there already: that loop becomes vector instructions.
fn fill<const N: usize>(weights: &mut [f32], bytes: &[u8], decode: impl Fn([u8; N]) -> f32) {
    weights.iter_mut().zip(bytes.as_chunks().0).for_each(|(weight, &bytes)| *weight = decode(bytes));
}
