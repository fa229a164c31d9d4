//! Constants in memory: what folding computes on, and what a planner looks at.
//!
//! Real numbers are held as `f64` and rounded to their own type after every operator ([`settle`]), which for one
//! `+ − × ÷ √` gives what arithmetic in that type gives. Integers are held as `i64`; one that leaves its type ends the
//! folding.

use network::{DataType, Encoding, Tensor};

/// A constant in memory, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    pub(super) data_type: DataType,
    pub(super) shape: Vec<usize>,
    pub(super) data: Data,
}

/// The elements of an [`Array`]: real types as `f64`, integers and bool as `i64`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Int(Vec<i64>),
    Real(Vec<f64>),
}

impl Data {
    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        match self {
            Data::Int(values) => values.len(),
            Data::Real(values) => values.len(),
        }
    }

    /// The elements at these indices.
    pub(super) fn pick(&self, indices: &[usize]) -> Data {
        match self {
            Data::Int(values) => Data::Int(indices.iter().map(|&i| values[i]).collect()),
            Data::Real(values) => Data::Real(indices.iter().map(|&i| values[i]).collect()),
        }
    }

    /// Puts a part of `other` behind the elements. Both are integers, or both are real numbers.
    pub(super) fn append(&mut self, other: &Data, range: std::ops::Range<usize>) {
        match (self, other) {
            (Data::Int(values), Data::Int(more)) => values.extend_from_slice(&more[range]),
            (Data::Real(values), Data::Real(more)) => values.extend_from_slice(&more[range]),
            (Data::Int(_), Data::Real(_)) | (Data::Real(_), Data::Int(_)) => {
                unreachable!("the planner has refused parts of different types")
            }
        }
    }
}

impl Array {
    /// The elements, if they are integers.
    pub(super) fn into_ints(self) -> Option<Vec<i64>> {
        match self.data {
            Data::Int(values) => Some(values),
            Data::Real(_) => None,
        }
    }

    /// The elements, if they are real numbers.
    pub(super) fn into_reals(self) -> Option<Vec<f64>> {
        match self.data {
            Data::Real(values) => Some(values),
            Data::Int(_) => None,
        }
    }

    /// Stores the elements in their own type.
    pub(super) fn into_tensor(self) -> Tensor {
        let Self { data_type, shape, data } = self;
        match data {
            Data::Real(values) => Tensor::from_reals(data_type, shape, &values),
            Data::Int(values) => {
                let size = data_type.size();
                let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes().into_iter().take(size)).collect();
                Tensor { data_type, shape, encoding: Encoding::Raw, chunks: vec![bytes.into()] }
            }
        }
    }
}

/// Rounds real numbers to `data_type`, and checks that integers lie in it; `None` where one does not.
pub(super) fn settle(data: Data, data_type: DataType) -> Option<Data> {
    match (data, data_type) {
        (Data::Real(values), to) if to.is_real() => {
            Some(Data::Real(values.into_iter().map(|value| to.rounded(value)).collect()))
        }
        (Data::Real(_), _) => None,
        (Data::Int(values), data_type) => {
            let (min, max) = match data_type.range() {
                Some(range) => range,
                None if data_type == DataType::Bool => (0, 1),
                None if data_type == DataType::U64 => (0, i64::MAX),
                None => (i64::MIN, i64::MAX),
            };
            (!data_type.is_real() && values.iter().all(|v| (min..=max).contains(v))).then_some(Data::Int(values))
        }
    }
}
