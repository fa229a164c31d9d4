//! MAC layers on integers: QLinearConv, QLinearMatMul, QGemm, ConvInteger, MatMulInteger.
//!
//! Such an operator becomes three nodes, so that every executor can run it: a DequantizeLinear, a layer on real
//! numbers, and whatever makes the integers of its output. To plan the layer, the planners of Conv, Gemm and MatMul are
//! called with operands that look as if they were dequantized already.

use esn::Grid;
use network::{ActivationQuantization, DataType, MacLayer, Requantization, RequantizationRule, WeightQuantization};

use super::chain::Chain;
use super::form::Form;
use super::integer_mac::{IntegerMac, Operand, Output, Parameters};
use super::plan::{Action, Kept, Plan};
use super::slot::Slot;
use super::view::View;
use super::{mac, product, quantize};
use crate::reading::fault::{Fault, invalid, not_costed};

/// An operand whose integers are at input `codes`, and whose scale and zero point are at the other two.
fn operand(codes: usize, scale: Option<usize>, zero_point: usize) -> Operand {
    Operand { codes, by: Parameters { scale, zero_point } }
}

/// QLinearConv.
pub(super) fn linear_conv(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(8, 9)?;
    refuse_channels_last(view)?;
    let operands = [operand(0, Some(1), 2), operand(3, Some(4), 5)];
    Integers { view, operands, weights: 1, bias: Some(8), output: Some((6, 7)), alpha: 1.0 }.plan(0, mac::conv)
}

/// QLinearMatMul.
pub(super) fn linear_matmul(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(8, 8)?;
    let operands = [operand(0, Some(1), 2), operand(3, Some(4), 5)];
    let integers = Integers { view, operands, weights: 1, bias: None, output: Some((6, 7)), alpha: 1.0 };
    integers.matmul()
}

/// QGemm. The bias counts in steps of the product, before `alpha`.
pub(super) fn gemm(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(6, 9)?;
    if view.attributes.has("beta") {
        return Err(invalid!("unexpected attribute \"beta\""));
    }
    let operands = [operand(0, Some(1), 2), operand(3, Some(4), 5)];
    let output = view.optional(7).map(|_| (7, 8));
    let alpha = view.attributes.float("alpha", 1.0)?;
    let weights = usize::from(!view.input(0)?.constant || view.input(3)?.constant);
    let axis = usize::from(!view.attributes.flag("transB", false)?);
    let integers = Integers { view, operands, weights, bias: Some(6), output, alpha };
    integers.plan(if weights == 1 { axis } else { 0 }, product::gemm)
}

/// ConvInteger.
pub(super) fn conv_integer(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 4)?;
    let operands = [operand(0, None, 2), operand(1, None, 3)];
    Integers { view, operands, weights: 1, bias: None, output: None, alpha: 1.0 }.plan(0, mac::conv)
}

/// MatMulInteger.
pub(super) fn matmul_integer(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(2, 4)?;
    let operands = [operand(0, None, 2), operand(1, None, 3)];
    Integers { view, operands, weights: 1, bias: None, output: None, alpha: 1.0 }.matmul()
}

/// Refuses the form of onnxruntime that has the channels on the last axis.
pub(super) fn refuse_channels_last(view: &View<'_>) -> Result<(), Fault> {
    match view.attributes.flag("channels_last", false)? {
        true => Err(not_costed!("its channels are on the last axis")),
        false => Ok(()),
    }
}

/// An operator on integers, its inputs told apart.
struct Integers<'v, 'a> {
    view: &'v View<'a>,
    /// In the order of the operator on real numbers.
    operands: [Operand; 2],
    /// Which operand the weights are.
    weights: usize,
    bias: Option<usize>,
    /// Inputs with the scale and zero point of the output.
    output: Option<(usize, usize)>,
    alpha: f32,
}

impl Integers<'_, '_> {
    /// MatMul: weights on either side, scales by filter along its outer axis.
    fn matmul(mut self) -> Result<Plan, Fault> {
        let constant = |i: usize| self.view.input(self.operands[i].codes).map(|slot| slot.constant);
        self.weights = usize::from(!constant(0)? || constant(1)?);
        let rank = self.view.shape(self.operands[self.weights].codes)?.len();
        let axis = if self.weights == 1 { rank.saturating_sub(1) } else { rank.saturating_sub(2) };
        self.plan(axis, product::matmul)
    }

