//! Type and shape of a value, and the rules for axes and sizes that every planner needs.

use network::DataType;

use super::tensors;
use crate::reading::fault::{Fault, invalid};

/// The most elements of a constant that is computed from smaller ones while reading; a larger one is left to inference.
pub(super) const MAX_FOLDED: usize = 1 << 20;

/// The most elements of a constant that is computed from one of as many elements, such as weights.
pub(super) const MAX_FOLDED_WEIGHTS: usize = 1 << 25;

/// The most integers of a parameter: axes, extents or pads.
pub(super) const MAX_PARAMETERS: usize = 1 << 12;

/// Type and shape of a value, as far as known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Form {
    pub(super) data_type: Option<DataType>,
    pub(super) shape: Option<Vec<usize>>,
}

impl Form {
    pub(super) fn new(data_type: Option<DataType>, shape: Vec<usize>) -> Self {
        Self { data_type, shape: Some(shape) }
    }
}

/// Checks that the elements of a shape can be counted.
pub(super) fn check_size(form: &Form) -> Result<(), Fault> {
    match &form.shape {
        Some(shape) => tensors::element_count(shape).map(|_| ()),
        None => Ok(()),
    }
}

/// Whether a type is one of integers that every runtime of this graph holds exactly.
pub(super) fn is_narrow(data_type: DataType) -> bool {
    data_type.is_packed() || matches!(data_type, DataType::I8 | DataType::U8 | DataType::I16 | DataType::U16)
}

/// An axis counted from the front. `rank` axes exist.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let wrapped = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    match usize::try_from(wrapped) {
        Ok(wrapped) if wrapped < rank => Ok(wrapped),
        _ => Err(invalid!("axis {axis} of a tensor with {rank} axes")),
    }
}

/// Axes counted from the front, none twice.
pub(super) fn distinct_axes(axes: &[i64], rank: usize) -> Result<Vec<usize>, Fault> {
    if rank > tensors::MAX_AXES {
        return Err(invalid!("{} axes of a tensor with {rank}", axes.len()));
    }
    let mut seen = vec![false; rank];
    let check = |&a: &i64| {
        let a = axis(a, rank)?;
        match std::mem::replace(&mut seen[a], true) {
            true => Err(invalid!("axes {axes:?} name an axis twice")),
            false => Ok(a),
        }
    };
    axes.iter().map(check).collect()
}
