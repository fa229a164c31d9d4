//! What a network gains over the first, as a part of the document of its run.

use esn::Quarters;
use runner::{CountGain, CycleGain, EnergyGain, Gains, Hardware, HardwareGain, PerImage, Quantity, energy_unit};
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
    ideal: Option<f64>,
    ideal_by: Vec<&'static str>,
    parts: Vec<PartReport>,
    loss: Option<LossReport>,
}

#[derive(Debug, Serialize)]
struct PartReport {
    cause: &'static str,
    entry: &'static str,
    before: f64,
    after: f64,
    gain: Option<f64>,
    ideal: Option<f64>,
    ideal_by: &'static str,
    share: Option<f64>,
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
    ideal: Option<f64>,
    ideal_by: &'static str,
    factors: Vec<FactorReport>,
    loss: Option<CycleLossReport>,
}

#[derive(Debug, Serialize)]
struct FactorReport {
    cause: String,
    before: f64,
    after: f64,
    gain: f64,
}

#[derive(Debug, Serialize)]
struct CycleLossReport {
    cause: String,
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
    let counted = |quantity: Quantity, count| {
        if quantity == Quantity::EsnA { Count::Quarters(Quarters(count).to_f64()) } else { Count::Whole(count) }
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
        Self {
            hardware: hardware.engine.name(),
            energy_unit: energy_unit(hardware.normalized),
            energy: EnergyReport::new(&gain.energy),
            cycles: CycleReport::new(&gain.cycles),
        }
    }
}

impl EnergyReport {
    fn new(energy: &EnergyGain) -> Self {
        let [before, after] = energy.joules;
        let parts = energy.parts.iter().map(|part| PartReport {
            cause: part.cause.name(),
            entry: part.event.name(),
            before: part.joules[0],
            after: part.joules[1],
            gain: part.gain(),
            ideal: part.ideal,
            ideal_by: part.ideal_by.name(),
            share: energy.share_of_losses(part),
        });
        let loss = energy.largest_loss().map(|(part, share)| LossReport {
            cause: part.cause.name(),
            entry: part.event.name(),
            share,
        });
        let ideal_by = energy.ideal_by().into_iter().map(Quantity::name).collect();
        let (gain, ideal) = (energy.gain(), energy.ideal());
        Self { before, after, gain, ideal, ideal_by, parts: parts.collect(), loss }
    }
}

impl CycleReport {
    fn new(cycles: &CycleGain) -> Self {
        let [before, after] = cycles.cycles;
        let factors = cycles.factors.iter().map(|factor| FactorReport {
            cause: factor.cause.name(),
            before: factor.factor[0],
            after: factor.factor[1],
            gain: factor.gain(),
        });
        let loss = cycles.largest_loss();
        Self {
            before,
            after,
            gain: cycles.gain(),
            ideal: cycles.ideal,
            ideal_by: cycles.ideal_by.name(),
            factors: factors.collect(),
            loss: loss.map(|factor| CycleLossReport { cause: factor.cause.name(), factor: 1.0 / factor.gain() }),
        }
    }
}
