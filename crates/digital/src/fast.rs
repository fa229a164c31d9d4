//! The cost of a layer with repetition factored out: time grows with the weights.

use engine::{Cycles, EngineError, Layer, LayerRun, Ledger, MAC_ENTRY, Occupancy};
use esn::{CodeTensor, Grid};

use crate::array::{ArraySpec, Granularity, POSITION_TAIL, ROW_FINISHED_EARLY};
use crate::live::live_channels;
use crate::planes::Planes;

/// Counts what [`crate::SteppedArray`] would, without stepping.
///
/// Every position repeats the planes of a filter, so a row takes `groups · Σ planes` cycles over its filters with
/// `groups = ceil(positions / P)`.
///
/// # Errors
///
/// [`EngineError::Unsupported`] if a count passes 128 bits.
pub(crate) fn run(spec: &ArraySpec, layer: &Layer<'_>) -> Result<LayerRun, EngineError> {
    let row_planes = row_planes(spec, layer.weights());
    let positions = u128::from(layer.geometry().positions());
    let (rows, pes) = (spec.rows as u128, spec.pes_per_row as u128);
    let groups = positions.div_ceil(pes);
    let planes: u128 = row_planes.iter().sum();
    let longest = row_planes.iter().copied().max().unwrap_or(0);

    let too_many = || EngineError::Unsupported {
        layer: layer.name().to_string(),
        problem: "its PE-cycles on this array do not fit 128 bits".to_string(),
    };
    let product = |factors: [u128; 3]| {
        factors.into_iter().try_fold(1u128, |product, factor| product.checked_mul(factor)).ok_or_else(too_many)
    };
    let cycles = product([longest, groups, 1])?;
    let used = product([planes, positions, 1])?;
    let offered = product([cycles, rows, pes])?;
    let position_tail = product([planes, groups * pes - positions, 1])?;
    let row_finished_early = offered - product([planes, groups, pes])?;

    let mut ledger = Ledger::new();
    ledger.add(MAC_ENTRY, used, spec.pe_cycle_energy);
    Ok(LayerRun {
        cycles: Cycles(cycles),
        ledger,
        occupancy: Occupancy { used, offered },
        idle: vec![(POSITION_TAIL, position_tail), (ROW_FINISHED_EARLY, row_finished_early)],
    })
}

/// Planes that each row consumes for one position of all its filters. Rows without a filter are left out.
fn row_planes(spec: &ArraySpec, codes: &CodeTensor) -> Vec<u128> {
    let filters = filter_planes(spec.granularity, codes);
    let mut rows = vec![0; spec.rows.min(filters.len())];
    let count = rows.len();
    for (filter, planes) in filters.into_iter().enumerate() {
        rows[filter % count] += u128::from(planes);
    }
    rows
}

/// Planes of every filter for one position.
fn filter_planes(granularity: Granularity, codes: &CodeTensor) -> Vec<u64> {
    let shape = codes.shape();
    let filters = codes.codes().chunks_exact(shape.filter_len());
    match granularity {
        Granularity::Weight => filters.map(|filter| weight_planes(codes.grid(), filter)).collect(),
        Granularity::Filter => {
            let live = live_channels(codes);
            let live_weights = |group: &[bool]| (group.iter().filter(|live| **live).count() * shape.taps) as u64;
            let live_weights: Vec<u64> = live.chunks_exact(shape.channels).map(live_weights).collect();
            let per_group = shape.filters / shape.groups;
            let planes = |(m, filter)| u64::from(widest(codes.grid(), filter)) * live_weights[m / per_group];
            filters.enumerate().map(planes).collect()
        }
    }
}

/// Planes of all weights together.
fn weight_planes(grid: Grid, weights: &[i32]) -> u64 {
    // Widths of 2^16 weights fit 32 bits, in which the sum is fast.
    let chunk = |codes: &[i32]| u64::from(codes.iter().map(|&code| Planes::least_width(grid, code)).sum::<u32>());
    weights.chunks(1 << 16).map(chunk).sum()
}

/// Planes of the widest weight.
fn widest(grid: Grid, weights: &[i32]) -> u32 {
    // More planes are never needed for a smaller magnitude.
    let largest = weights.iter().map(|code| code.unsigned_abs()).max().unwrap_or(0);
    Planes::least_width(grid, largest as i32)
}
