//! A plan on activations of 8 bits: what stands between DequantizeLinear and QuantizeLinear reads bytes and writes bytes.
//!
//! Files of quantized networks say `DequantizeLinear → layer → Relu → QuantizeLinear`. Run as it stands, every activation is
//! made a number, an integer for the engine, a number, and an integer again. Here such a chain is one instruction. The
//! numbers are the same: an executor promises it ([`MacExecutor::run_codes`]), and the loops of `codes` compute what the
//! operators compute.
//!
//! A value may be held as numbers, as codes, or as both. Instructions that turn the one into the other stand right behind
//! the one that makes the value.
//!
//! [`MacExecutor::run_codes`]: crate::MacExecutor::run_codes

use network::{
    ActivationQuantization, Binary, DataType, IntegerArithmetic, IntegerFunction, LayerId, MacLayer, Op, Operand, Unary,
};

use crate::codes::{CodeOutput, IntegerSum};
use crate::ops::integer_range;
use crate::plan::{Plan, Step};
use crate::tables::{self, Table};

/// A plan on codes.
#[derive(Clone, Debug, Default)]
pub(crate) struct CodedPlan {
    pub instructions: Vec<Instruction>,
}

/// One instruction, and what nobody needs behind it.
#[derive(Clone, Debug)]
pub(crate) struct Instruction {
    pub what: Coded,
    /// Values whose numbers go.
    pub release_numbers: Vec<usize>,
    /// Values whose codes go.
    pub release_codes: Vec<usize>,
}

/// What an instruction does. Values are named by their place.
#[derive(Clone, Debug)]
pub(crate) enum Coded {
    /// A step of the plan, on numbers.
    Plain(usize),
    /// Integers held as numbers become codes.
    Pack { value: usize, min: i32 },
    /// Codes become integers held as numbers.
    Expand { value: usize, quantization: ActivationQuantization, shape: Vec<usize> },
    /// QuantizeLinear.
    Quantize { x: usize, made: usize, output: CodeOutput },
    /// A MAC layer between codes.
    Mac { step: usize, id: LayerId, x: usize, from: ActivationQuantization, made: usize, output: CodeOutput },
    /// A sum of two activations between codes.
    Add { terms: [(usize, ActivationQuantization); 2], made: usize, output: CodeOutput },
    /// The sum of two activations in the arithmetic of onnxruntime.
    IntegerAdd { terms: [usize; 2], made: usize, sum: IntegerSum },
    /// An operator that makes each element of one element.
    Each { x: usize, made: usize, table: Table },
    /// An operator that makes each element of two.
    Pairs { terms: [usize; 2], made: usize, table: Table },
}

impl CodedPlan {
    /// What a plan is on codes; without instructions where none of its layers is between codes.
    pub(crate) fn new(plan: &Plan, layers: &[MacLayer]) -> Self {
        let found = Finder::new(plan).find(layers);
        if !found.iter().any(|coded| matches!(coded, Some(Found::Coded(Coded::Mac { .. })))) {
            return Self::default();
        }
        let mut instructions = Emitter::new(plan, &found).emit(found);
        release(plan, &mut instructions);
        Self { instructions }
    }
}

/// What becomes of a step.
#[derive(Clone, Debug)]
enum Found {
    /// An instruction of its own.
    Coded(Coded),
    /// Another instruction does it, too.
    Covered,
}

/// Finds the steps that are between codes.
struct Finder<'a> {
    plan: &'a Plan,
    /// By value: the step that makes it.
    maker: Vec<Option<usize>>,
    /// By value: the steps that read it, once for each time.
    readers: Vec<Vec<usize>>,
    types: Vec<Option<DataType>>,
    shapes: Vec<Option<&'a [usize]>>,
}