    /// Plans the layer with `real`, the planner of the operator on real numbers. `axis` of the weights counts filters.
    fn plan(self, axis: usize, real: fn(&View<'_>) -> Result<Plan, Fault>) -> Result<Plan, Fault> {
        let (view, weights) = (self.view, self.operands[self.weights]);
        let activation = self.operands[1 - self.weights];
        let data_type = self.output_type()?;
        let shapes_alone = self.shape_slots()?;
        let (x, w) = match (self.activation(activation), self.weights(weights, axis)) {
            (Ok(x), Ok(w)) => (x, w),
            // The shape is known all the same.
            (Err(Fault::NotCosted(reason)), _) | (_, Err(Fault::NotCosted(reason))) => {
                let [a, b] = &shapes_alone;
                let plan = real(&view.with_inputs(vec![Some(a), Some(b)]))?;
                return Ok(Plan::not_costed(reason, of_type(plan, data_type)));
            }
            (Err(fault), _) | (_, Err(fault)) => return Err(fault),
        };
        let scales = product_scales(&x, &w, self.alpha);
        let bias = self.bias(&scales)?;
        let pair = if self.weights == 1 { [Some(&x), Some(&w)] } else { [Some(&w), Some(&x)] };
        let plan = real(
            &view.with_inputs(pair.into_iter().chain([bias.as_ref()]).take(2 + usize::from(bias.is_some())).collect()),
        )?;
        let (not_costed, form) = (plan.not_costed.clone(), plan.outputs[0].clone());
        let output = Form { data_type: Some(data_type), ..form };
        let action = match plan.action {
            Action::Mac(layer) => Action::Integer(Box::new(self.finish(*layer, activation, &scales)?)),
            Action::Sum(..) => {
                return Ok(Plan::not_costed("C is not one integer a filter", output));
            }
            other @ (Action::Run(_)
            | Action::Compute(_)
            | Action::Known(_)
            | Action::Integer(_)
            | Action::Recurrent(_)
            | Action::Sequence(_)
            | Action::Unreadable(_)
            | Action::NotRun(_)) => other,
        };
        Ok(Plan { action, outputs: vec![output], kept: Kept::All, not_costed })
    }

    /// Gives the layer the rule by which its sums become integers.
    fn finish(&self, layer: MacLayer, activation: Operand, scales: &[f32]) -> Result<IntegerMac, Fault> {
        let Some((scale, zero_point)) = self.output else {
            let output = if self.bias.is_some() { Output::Real } else { Output::Integer };
            return Ok(IntegerMac { layer, activation, output });
        };
        let by = Parameters { scale: Some(scale), zero_point };
        let output = linear(self.view, by, self.output_type()?)?;
        let multipliers: Vec<f32> = scales.iter().map(|s| s / output.scale).collect();
        if let Some(m) = multipliers.iter().find(|m| !m.is_finite()) {
            return Err(invalid!("scales whose quotient is {m}; expected a finite number"));
        }
        let requantization = Some(Requantization { rule: RequantizationRule::Float { multipliers }, output });
        Ok(IntegerMac { layer: MacLayer { requantization, ..layer }, activation, output: Output::Quantized(by) })
    }

    fn output_type(&self) -> Result<DataType, Fault> {
        match (self.output, self.bias) {
            (None, None) => Ok(DataType::I32),
            (None, Some(_)) => Ok(DataType::F32),
            (Some((_, zero_point)), _) => {
                let found = self.view.data_type(zero_point).unwrap_or(DataType::U8);
                let is_byte = matches!(found, DataType::U8 | DataType::I8);
                let wrong = || invalid!("an output zero point of type {}; expected uint8 or int8", found.name());
                is_byte.then_some(found).ok_or_else(wrong)
            }
        }
    }

    /// Both operands as real numbers of which only the shapes are known.
    fn shape_slots(&self) -> Result<[Slot; 2], Fault> {
        let slot = |i: usize| -> Result<Slot, Fault> {
            let codes = self.view.input(self.operands[i].codes)?;
            let form = Form { data_type: Some(DataType::F32), shape: codes.form.shape.clone() };
            Ok(Slot { form, known: None, constant: false, quantization: None, sequence: None, ..codes.clone() })
        };
        Ok([slot(0)?, slot(1)?])
    }

    /// The activation as it is behind a DequantizeLinear.
    fn activation(&self, operand: Operand) -> Result<Slot, Fault> {
        let data_type = self.byte(operand)?;
        let by = operand.by;
        let is_known = self.view.optional(by.zero_point).is_none_or(|slot| slot.known.is_some());
        let quantization = match (by.scale, is_known) {
            // The zero point is made while running: of the difference, only the range is known.
            (None, false) => {
                let points = self.view.shape(by.zero_point)?;
                if points.iter().any(|&n| n != 1) {
                    return Err(not_costed!("zero points of shape {points:?} for its input; one number is handled"));
                }
                ActivationQuantization { scale: 1.0, zero_point: 0, min: -255, max: 255 }
            }
            _ => linear(self.view, by, data_type)?,
        };
        let [a, b] = self.shape_slots()?;
        let slot = if self.weights == 1 { a } else { b };
        Ok(Slot { quantization: Some(quantization), ..slot })
    }

    /// The weights as they are behind a DequantizeLinear along `axis`.
    fn weights(&self, operand: Operand, axis: usize) -> Result<Slot, Fault> {
        let data_type = self.byte(operand)?;
        let slot = self.view.input(operand.codes)?;
        let Some(chain) = &slot.known else { return Err(mac::unknown_weights(slot)) };
        let Some(parameters) = quantize::parameters_at(self.view, operand.by, data_type)? else {
            return Err(not_costed!("the scale or zero point of its weights is not constant"));
        };
        let filters = chain.shape.get(axis).copied().unwrap_or(1);
        for (count, what) in [(parameters.scales.len(), "scales"), (parameters.zero_points.len(), "zero points")] {
            if count != 1 && count != filters {
                return Err(invalid!("{count} {what} for {filters} filters"));
            }
        }
        let by_filter = parameters.scales.len().max(parameters.zero_points.len()) > 1;
        let real = dequantized(chain.clone(), parameters, by_filter.then_some(axis))?;
        let [a, b] = self.shape_slots()?;
        let slot = if self.weights == 1 { b } else { a };
        Ok(Slot { known: Some(real), constant: true, ..slot })
    }

    /// The bias: 32-bit integers in steps of the product.
    fn bias(&self, scales: &[f32]) -> Result<Option<Slot>, Fault> {
        let Some(slot) = self.bias.and_then(|index| self.view.optional(index)) else { return Ok(None) };
        if let Some(found) = slot.form.data_type.filter(|&t| t != DataType::I32) {
            return Err(invalid!("a bias of type {}; expected int32", found.name()));
        }
        let form = Form { data_type: Some(DataType::F32), ..slot.form.clone() };
        let Some(chain) = &slot.known else { return Ok(Some(Slot { form, ..slot.clone() })) };
        let axis = (scales.len() > 1).then(|| chain.shape.len().saturating_sub(1));
        if axis.is_some_and(|axis| chain.shape.get(axis) != Some(&scales.len())) {
            return Err(invalid!("bias of shape {:?} for {} filters", chain.shape, scales.len()));
        }
        let parameters = WeightQuantization {
            scales: scales.to_vec(),
            zero_points: vec![0],
            grid: Grid::MidTread,
            data_type: DataType::I32,
            clip: None,
        };
        Ok(Some(Slot { form, known: Some(dequantized(chain.clone(), parameters, axis)?), ..slot.clone() }))
    }

    /// The type of an operand's integers, which is that of its zero point.
    fn byte(&self, operand: Operand) -> Result<DataType, Fault> {
        let zero_point = self.view.data_type(operand.by.zero_point);
        let found = self.view.data_type(operand.codes).or(zero_point).unwrap_or(DataType::U8);
        if !matches!(found, DataType::U8 | DataType::I8) {
            return Err(invalid!("an operand of type {}; expected uint8 or int8", found.name()));
        }
        match zero_point.filter(|&t| t != found) {
            Some(other) => Err(invalid!("a zero point of type {}; expected {}", other.name(), found.name())),
            None => Ok(found),
        }
    }
}

/// What a step of the sums is worth, `alpha · scale of x · scale of w`: one number, or one for each filter. The factors
/// are multiplied in the order of onnxruntime.
fn product_scales(x: &Slot, w: &Slot, alpha: f32) -> Vec<f32> {
    let x = x.quantization.map_or(1.0, |q| q.scale);
    let quantized = w.known.as_ref().and_then(|chain| chain.quantized.as_ref());
    quantized.map_or(vec![alpha * x], |q| q.parameters.scales.iter().map(|w| alpha * x * w).collect())
}

fn dequantized(chain: Chain, parameters: WeightQuantization, axis: Option<usize>) -> Result<Chain, Fault> {
    let mixed = || not_costed!("its constants are quantized in two ways");
    chain.dequantize(parameters, axis, DataType::F32).ok_or_else(mixed)
}

/// One scale and zero point for a whole activation, constant.
fn linear(view: &View<'_>, by: Parameters, data_type: DataType) -> Result<ActivationQuantization, Fault> {
    let found = quantize::activation_at(view, by, data_type)?;
    found.ok_or_else(|| not_costed!("an activation does not have one constant scale and zero point"))
}

/// The output of a plan, with elements of another type.
fn of_type(plan: Plan, data_type: DataType) -> Form {
    Form { data_type: Some(data_type), ..plan.outputs.into_iter().next().unwrap_or_default() }
}
