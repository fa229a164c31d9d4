//! One layer: a step for all its weights, or one a filter.

use std::collections::HashSet;

use esn::{CodeTensor, Grid, WeightShape};
use rayon::prelude::*;

use super::FindStepOptions;
use super::distinct::Distinct;
use super::evidence::{ENOUGH_WEIGHTS, is_enough, log10_chance};
use super::lattice::{Unit, levels, multiple, unit};
use super::precision::Precision;
use super::report::FoundStep;
use crate::Watch;
use crate::quantize::Granularity;

/// Smallest unit: below it, half a step is no normal float32.
const SMALLEST_UNIT: f64 = 1e-36;

/// The codes and steps of a layer whose grid was found.
#[derive(Debug)]
pub(super) struct Found {
    pub codes: CodeTensor,
    /// `Δ`: one, or one a filter.
    pub steps: Vec<f32>,
    pub step: FoundStep,
}

/// What all nonzero weights of a layer or filter are multiples of.
#[derive(Clone, Copy, Debug)]
struct Fit {
    /// The unit as a float32 number: that of a level which is a power of two of it, where one is stored.
    size: f32,
    levels: u64,
    nonzero: u64,
    zeros: u64,
    /// Whether every multiple is odd.
    odd: bool,
    /// The largest multiple.
    top: u32,
    log10_chance: f64,
    precision: Precision,
}

/// Looks for the grid of a layer; the error says why there is none.
pub(super) fn find_layer<T: Copy + Into<f64> + Sync>(
    weights: &[T],
    shape: WeightShape,
    options: &FindStepOptions,
    watch: Watch<'_>,
) -> Result<Found, String> {
    let filters: Vec<&[T]> = weights.chunks_exact(shape.filter_len()).collect();
    let of_filter = |filter: &&[T]| {
        watch();
        Distinct::of(filter)
    };
    let distinct: Vec<Distinct> = filters.par_iter().map(of_filter).collect();
    let whole = Distinct::merge(&distinct);
    if whole.nonzero == 0 {
        return Err("every weight is 0".to_string());
    }
    let one = fit(&whole).and_then(|fit| sure(&fit).map(|()| fit));
    let one = one.and_then(|fit| build(weights, shape, (&[Some(fit)], fit.log10_chance), options));
    let each = if shape.filters > 1 { fit_filters(&distinct, watch) } else { Err("there is one".to_string()) };
    let each = each.and_then(|(fits, chance)| build(weights, shape, (&fits, chance), options));
    match (one, each) {
        (Ok(one), Ok(each)) => Ok(if each.step.bits < one.step.bits { each } else { one }),
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        (Err(one), Err(_)) if shape.filters == 1 => Err(one),
        (Err(one), Err(each)) => Err(format!("over the layer, {one}; by filter, {each}")),
    }
}

/// The unit of some weights; the error says why there is none.
fn fit(distinct: &Distinct) -> Result<Fit, String> {
    if distinct.too_many {
        return Err("there are more distinct values than any grid has levels".to_string());
    }
    let magnitudes = distinct.magnitudes();
    let stored = Precision::narrowest(&magnitudes);
    // Values that fit a narrower type may have been rounded to it, or their step is a power of two: what explains them
    // with less luck holds.
    let rounded = [Precision::Single, stored].map(|precision| fit_rounded(distinct, &magnitudes, precision, stored));
    let fit = rounded.into_iter().flatten().min_by(|a, b| a.log10_chance.total_cmp(&b.log10_chance));
    fit.ok_or_else(|| match affine(distinct) {
        Some((step, offset)) => format!(
            "values are {step:e} apart, but 0 is no level: the lowest is {offset:.3} steps from it, and such a grid has no codes here"
        ),
        None => format!("{} distinct magnitudes are no multiples of one step that 16 bits reach", magnitudes.len()),
    })
}

fn fit_rounded(distinct: &Distinct, magnitudes: &[f64], precision: Precision, stored: Precision) -> Option<Fit> {
    let levels = levels(magnitudes, precision)?;
    let unit = unit(&levels).filter(|unit| unit.size >= SMALLEST_UNIT)?;
    if is_shifted(&distinct.values, unit.size) {
        return None;
    }
    let multiples = levels.iter().map(|level| multiple(level.value(), unit.size) as u32);
    Some(Fit {
        size: stored_size(magnitudes, &unit),
        levels: levels.len() as u64,
        nonzero: distinct.nonzero,
        zeros: distinct.zeros,
        odd: multiples.clone().all(|k| k % 2 == 1),
        top: multiples.max()?,
        log10_chance: log10_chance(&levels, &unit, stored),
        precision,
    })
}

