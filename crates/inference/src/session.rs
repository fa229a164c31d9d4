//! A network made ready to run.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use network::{LayerId, MacLayer, Network, Op, Operand, Recurrent, RecurrentPart, ValueId};

use crate::arrangement::{arrange, restore};
use crate::array::{Array, Buffers, Input};
use crate::coded::{Coded, CodedPlan, Instruction, MacOnCodes};
use crate::codes::{Codes, transpose};
use crate::error::{InferenceError, Problem};
use crate::executor::{CodedInput, MacExecutor};
use crate::ops::{self, Asked, Walk, integer_range, shaped};
use crate::plan::{Plan, Step};

/// Who is shown each MAC layer of a run: the layer, its input as the executor gets it, and the executor's output.
pub type Observe<'a> = &'a mut dyn FnMut(LayerId, &[f32], &[f32]);

/// A network made ready to run. It holds the constants of the graph but no weights: those are the executor's.
///
/// Every operator that is not a MAC layer runs here in 32-bit float, on the calling thread alone and in a fixed order, so
/// that results depend on nothing but the input. Many threads may run one session at a time.
#[derive(Debug)]
pub struct Session {
    pub(crate) plan: Plan,
    coded: CodedPlan,
    pub(crate) layers: Vec<MacLayer>,
    batch: usize,
    /// Memory of runs that are over, for those to come.
    workspaces: Mutex<Vec<Workspace>>,
}

/// What one run works in.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// By value; those that are alive.
    pub values: Vec<Option<Array>>,
    pub buffers: Buffers,
    /// By value; those that are alive as codes.
    codes: Vec<Option<Vec<u8>>>,
    code_buffers: Buffers<u8>,
}

impl Session {
    /// Checks that every node can run and plans the run.
    ///
    /// # Errors
    ///
    /// [`InferenceError::Unsupported`] names an operator that nothing here runs, a value of unknown shape or a network of
    /// several inputs; [`InferenceError::Memory`] says that more than 4 GiB of activations would be alive at a time.
    pub fn new(network: &Network) -> Result<Self, InferenceError> {
        Self::plan(network, None)
    }

    /// As [`Session::new`], for another output than the first.
    ///
    /// # Errors
    ///
    /// As [`Session::new`].
    pub fn of_output(network: &Network, output: ValueId) -> Result<Self, InferenceError> {
        Self::plan(network, Some(output))
    }

    fn plan(network: &Network, output: Option<ValueId>) -> Result<Self, InferenceError> {
        let plan = Plan::new(network, output)?;
        Ok(Self {
            coded: CodedPlan::new(&plan, network.layers()),
            plan,
            layers: network.layers().to_vec(),
            batch: network.batch(),
            workspaces: Mutex::default(),
        })
    }

    /// The same session with memory of its own.
    pub(crate) fn with_own_workspaces(&self) -> Self {
        let (plan, coded, layers) = (self.plan.clone(), self.coded.clone(), self.layers.clone());
        Self { plan, coded, layers, batch: self.batch, workspaces: Mutex::default() }
    }

    /// Shape of the input, batch first: what [`Session::run`] takes.
    pub fn input_shape(&self) -> &[usize] {
        &self.plan.input_spec.shape
    }

    /// Elements of the output of a run, over the whole batch.
    pub fn output_len(&self) -> usize {
        self.plan.output_len
    }

    /// Images in one run.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Runs the network on one batch of images and returns its output, `[batch, classes]`, row-major.
    ///
    /// `input` has [`Session::input_shape`]. If the network takes integers, every number must be one of its type.
    ///
    /// # Errors
    ///
    /// [`InferenceError`] if the input does not fit, the executor fails, or a node's arguments contradict its shapes.
    pub fn run(
        &self,
        input: &[f32],
        mac: &dyn MacExecutor,
        observe: Option<Observe>,
    ) -> Result<Vec<f32>, InferenceError> {
        let mut workspace = self.lock().pop().unwrap_or_default();
        self.start(input, &mut workspace)?;
        // Whoever observes sees numbers.
        match observe.is_none() && !self.coded.instructions.is_empty() {
            true => self.run_coded(&mut workspace, mac)?,
            false => self.run_steps(0..self.plan.steps.len(), &mut workspace, mac, observe)?,
        }
        let output =
            workspace.values[self.plan.output].take().expect("the plan checks that a node makes the output").data;
        self.lock().push(workspace);
        Ok(output)
    }

