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

mod find;

use network::{ActivationQuantization, LayerId, MacLayer};

use crate::codes::{CodeOutput, Codes, IntegerSum};
use crate::plan::Plan;
use crate::tables::{self, RoundedSum, Table};
use find::{Finder, Found};

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
    /// Numbers become codes; of integers that are held as numbers, their own.
    Quantize { x: usize, made: usize, output: CodeOutput },
    /// Codes become integers held as numbers.
    Expand { value: usize, integers: ActivationQuantization, shape: Vec<usize> },
    /// A MAC layer between codes.
    Mac(MacOnCodes),
    /// An operator that makes an element of each element of its inputs.
    Elements { codes: Vec<usize>, made: usize, map: Map },
}

/// A MAC layer between codes.
#[derive(Clone, Debug)]
pub(crate) struct MacOnCodes {
    pub step: usize,
    pub id: LayerId,
    pub x: usize,
    /// What the codes of the input stand for.
    pub from: ActivationQuantization,
    pub made: usize,
    pub output: CodeOutput,
}

/// From the codes of elements to a code.
#[derive(Clone, Debug)]
pub(crate) enum Map {
    /// The sum of two numbers.
    Sum { terms: [ActivationQuantization; 2], output: CodeOutput },
    /// The sum of two integers in the arithmetic of onnxruntime.
    IntegerSum(IntegerSum),
    /// One entry for each code, or for each pair of them.
    Table(Table),
    /// A table of pairs that is a rounded sum.
    RoundedSum(RoundedSum, Table),
}

impl Map {
    /// # Panics
    ///
    /// If there are more or fewer inputs than the map has.
    pub(crate) fn apply(&self, inputs: &[&[u8]], made: &mut [u8]) {
        match (self, inputs) {
            (Map::Sum { terms: [of_a, of_b], output }, &[a, b]) => {
                let terms = [Codes { codes: a, quantization: *of_a }, Codes { codes: b, quantization: *of_b }];
                output.codes_of_sums(terms, made);
            }
            (Map::IntegerSum(sum), &[a, b]) => sum.codes([a, b], made),
            (Map::Table(table), &[x]) => tables::of_each(table, x, made),
            (Map::Table(table), &[a, b]) => tables::of_pairs(table, [a, b], made),
            (Map::RoundedSum(sum, table), &[a, b]) => sum.of_pairs(table, [a, b], made),
            (map, inputs) => unreachable!("{} inputs of {map:?}", inputs.len()),
        }
    }
}

impl CodedPlan {
    /// What a plan is on codes; without instructions where none of its layers is between codes.
    pub(crate) fn new(plan: &Plan, layers: &[MacLayer]) -> Self {
        let found = Finder::new(plan).find(layers);
        if !found.iter().any(|coded| matches!(coded, Some(Found::Coded(Coded::Mac(_))))) {
            return Self::default();
        }
        let mut instructions = Emitter::new(plan, &found).emit(found);
        release(plan, &mut instructions);
        Self { instructions }
    }
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
                    let flow = coded.flow(plan);
                    flow.numbers_in.into_iter().for_each(|value| numbers[value] = true);
                    flow.codes_in.into_iter().for_each(|value| codes[value] = true);
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
                    let made = coded.flow(plan).codes_out;
                    self.push(coded);
                    made.into_iter().for_each(|value| self.expand(value));
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

    /// Codes of a value that is held as numbers, where they are read.
    fn pack(&mut self, value: usize) {
        if self.codes[value] {
            self.push(Coded::Quantize { x: value, made: value, output: CodeOutput::new(self.integers(value), None) });
        }
    }

    /// Numbers of a value that is held as codes, where they are read.
    fn expand(&mut self, value: usize) {
        if self.numbers[value] {
            let shape = self.finder.shapes[value].expect("a step makes it").to_vec();
            self.push(Coded::Expand { value, integers: self.integers(value), shape });
        }
    }

    /// The integers of a value, which stand for themselves.
    fn integers(&self, value: usize) -> ActivationQuantization {
        let [min, max] = self.finder.byte_range(value).expect("what is read as codes has a type of 8 bits");
        ActivationQuantization { scale: 1.0, zero_point: 0, min, max }
    }
}

/// What an instruction reads and makes.
#[derive(Debug, Default)]
struct Flow {
    numbers_in: Vec<usize>,
    codes_in: Vec<usize>,
    numbers_out: Vec<usize>,
    codes_out: Vec<usize>,
}

impl Coded {
    fn flow(&self, plan: &Plan) -> Flow {
        match self {
            Coded::Plain(step) => {
                let step = &plan.steps[*step];
                let numbers_in = step.inputs.iter().map(|source| source.value).collect();
                Flow { numbers_in, numbers_out: step.outputs.clone(), ..Flow::default() }
            }
            Coded::Quantize { x, made, .. } => Flow { numbers_in: vec![*x], codes_out: vec![*made], ..Flow::default() },
            Coded::Expand { value, .. } => {
                Flow { codes_in: vec![*value], numbers_out: vec![*value], ..Flow::default() }
            }
            Coded::Mac(mac) => Flow { codes_in: vec![mac.x], codes_out: vec![mac.made], ..Flow::default() },
            Coded::Elements { codes, made, .. } => {
                Flow { codes_in: codes.clone(), codes_out: vec![*made], ..Flow::default() }
            }
        }
    }
}

/// Says behind each instruction what nobody reads any more.
fn release(plan: &Plan, instructions: &mut [Instruction]) {
    let values = plan.constants.len();
    let (mut last_numbers, mut last_codes) = (vec![None; values], vec![None; values]);
    for (index, instruction) in instructions.iter().enumerate() {
        let flow = instruction.what.flow(plan);
        flow.numbers_in.iter().chain(&flow.numbers_out).for_each(|&value| last_numbers[value] = Some(index));
        flow.codes_in.iter().chain(&flow.codes_out).for_each(|&value| last_codes[value] = Some(index));
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
