//! One step of an LSTM on integers ([`IntegerCell`] states the equations).

use network::{IntegerCell, divide_by_power_of_two, fixed_point_sigmoid, fixed_point_tanh, saturated_16};

use super::cell::{CELL, FORGET, INPUT, OUTPUT, Products, State};

/// Integer bits of the pre-activations of gates.
const GATE_BITS: u32 = 3;

/// Brings one unit to the next step. The state holds the real numbers that its integers stand for.
pub(super) fn advance(cell: &IntegerCell, products: Products, state: &mut State, unit: usize, units: usize) {
    let sum = |gate: usize| {
        let [input, state] = [products.input, products.state].map(|made| integer(made[gate * units + unit]));
        saturated_16(i64::from(saturated_16(i64::from(input)) + state))
    };
    let [input, forget, output] = [INPUT, FORGET, OUTPUT].map(|gate| fixed_point_sigmoid(sum(gate)));
    let modulation = fixed_point_tanh(sum(CELL), GATE_BITS);
    let before = (state.cell[unit] / cell.cell_scale()).round() as i32;
    let kept = divide_by_power_of_two(forget * before, 15);
    let added = divide_by_power_of_two(input * modulation, 15 + cell.cell_bits);
    let behind = saturated_16(i64::from(kept) + i64::from(added));
    let behind = cell.clip.map_or(behind, |clip| behind.clamp(-clip, clip));
    state.cell[unit] = behind as f32 * cell.cell_scale();
    state.hidden[unit] = cell.hidden.real(i64::from(output * fixed_point_tanh(behind, cell.cell_bits)), 0);
}

/// The integer that a product stands for. Executors on real numbers make others than integers.
fn integer(product: f32) -> i32 {
    let unit = IntegerCell::PRODUCT;
    // A float converts to an integer saturating.
    ((product / unit.scale).round() as i32).clamp(unit.min, unit.max)
}
