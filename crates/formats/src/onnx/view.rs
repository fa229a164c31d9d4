//! A node of the file as its planner sees it: its attributes, and what is known of its inputs.

use network::DataType;

use super::attributes::Attributes;
use super::chain::Chain;
use super::form::{Form, MAX_FOLDED, MAX_PARAMETERS};
use super::slot::Slot;
use crate::reading::fault::{Fault, invalid, not_run};

/// A node as its planner sees it.
pub(super) struct View<'a> {
    pub(super) name: String,
    pub(super) op_type: &'a str,
    pub(super) domain: &'a str,
    pub(super) opset: i64,
    pub(super) attributes: Attributes<'a>,
    pub(super) inputs: Vec<Option<&'a Slot>>,
    /// Names of the outputs; empty where one is left out.
    pub(super) outputs: &'a [String],
    /// Images in one run of the graph.
    pub(super) batch: usize,
}

impl<'a> View<'a> {
    /// The same node with these values as its inputs. What is asked of the attributes of one counts for both.
    pub(super) fn with_inputs<'b>(&self, inputs: Vec<Option<&'b Slot>>) -> View<'b>
    where
        'a: 'b,
    {
        View {
            name: self.name.clone(),
            op_type: self.op_type,
            domain: self.domain,
            opset: self.opset,
            attributes: self.attributes.clone(),
            inputs,
            outputs: self.outputs,
            batch: self.batch,
        }
    }

    /// Checks the number of inputs; the first `min` must be there.
    pub(super) fn arity(&self, min: usize, max: usize) -> Result<(), Fault> {
        let found = self.inputs.len();
        if found < min || found > max {
            let expected = if min == max { min.to_string() } else { format!("{min} to {max}") };
            return Err(invalid!("{found} inputs; expected {expected}"));
        }
        match self.inputs[..min].iter().position(Option::is_none) {
            Some(missing) => Err(invalid!("input {missing} is left out")),
            None => Ok(()),
        }
    }

    /// An input that may be left out.
    pub(super) fn optional(&self, index: usize) -> Option<&'a Slot> {
        self.inputs.get(index).copied().flatten()
    }

    /// An input that must be there.
    pub(super) fn input(&self, index: usize) -> Result<&'a Slot, Fault> {
        self.optional(index).ok_or_else(|| invalid!("input {index} is left out"))
    }

    /// The shape of an input.
    pub(super) fn shape(&self, index: usize) -> Result<&'a [usize], Fault> {
        self.input(index)?.form.shape.as_deref().ok_or(Fault::UnknownShape)
    }

    /// The element type of an input, where known.
    pub(super) fn data_type(&self, index: usize) -> Option<DataType> {
        self.optional(index).and_then(|slot| slot.form.data_type)
    }

    /// A value of the first input's type.
    pub(super) fn like_first(&self, shape: Vec<usize>) -> Form {
        Form::new(self.data_type(0), shape)
    }

    /// A constant input of at most `limit` elements; `None` where it is left out.
    pub(super) fn constant(&self, index: usize, what: &str, limit: usize) -> Result<Option<&'a Chain>, Fault> {
        let Some(slot) = self.optional(index) else { return Ok(None) };
        match &slot.known {
            Some(chain) if chain.element_count() <= limit => Ok(Some(chain)),
            Some(chain) => {
                Err(invalid!("its {what} have {} entries; at most {limit} make sense", chain.element_count()))
            }
            None => Err(not_run!("its {what} are not constant")),
        }
    }

    /// The integers of a constant input; `None` where it is left out.
    pub(super) fn ints(&self, index: usize, what: &str) -> Result<Option<Vec<i64>>, Fault> {
        self.long_ints(index, what, MAX_PARAMETERS)
    }

    /// As [`View::ints`], of at most `limit` elements.
    pub(super) fn long_ints(&self, index: usize, what: &str, limit: usize) -> Result<Option<Vec<i64>>, Fault> {
        let Some(chain) = self.constant(index, what, limit)? else { return Ok(None) };
        let array = chain.to_array().map_err(|e| invalid!("its {what}: {e}"))?;
        array.into_ints().map(Some).ok_or_else(|| invalid!("its {what} are {}", chain.data_type.name()))
    }

    /// The real numbers of a constant input; `None` where it is left out.
    pub(super) fn floats(&self, index: usize, what: &str) -> Result<Option<Vec<f32>>, Fault> {
        let Some(chain) = self.constant(index, what, MAX_FOLDED)? else { return Ok(None) };
        let array = chain.to_array().map_err(|e| invalid!("its {what}: {e}"))?;
        let reals = array.into_reals().ok_or_else(|| invalid!("its {what} are {}", chain.data_type.name()))?;
        Ok(Some(reals.into_iter().map(|v| v as f32).collect()))
    }

    /// Whether a node of an opset before 7 says that it trains. One that says nothing is one at inference.
    pub(super) fn is_training(&self) -> Result<bool, Fault> {
        Ok(self.opset < 7 && !self.attributes.flag("is_test", true)?)
    }

    /// Integers that older opsets have as an attribute and newer ones (from `since`) as a constant input.
    pub(super) fn ints_by_opset(&self, name: &str, index: usize, since: i64) -> Result<Option<Vec<i64>>, Fault> {
        if self.opset < since {
            self.arity(1, index)?;
            return Ok(self.attributes.ints(name)?.map(<[i64]>::to_vec));
        }
        self.ints(index, name)
    }
}
