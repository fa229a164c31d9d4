//! Recurrent operators, step by step ([`network::Recurrent`]).
//!
//! Both nodes of an operator take the same walk through the steps. The first has the products with its states made as it
//! comes to them; the second finds them, for layers have run.

mod cell;
mod integer;

use network::{Recurrent, RecurrentInput};

use crate::array::Array;
use crate::error::Problem;
use crate::ops::ValueSpec;
use cell::{Products, State, StepCell};

/// States whose products a walk needs: value `value` of the states, at these rows, `[rows, units]`.
pub(crate) struct Asked<'a> {
    pub value: usize,
    pub rows: &'a [usize],
    pub states: &'a [f32],
}

/// Who makes products, `[rows, gates · units]` of the gates that read these states.
type Make<'a, E> = &'a mut dyn FnMut(Asked<'_>) -> Result<Vec<f32>, E>;

/// A way through all steps.
pub(crate) struct Walk<'a> {
    recurrent: &'a Recurrent,
    /// Products with the input, by direction.
    products: Vec<Columns<'a>>,
    biases: Option<&'a Array>,
    hidden: Option<&'a Array>,
    cell: Option<&'a Array>,
    peepholes: Option<&'a Array>,
    steps: usize,
    sequences: usize,
    units: usize,
}

/// What a walk makes. A row is a step of a sequence, in the order of the values that it reads.
pub(crate) struct Made {
    /// `[rows, units]`: hidden states before the steps, by direction, then reset states.
    pub states: Vec<Vec<f32>>,
    /// `[rows, units]`: hidden states behind the steps, by direction.
    outputs: Vec<Vec<f32>>,
    /// States behind the last step, by direction and sequence.
    last: Vec<Vec<State>>,
}

/// Matrices of the same rows, side by side.
struct Columns<'a>(Vec<&'a Array>);

impl Columns<'_> {
    fn width(&self) -> usize {
        self.0.iter().filter_map(|array| array.shape.last()).sum()
    }

    /// These rows, one after another.
    fn rows(&self, rows: &[usize]) -> Vec<f32> {
        let mut all = Vec::with_capacity(rows.len() * self.width());
        for row in rows {
            for array in &self.0 {
                let width = array.shape.last().copied().unwrap_or(0);
                all.extend_from_slice(&array.data[row * width..][..width]);
            }
        }
        all
    }
}

/// The second node: outputs, out of the products of all layers.
pub(super) fn outputs(recurrent: &Recurrent, inputs: &[&Array], specs: &[ValueSpec]) -> Result<Vec<Array>, Problem> {
    let (first, directions) = (recurrent.directions.len() * recurrent.matrices, recurrent.directions.len());
    let behind = first + first + recurrent.states() - directions;
    if inputs.len() != behind + recurrent.inputs.len() {
        return Err(misfit(inputs, behind + recurrent.inputs.len()));
    }
    let walk = Walk::new(recurrent, &[&inputs[..first], &inputs[behind..]].concat())?;
    let mut of_states = columns(&inputs[first..2 * first], recurrent.matrices);
    of_states.extend(columns(&inputs[2 * first..behind], 1));
    let made = walk.run(&mut |asked: Asked<'_>| Ok::<_, Problem>(of_states[asked.value].rows(asked.rows)))?;
    let arrays = [walk.all(&made), walk.last(&made, |state| &state.hidden), walk.last(&made, |state| &state.cell)];
    arrays.into_iter().zip(specs).map(|(data, spec)| shaped(data, spec)).collect()
}

/// Numbers in the shape that the network says.
pub(crate) fn shaped(data: Vec<f32>, spec: &ValueSpec) -> Result<Array, Problem> {
    if spec.shape.iter().product::<usize>() != data.len() {
        return Err(Problem::Invalid(format!("it made {} numbers; the network says {:?}", data.len(), spec.shape)));
    }
    Ok(Array::new(spec.shape.clone(), data))
}

fn columns<'a>(arrays: &[&'a Array], each: usize) -> Vec<Columns<'a>> {
    arrays.chunks(each).map(|arrays| Columns(arrays.to_vec())).collect()
}

fn misfit(inputs: &[&Array], expected: usize) -> Problem {
    Problem::Invalid(format!("{} inputs; {expected} are expected", inputs.len()))
}

