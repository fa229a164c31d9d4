//! One operator of the file as the functions that understand it see it: its tensors by number, and its options.

use super::fused::Fused;
use super::names;
use super::schema::Options;
use crate::reading::fault::{Fault, invalid};

/// One operator of the file.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    /// What it is called here: no other operator has this name.
    pub(super) name: String,
    /// What it is: `CONV_2D`, `CUSTOM:…`.
    pub(super) kind: &'a str,
    pub(super) inputs: &'a [Option<usize>],
    pub(super) outputs: &'a [usize],
    pub(super) intermediates: &'a [usize],
    pub(super) options: Options<'a>,
}

impl Operation<'_> {
    /// Checks the number of inputs.
    pub(super) fn arity(&self, least: usize, most: usize) -> Result<(), Fault> {
        match self.inputs.len() {
            n if (least..=most).contains(&n) => Ok(()),
            n => Err(invalid!("{n} inputs; expected {least} to {most}")),
        }
    }

    /// The tensor at an input that must be there.
    pub(super) fn input(&self, index: usize) -> Result<usize, Fault> {
        self.optional(index).ok_or_else(|| invalid!("input {index} is missing"))
    }

    pub(super) fn optional(&self, index: usize) -> Option<usize> {
        self.inputs.get(index).copied().flatten()
    }

    /// The one output.
    pub(super) fn output(&self) -> Result<usize, Fault> {
        match self.outputs {
            &[output] => Ok(output),
            _ => Err(invalid!("{} outputs; expected 1", self.outputs.len())),
        }
    }

    /// The activation function that is fused into it, from field `field` of its options.
    pub(super) fn fused(&self, field: usize) -> Result<Fused, Fault> {
        Fused::from_number(self.options.scalar(field, 0i8)?)
    }

    pub(super) fn has_weights(&self) -> bool {
        names::has_weights(self.kind)
    }

    /// The same with its options checked to be of this kind.
    pub(super) fn of_kind(&self, kind: u8) -> Result<Self, Fault> {
        let options = self.options.of_kind(kind)?;
        Ok(Self { name: self.name.clone(), options, ..*self })
    }
}
