//! What one step makes of the products of one sequence.

use network::{Cell, Direction, GateFunction, IntegerCell};

use super::integer;
use crate::ops::elementwise;

/// The cell of one direction.
pub(super) struct StepCell<'a> {
    pub cell: Cell,
    pub direction: &'a Direction,
    pub clip: Option<f32>,
    pub cell_clip: Option<f32>,
    pub integers: Option<&'a IntegerCell>,
    pub units: usize,
    /// Those of the input, then those of the state.
    pub biases: Option<&'a [f32]>,
    pub peepholes: Option<&'a [f32]>,
}

/// Products of one step and sequence: those with the input and those with the state, gate by gate.
#[derive(Clone, Copy)]
pub(super) struct Products<'a> {
    pub input: &'a [f32],
    pub state: &'a [f32],
}

/// The state of one sequence.
#[derive(Clone)]
pub(super) struct State {
    pub hidden: Vec<f32>,
    pub cell: Vec<f32>,
}

/// Gates of an LSTM in the order of ONNX. The first three have peepholes in the same order.
pub(super) const INPUT: usize = 0;
pub(super) const OUTPUT: usize = 1;
pub(super) const FORGET: usize = 2;
pub(super) const CELL: usize = 3;
/// Gates of a GRU.
const UPDATE: usize = 0;
const RESET: usize = 1;
const HIDDEN: usize = 2;

impl StepCell<'_> {
    /// Brings a state to the next step.
    pub fn advance(&self, products: Products, state: &mut State) {
        if let Some(integers) = self.integers {
            return (0..self.units).for_each(|unit| integer::advance(integers, products, state, unit, self.units));
        }
        match self.cell {
            Cell::Lstm { coupled } => (0..self.units).for_each(|unit| self.lstm(products, state, unit, coupled)),
            Cell::Gru { reset_behind } => {
                (0..self.units).for_each(|unit| self.gru(products, state, unit, reset_behind));
            }
            Cell::Rnn => {
                for unit in 0..self.units {
                    state.hidden[unit] = self.apply(0, self.sum(products, 0, unit));
                }
            }
        }
    }

    /// `r∘H'` of a GRU that resets before the product.
    pub fn reset(&self, products: Products, hidden: &[f32]) -> Vec<f32> {
        let reset = |(unit, hidden): (usize, &f32)| self.apply(0, self.sum(products, RESET, unit)) * hidden;
        hidden.iter().enumerate().map(reset).collect()
    }

    fn lstm(&self, products: Products, state: &mut State, unit: usize, coupled: bool) {
        let before = state.cell[unit];
        let gate =
            |gate: usize, seen: f32| self.apply(0, self.sum(products, gate, unit) + self.peephole(gate, unit, seen));
        let input = gate(INPUT, before);
        let forget = if coupled { 1.0 - input } else { gate(FORGET, before) };
        let cell = forget * before + input * self.apply(1, self.sum(products, CELL, unit));
        let cell = self.cell_clip.map_or(cell, |clip| elementwise::clip(cell, -clip, clip));
        state.cell[unit] = cell;
        state.hidden[unit] = gate(OUTPUT, cell) * function(self.direction.functions[2], cell);
    }

    fn gru(&self, products: Products, state: &mut State, unit: usize, reset_behind: bool) {
        let update = self.apply(0, self.sum(products, UPDATE, unit));
        let factor = if reset_behind { self.apply(0, self.sum(products, RESET, unit)) } else { 1.0 };
        let hidden = self.of_input(products, HIDDEN, unit) + factor * self.of_state(products, HIDDEN, unit);
        state.hidden[unit] = (1.0 - update) * self.apply(1, hidden) + update * state.hidden[unit];
    }

    /// The pre-activation of a gate.
    fn sum(&self, products: Products, gate: usize, unit: usize) -> f32 {
        self.of_input(products, gate, unit) + self.of_state(products, gate, unit)
    }

    fn of_input(&self, products: Products, gate: usize, unit: usize) -> f32 {
        let place = gate * self.units + unit;
        products.input[place] + self.biases.map_or(0.0, |biases| biases[place])
    }

    fn of_state(&self, products: Products, gate: usize, unit: usize) -> f32 {
        let (place, behind) = (gate * self.units + unit, self.cell.gates() * self.units);
        products.state[place] + self.biases.map_or(0.0, |biases| biases[behind + place])
    }

    fn peephole(&self, gate: usize, unit: usize, cell: f32) -> f32 {
        self.peepholes.map_or(0.0, |weights| weights[gate * self.units + unit] * cell)
    }

    /// A pre-activation, clipped, through one of the functions of the direction.
    fn apply(&self, which: usize, x: f32) -> f32 {
        let x = self.clip.map_or(x, |clip| elementwise::clip(x, -clip, clip));
        function(self.direction.functions[which], x)
    }
}

fn function(function: GateFunction, x: f32) -> f32 {
    match function {
        GateFunction::Sigmoid => elementwise::sigmoid(x),
        GateFunction::Tanh => x.tanh(),
        GateFunction::Relu => elementwise::relu(x),
    }
}
