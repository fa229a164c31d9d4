//! The tensors that an operator reads. They are values of the graph, in either order of axes, or numbers that are known
//! while reading.

use network::{DataType, Op, ValueId};

use super::builder::{Builder, Held};
use super::constants::{Elements, elements};
use super::layout::{TO_CHANNELS_FIRST, TO_CHANNELS_LAST, ours, same_order};
use crate::reading::fault::{Fault, invalid, not_run};

impl Builder<'_> {
    /// The value of a tensor, rank 4 as `[N, C, H, W]`.
    pub(super) fn value(&mut self, tensor: usize) -> Result<ValueId, Fault> {
        let rank = self.slots[tensor].info.shape.len();
        self.operand(tensor, rank)
    }

    /// The value of a tensor that is broadcast with others of rank `rank`. Axes of extent 1 are put before its own.
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
                let elements = elements(&constant, &name)?;
                self.spend(elements.len())?;
                let tensor = elements.into_tensor(&padded);
                Ok(self.constant(&name, tensor))
            }
            Held::Nothing | Held::Computed => {
                Err(not_run!("its input {name:?} is computed from constants by an operator that is not folded"))
            }
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

    /// Brings `value`, `[N, C, H, W]`, into the order of the file, `[N, H, W, C]`, which is `shape`.
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

    /// Gives `flat`, elements in the order of the file, the shape `shape` of the file, and brings it into the order
    /// used here.
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

    /// The integers of a constant input, of which at most `most` are expected; `None` where it is not known.
    pub(super) fn ints(&self, tensor: usize, most: usize) -> Result<Option<Vec<i64>>, Fault> {
        let info = &self.slots[tensor].info;
        let Held::Constant(constant) = &self.slots[tensor].held else { return Ok(None) };
        if constant.tensor.element_count() > most {
            return Err(invalid!("{:?} has shape {:?}; expected {most} integers at most", info.name, info.shape));
        }
        match elements(constant, &info.name)? {
            Elements::Int(values, _) => Ok(Some(values)),
            Elements::Real(_) => Err(invalid!("{:?} has real numbers; expected integers", info.name)),
        }
    }

    /// The integers of an input that must be constant.
    pub(super) fn known_ints(&self, tensor: usize, most: usize) -> Result<Vec<i64>, Fault> {
        let info = &self.slots[tensor].info;
        if !matches!(info.data_type, Ok(DataType::I32 | DataType::I64)) {
            return Err(invalid!("{:?} is not of type int32 or int64", info.name));
        }
        self.ints(tensor, most)?.ok_or_else(|| not_run!("its input {:?} is not constant", info.name))
    }
}
