//! Where axes lie: `[N, H, W, C]` in the file, `[N, C, H, W]` here.

use network::{DataType, Op, ValueId};

use super::build::{Builder, Held};
use super::constants;
use crate::reading::fault::{Fault, not_run};

/// From the order of the file to the one here.
pub(super) const TO_CHANNELS_FIRST: [usize; 4] = [0, 3, 1, 2];
/// And back.
pub(super) const TO_CHANNELS_LAST: [usize; 4] = [0, 2, 3, 1];

/// `[N, H, W, C]` as `[N, C, H, W]`.
pub(super) fn channels_first(shape: &[usize]) -> Vec<usize> {
    TO_CHANNELS_FIRST.iter().map(|&axis| shape[axis]).collect()
}

/// A shape of the file as the graph has it: rank 4 is permuted.
pub(super) fn ours(shape: &[usize]) -> Vec<usize> {
    if shape.len() == 4 { channels_first(shape) } else { shape.to_vec() }
}

/// Where an axis of the file is in the graph.
pub(super) fn axis(rank: usize, axis: usize) -> usize {
    const PLACES: [usize; 4] = [0, 2, 3, 1];
    if rank == 4 { PLACES[axis] } else { axis }
}

/// Whether the elements lie in the same order in both.
pub(super) fn same_order(shape: &[usize]) -> bool {
    shape.len() != 4 || shape[3] == 1 || shape[1] * shape[2] == 1
}

impl Builder<'_> {
    /// The value of a tensor, rank 4 as `[N, C, H, W]`.
    pub(super) fn value(&mut self, tensor: usize) -> Result<ValueId, Fault> {
        let rank = self.slots[tensor].info.shape.len();
        self.operand(tensor, rank)
    }

    /// The value of a tensor that meets others of rank `rank`: axes of extent 1 are put before its own.
    pub(super) fn operand(&mut self, tensor: usize, rank: usize) -> Result<ValueId, Fault> {
        let info = &self.slots[tensor].info;
        let (name, shape, data_type) = (info.name.clone(), info.shape.clone(), info.data_type);
        let data_type = data_type.map_err(|t| not_run!("an input has elements of type {t}"))?;
        let padded = [vec![1; rank.saturating_sub(shape.len())], shape.clone()].concat();
        match self.slots[tensor].held.clone() {
            Held::Value(value) if shape.len() == padded.len() => Ok(value),
            Held::Value(_) => {
                let flat = self.flat(tensor)?;
                Ok(self.reshaped(&name, flat, &padded, data_type))
            }
            Held::Constant(constant) => {
                let elements = constants::elements(&constant, &name)?;
                self.spend(elements.len())?;
                let tensor = elements.into_tensor(&padded);
                Ok(self.constant(&name, tensor))
            }
            _ => Err(not_run!("its input {name:?} is computed from constants by an operator that is not folded")),
        }
    }

    /// A value with the elements of a tensor in the order of the file, of whatever shape.
    pub(super) fn flat(&mut self, tensor: usize) -> Result<ValueId, Fault> {
        let value = self.value(tensor)?;
        let info = &self.slots[tensor].info;
        let data_type = info.data_type.map_err(|t| not_run!("an input has elements of type {t}"))?;
        let (name, shape) = (info.name.clone(), info.shape.clone());
        Ok(if same_order(&shape) { value } else { self.channels_last(&name, value, &shape, data_type) })
    }

    /// A value of the shape and order that a tensor has in the file.
    pub(super) fn in_file_order(&mut self, tensor: usize) -> Result<ValueId, Fault> {
        let value = self.value(tensor)?;
        let info = &self.slots[tensor].info;
        let data_type = info.data_type.map_err(|t| not_run!("an input has elements of type {t}"))?;
        let (name, shape) = (info.name.clone(), info.shape.clone());
        Ok(if shape.len() == 4 { self.channels_last(&name, value, &shape, data_type) } else { value })
    }

    /// `value`, `[N, C, H, W]`, as `[N, H, W, C]` = `shape`.
    pub(super) fn channels_last(
        &mut self,
        name: &str,
        value: ValueId,
        shape: &[usize],
        data_type: DataType,
    ) -> ValueId {
        let op = Op::Transpose { perm: TO_CHANNELS_LAST.to_vec() };
        self.emit(&format!("{name}/channels_last"), "TRANSPOSE", op, vec![value], (data_type, shape.to_vec()))
    }

    /// Elements in the order of the file as a value of this shape of the file, brought into the order used here.
    pub(super) fn reshaped(&mut self, name: &str, flat: ValueId, shape: &[usize], data_type: DataType) -> ValueId {
        if same_order(shape) {
            let name = format!("{name}/reshaped");
            return self.emit(&name, "RESHAPE", Op::Reshape, vec![flat], (data_type, ours(shape)));
        }
        let op = Op::Reshape;
        let value = self.emit(&format!("{name}/reshaped"), "RESHAPE", op, vec![flat], (data_type, shape.to_vec()));
        let op = Op::Transpose { perm: TO_CHANNELS_FIRST.to_vec() };
        self.emit(&format!("{name}/channels_first"), "TRANSPOSE", op, vec![value], (data_type, ours(shape)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_follow_their_extents() {
        let shape = [2, 3, 5, 7];
        let moved = ours(&shape);
        assert_eq!(moved, [2, 7, 3, 5]);
        assert!((0..4).all(|a| moved[axis(4, a)] == shape[a]));
        assert_eq!(axis(3, 2), 2);
        assert!(same_order(&[2, 1, 1, 7]) && same_order(&[2, 3, 5, 1]) && !same_order(&shape));
    }
}