    /// Puts a checked input into a workspace in which nothing is alive.
    pub(crate) fn start(&self, input: &[f32], workspace: &mut Workspace) -> Result<(), InferenceError> {
        self.check_input(input)?;
        workspace.values.resize_with(self.plan.constants.len(), || None);
        let mut data = workspace.buffers.take(input.len());
        data.extend_from_slice(input);
        workspace.values[self.plan.input] = Some(Array::new(self.input_shape().to_vec(), data));
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Workspace>> {
        // Nothing that can panic happens under the lock, and a half-used workspace never gets here.
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_input(&self, input: &[f32]) -> Result<(), InferenceError> {
        let fail = |problem| Err(Problem::Invalid(problem).at(&self.plan.input_name));
        let spec = &self.plan.input_spec;
        let expected: usize = spec.shape.iter().product();
        if input.len() != expected {
            return fail(format!("{} numbers; shape {:?} takes {expected}", input.len(), spec.shape));
        }
        if !lanes::all(input, f32::is_finite)
            && let Some(x) = input.iter().find(|x| !x.is_finite())
        {
            return fail(format!("an input is {x}"));
        }
        let Some(data_type) = spec.data_type.filter(|data_type| !data_type.is_real()) else {
            return Ok(());
        };
        // Beyond 16 bits, as far as 32-bit float counts exactly.
        let range = integer_range(data_type);
        if range.is_some_and(|[min, max]| lanes::are_integers(input, min, max)) {
            return Ok(());
        }
        let [min, max] = range.unwrap_or([-16_777_216.0, 16_777_216.0]);
        match input.iter().find(|x| x.fract() != 0.0 || !(min..=max).contains(*x)) {
            Some(x) => {
                let expected = data_type.name();
                fail(format!("an input is {x}; the network takes {expected}, integers from {min} to {max}"))
            }
            None => Ok(()),
        }
    }

    /// Runs these steps of the plan, one a node, in a workspace in which the ones before have been run.
    pub(crate) fn run_steps(
        &self,
        steps: Range<usize>,
        workspace: &mut Workspace,
        mac: &dyn MacExecutor,
        mut observe: Option<Observe>,
    ) -> Result<(), InferenceError> {
        for step in &self.plan.steps[steps] {
            self.run_step(step, workspace, mac, &mut observe)?;
            for &value in &step.release {
                if let Some(array) = workspace.values[value].take() {
                    workspace.buffers.give(array.data);
                }
            }
        }
        Ok(())
    }

    /// Runs one step; the workspace keeps what it reads and is not given for good.
    fn run_step(
        &self,
        step: &Step,
        workspace: &mut Workspace,
        mac: &dyn MacExecutor,
        observe: &mut Option<Observe>,
    ) -> Result<(), InferenceError> {
        let outputs = if let Op::Mac(id) = step.op {
            vec![self.run_mac(step, id, workspace, mac, observe)?]
        } else if let Some(recurrent) = states_of(&step.op) {
            self.run_states(step, recurrent, workspace, mac)?
        } else {
            self.run_operator(step, workspace).map_err(|problem| problem.at(&step.name))?
        };
        for ((&value, spec), array) in step.outputs.iter().zip(&step.specs).zip(outputs) {
            if array.shape != spec.shape {
                let problem = format!("it made shape {:?}; the network says {:?}", array.shape, spec.shape);
                return Err(Problem::Invalid(problem).at(&step.name));
            }
            workspace.values[value] = Some(array);
        }
        Ok(())
    }

    /// Runs the whole plan on codes.
    fn run_coded(&self, workspace: &mut Workspace, mac: &dyn MacExecutor) -> Result<(), InferenceError> {
        workspace.codes.resize_with(self.plan.constants.len(), || None);
        for Instruction { what, release_numbers, release_codes } in &self.coded.instructions {
            self.run_instruction(what, workspace, mac)?;
            for &value in release_numbers {
                if let Some(array) = workspace.values[value].take() {
                    workspace.buffers.give(array.data);
                }
            }
            for &value in release_codes {
                if let Some(codes) = workspace.codes[value].take() {
                    workspace.code_buffers.give(codes);
                }
            }
        }
        Ok(())
    }

    fn run_instruction(
        &self,
        what: &Coded,
        workspace: &mut Workspace,
        mac: &dyn MacExecutor,
    ) -> Result<(), InferenceError> {
        match what {
            Coded::Plain(step) => return self.run_step(&self.plan.steps[*step], workspace, mac, &mut None),
            Coded::Mac(layer) => return self.run_mac_on_codes(layer, workspace, mac),
            Coded::Quantize { x, made, output } => {
                let numbers = &self.value(&workspace.values, *x).data;
                let mut codes = workspace.code_buffers.filled(numbers.len());
                output.codes(numbers, &mut codes);
                workspace.codes[*made] = Some(codes);
            }
            Coded::Expand { value, integers, shape } => {
                let codes = Codes { codes: held(&workspace.codes, *value), quantization: *integers };
                let mut numbers = workspace.buffers.filled(codes.codes.len());
                codes.reals(&mut numbers);
                workspace.values[*value] = Some(Array::new(shape.clone(), numbers));
            }
            Coded::Elements { codes, made, map } => {
                let inputs: Vec<&[u8]> = codes.iter().map(|&value| held(&workspace.codes, value)).collect();
                let mut codes = workspace.code_buffers.filled(inputs[0].len());
                map.apply(&inputs, &mut codes);
                workspace.codes[*made] = Some(codes);
            }
        }
        Ok(())
    }

    /// Runs one MAC layer from codes to codes.
    fn run_mac_on_codes(
        &self,
        on_codes: &MacOnCodes,
        workspace: &mut Workspace,
        mac: &dyn MacExecutor,
    ) -> Result<(), InferenceError> {
        let MacOnCodes { step, id, x, from, made: value, output } = on_codes;
        let (step, layer) = (&self.plan.steps[*step], &self.layers[id.0]);
        let Workspace { buffers, codes, code_buffers, .. } = workspace;
        let x = Codes { codes: held(codes, *x), quantization: *from };
        let in_positions: usize = layer.geometry.spec().in_size.iter().product();
        let arranged = turned(layer, [in_positions, layer.in_channels()], x.codes, code_buffers);
        let coded = CodedInput { codes: arranged.as_deref().unwrap_or(x.codes), quantization: from, finish: output };
        let mut made = code_buffers.filled(step.specs[0].shape.iter().product());
        let is_done = mac
            .run_codes(*id, layer, coded, &mut made)
            .map_err(|source| InferenceError::Executor { layer: layer.name.clone(), source })?;
        if is_done {
            let restored = turned(layer, [layer.out_channels(), layer.out_positions()], &made, code_buffers);
            if let Some(restored) = restored {
                code_buffers.give(std::mem::replace(&mut made, restored));
            }
        } else {
            // It takes numbers alone.
            let mut numbers = buffers.filled(x.codes.len());
            x.reals(&mut numbers);
            let numbers = Array::new(vec![numbers.len()], numbers);
            let array = self.layer_output(step, *id, &numbers, (buffers, mac, &mut None))?;
            output.codes(&array.data, &mut made);
            [numbers, array].into_iter().for_each(|array| buffers.give(array.data));
        }
        arranged.into_iter().for_each(|codes| code_buffers.give(codes));
        codes[*value] = Some(made);
        Ok(())
    }

    fn run_operator(&self, step: &Step, workspace: &mut Workspace) -> Result<Vec<Array>, Problem> {
        let Workspace { values, buffers, .. } = workspace;
        let taken: Vec<Option<Array>> =
            step.inputs.iter().map(|source| if source.take { values[source.value].take() } else { None }).collect();
        let inputs = step.inputs.iter().zip(taken).map(|(source, taken)| match taken {
            Some(array) => Input::Owned(array),
            None => Input::Shared(self.value(values, source.value)),
        });
        ops::run(&step.op, inputs.collect(), &step.specs, buffers)
    }

    /// Goes through the steps of a recurrent operator and returns the states before all of them. Nobody observes the
    /// products on the way: the layers run on these states afterwards.
    fn run_states(
        &self,
        step: &Step,
        recurrent: &Recurrent,
        workspace: &Workspace,
        mac: &dyn MacExecutor,
    ) -> Result<Vec<Array>, InferenceError> {
        let inputs: Vec<&Array> =
            step.inputs.iter().map(|source| self.value(&workspace.values, source.value)).collect();
        let walk = Walk::new(recurrent, &inputs).map_err(|problem| problem.at(&step.name))?;
        let made = walk.run(&mut |asked: Asked<'_>| self.products(&step.recurrent[asked.value], &asked, mac))?;
        let states = made.states.into_iter().zip(&step.specs).map(|(data, spec)| shaped(data, spec));
        states.collect::<Result<_, _>>().map_err(|problem| problem.at(&step.name))
    }

    /// The products of states with the weights of all these layers, side by side.
    fn products(
        &self,
        layers: &[LayerId],
        asked: &Asked<'_>,
        mac: &dyn MacExecutor,
    ) -> Result<Vec<f32>, InferenceError> {
        let mut products = Vec::new();
        for id in layers {
            let layer = &self.layers[id.0];
            let made = mac
                .run_vectors(*id, layer, asked.states)
                .map_err(|source| InferenceError::Executor { layer: layer.name.clone(), source })?;
            let expected = asked.rows.len() * layer.out_channels();
            if made.len() != expected {
                let problem = format!("the executor made {} elements of states, not {expected}", made.len());
                return Err(Problem::Invalid(problem).at(&layer.name));
            }
            products.push((layer.out_channels(), made));
        }
        let row = |row: usize| products.iter().flat_map(move |(width, made)| &made[row * width..][..*width]);
        Ok((0..asked.rows.len()).flat_map(row).copied().collect())
    }

    /// Runs one MAC layer and returns what it makes; the workspace keeps what it reads.
    pub(crate) fn run_mac(
        &self,
        step: &Step,
        id: LayerId,
        workspace: &mut Workspace,
        mac: &dyn MacExecutor,
        observe: &mut Option<Observe>,
    ) -> Result<Array, InferenceError> {
        let Workspace { values, buffers, .. } = workspace;
        let x = self.value(values, step.inputs[0].value);
        self.layer_output(step, id, x, (buffers, mac, observe))
    }

    /// What a MAC layer makes of this input of its node.
    fn layer_output(
        &self,
        step: &Step,
        id: LayerId,
        x: &Array,
        (buffers, mac, observe): (&mut Buffers, &dyn MacExecutor, &mut Option<Observe>),
    ) -> Result<Array, InferenceError> {
        let layer = &self.layers[id.0];
        let input = arrange(layer, self.batch, x, buffers).map_err(|problem| problem.at(&step.name))?;
        let mut output = buffers.filled(step.specs[0].shape.iter().product());
        mac.run(id, layer, &input, &mut output)
            .map_err(|source| InferenceError::Executor { layer: layer.name.clone(), source })?;
        if let Some(observe) = observe {
            observe(id, &input, &output);
        }
        if let std::borrow::Cow::Owned(input) = input {
            buffers.give(input);
        }
        restore(layer, self.batch, output, &step.specs[0].shape, buffers).map_err(|problem| problem.at(&step.name))
    }

    /// A constant, or a value that is alive.
    pub(crate) fn value<'a>(&'a self, values: &'a [Option<Array>], value: usize) -> &'a Array {
        self.plan.constants[value]
            .as_ref()
            .or(values[value].as_ref())
            .expect("the plan checks that a value is made before it is read and freed after")
    }
}

/// Codes that are alive.
fn held(codes: &[Option<Vec<u8>>], value: usize) -> &[u8] {
    codes[value].as_deref().expect("codes are made before they are read and freed after")
}

/// The matrices of a layer whose channels come last in its node, with rows and columns swapped; none where that changes
/// nothing.
fn turned(
    layer: &MacLayer,
    [rows, columns]: [usize; 2],
    codes: &[u8],
    code_buffers: &mut Buffers<u8>,
) -> Option<Vec<u8>> {
    if layer.operand != Operand::ChannelsLast || rows == 1 || columns == 1 {
        return None;
    }
    let mut made = code_buffers.filled(codes.len());
    transpose(codes, [rows, columns], &mut made);
    Some(made)
}

/// A recurrent operator whose states this node makes.
fn states_of(op: &Op) -> Option<&Recurrent> {
    let Op::Recurrent(recurrent) = op else { return None };
    (recurrent.part == RecurrentPart::States).then_some(recurrent)
}