impl<'a> Finder<'a> {
    fn new(plan: &'a Plan) -> Self {
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
    fn find(&self, layers: &[MacLayer]) -> Vec<Option<Found>> {
        let mut found = vec![None; self.plan.steps.len()];
        for (index, step) in self.plan.steps.iter().enumerate() {
            if found[index].is_some() {
                continue;
            }
            let Some((coded, covered)) = self.coded(index, step, layers) else { continue };
            found[index] = Some(Found::Coded(coded));
            covered.into_iter().for_each(|step| found[step] = Some(Found::Covered));
        }
        // Whoever reads integers through a DequantizeLinear that is in front of such steps alone reads codes.
        for (index, step) in self.plan.steps.iter().enumerate() {
            let is_read = |value: &usize| {
                let by_codes = |&reader: &usize| {
                    matches!(
                        found[reader],
                        Some(Found::Coded(Coded::Mac { .. } | Coded::Add { .. } | Coded::Each { .. }))
                    )
                };
                *value == self.plan.output || !self.readers[*value].iter().all(by_codes)
            };
            if found[index].is_none() && self.dequantized(step).is_some() && !step.outputs.iter().any(is_read) {
                found[index] = Some(Found::Covered);
            }
        }
        found
    }

    fn coded(&self, index: usize, step: &Step, layers: &[MacLayer]) -> Option<(Coded, Vec<usize>)> {
        if let Op::Mac(id) = step.op {
            let layer = &layers[id.0];
            let is_plain = matches!(layer.operand, Operand::ChannelsFirst | Operand::ChannelsLast);
            let is_plain = is_plain && layer.scatter().is_none();
            let (x, from) = self.through_dequantize(step.inputs[0].value).filter(|_| is_plain)?;
            let (made, output, covered) = self.behind(step.outputs[0])?;
            return Some((Coded::Mac { step: index, id, x, from, made, output }, covered));
        }
        if step.op == Op::Binary(Binary::Add) {
            let &[a, b] = step.inputs.as_slice() else { return None };
            let terms = [self.through_dequantize(a.value)?, self.through_dequantize(b.value)?];
            let shape = Some(step.specs[0].shape.as_slice());
            let (made, output, covered) = self.behind(step.outputs[0])?;
            let is_plain = terms.iter().all(|(value, _)| self.shapes[*value] == shape);
            return is_plain.then_some((Coded::Add { terms, made, output }, covered));
        }
        if let Op::QuantizeLinear { .. } = step.op {
            let output = CodeOutput::new(self.quantize(step)?, None);
            let [x, made] = [step.inputs[0].value, step.outputs[0]];
            let is_constant = self.plan.constants[x].is_some();
            return (!is_constant).then(|| (Coded::Quantize { x, made, output }, Vec::new()));
        }
        if let Op::Unary(_) = step.op {
            let (x, from) = self.through_dequantize(step.inputs[0].value)?;
            let (made, output, covered) = self.behind(step.outputs[0])?;
            return Some((Coded::Each { x, made, table: tables::of_reals(&step.op, from, &output)? }, covered));
        }
        self.on_integers(step).map(|coded| (coded, Vec::new()))
    }

    /// An operator on integers of 8 bits, element by element.
    fn on_integers(&self, step: &Step) -> Option<Coded> {
        let Op::Integer(op) = &step.op else { return None };
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
        if let (true, &[a, b], &[of_a, of_b]) = (is_sum && are_whole, values.as_slice(), op.inputs.as_slice()) {
            return Some(Coded::IntegerAdd { terms: [a, b], made, sum: IntegerSum::new([of_a, of_b], op.output) });
        }
        let mins: Vec<i32> = ranges.iter().map(|range| range[0]).collect();
        let table = tables::of_integers(op, &mins, made_range)?;
        match *values.as_slice() {
            [x] => Some(Coded::Each { x, made, table }),
            [a, b] => Some(Coded::Pairs { terms: [a, b], made, table }),
            _ => None,
        }
    }

    /// Smallest and largest integer of a value of 8 bits.
    fn byte_range(&self, value: usize) -> Option<[i32; 2]> {
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

/// Puts instructions in order, and values into the form in which they are read.
struct Emitter<'a> {
    finder: Finder<'a>,
    numbers: Vec<bool>,
    codes: Vec<bool>,
    instructions: Vec<Instruction>,
}

impl<'a> Emitter<'a> {
    fn new(plan: &'a Plan, found: &[Option<Found>]) -> Self {
        let finder = Finder::new(plan);
        let (mut numbers, mut codes) = (vec![false; plan.constants.len()], vec![false; plan.constants.len()]);
        numbers[plan.output] = true;
        for (index, found) in found.iter().enumerate() {
            match found {
                None => plan.steps[index].inputs.iter().for_each(|source| numbers[source.value] = true),
                Some(Found::Coded(coded)) => {
                    coded.reads_numbers(plan).into_iter().for_each(|value| numbers[value] = true);
                    coded.reads_codes().into_iter().for_each(|value| codes[value] = true);
                }
                Some(Found::Covered) => {}
            }
        }
        Self { finder, numbers, codes, instructions: Vec::new() }
    }

    fn emit(mut self, found: Vec<Option<Found>>) -> Vec<Instruction> {
        let plan = self.finder.plan;
        self.pack(plan.input);
        for (index, found) in found.into_iter().enumerate() {
            match found {
                Some(Found::Covered) => {}
                Some(Found::Coded(coded)) => {
                    let made = coded.made();
                    self.push(coded);
                    if self.numbers[made] {
                        self.expand(made);
                    }
                }
                None => {
                    self.push(Coded::Plain(index));
                    plan.steps[index].outputs.iter().for_each(|&value| self.pack(value));
                }
            }
        }
        self.instructions
    }

    fn push(&mut self, what: Coded) {
        self.instructions.push(Instruction { what, release_numbers: Vec::new(), release_codes: Vec::new() });
    }

    fn pack(&mut self, value: usize) {
        if let (true, Some([min, _])) = (self.codes[value], self.finder.byte_range(value)) {
            self.push(Coded::Pack { value, min });
        }
    }

    fn expand(&mut self, value: usize) {
        let [min, max] = self.finder.byte_range(value).expect("codes are of a type of 8 bits");
        let shape = self.finder.shapes[value].expect("a step makes it").to_vec();
        let quantization = ActivationQuantization { scale: 1.0, zero_point: 0, min, max };
        self.push(Coded::Expand { value, quantization, shape });
    }
}

impl Coded {
    /// The value that an instruction on codes makes.
    fn made(&self) -> usize {
        match self {
            Coded::Plain(_) => unreachable!("a plain step may make several"),
            Coded::Pack { value, .. } | Coded::Expand { value, .. } => *value,
            Coded::Quantize { made, .. }
            | Coded::Mac { made, .. }
            | Coded::Add { made, .. }
            | Coded::IntegerAdd { made, .. }
            | Coded::Each { made, .. }
            | Coded::Pairs { made, .. } => *made,
        }
    }

    fn reads_numbers(&self, plan: &Plan) -> Vec<usize> {
        match self {
            Coded::Plain(step) => plan.steps[*step].inputs.iter().map(|source| source.value).collect(),
            Coded::Pack { value, .. } => vec![*value],
            Coded::Quantize { x, .. } => vec![*x],
            Coded::Expand { .. }
            | Coded::Mac { .. }
            | Coded::Add { .. }
            | Coded::IntegerAdd { .. }
            | Coded::Each { .. }
            | Coded::Pairs { .. } => Vec::new(),
        }
    }

    fn reads_codes(&self) -> Vec<usize> {
        match self {
            Coded::Plain(_) | Coded::Pack { .. } | Coded::Quantize { .. } => Vec::new(),
            Coded::Expand { value, .. } => vec![*value],
            Coded::Mac { x, .. } | Coded::Each { x, .. } => vec![*x],
            Coded::Add { terms, .. } => terms.iter().map(|term| term.0).collect(),
            Coded::IntegerAdd { terms, .. } | Coded::Pairs { terms, .. } => terms.to_vec(),
        }
    }

    /// Values that are held as numbers behind it, and those that are held as codes.
    fn makes(&self, plan: &Plan) -> [Vec<usize>; 2] {
        match self {
            Coded::Plain(step) => [plan.steps[*step].outputs.clone(), Vec::new()],
            Coded::Expand { value, .. } => [vec![*value], Vec::new()],
            Coded::Pack { .. }
            | Coded::Quantize { .. }
            | Coded::Mac { .. }
            | Coded::Add { .. }
            | Coded::IntegerAdd { .. }
            | Coded::Each { .. }
            | Coded::Pairs { .. } => [Vec::new(), vec![self.made()]],
        }
    }
}

/// Says behind each instruction what nobody reads any more.
fn release(plan: &Plan, instructions: &mut [Instruction]) {
    let values = plan.constants.len();
    let (mut last_numbers, mut last_codes) = (vec![None; values], vec![None; values]);
    for (index, instruction) in instructions.iter().enumerate() {
        let [numbers, codes] = instruction.what.makes(plan);
        let numbers = numbers.into_iter().chain(instruction.what.reads_numbers(plan));
        numbers.for_each(|value| last_numbers[value] = Some(index));
        let codes = codes.into_iter().chain(instruction.what.reads_codes());
        codes.for_each(|value| last_codes[value] = Some(index));
    }
    for value in 0..values {
        let is_kept = value == plan.output || plan.constants[value].is_some();
        if let Some(index) = last_numbers[value].filter(|_| !is_kept) {
            instructions[index].release_numbers.push(value);
        }
        if let Some(index) = last_codes[value] {
            instructions[index].release_codes.push(value);
        }
    }
}
