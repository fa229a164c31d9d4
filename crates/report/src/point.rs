//! One point of a sweep as a document, under the names of the store's columns.

use explore::store::{HardwareRow, PointCosts, PointRow};
use explore::sweep::Configuration;
use runner::BitCounts;
use serde::Serialize;

#[derive(Serialize)]
struct PointReport<'a> {
    key: String,
    status: &'static str,
    error: Option<&'a str>,
    version: &'a str,
    network: &'a str,
    configuration: &'a Configuration,
    notes: &'a [String],
    costs: Option<CostReport<'a>>,
    images: Option<u64>,
    labelled: Option<u64>,
    top1: Option<u64>,
    top5: Option<u64>,
    agreement: Option<u64>,
    float_top1: Option<u64>,
    float_top5: Option<u64>,
}

#[derive(Serialize)]
struct CostReport<'a> {
    weights: u128,
    nonzero: u128,
    filters: u128,
    live_filters: u128,
    macs: u128,
    weights_alive: u128,
    macs_alive: u128,
    effective_macs: Option<u128>,
    esn_a: f64,
    esn_d: u128,
    esn_a_macs: f64,
    esn_d_macs: u128,
    esn_d_filter: u128,
    max_bits: u32,
    filter_bits: &'a [u64],
    weight_bits: &'a [u64],
    model_bits: Option<u128>,
    bit_operations: Option<u128>,
    effective_bit_operations: Option<u128>,
    weight_bits_fetched: Option<u128>,
    activation_bits_moved: Option<u128>,
    outputs: Option<u128>,
    hardware: Vec<HardwareReport<'a>>,
}

#[derive(Serialize)]
struct HardwareReport<'a> {
    name: &'a str,
    metric: &'a str,
    verdict: &'a str,
    cycles: u128,
    energy_count: u128,
    energy_j: f64,
    compute_j: Option<f64>,
    conversion_j: Option<f64>,
    memory_j: Option<f64>,
    utilization: f64,
    top1: Option<u64>,
    top5: Option<u64>,
    agreement: Option<u64>,
}

/// The result of a point as JSON in one line. `docs/sweep.md` documents its names.
pub fn point_json(row: &PointRow) -> String {
    let accuracy = row.accuracy.as_ref();
    let report = PointReport {
        key: row.key.to_string(),
        status: row.status().name(),
        error: row.error.as_deref(),
        version: &row.version,
        network: &row.network,
        configuration: &row.configuration,
        notes: &row.notes,
        costs: row.costs.as_ref().map(cost_report),
        images: accuracy.map(|accuracy| accuracy.images),
        labelled: accuracy.map(|accuracy| accuracy.score.labelled),
        top1: accuracy.map(|accuracy| accuracy.score.top1),
        top5: accuracy.and_then(|accuracy| accuracy.score.top5),
        agreement: accuracy.map(|accuracy| accuracy.agreement),
        float_top1: accuracy.map(|accuracy| accuracy.float.top1),
        float_top5: accuracy.and_then(|accuracy| accuracy.float.top5),
    };
    serde_json::to_string(&report).expect("rows of a store have a JSON form")
}

fn cost_report(costs: &PointCosts) -> CostReport<'_> {
    let bits = |of: fn(BitCounts) -> u128| costs.bits.map(of);
    CostReport {
        weights: costs.weights,
        nonzero: costs.nonzero,
        filters: costs.filters,
        live_filters: costs.live_filters,
        macs: costs.macs,
        weights_alive: costs.weights_alive,
        macs_alive: costs.macs_alive,
        effective_macs: costs.effective_macs,
        esn_a: costs.esn_a.to_f64(),
        esn_d: costs.esn_d,
        esn_a_macs: costs.esn_a_macs.to_f64(),
        esn_d_macs: costs.esn_d_macs,
        esn_d_filter: costs.esn_d_filter,
        max_bits: costs.max_bits,
        filter_bits: &costs.filter_bits,
        weight_bits: &costs.weight_bits,
        model_bits: bits(|bits| bits.model_bits),
        bit_operations: bits(|bits| bits.bit_operations),
        effective_bit_operations: bits(|bits| bits.effective_bit_operations),
        weight_bits_fetched: bits(|bits| bits.weight_bits),
        activation_bits_moved: bits(|bits| bits.activation_bits),
        outputs: bits(|bits| bits.outputs),
        hardware: costs.hardware.iter().map(hardware_report).collect(),
    }
}

fn hardware_report(hardware: &HardwareRow) -> HardwareReport<'_> {
    HardwareReport {
        name: &hardware.name,
        metric: &hardware.metric,
        verdict: &hardware.verdict,
        cycles: hardware.cycles,
        energy_count: hardware.energy_count,
        energy_j: hardware.energy_j,
        compute_j: hardware.spent.map(|spent| spent.compute_j),
        conversion_j: hardware.spent.map(|spent| spent.conversion_j),
        memory_j: hardware.spent.map(|spent| spent.memory_j),
        utilization: hardware.utilization,
        top1: hardware.score.as_ref().map(|score| score.top1),
        top5: hardware.score.as_ref().and_then(|score| score.top5),
        agreement: hardware.agreement,
    }
}
