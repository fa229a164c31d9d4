//! From counts to a run: the ledger of what is counted.

use engine::{Cycles, Event, Joules, LayerRun, Ledger};

use crate::departures::{BIAS_UNITS, Departures};
use crate::event;
use crate::spec::ArraySpec;
use crate::tiling::Cells;

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
        let entries = [
            (event::BIAS, self.bias, Joules(unit.0 / BIAS_UNITS as f64)),
            (event::DAC, self.dac, departures.dac.map_or(Joules(0.0), |dac| dac.energy)),
            (event::ADC, self.adc, departures.adc.map_or(Joules(0.0), |adc| adc.energy)),
            (event::ADDITION, self.additions, departures.addition),
        ];
        for (event, count, unit) in entries.into_iter().filter(|(_, count, unit)| *count > 0 && unit.0 > 0.0) {
            ledger.add(event, count, unit);
        }
        ledger
    }
}

/// The run that was counted.
pub(crate) fn layer_run(spec: &ArraySpec, cycles: u128, tally: &Tally, cells: Cells) -> LayerRun {
    LayerRun {
        cycles: Cycles(cycles),
        ledger: tally.ledger(spec.unit, &spec.departures),
        occupancy: cells.occupancy(),
        idle: cells.idle(),
    }
}