/// Whether values are three or more units apart from one another, but not from 0: a wider grid around another number.
fn is_shifted(values: &[f64], unit: f64) -> bool {
    let common = values.windows(2).fold(0u64, |divisor, pair| {
        let distance = (multiple(pair[1], unit) - multiple(pair[0], unit)).abs() as u64;
        greatest_common_divisor(divisor, distance)
    });
    values.len() >= 4 && common > 2
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A level that is a power of two of the unit gives the unit as whoever made the file had it; the mean of all levels is
/// nearly that.
fn stored_size(magnitudes: &[f64], unit: &Unit) -> f32 {
    let exact = magnitudes.iter().find_map(|&magnitude| {
        let multiple = multiple(magnitude, unit.size);
        let size = magnitude / multiple.max(1.0);
        let power = multiple >= 1.0 && (multiple as u64).is_power_of_two();
        (power && (unit.range[0]..=unit.range[1]).contains(&size)).then_some(size as f32)
    });
    exact.unwrap_or(unit.size as f32)
}

/// Step and offset of values that are evenly spaced but not around 0.
fn affine(distinct: &Distinct) -> Option<(f64, f64)> {
    let (&lowest, &highest) = (distinct.values.first()?, distinct.values.last()?);
    let mut distances: Vec<f64> = distinct.values.iter().map(|value| value - lowest).filter(|d| *d > 0.0).collect();
    // The lowest value has no distance to itself, and the largest magnitude decides how exact the others are.
    let largest = lowest.abs().max(highest.abs());
    if distances.len() < 4 || distances.last().is_some_and(|last| *last < largest / 16.0) {
        return None;
    }
    distances.dedup();
    let levels = levels(&distances, Precision::Single)?;
    let unit = unit(&levels)?;
    let sure = log10_chance(&levels, &unit, Precision::Single);
    is_enough(sure, levels.len() as u64, distinct.nonzero).then_some((unit.size, (lowest / unit.size).abs()))
}

/// Whether the fit of a layer is no coincidence.
fn sure(fit: &Fit) -> Result<(), String> {
    if fit.nonzero < ENOUGH_WEIGHTS {
        return Err(format!("{} weights that are not 0 are too few to tell a step from its multiples", fit.nonzero));
    }
    match is_enough(fit.log10_chance, fit.levels, fit.nonzero) {
        true => Ok(()),
        false => Err(thin(fit.levels, fit.top, fit.log10_chance)),
    }
}

fn thin(levels: u64, top: u32, log10_chance: f64) -> String {
    format!(
        "{levels} distinct magnitudes up to {top} units are thin evidence: random ones would fit with chance 10^{log10_chance:.1}"
    )
}

/// A unit of every filter that is not wholly 0; the error says what is missing.
fn fit_filters(distinct: &[Distinct], watch: Watch<'_>) -> Result<(Vec<Option<Fit>>, f64), String> {
    let of_filter = |filter: &Distinct| {
        watch();
        if filter.nonzero == 0 { Ok(None) } else { fit(filter).map(Some) }
    };
    let fits: Vec<Result<Option<Fit>, String>> = distinct.par_iter().map(of_filter).collect();
    let fits = fits.into_iter().enumerate().map(|(m, fit)| fit.map_err(|reason| format!("filter {m}: {reason}")));
    let fits = fits.collect::<Result<Vec<Option<Fit>>, String>>()?;
    let live = || fits.iter().flatten();
    let (nonzero, levels) = (live().map(|fit| fit.nonzero).sum::<u64>(), live().map(|fit| fit.levels).max());
    let chance = chance_together(distinct, &fits);
    let top = live().map(|fit| fit.top).max().unwrap_or(0);
    if !is_enough(chance, levels.unwrap_or(0), nonzero) {
        return Err(thin(levels.unwrap_or(0), top, chance));
    }
    // A step that a filter's largest weight decides leads to the same largest code in every filter.
    let short = |fit: &Fit| fit.nonzero < ENOUGH_WEIGHTS && fit.top != top;
    match fits.iter().position(|fit| fit.as_ref().is_some_and(short)) {
        None => Ok((fits, chance)),
        Some(m) => Err(format!("filter {m} has too few weights that are not 0 to tell a step from its multiples")),
    }
}

/// Decimal logarithm of the chance that all filters fit by luck. Filters share the values of a codebook: only those
/// whose magnitudes no filter before has count. Each costs a decade, for the least of many chances is small by luck
/// alone (Fisher's method, rounded up).
fn chance_together(distinct: &[Distinct], fits: &[Option<Fit>]) -> f64 {
    let mut met = HashSet::new();
    let mut chance = 0.0;
    for (filter, fit) in distinct.iter().zip(fits) {
        let Some(fit) = fit else { continue };
        let magnitudes: Vec<u64> = filter.magnitudes().into_iter().map(f64::to_bits).collect();
        if magnitudes.iter().all(|magnitude| !met.contains(magnitude)) {
            chance += fit.log10_chance + 1.0;
        }
        met.extend(magnitudes);
    }
    chance.min(0.0)
}

/// Codes and steps by the unit of the layer, or of each filter.
fn build<T: Copy + Into<f64>>(
    weights: &[T],
    shape: WeightShape,
    (fits, chance): (&[Option<Fit>], f64),
    options: &FindStepOptions,
) -> Result<Found, String> {
    let grid = grid(fits, options)?;
    let (per_unit, steps_per_unit) = if grid == Grid::MidRise { (1, 2.0) } else { (2, 1.0) };
    let mut codes = Vec::with_capacity(weights.len());
    let mut deviation = 0.0f64;
    for (weights, fit) in weights.chunks_exact(weights.len() / fits.len()).zip(fits) {
        let Some(fit) = fit else {
            codes.resize(codes.len() + weights.len(), 0);
            continue;
        };
        let unit = f64::from(fit.size);
        codes.extend(weights.iter().map(|&weight| {
            let units: f64 = weight.into() / unit;
            deviation = deviation.max((units - units.round()).abs() / steps_per_unit);
            units.round() as i32 * per_unit
        }));
    }
    let codes = CodeTensor::new(grid, shape, codes).map_err(|error| error.to_string())?;
    let step = |fit: &Option<Fit>| fit.as_ref().map_or(1.0, |fit| fit.size * steps_per_unit as f32);
    let steps: Vec<f32> = fits.iter().map(step).collect();
    Ok(Found { step: describe(&codes, fits, &steps, deviation, chance), codes, steps })
}

/// The grid that all weights of the layer lie on.
fn grid(fits: &[Option<Fit>], options: &FindStepOptions) -> Result<Grid, String> {
    let live = || fits.iter().flatten();
    let odd = live().all(|fit| fit.odd);
    let ternary = live().all(|fit| fit.levels == 1) && live().any(|fit| fit.zeros > 0);
    match options.grid {
        Some(Grid::MidRise) if !odd => Err("values are also whole multiples of a step, so not mid-rise".to_string()),
        Some(grid) => Ok(grid),
        None => Ok(if odd && !ternary { Grid::MidRise } else { Grid::MidTread }),
    }
}

fn describe(codes: &CodeTensor, fits: &[Option<Fit>], steps: &[f32], deviation: f64, chance: f64) -> FoundStep {
    let live = || fits.iter().zip(steps).filter_map(|(fit, &step)| fit.as_ref().map(|fit| (fit, step)));
    let extremes = |codes: &[i32]| codes.iter().fold([0, 0], |[low, high], &c| [c.min(low), c.max(high)]);
    let [low, high] = extremes(codes.codes());
    let units: Vec<[i32; 2]> = codes.codes().chunks_exact(codes.codes().len() / fits.len()).map(extremes).collect();
    let bits = units.iter().map(|&unit| width(codes.grid(), unit).0).max().unwrap_or(1);
    FoundStep {
        grid: codes.grid().name(),
        granularity: if fits.len() == 1 { Granularity::Layer } else { Granularity::Filter },
        steps: [
            live().map(|(_, step)| step).fold(f32::INFINITY, f32::min),
            live().map(|(_, step)| step).fold(0.0, f32::max),
        ],
        bits,
        zero_point: if fits.len() == 1 { width(codes.grid(), units[0]).1 } else { None },
        levels: [f64::from(low) / 2.0, f64::from(high) / 2.0],
        levels_seen: count_distinct(codes.codes()),
        levels_possible: 1 << bits,
        deviation,
        rounded_to: live()
            .map(|(fit, _)| fit.precision)
            .find(|p| *p != Precision::Single)
            .map_or("float32", Precision::name),
        log10_chance: chance,
    }
}

fn count_distinct(codes: &[i32]) -> usize {
    let mut sorted = codes.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.len()
}

/// Bits of a two's complement integer (of a mid-rise grid) that holds these codes, and the zero point it needs for
/// that.
fn width(grid: Grid, [low, high]: [i32; 2]) -> (u32, Option<i32>) {
    let bits_of = |levels: u32| levels.next_power_of_two().trailing_zeros().max(1);
    if grid == Grid::MidRise {
        return (bits_of(high.max(-low).unsigned_abs() + 1), None);
    }
    let (low, high) = (low / 2, high / 2);
    let plain = bits_of(2 * high.saturating_add(1).max(-low).unsigned_abs());
    let shifted = bits_of((high - low).unsigned_abs() + 1);
    if shifted < plain { (shifted, Some(-(1 << (shifted - 1)) - low)) } else { (plain, None) }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn widths() {
        let cases = [
            (Grid::MidRise, [-1, 1], (1, None)),
            (Grid::MidRise, [-5, 7], (3, None)),
            (Grid::MidTread, [-2, 2], (2, None)),
            (Grid::MidTread, [-256, 254], (8, None)),
            (Grid::MidTread, [-200, 310], (8, Some(-28))),
            (Grid::MidTread, [0, 6], (2, Some(-2))),
        ];
        check_all(cases, |&(grid, codes, expected)| assert_eq!(width(grid, codes), expected, "{codes:?}"));
    }
}
