//! What a network gains over the first, as a part of the document of its run.

use esn::Quarters;
use runner::{CountGain, Gains, Hardware, HardwareGain, PerImage, Quantity, energy_unit};
use serde::Serialize;

use crate::gains::GainingNetwork;

/// What a network gains over the first.
#[derive(Debug, Serialize)]
pub struct GainReport<'a> {
    /// The first network.
    over: &'a str,
    /// Why the two cannot be compared; none where they are.
    not_compared: Option<&'a str>,
    /// What a reader of the gains has to know.
    note: Option<&'a str>,
    dead_filters: Option<u128>,
    quantities: Vec<QuantityReport>,
    hardware: Vec<HardwareReport<'a>>,
}

/// A quantity that needs no hardware.
#[derive(Debug, Serialize)]
struct QuantityReport {
    quantity: &'static str,
    before: Count,
    after: Count,
    gain: Option<f64>,
}

/// ESN_a is a multiple of 0.25, all others are integers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Count {
    Whole(u128),
    Quarters(f64),
}

/// One hardware.
#[derive(Debug, Serialize)]
struct HardwareReport<'a> {
    hardware: &'a str,
    energy_unit: &'static str,
    energy: EnergyReport,
    cycles: CycleReport,
}

#[derive(Debug, Serialize)]
struct EnergyReport {
    before: f64,
    after: f64,
    gain: Option<f64>,
    promised: Option<f64>,
    promised_by: &'static str,
    parts: Vec<PartReport>,
    loss: Option<LossReport>,
}

#[derive(Debug, Serialize)]
struct PartReport {
    cause: &'static str,
    entry: &'static str,
    before: f64,
    after: f64,
}

#[derive(Debug, Serialize)]
struct LossReport {
    cause: &'static str,
    entry: &'static str,
    share: f64,
}

#[derive(Debug, Serialize)]
struct CycleReport {
    before: PerImage,
    after: PerImage,
    gain: Option<f64>,
    promised: Option<f64>,
    loss: Option<CycleLossReport>,
}

#[derive(Debug, Serialize)]
struct CycleLossReport {
    cause: &'static str,
    factor: f64,
}

impl<'a> GainReport<'a> {
    /// What `network` gains over the network `over`.
    pub fn new(hardware: &'a [Hardware], over: &'a str, network: GainingNetwork<'a>) -> Self {
        let gains: Option<&Gains> = network.gains.ok();
        let of_hardware = |gains: &Gains| {
            hardware.iter().zip(&gains.hardware).map(|(hardware, gain)| HardwareReport::new(hardware, gain)).collect()
        };
        Self {
            over,
            not_compared: network.gains.err(),
            note: network.note,
            dead_filters: gains.map(|gains| gains.dead_filters),
            quantities: gains.map(quantities).unwrap_or_default(),
            hardware: gains.map(of_hardware).unwrap_or_default(),
        }
    }
}

fn quantities(gains: &Gains) -> Vec<QuantityReport> {
    let counted = |quantity, count| match quantity {
        Quantity::EsnA => Count::Quarters(Quarters(count).to_f64()),
        Quantity::Weights
        | Quantity::EffectiveWeights
        | Quantity::EffectiveMacs
        | Quantity::BitOperations
        | Quantity::EsnD
        | Quantity::EsnDFilter => Count::Whole(count),
    };
    let of = |&(quantity, count): &(Quantity, CountGain)| QuantityReport {
        quantity: quantity.name(),
        before: counted(quantity, count.before),
        after: counted(quantity, count.after),
        gain: count.factor(),
    };
    gains.quantities.iter().map(of).collect()
}

impl<'a> HardwareReport<'a> {
    fn new(hardware: &'a Hardware, gain: &HardwareGain) -> Self {
        let [before, after] = gain.energy_j;
        let parts = gain.energy_parts.iter().map(|part| PartReport {
            cause: part.cause.name(),
            entry: part.event.name(),
            before: part.joules[0],
            after: part.joules[1],
        });
        let energy = EnergyReport {
            before,
            after,
            gain: gain.energy(),
            promised: gain.promised,
            promised_by: gain.promised_by.name(),
            parts: parts.collect(),
            loss: gain.energy_loss.map(|loss| LossReport {
                cause: loss.cause.name(),
                entry: loss.event.name(),
                share: loss.share,
            }),
        };
        let [before, after] = gain.cycles;
        let cycles = CycleReport {
            before,
            after,
            gain: gain.in_cycles(),
            promised: gain.promised_cycles,
            loss: gain.cycle_loss.map(|loss| CycleLossReport { cause: loss.cause.name(), factor: loss.factor }),
        };
        let energy_unit = energy_unit(hardware.normalized);
        Self { hardware: hardware.engine.name(), energy_unit, energy, cycles }
    }
}
