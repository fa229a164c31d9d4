//! Every layer of a network on the stepped machines. They advance cycle by cycle and so prove what the fast engines
//! count.

use std::ops::Range;

use engine::{Activations, Arithmetic, EngineError, Event, Layer, MacEngine, Outputs, SteppedEngine};
use esn::CodeTensor;
use network::{Geometry, LayerId, MacLayer, Network};
use rayon::prelude::*;

use crate::error::RunnerError;
use crate::hardware::{Hardware, refused};
use crate::prepare::{self, Quantization};

/// Largest activation of the pattern that layers are stepped with: 8 bits.
const MAX_ACTIVATION: u64 = 255;

/// Most inputs, and most outputs, of a layer that is stepped: 1 GiB of activations.
const MAX_STEPPED: usize = 1 << 28;

/// What one machine did with one layer.
#[derive(Clone, Debug)]
pub struct SteppedLayer {
    /// Name of the layer.
    pub layer: String,
    /// Name of the hardware.
    pub hardware: String,
    /// How many cycles the machine was advanced.
    pub cycles: u128,
    /// Units of the ledger's MAC entry that the machine counted.
    pub count: u128,
    /// Whether the fast engine gives the same cycles, ledger, occupancy and idle causes.
    pub same_run: bool,
    /// Whether the outputs equal the reference: exactly for integers, to the last bit of the fast engine for real
    /// numbers.
    pub same_outputs: bool,
}

impl SteppedLayer {
    /// Whether the machine confirms the fast engine.
    pub fn passes(&self) -> bool {
        self.same_run && self.same_outputs
    }
}

/// Advances every engine through every layer, cycle by cycle, on one image of pseudo-random 8-bit activations.
/// `progress` is told after every layer of every engine.
///
/// # Errors
///
/// [`RunnerError::Engine`] if an engine has no stepped machine, and those of [`crate::cost::cost`].
pub fn step_all(
    network: &Network,
    hardware: &[Hardware],
    quantization: Quantization,
    progress: &(dyn Fn() + Sync),
) -> Result<Vec<SteppedLayer>, RunnerError> {
    quantization.check(network)?;
    let jobs: Vec<(usize, usize)> =
        (0..hardware.len()).flat_map(|h| (0..network.layers().len()).map(move |l| (h, l))).collect();
    let results: Vec<Result<SteppedLayer, RunnerError>> = jobs
        .into_par_iter()
        .map(|(h, l)| {
            let result = step_layer(network, &hardware[h], LayerId(l), quantization);
            progress();
            result
        })
        .collect();
    results.into_iter().collect()
}

fn step_layer(
    network: &Network,
    hardware: &Hardware,
    id: LayerId,
    quantization: Quantization,
) -> Result<SteppedLayer, RunnerError> {
    let layer = &network.layers()[id.0];
    let weights = prepare::prepare(network, id, quantization)?;
    let refused = |source| refused(network, hardware, source);
    let engine_layer = Layer::new(&layer.name, &layer.geometry, &weights.codes).map_err(refused)?;
    let integers = pattern(network, layer)?;
    let real: Vec<f32> = integers.iter().map(|&x| x as f32).collect();
    let input = match hardware.engine.arithmetic() {
        Arithmetic::Integer => Activations::Integer(&integers),
        Arithmetic::Real => Activations::Real(&real),
    };
    // Read noise is drawn differently by the two machines; all else about them must be equal.
    let silent = hardware.engine.randomness().map(|randomness| randomness.silent());
    let engine = silent.as_ref().unwrap_or(&hardware.engine);
    let machine = stepped_engine(engine.as_ref(), &engine_layer).map_err(refused)?;
    let stepped = machine.step(&engine_layer, input).map_err(refused)?;
    let fast = hardware.engine.run_on(&engine_layer, input).map_err(refused)?;
    let same_outputs = match &stepped.outputs {
        Outputs::Integer(sums) => *sums == integer_reference(layer, &weights.codes, &integers),
        Outputs::Real(_) => {
            stepped.outputs == engine.prepare(&engine_layer).and_then(|p| p.forward(input)).map_err(refused)?
        }
    };
    Ok(SteppedLayer {
        layer: layer.name.clone(),
        hardware: hardware.engine.name().to_string(),
        cycles: stepped.run.cycles.0,
        count: stepped.run.ledger.count(Event::MAC),
        same_run: stepped.run == fast,
        same_outputs,
    })
}

