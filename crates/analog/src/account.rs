//! From counts to a run: the ledger of what is counted.

use engine::{Cycles, Event, Joules, Layer, LayerRun, Ledger, Occupancy, WeightMemory};

use crate::cells::Pulses;
use crate::departures::{BIAS_UNITS, Departures, WeightLaw};
use crate::event;
use crate::idle;
use crate::pipeline::Timing;
use crate::spec::ArraySpec;
use crate::tiling::Cells;
use crate::traffic::Traffic;

/// Counts of everything that costs energy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Energy that cells drove, in units of the law.
    pub(crate) mac: u128,
    /// Energy that cells burned beyond that, in 2^-20 of a unit.
    pub(crate) bias: u128,
    /// Conversions of rows.
    pub(crate) dac: u128,
    /// Conversions of columns.
    pub(crate) adc: u128,
    /// Additions of conversions that belong to the same output.
    pub(crate) additions: u128,
    /// Steps of arrays, and of their cells while they are read: those of filters, and all others.
    pub(crate) array_steps: u128,
    pub(crate) filter_cells: u128,
    pub(crate) idle_cells: u128,
    /// Pulses on rows, and pulses that are taken in at columns.
    pub(crate) pulses: u128,
    pub(crate) integrations: u128,
    /// Outputs of the layer.
    pub(crate) outputs: u128,
    /// Bits that are fetched and moved.
    pub(crate) traffic: Traffic,
}

impl Tally {
    /// The ledger. A departure whose count or energy is 0 has no entry.
    fn ledger(&self, unit: Joules, departures: &Departures) -> Ledger {
        // Where energy depends on the input it is counted in squared steps of the DAC, those of full scale costing
        // `unit`.
        let largest = if departures.law.input_dependent { departures.dac.map_or(1, |dac| dac.largest()) } else { 1 };
        let unit = Joules(unit.0 / f64::from(largest).powi(2));
        let mut ledger = Ledger::new();
        ledger.add(Event::MAC, self.mac, unit);
        let pulses = |of: fn(&Pulses) -> Joules| departures.pulses.as_ref().map_or(Joules(0.0), of);
        // A cell of a nonzero weight is a part of the MAC in every step.
        let other_cells = match departures.law.weight {
            WeightLaw::Bits => self
                .mac
                .checked_mul(u128::from(departures.input_steps()))
                .and_then(|of_weights| self.filter_cells.checked_sub(of_weights))
                .expect("a filter has a cell for each bit of its weights"),
            WeightLaw::AmplitudeSquared | WeightLaw::FixedSupply | WeightLaw::Conductance => 0,
        };
        let entries = [
            (event::OTHER_CELLS, other_cells, departures.step.cell),
            (event::IDLE_CELLS, self.idle_cells, departures.step.idle_cell),
            (event::ARRAY, self.array_steps, departures.step.array),
            (event::PULSES, self.pulses, pulses(|pulses| pulses.pulse)),
            (event::INTEGRATION, self.integrations, pulses(|pulses| pulses.integration)),
            (event::OUTPUT, self.outputs, departures.output),
            (event::BIAS, self.bias, Joules(unit.0 / BIAS_UNITS as f64)),
            (event::DAC, self.dac, departures.dac.map_or(Joules(0.0), |dac| dac.energy)),
            (event::ADC, self.adc, departures.adc.map_or(Joules(0.0), |adc| adc.energy)),
            (event::ADDITION, self.additions, departures.addition),
            (event::ACTIVATION_FETCH, self.traffic.activation_bits, departures.memory.activation_bit),
            (event::PARTIAL_SUMS, self.traffic.partial_sum_bits, departures.memory.partial_sum_bit),
        ];
        for (event, count, unit) in entries.into_iter().filter(|(_, count, unit)| *count > 0 && unit.0 > 0.0) {
            ledger.add(event, count, unit);
        }
        ledger
    }
}

/// What the arrays do in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) cycles: u128,
    /// Cell-cycles of the arrays that are read.
    pub(crate) read: Cells,
    /// Cell-cycles of arrays for which no work is left, while others are read.
    pub(crate) no_work: u128,
    /// Cell-cycles of all arrays while none is read.
    pub(crate) waiting: u128,
}

/// The run that was counted.
pub(crate) fn layer_run(spec: &ArraySpec, layer: &Layer<'_>, timing: Timing, time: Time, tally: &Tally) -> LayerRun {
    let Time { cycles, read, no_work, waiting } = time;
    let mut idle =
        vec![(idle::ROW_EDGE, read.row_edge), (idle::COLUMN_EDGE, read.column_edge), (idle::NO_WORK, no_work)];
    idle.extend(timing.waits_for().map(|cause| (cause, waiting)));
    let all_idle: u128 = idle.iter().map(|(_, count)| count).sum();
    LayerRun {
        cycles: Cycles(cycles),
        ledger: tally.ledger(spec.unit, &spec.departures),
        occupancy: Occupancy { used: read.occupied, offered: read.occupied + all_idle },
        idle,
        memory: WeightMemory::dense(layer.weights()),
    }
}
