//! Which steps of a plan lie between codes.

use network::{
    ActivationQuantization, Binary, DataType, IntegerArithmetic, IntegerFunction, IntegerOp, LayerId, MacLayer, Op,
    Operand, Unary,
};

use super::{Coded, MacOnCodes, Map};
use crate::codes::{CodeOutput, IntegerSum};
use crate::ops::integer_range;
use crate::plan::{Plan, Step};
use crate::tables::{self, RoundedSum};

/// What becomes of a step.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// An instruction of its own.
    Coded(Coded),
    /// Another instruction does it, too.
    Covered,
}

/// Finds the steps that are between codes.
pub(super) struct Finder<'a> {
    pub(super) plan: &'a Plan,
    /// By value: the step that makes it.
    maker: Vec<Option<usize>>,
    /// By value: the steps that read it, once for each time.
    readers: Vec<Vec<usize>>,
    types: Vec<Option<DataType>>,
    pub(super) shapes: Vec<Option<&'a [usize]>>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let values = plan.constants.len();
        let mut finder = Self {
            plan,
            maker: vec![None; values],
            readers: vec![Vec::new(); values],
            types: vec![None; values],
            shapes: vec![None; values],
        };
        finder.types[plan.input] = plan.input_spec.data_type;
        finder.shapes[plan.input] = Some(&plan.input_spec.shape);
        for (index, step) in plan.steps.iter().enumerate() {
            step.inputs.iter().for_each(|source| finder.readers[source.value].push(index));
            for (&value, spec) in step.outputs.iter().zip(&step.specs) {
                finder.maker[value] = Some(index);
                finder.types[value] = spec.data_type;
                finder.shapes[value] = Some(&spec.shape);
            }
        }
        finder
    }

    /// By step: what becomes of it, where that is another thing than the step itself.
    pub(super) fn find(&self, layers: &[MacLayer]) -> Vec<Option<Found>> {
        let mut found = vec![None; self.plan.steps.len()];
        for (index, step) in self.plan.steps.iter().enumerate() {
            if found[index].is_some() {
                continue;
            }
            let Some((coded, covered)) = self.coded(index, step, layers) else { continue };
            found[index] = Some(Found::Coded(coded));
            covered.into_iter().for_each(|step| found[step] = Some(Found::Covered));
        }
        self.cover_dequantize(&mut found);
        self.leave_out_idle_quantize(&mut found);
        found
    }

    /// Whoever reads integers through a DequantizeLinear that is in front of such steps alone reads codes.
    fn cover_dequantize(&self, found: &mut [Option<Found>]) {
        for (index, step) in self.plan.steps.iter().enumerate() {
            let reads_through = |&reader: &usize| matches!(&found[reader], Some(Found::Coded(coded)) if !matches!(coded, Coded::Quantize { .. }));
            let is_read = |value: &usize| *value == self.plan.output || !self.readers[*value].iter().all(reads_through);
            if found[index].is_none() && self.dequantized(step).is_some() && !step.outputs.iter().any(is_read) {
                found[index] = Some(Found::Covered);
            }
        }
    }

    /// A QuantizeLinear whose codes nobody reads runs as it is.
    fn leave_out_idle_quantize(&self, found: &mut [Option<Found>]) {
        let mut is_read = vec![false; self.maker.len()];
        for coded in found.iter().flatten() {
            if let Found::Coded(coded) = coded {
                coded.flow(self.plan).codes_in.into_iter().for_each(|value| is_read[value] = true);
            }
        }
        for found in found {
            if matches!(found, Some(Found::Coded(Coded::Quantize { made, .. })) if !is_read[*made]) {
                *found = None;
            }
        }
    }

    /// The instruction that a step becomes, and the steps that it covers.
    fn coded(&self, index: usize, step: &Step, layers: &[MacLayer]) -> Option<(Coded, Vec<usize>)> {
        let alone = |coded: Coded| (coded, Vec::new());
        // What is asked about here are some operators; all others run as they are.
        #[allow(clippy::wildcard_enum_match_arm)]
        match &step.op {
            Op::Mac(id) => self.mac(index, step, *id, &layers[id.0]),
            Op::Binary(Binary::Add) => self.sum(step),
            Op::Unary(_) => self.function(step),
            Op::QuantizeLinear { .. } => self.quantize_numbers(step).map(alone),
            Op::Integer(op) => self.on_integers(step, op).map(alone),
            _ => None,
        }
    }

    fn mac(&self, index: usize, step: &Step, id: LayerId, layer: &MacLayer) -> Option<(Coded, Vec<usize>)> {
        let is_plain = matches!(layer.operand, Operand::ChannelsFirst | Operand::ChannelsLast);
        if !is_plain || layer.scatter().is_some() {
            return None;
        }
        let (x, from) = self.through_dequantize(step.inputs[0].value)?;
        let (made, output, covered) = self.behind(step.outputs[0])?;
        Some((Coded::Mac(MacOnCodes { step: index, id, x, from, made, output }), covered))
    }

    /// A sum of two activations of one shape.
    fn sum(&self, step: &Step) -> Option<(Coded, Vec<usize>)> {
        let &[a, b] = step.inputs.as_slice() else { return None };
        let terms = [self.through_dequantize(a.value)?, self.through_dequantize(b.value)?];
        let shape = Some(step.specs[0].shape.as_slice());
        if terms.iter().any(|(value, _)| self.shapes[*value] != shape) {
            return None;
        }
        let (made, output, covered) = self.behind(step.outputs[0])?;
        let map = Map::Sum { terms: terms.map(|(_, quantization)| quantization), output };
        Some((Coded::Elements { codes: terms.map(|(value, _)| value).to_vec(), made, map }, covered))
    }

    fn function(&self, step: &Step) -> Option<(Coded, Vec<usize>)> {
        let (x, from) = self.through_dequantize(step.inputs[0].value)?;
        let (made, output, covered) = self.behind(step.outputs[0])?;
        let map = Map::Table(tables::of_reals(&step.op, from, &output)?);
        Some((Coded::Elements { codes: vec![x], made, map }, covered))
    }

    fn quantize_numbers(&self, step: &Step) -> Option<Coded> {
        let [x, made] = [step.inputs[0].value, step.outputs[0]];
        if self.plan.constants[x].is_some() {
            return None;
        }
        Some(Coded::Quantize { x, made, output: CodeOutput::new(self.quantize(step)?, None) })
    }

    /// An operator on integers of 8 bits, element by element.
    fn on_integers(&self, step: &Step, op: &IntegerOp) -> Option<Coded> {
        let made = step.outputs[0];
        let values: Vec<usize> = step.inputs.iter().map(|source| source.value).collect();
        let is_plain =
            |value: &usize| self.shapes[*value] == self.shapes[made] && self.plan.constants[*value].is_none();
        if !values.iter().all(is_plain) {
            return None;
        }
        let ranges = values.iter().map(|&value| self.byte_range(value)).collect::<Option<Vec<_>>>()?;
        let made_range = self.byte_range(made)?;
        let is_whole = |(range, quantization): (&[i32; 2], &ActivationQuantization)| {
            *range == [quantization.min, quantization.max]
        };
        let are_whole = ranges.iter().zip(&op.inputs).all(is_whole) && is_whole((&made_range, &op.output));
        let is_sum = op.function == IntegerFunction::Add && op.arithmetic == IntegerArithmetic::OnnxRuntime;
        let map = match *op.inputs.as_slice() {
            [a, b] if is_sum && are_whole => Map::IntegerSum(IntegerSum::new([a, b], op.output)),
            _ => {
                let mins: Vec<i32> = ranges.iter().map(|range| range[0]).collect();
                let table = tables::of_integers(op, &mins, made_range)?;
                match RoundedSum::of_integers(&table, op, &mins, made_range) {
                    Some(sum) => Map::RoundedSum(sum, table),
                    None => Map::Table(table),
                }
            }
        };
        Some(Coded::Elements { codes: values, made, map })
    }

    /// Smallest and largest integer of a value of 8 bits.
    pub(super) fn byte_range(&self, value: usize) -> Option<[i32; 2]> {
        let data_type = self.types[value].filter(|data_type| matches!(data_type, DataType::I8 | DataType::U8))?;
        integer_range(data_type).map(|range| range.map(|x| x as i32))
    }

    /// A constant of one number.
    fn scalar(&self, step: &Step, input: usize) -> Option<f32> {
        let constant = self.plan.constants[step.inputs.get(input)?.value].as_ref()?;
        if let [number] = constant.data.as_slice() { Some(*number) } else { None }
    }

    /// How a QuantizeLinear or a DequantizeLinear of one scale has integers of 8 bits.
    fn linear(&self, step: &Step, integers: usize) -> Option<ActivationQuantization> {
        let scale = self.scalar(step, 1).filter(|scale| scale.is_finite() && *scale > 0.0)?;
        let [min, max] = self.byte_range(integers)?;
        let zero_point = if step.inputs.len() > 2 { self.scalar(step, 2)? } else { 0.0 };
        let zero_point = (min..=max).find(|&integer| integer as f32 == zero_point)?;
        Some(ActivationQuantization { scale, zero_point, min, max })
    }

    fn quantize(&self, step: &Step) -> Option<ActivationQuantization> {
        matches!(step.op, Op::QuantizeLinear { .. }).then(|| self.linear(step, step.outputs[0]))?
    }

    fn dequantized(&self, step: &Step) -> Option<ActivationQuantization> {
        let integers = step.inputs.first()?.value;
        let is_fit = matches!(step.op, Op::DequantizeLinear { .. }) && self.plan.constants[integers].is_none();
        is_fit.then(|| self.linear(step, integers))?
    }

    /// The integers that a value is made of by DequantizeLinear.
    fn through_dequantize(&self, value: usize) -> Option<(usize, ActivationQuantization)> {
        let step = &self.plan.steps[self.maker[value]?];
        Some((step.inputs.first()?.value, self.dequantized(step)?))
    }

    /// The codes that a value becomes, if nothing else reads it: what they are, how they are made, and the steps to them.
    fn behind(&self, value: usize) -> Option<(usize, CodeOutput, Vec<usize>)> {
        let alone = |value: usize| match self.readers[value].as_slice() {
            &[reader] if value != self.plan.output && self.plan.steps[reader].inputs[0].value == value => Some(reader),
            _ => None,
        };
        let mut covered = vec![alone(value)?];
        let clip = clip(&self.plan.steps[covered[0]].op);
        if clip.is_some() {
            covered.push(alone(self.plan.steps[covered[0]].outputs[0])?);
        }
        let last = &self.plan.steps[*covered.last()?];
        Some((last.outputs[0], CodeOutput::new(self.quantize(last)?, clip), covered))
    }
}

/// The smallest and the largest number that an operator lets through.
fn clip(op: &Op) -> Option<[f32; 2]> {
    let Op::Unary(unary) = op else { return None };
    if let Unary::Clip { min, max } = *unary {
        return (min <= max).then_some([min, max]);
    }
    (*unary == Unary::Relu).then_some([0.0, f32::MAX])
}