/// The engine as a machine that advances cycle by cycle.
///
/// # Errors
///
/// [`EngineError::Unsupported`] if it has no such machine; names the `layer` that was to be stepped.
pub(crate) fn stepped_engine<'e>(
    engine: &'e dyn MacEngine,
    layer: &Layer<'_>,
) -> Result<&'e dyn SteppedEngine, EngineError> {
    engine.stepped().ok_or_else(|| EngineError::Unsupported {
        layer: layer.name().to_string(),
        problem: "this engine has no stepped machine".to_string(),
    })
}

/// The input of a layer: 8-bit activations without a pattern that arithmetic could profit from, the high byte of a
/// linear congruence (the multiplier and increment of Knuth's MMIX).
///
/// # Errors
///
/// [`RunnerError::Layer`] if input or output are too large to hold: a small file can claim any size.
pub(crate) fn pattern(network: &Network, layer: &MacLayer) -> Result<Vec<i32>, RunnerError> {
    let len = layer.geometry.input_len();
    let largest = len.max(layer.geometry.output_len());
    if largest > MAX_STEPPED {
        let problem = format!("unsupported: a stepped layer of {largest} inputs or outputs; {MAX_STEPPED} at most");
        return Err(RunnerError::at_layer(network, layer, problem));
    }
    let mut state = 0x5eed_u64;
    let values = (0..len).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 56) & MAX_ACTIVATION) as i32
    });
    Ok(values.collect())
}

/// Sums that [`integer_reference`] goes through before it begins with the next positions: as many as a cache holds.
const SUMS_AT_A_TIME: usize = 1 << 15;

/// `Σ code · x` of every output by plain loops over the weights, away from every engine.
fn integer_reference(layer: &MacLayer, codes: &CodeTensor, input: &[i32]) -> Vec<i64> {
    let geometry = &layer.geometry;
    let spec = geometry.spec();
    let (in_len, out_len) = (geometry.input_len() / spec.repeats, geometry.output_len() / spec.repeats);
    let positions = geometry.positions_per_repeat();
    let at_a_time = (SUMS_AT_A_TIME / geometry.columns()).max(1);
    let mut outputs = vec![0i64; geometry.output_len()];
    for (input, outputs) in input.chunks_exact(in_len).zip(outputs.chunks_exact_mut(out_len)) {
        for group in 0..spec.groups {
            for first in (0..positions).step_by(at_a_time) {
                let positions = first..positions.min(first + at_a_time);
                for row in 0..geometry.rows() {
                    add_row(geometry, (group, row), positions.clone(), codes, input, outputs);
                }
            }
        }
    }
    outputs
}

/// Adds what one row of one group's lowered matrix gives to outputs of the group, those of some positions.
fn add_row(
    geometry: &Geometry,
    (group, row): (usize, usize),
    positions: Range<usize>,
    codes: &CodeTensor,
    input: &[i32],
    outputs: &mut [i64],
) {
    let per_filter = geometry.positions_per_repeat();
    let width = geometry.out_size()[1];
    let read = |position: usize| {
        let index = geometry.input_index(group, row, position / width, position % width);
        index.map_or(0, |index| input[index])
    };
    let inputs: Vec<i32> = positions.clone().map(read).collect();
    let filters = group * geometry.columns()..(group + 1) * geometry.columns();
    lanes::run(
        #[inline(always)]
        || {
            for filter in filters.clone() {
                let code = codes.filter(filter)[row];
                let sums = &mut outputs[filter * per_filter..(filter + 1) * per_filter][positions.clone()];
                if code != 0 {
                    sums.iter_mut().zip(&inputs).for_each(|(sum, &x)| *sum += i64::from(code) * i64::from(x));
                }
            }
        },
    );
}