impl<'a> Walk<'a> {
    /// `inputs` are those of the first node.
    pub fn new(recurrent: &'a Recurrent, inputs: &[&'a Array]) -> Result<Self, Problem> {
        let count = recurrent.directions.len() * recurrent.matrices;
        if inputs.len() != count + recurrent.inputs.len() {
            return Err(misfit(inputs, count + recurrent.inputs.len()));
        }
        let (products, parameters) = inputs.split_at(count);
        let shape = &products[0].shape;
        let &[first, second, _] = shape.as_slice() else {
            return Err(Problem::Invalid(format!("products of shape {shape:?}; three axes are expected")));
        };
        let (steps, sequences) = if recurrent.steps_first { (first, second) } else { (second, first) };
        let products: Vec<Columns<'_>> = columns(products, recurrent.matrices);
        let units = products[0].width() / recurrent.cell.gates();
        let input = |kind| recurrent.inputs.iter().position(|&other| other == kind).map(|place| parameters[place]);
        let [biases, hidden, cell, peepholes] =
            [RecurrentInput::Biases, RecurrentInput::Hidden, RecurrentInput::Cell, RecurrentInput::Peepholes]
                .map(input);
        let walk = Self { recurrent, products, biases, hidden, cell, peepholes, steps, sequences, units };
        walk.check()?;
        Ok(walk)
    }

    /// Every input has as many numbers as its place says.
    fn check(&self) -> Result<(), Problem> {
        if let Some(lengths) = self.recurrent.lengths.as_ref().filter(|lengths| lengths.len() != self.sequences) {
            let found = lengths.len();
            return Err(Problem::Invalid(format!("lengths of {found} sequences; it has {}", self.sequences)));
        }
        let (gates, states) = (self.recurrent.cell.gates() * self.units, self.sequences * self.units);
        let parameters =
            [(self.biases, 2 * gates), (self.hidden, states), (self.cell, states), (self.peepholes, 3 * self.units)];
        let parameters = parameters.into_iter().filter_map(|(array, each)| Some((array?, each)));
        let expected = |(array, each): (&'a Array, usize)| (array, each * self.recurrent.directions.len());
        let products = self.products.iter().flat_map(|columns| &columns.0);
        let of_product = |array: &&'a Array| {
            let width = if self.recurrent.matrices == 1 { gates } else { self.units };
            (*array, self.steps * self.sequences * width)
        };
        let mut all = parameters.map(expected).chain(products.map(of_product));
        match all.find(|(array, expected)| array.data.len() != *expected) {
            Some((array, expected)) => {
                Err(Problem::Invalid(format!("an input of shape {:?}; {expected} numbers are expected", array.shape)))
            }
            None => Ok(()),
        }
    }

    /// Goes through all steps of all directions.
    pub fn run<E>(&self, make: Make<'_, E>) -> Result<Made, E> {
        let (rows, directions) = (self.steps * self.sequences, self.recurrent.directions.len());
        let zeros = |count: usize| vec![vec![0.0; rows * self.units]; count];
        let mut made = Made { states: zeros(self.recurrent.states()), outputs: zeros(directions), last: Vec::new() };
        for direction in 0..directions {
            self.direction(direction, &mut made, make)?;
        }
        Ok(made)
    }

    fn direction<E>(&self, direction: usize, made: &mut Made, make: Make<'_, E>) -> Result<(), E> {
        let cell = self.step_cell(direction);
        let mut states: Vec<State> = (0..self.sequences).map(|sequence| self.first(direction, sequence)).collect();
        for step in 0..self.steps {
            let live: Vec<usize> = (0..self.sequences).filter(|&sequence| step < self.length(sequence)).collect();
            let rows: Vec<usize> = live.iter().map(|&sequence| self.row(direction, sequence, step)).collect();
            let input = self.products[direction].rows(&rows);
            let before: Vec<f32> = live.iter().flat_map(|&sequence| states[sequence].hidden.clone()).collect();
            self.put(&mut made.states[direction], &rows, &before);
            let mut state = make(Asked { value: direction, rows: &rows, states: &before })?;
            if self.recurrent.cell.resets_before() {
                let resets: Vec<f32> = self
                    .pairs(&input, &state)
                    .zip(before.chunks(self.units))
                    .flat_map(|(products, hidden)| cell.reset(products, hidden))
                    .collect();
                let value = self.recurrent.directions.len() + direction;
                self.put(&mut made.states[value], &rows, &resets);
                state = self.joined(&state, &make(Asked { value, rows: &rows, states: &resets })?, rows.len());
            }
            for (products, &sequence) in self.pairs(&input, &state).zip(&live) {
                cell.advance(products, &mut states[sequence]);
            }
            let behind: Vec<f32> = live.iter().flat_map(|&sequence| states[sequence].hidden.clone()).collect();
            self.put(&mut made.outputs[direction], &rows, &behind);
        }
        made.last.push(states);
        Ok(())
    }

    fn step_cell(&self, direction: usize) -> StepCell<'_> {
        let gates = self.recurrent.cell.gates();
        let part = |array: Option<&'a Array>, each: usize| array.map(|array| &array.data[direction * each..][..each]);
        StepCell {
            cell: self.recurrent.cell,
            direction: &self.recurrent.directions[direction],
            clip: self.recurrent.clip,
            cell_clip: self.recurrent.cell_clip,
            integers: self.recurrent.integers.as_ref(),
            units: self.units,
            biases: part(self.biases, 2 * gates * self.units),
            peepholes: part(self.peepholes, 3 * self.units),
        }
    }

    /// The state before the first step.
    fn first(&self, direction: usize, sequence: usize) -> State {
        let start = self.place(direction, sequence) * self.units;
        let of = |array: Option<&Array>| match array {
            Some(array) => array.data[start..][..self.units].to_vec(),
            None => vec![0.0; self.units],
        };
        State { hidden: of(self.hidden), cell: of(self.cell) }
    }

    fn length(&self, sequence: usize) -> usize {
        self.recurrent.lengths.as_ref().map_or(self.steps, |lengths| lengths[sequence])
    }

    /// The row of a step, counted from where the direction begins.
    fn row(&self, direction: usize, sequence: usize, step: usize) -> usize {
        let reverse = self.recurrent.directions[direction].reverse;
        let step = if reverse { self.length(sequence) - 1 - step } else { step };
        if self.recurrent.steps_first { step * self.sequences + sequence } else { sequence * self.steps + step }
    }

    /// The place of a vector that there is one of for each direction and sequence.
    fn place(&self, direction: usize, sequence: usize) -> usize {
        let directions = self.recurrent.directions.len();
        if self.recurrent.steps_first {
            direction * self.sequences + sequence
        } else {
            sequence * directions + direction
        }
    }

    fn put(&self, all: &mut [f32], rows: &[usize], vectors: &[f32]) {
        for (row, vector) in rows.iter().zip(vectors.chunks(self.units)) {
            all[row * self.units..][..self.units].copy_from_slice(vector);
        }
    }

    /// Products with the input and with the state, row by row.
    fn pairs<'p>(&self, input: &'p [f32], state: &'p [f32]) -> impl Iterator<Item = Products<'p>> {
        let width = self.recurrent.cell.gates() * self.units;
        let rows = input.len() / width;
        let of_state = state.len() / rows.max(1);
        input.chunks(width).zip(state.chunks(of_state.max(1))).map(|(input, state)| Products { input, state })
    }

    /// Each of so many rows of one matrix before that of another.
    fn joined(&self, left: &[f32], right: &[f32], rows: usize) -> Vec<f32> {
        let parts = |row: usize| [left, right].map(|all| &all[row * all.len() / rows..][..all.len() / rows]).concat();
        (0..rows).flat_map(parts).collect()
    }

    /// Hidden states behind all steps, as `Y` has them.
    fn all(&self, made: &Made) -> Vec<f32> {
        let directions = made.outputs.len();
        let inner = if self.recurrent.steps_first { self.sequences } else { 1 };
        let mut all = vec![0.0; directions * self.steps * self.sequences * self.units];
        for (direction, outputs) in made.outputs.iter().enumerate() {
            for (row, vector) in outputs.chunks(self.units).enumerate() {
                let place = (row / inner * directions + direction) * inner + row % inner;
                all[place * self.units..][..self.units].copy_from_slice(vector);
            }
        }
        all
    }

    /// States behind the last steps, as `Y_h` and `Y_c` have them.
    fn last(&self, made: &Made, of: impl Fn(&State) -> &[f32]) -> Vec<f32> {
        let mut all = vec![0.0; made.last.len() * self.sequences * self.units];
        for (direction, states) in made.last.iter().enumerate() {
            for (sequence, state) in states.iter().enumerate() {
                let start = self.place(direction, sequence) * self.units;
                all[start..][..self.units].copy_from_slice(of(state));
            }
        }
        all
    }
}
