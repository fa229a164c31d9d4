//! Options that mean nothing are refused before anything is read.

use esn::{BitWidth, Grid};
use network::Network;

use crate::error::CompressError;
use crate::quantize::allocate::least_bits;
use crate::quantize::options::{Allocation, Granularity, LayerOptions, QuantizeOptions, StepRule, grid};

/// Why two layers cannot be quantized in two ways.
const ONE_TENSOR: &str = "they have one tensor of weights; expected";

/// `first_uses` says by layer which one is the first with its tensor.
pub(super) fn check(options: &QuantizeOptions, network: &Network, first_uses: &[usize]) -> Result<(), CompressError> {
    let grid = options.grid();
    let widths = [("bits", Some(options.bits)), ("first_bits", options.first_bits), ("last_bits", options.last_bits)];
    for (option, bits) in widths {
        bits.map_or(Ok(()), |bits| check_width(option, grid, bits))?;
    }
    check_places(options, network, first_uses)?;
    check_rule(&options.step, grid, network)?;
    if let StepRule::EsnAProfile(targets) = &options.step {
        check_shared(targets, network, first_uses)?;
    }
    options.layers.iter().try_for_each(|own| check_own(own, options, network))?;
    check_entries(options, network, first_uses)?;
    match options.allocation {
        Some(allocation) => check_allocation(allocation, options, grid),
        None => Ok(()),
    }
}

/// What a layer gets of its own.
fn check_own(own: &LayerOptions, options: &QuantizeOptions, network: &Network) -> Result<(), CompressError> {
    let name = &own.layer;
    if !network.layers().iter().any(|layer| layer.name == *name) {
        let some: Vec<&str> = network.layers().iter().take(3).map(|layer| layer.name.as_str()).collect();
        let known = format!("the network's {} layers begin with {}", network.layers().len(), some.join(", "));
        return refuse("layers", format!("there is no layer {name:?}; {known}"));
    }
    if *own == (LayerOptions { layer: name.clone(), ..LayerOptions::default() }) {
        let expected = "expected bits, mid-rise, granularity or step";
        return refuse("layers", format!("layer {name}: nothing is said of it; {expected}"));
    }
    let grid = own.mid_rise.map_or(options.grid(), grid);
    let in_layer = |result: Result<(), CompressError>| match result {
        Err(CompressError::Option { problem, .. }) => refuse("layers", format!("layer {name}: {problem}")),
        other => other,
    };
    in_layer(check_width("bits", grid, own.bits.unwrap_or(options.bits)))?;
    if let Some(rule) = &own.step {
        in_layer(check_own_rule(rule, options, grid, network))?;
    }
    if options.allocation.is_some() && own.granularity == Some(Granularity::Layer) {
        return refuse("layers", format!("layer {name}: bits by filter need a step by filter (granularity = filter)"));
    }
    Ok(())
}

/// A rule that solves for a target of several layers is none of one layer, nor does it leave one out.
fn check_own_rule(
    rule: &StepRule,
    options: &QuantizeOptions,
    grid: Grid,
    network: &Network,
) -> Result<(), CompressError> {
    let is_target = |rule: &StepRule| matches!(rule, StepRule::EsnA(_) | StepRule::EsnAProfile(_));
    if is_target(rule) || is_target(&options.step) {
        return refuse(
            "step",
            "a target of ESN_a is one of the network; a layer has no step rule beside it".to_string(),
        );
    }
    if options.allocation.is_some() && matches!(rule, StepRule::Snr(_)) {
        return refuse("step", "bits by filter go with max-abs, mse, laplace and gauss".to_string());
    }
    check_rule(rule, grid, network)
}

/// One entry for each layer, the same for layers that have one tensor, and one width for each.
fn check_entries(options: &QuantizeOptions, network: &Network, first_uses: &[usize]) -> Result<(), CompressError> {
    let place = |own: &LayerOptions| network.layers().iter().position(|layer| layer.name == own.layer);
    let tensor = |own: &LayerOptions| place(own).map(|layer| first_uses[layer]);
    for (index, own) in options.layers.iter().enumerate() {
        if let Some(other) = options.layers[..index].iter().find(|other| tensor(other) == tensor(own)) {
            let (a, b) = (&own.layer, &other.layer);
            return refuse(
                "layers",
                match a == b {
                    true => format!("layer {a} stands there twice; expected one entry"),
                    false => format!("layers {b} and {a}: {ONE_TENSOR} one entry for both"),
                },
            );
        }
        let is_last = first_uses.last().is_some_and(|&last| tensor(own) == Some(last));
        let places = [options.first_bits.filter(|_| tensor(own) == Some(0)), options.last_bits.filter(|_| is_last)];
        if let (Some(bits), Some(other)) = (own.bits, places.into_iter().flatten().next())
            && bits != other
        {
            let problem = format!("layer {} has {bits} bits there and {other} by its place; expected one", own.layer);
            return refuse("layers", problem);
        }
    }
    Ok(())
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
