//! Options that mean nothing are refused before anything is read.

use esn::{BitWidth, Grid};
use network::Network;

use crate::error::CompressError;
use crate::quantize::allocate::least_bits;
use crate::quantize::options::{Allocation, Granularity, QuantizeOptions, StepRule};

/// Why two layers cannot be quantized in two ways.
const ONE_TENSOR: &str = "they have one tensor of weights; expected";

/// `first_uses` says by layer which one is the first with its tensor.
pub(super) fn check(options: &QuantizeOptions, network: &Network, first_uses: &[usize]) -> Result<(), CompressError> {
    let grid = if options.mid_rise { Grid::MidRise } else { Grid::MidTread };
    let widths = [("bits", Some(options.bits)), ("first_bits", options.first_bits), ("last_bits", options.last_bits)];
    for (option, bits) in widths {
        bits.map_or(Ok(()), |bits| check_width(option, grid, bits))?;
    }
    check_places(options, network, first_uses)?;
    check_rule(&options.step, grid, network)?;
    if let StepRule::EsnAProfile(targets) = &options.step {
        check_shared(targets, network, first_uses)?;
    }
    match options.allocation {
        Some(allocation) => check_allocation(allocation, options, grid),
        None => Ok(()),
    }
}

fn refuse(option: &'static str, problem: String) -> Result<(), CompressError> {
    Err(CompressError::Option { option, problem })
}

fn check_width(option: &'static str, grid: Grid, bits: u32) -> Result<(), CompressError> {
    if let Err(error) = BitWidth::new(bits) {
        return refuse(option, error.to_string());
    }
    if bits < least_bits(grid) {
        return refuse(option, "at 1 bit the mid-tread grid has no level but 0; it starts at 2 bits".to_string());
    }
    Ok(())
}

/// The first layer and the last one have one width where they have one tensor.
fn check_places(options: &QuantizeOptions, network: &Network, first_uses: &[usize]) -> Result<(), CompressError> {
    let [Some(first), Some(last)] = [options.first_bits, options.last_bits] else { return Ok(()) };
    let (layers, end) = (network.layers(), first_uses.len().saturating_sub(1));
    if end == 0 || first_uses[end] != 0 || first == last {
        return Ok(());
    }
    let (a, b) = (&layers[0].name, &layers[end].name);
    refuse("last_bits", format!("{last} bits for layer {b} and {first} for layer {a}: {ONE_TENSOR} one width for both"))
}

/// Layers that have one tensor have one target.
fn check_shared(targets: &[f64], network: &Network, first_uses: &[usize]) -> Result<(), CompressError> {
    let differs = |&(layer, &first): &(usize, &usize)| targets[layer] != targets[first];
    let Some((layer, &first)) = first_uses.iter().enumerate().find(differs) else { return Ok(()) };
    let place = |layer: usize| format!("{} for layer {}", targets[layer], network.layers()[layer].name);
    refuse("step", format!("a target ESN_a of {} and {}: {ONE_TENSOR} one target for both", place(layer), place(first)))
}

fn check_rule(rule: &StepRule, grid: Grid, network: &Network) -> Result<(), CompressError> {
    match rule {
        StepRule::MaxAbs | StepRule::Mse | StepRule::Laplace | StepRule::Gauss => Ok(()),
        StepRule::Snr(ratio) if !(ratio.is_finite() && *ratio > 0.0) => {
            refuse("step", format!("an S/N of {ratio}; expected a finite number above 0"))
        }
        StepRule::Snr(ratio) if grid == Grid::MidTread && *ratio <= 1.0 => {
            refuse("step", format!("an S/N of {ratio}; on mid-tread it is above 1 where any weight is left"))
        }
        StepRule::Snr(_) => Ok(()),
        StepRule::EsnA(target) => check_target(*target, "of the network"),
        StepRule::EsnAProfile(targets) if targets.len() != network.layers().len() => {
            let (found, expected) = (targets.len(), network.layers().len());
            refuse("step", format!("an ESN_a profile of {found} layers; the network has {expected}"))
        }
        StepRule::EsnAProfile(targets) => network
            .layers()
            .iter()
            .zip(targets)
            .try_for_each(|(layer, &target)| check_target(target, &format!("of layer {}", layer.name))),
    }
}

fn check_target(target: f64, place: &str) -> Result<(), CompressError> {
    if target.is_finite() && target >= 0.0 {
        return Ok(());
    }
    refuse("step", format!("a target ESN_a {place} of {target}; expected a finite number, 0 or more"))
}

fn check_allocation(allocation: Allocation, options: &QuantizeOptions, grid: Grid) -> Result<(), CompressError> {
    if options.granularity != Granularity::Filter {
        return refuse("allocation", "bits by filter need a step by filter (granularity = filter)".to_string());
    }
    if !matches!(options.step, StepRule::MaxAbs | StepRule::Mse | StepRule::Laplace | StepRule::Gauss) {
        let problem = "bits by filter go with max-abs, mse, laplace and gauss; a target decides on steps by itself";
        return refuse("allocation", problem.to_string());
    }
    let least = f64::from(least_bits(grid));
    match allocation {
        Allocation::AverageBits(average) if !(least..=f64::from(BitWidth::MAX)).contains(&average) => {
            refuse("allocation", format!("{average} bits on average; expected {least} to {}", BitWidth::MAX))
        }
        Allocation::EsnDFilter(budget) if !(budget.is_finite() && budget > 0.0) => {
            refuse("allocation", format!("an ESN'_d of {budget}; expected a finite number above 0"))
        }
        Allocation::AverageBits(_) | Allocation::EsnDFilter(_) => Ok(()),
    }
}
