//! Tensors while a network runs, and the memory that they are made from.

/// A dense row-major tensor. Integers of quantized values are held as the real numbers they are: all types up to 16 bits
/// fit exactly.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Array {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

impl Array {
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Self { shape, data }
    }

    /// Extents before `axis`, of it, and after it, each multiplied up.
    pub fn around(&self, axis: usize) -> [usize; 3] {
        let product = |extents: &[usize]| extents.iter().product();
        [product(&self.shape[..axis]), self.shape[axis], product(&self.shape[axis + 1..])]
    }
}

/// One input of an operation.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// Nobody reads it after this operation, which may change it in place.
    Owned(Array),
    /// Read again later, or a constant.
    Shared(&'a Array),
}

impl Input<'_> {
    pub fn array(&self) -> &Array {
        match self {
            Input::Owned(array) => array,
            Input::Shared(array) => array,
        }
    }

    /// The array itself, to change; a copy where others read it.
    pub fn into_owned(self, buffers: &mut Buffers) -> Array {
        match self {
            Input::Owned(array) => array,
            Input::Shared(array) => {
                let mut data = buffers.take(array.data.len());
                data.extend_from_slice(&array.data);
                Array { shape: array.shape.clone(), data }
            }
        }
    }

    /// Gives the memory back, if it is ours.
    pub fn recycle(self, buffers: &mut Buffers) {
        if let Input::Owned(array) = self {
            buffers.give(array.data);
        }
    }
}

/// Buffers that one run has done with and the next operation may use: of numbers, or of codes.
#[derive(Debug)]
pub(crate) struct Buffers<T = f32> {
    free: Vec<Vec<T>>,
}

impl<T> Default for Buffers<T> {
    fn default() -> Self {
        Self { free: Vec::new() }
    }
}

/// An executor brings a new buffer a layer; more than this many are not kept.
const MAX_FREE: usize = 16;

impl<T> Buffers<T> {
    /// An empty buffer with room for `len` elements.
    pub fn take(&mut self, len: usize) -> Vec<T> {
        let mut buffer = self.fitting(len);
        buffer.clear();
        buffer
    }

    /// A buffer of `len` elements of any values, for those who write them all. Nothing is cleared for them.
    pub fn filled(&mut self, len: usize) -> Vec<T>
    where
        T: Clone + Default,
    {
        let mut buffer = self.fitting(len);
        buffer.resize(len, T::default());
        buffer
    }

    fn fitting(&mut self, len: usize) -> Vec<T> {
        let fitting = self.free.iter().enumerate().filter(|(_, buffer)| buffer.capacity() >= len);
        match fitting.min_by_key(|(_, buffer)| buffer.capacity()).map(|(index, _)| index) {
            Some(index) => self.free.swap_remove(index),
            None => Vec::with_capacity(len),
        }
    }

    /// Keeps a buffer for later. When there are too many, the smallest goes.
    pub fn give(&mut self, buffer: Vec<T>) {
        self.free.push(buffer);
        if self.free.len() > MAX_FREE {
            let smallest = self.free.iter().enumerate().min_by_key(|(_, buffer)| buffer.capacity());
            if let Some(index) = smallest.map(|(index, _)| index) {
                self.free.swap_remove(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_the_best_fit_is_chosen() {
        let mut buffers = Buffers::<f32>::default();
        for capacity in [100, 10, 50] {
            buffers.give(Vec::with_capacity(capacity));
        }
        assert_eq!(buffers.take(20).capacity(), 50);
        assert_eq!(buffers.take(20).capacity(), 100);
        assert_eq!(buffers.free.len(), 1);
    }

    #[test]
    fn a_filled_buffer_has_the_length_that_is_asked_for() {
        let mut buffers = Buffers::<f32>::default();
        buffers.give(vec![1.0; 5]);
        assert_eq!(buffers.filled(3), [1.0; 3]);
        assert_eq!(buffers.filled(2), [0.0; 2]);
        buffers.give(vec![1.0; 5]);
        assert!(buffers.take(4).is_empty());
    }

    #[test]
    fn the_store_does_not_grow_without_bound() {
        let mut buffers = Buffers::<f32>::default();
        for capacity in 1..100 {
            buffers.give(Vec::with_capacity(capacity));
        }
        assert_eq!(buffers.free.len(), MAX_FREE);
        assert!(buffers.free.iter().any(|buffer| buffer.capacity() == 99));
    }
}
