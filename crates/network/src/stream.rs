//! Weights of a layer in chunks, for layers that are larger than memory.

use std::ops::Range;

use esn::StoredWeights;

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

    /// Weights by their row-major index: the bytes of the file, or else drawn into `buffer`, whose old content goes.
    ///
    /// # Panics
    ///
    /// If `range` is not within [`WeightStream::len`].
    pub fn read<'b>(&'b self, range: Range<usize>, buffer: &'b mut Vec<[u8; 4]>) -> StoredWeights<'b> {
        match self.content {
            Content::Stored(bytes, elements) => {
                let bytes = part(bytes, elements, range);
                match elements {
                    Elements::F32 => StoredWeights::F32(bytes.as_chunks().0),
                    Elements::Bf16 => StoredWeights::Bf16(bytes.as_chunks().0),
                    Elements::F16 => StoredWeights::F16(bytes.as_chunks().0),
                }
            }
            Content::Drawn(draw, count) => {
                assert!(range.end <= count, "{range:?} of {count} weights");
                buffer.resize(range.len(), [0; 4]);
                draw.fill(range.start, buffer);
                StoredWeights::F32(buffer)
            }
        }
    }

    /// Bytes of the file that hold the weights; 0 where no file does.
    pub fn stored_bytes(&self) -> usize {
        match self.content {
            Content::Stored(bytes, _) => bytes.len(),
            Content::Drawn(..) => 0,
        }
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
