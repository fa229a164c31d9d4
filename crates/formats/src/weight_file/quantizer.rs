//! State of quantizers beside weights: steps, zero points, bounds that were observed.
//!
//! Training for quantization keeps real weights and rounds them whenever the network runs. Where the file says to which
//! integers (`weight_fake_quant` of PyTorch, with what its observer saw), the weights are these integers. Where it does
//! not, as with a step that was learned alone, the weights are not those that the network computes with: the tensor of
//! state is named, and the network refused unless the user says which tensors are layers.
//!
//! Source: `torch/ao/quantization/fake_quantize.py` and `observer.py` of PyTorch 2.

use std::collections::{BTreeMap, HashMap, HashSet};

use esn::Grid;
use network::{Note, NoteKind, WeightQuantization};

use super::formula::numbers;
use super::{Content, Doubt, WeightTensor};
use crate::names::listed;
use crate::reading::fault::Fault;
use crate::reading::integers::smallest;

/// What tensors of state are called.
const STATE: [&str; 26] = [
    "scale",
    "scales",
    "zero_point",
    "zero_points",
    "alpha",
    "beta",
    "step",
    "step_size",
    "stepsize",
    "s",
    "delta",
    "amax",
    "_amax",
    "clip_val",
    "value",
    "weight_scale",
    "weight_alpha",
    "wgt_alpha",
    "act_alpha",
    "w_alpha",
    "w_scale",
    "alpha_w",
    "min_val",
    "max_val",
    "init_state",
    "eps",
];

/// Those of them that say how weights are rounded where they stand right beside these.
const BESIDE: [&str; 13] = [
    "scale",
    "scales",
    "zero_point",
    "alpha",
    "step_size",
    "stepsize",
    "weight_scale",
    "weight_alpha",
    "w_alpha",
    "w_scale",
    "alpha_w",
    "clip_val",
    "weight_zero_point",
];

/// Words in the names of modules that round.
const QUANTIZERS: [&str; 4] = ["quan", "observer", "lsq", "activation_post_process"];

/// Words in the names of modules that round weights.
const OF_WEIGHTS: [&str; 5] = ["w", "weight", "weights", "wgt", "wt"];

/// PyTorch's module that rounds weights.
const FAKE_QUANT: &str = "weight_fake_quant";

/// How far a state may lie above the weights that it rounds.
const MAX_DEPTH: usize = 4;

/// Whether a tensor is state of a quantizer by its name.
pub(super) fn is_state(name: &str) -> bool {
    let mut parts = name.split('.').rev();
    let last = parts.next().unwrap_or_default();
    let is_quantizer = |part: &str| QUANTIZERS.iter().any(|word| part.to_lowercase().contains(word));
    let is_flag = matches!(last, "fake_quant_enabled" | "observer_enabled" | "histogram");
    (STATE.contains(&last) || is_flag) && parts.any(is_quantizer)
}

/// Whether a tensor of at most one extent above 1 has a name that quantizers give to steps and bounds.
pub(super) fn is_named_as_state(name: &str) -> bool {
    STATE.contains(&name.rsplit('.').next().unwrap_or_default())
}

/// Weights as the integers that they are rounded to, where that is known; else a doubt.
pub(super) fn rounded(mut found: Content) -> Result<Content, Fault> {
    let tensors = std::mem::take(&mut found.tensors);
    let named: HashMap<&str, &WeightTensor> = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut doubts: BTreeMap<String, Doubt> = BTreeMap::new();
    let (mut integers, mut done, mut told) = (HashMap::new(), HashSet::new(), Vec::new());
    let mut asked = HashSet::new();
    for tensor in &tensors {
        // A weight is rounded once, however many tensors say how.
        let Some(weight) = rounds(&tensor.name, &named).filter(|weight| asked.insert(weight.name.as_str())) else {
            continue;
        };
        match fake_quant(weight, &named)? {
            Fake::Off => drop(done.insert(weight.name.as_str())),
            Fake::Integers(made, bits) => {
                told.push(format!("{:?} ({bits} bits)", weight.name));
                integers.insert(weight.name.as_str(), *made);
                done.insert(weight.name.as_str());
            }
            Fake::Unknown => {
                let reason = format!(
                    "it is state of a quantizer, which rounds {:?} to integers that the file does not tell",
                    weight.name
                );
                doubts.insert(weight.name.clone(), Doubt { name: tensor.name.clone(), reason });
            }
        }
    }
    let is_done =
        |name: &str| name.rsplit_once(FAKE_QUANT).is_some_and(|(stem, _)| done.contains(&*format!("{stem}weight")));
    found.tensors = tensors.iter().filter(|tensor| !is_done(&tensor.name)).cloned().collect();
    for tensor in &mut found.tensors {
        if let Some(made) = integers.remove(tensor.name.as_str()) {
            *tensor = made;
        }
    }
    found.doubts.extend(doubts.into_values());
    if !told.is_empty() {
        let text = format!("weights that are rounded to integers as their fake quantization does: {}", listed(&told));
        found.notes.push(Note::new(NoteKind::Assumed, text));
    }
    Ok(found)
}

/// The real weights that a tensor of this name says how to round.
fn rounds<'a>(name: &str, named: &HashMap<&'a str, &'a WeightTensor>) -> Option<&'a WeightTensor> {
    let (mut module, last) = name.rsplit_once('.').unwrap_or(("", name));
    let weight_in = |module: &str| {
        let name = if module.is_empty() { "weight".to_string() } else { format!("{module}.weight") };
        let weight = named.get(name.as_str()).copied();
        weight.filter(|weight| {
            weight.shape.len() > 1 && weight.tensor.data_type.is_real() && weight.quantization.is_none()
        })
    };
    if BESIDE.contains(&last)
        && let Some(weight) = weight_in(module)
    {
        return Some(weight);
    }
    if !STATE.contains(&last) {
        return None;
    }
    for _ in 0..MAX_DEPTH {
        let (above, child) = module.rsplit_once('.').unwrap_or(("", module));
        if child.is_empty() {
            return None;
        }
        let child = child.to_lowercase();
        let is_quantizer = QUANTIZERS.iter().any(|word| child.contains(word));
        if is_quantizer && child.split('_').any(|word| OF_WEIGHTS.contains(&word)) {
            return weight_in(above);
        }
        module = above;
    }
    None
}

/// What `weight_fake_quant` makes of weights.
enum Fake {
    /// It does not round.
    Off,
    /// Integers of so many bits.
    Integers(Box<WeightTensor>, u32),
    /// There is no such module, or its bounds do not follow from its tensors.
    Unknown,
}

fn fake_quant(weight: &WeightTensor, named: &HashMap<&str, &WeightTensor>) -> Result<Fake, Fault> {
    let stem = weight.name.strip_suffix("weight").unwrap_or_default();
    let state = |end: &str| {
        let tensor = named.get(format!("{stem}{FAKE_QUANT}.{end}").as_str());
        tensor.map(|tensor| numbers(tensor)).transpose()
    };
    let (scales, points) = (state("scale")?, state("zero_point")?);
    if state("fake_quant_enabled")?.is_some_and(|enabled| enabled == [0.0]) {
        return Ok(Fake::Off);
    }
    let [min, max] = [state("activation_post_process.min_val")?, state("activation_post_process.max_val")?];
    let (Some(scales), Some(points), Some(min), Some(max)) = (scales, points, min, max) else {
        return Ok(Fake::Unknown);
    };
    let channels = scales.len();
    let fits = channels == 1 || channels == weight.shape[0];
    if !fits || [&points, &min, &max].iter().any(|list| list.len() != channels) {
        return Ok(Fake::Unknown);
    }
    let observed: Vec<Observed> =
        (0..channels).map(|i| Observed { scale: scales[i], zero_point: points[i], min: min[i], max: max[i] }).collect();
    let mut possible = ranges(&observed).into_iter();
    let Some(range) = possible.next() else { return Ok(Fake::Unknown) };
    let made = integers(weight, &observed, range)?;
    // Where two rules fit, they have to agree on every weight.
    for other in possible {
        if integers(weight, &observed, other)?.tensor != made.tensor {
            return Ok(Fake::Unknown);
        }
    }
    Ok(Fake::Integers(Box::new(made), range.bits))
}

/// What is saved of one channel.
#[derive(Clone, Copy)]
struct Observed {
    scale: f64,
    zero_point: f64,
    /// Smallest and largest weight that an observer saw.
    min: f64,
    max: f64,
}

/// What a quantizer rounds to. PyTorch does not save it as tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    bits: u32,
    /// Smallest and largest integer.
    low: f64,
    high: f64,
}

impl Observed {
    /// The bounds that the observer works with: 0 is always between them.
    fn bounds(self) -> [f64; 2] {
        [self.min.min(0.0), self.max.max(0.0)]
    }

    /// Whether an observer makes this scale and zero point of its bounds for integers of this range. There are three:
    ///
    /// ```text
    /// scale = (max − min) / (high − low),             zero_point = low − min / scale
    /// scale = 2 · max(−min, max) / (high − low),      zero_point in the middle of the range
    /// scale = max(min / −half, max / (half − 1)) · (2 · half − 1) / (high − low),    the same
    /// ```
    fn fits(self, range: Range) -> bool {
        let [min, max] = self.bounds();
        let near = |scale: f64| (scale - self.scale).abs() <= 1e-5 * self.scale;
        let (steps, half) = (range.high - range.low, f64::from(range.bits - 1).exp2());
        let is_middle = self.zero_point == if range.low < 0.0 { 0.0 } else { half };
        let lowest = self.zero_point + min / self.scale;
        let moving = (-min / half).max(max / (half - 1.0)) * (2.0 * half - 1.0) / steps;
        let is_symmetric = near(2.0 * max.max(-min) / steps) || near(moving);
        (is_middle && is_symmetric) || (near((max - min) / steps) && (lowest - range.low).abs() <= 1.0)
    }
}

/// The ranges of 2 to 16 bits that fit all channels: signed, signed without the lowest integer, or unsigned. They follow
/// from scales and from what was observed. A channel without weights says nothing.
fn ranges(observed: &[Observed]) -> Vec<Range> {
    let is_valid = |channel: &Observed| {
        let numbers = [channel.scale, channel.zero_point, channel.min, channel.max];
        numbers.iter().all(|number| number.is_finite()) && channel.scale > 0.0
    };
    let used: Vec<Observed> = observed.iter().copied().filter(|channel| channel.bounds() != [0.0, 0.0]).collect();
    if used.is_empty() || !observed.iter().all(is_valid) {
        return Vec::new();
    }
    let of_bits = |bits: u32| {
        let half = f64::from(bits - 1).exp2();
        [(-half, half - 1.0), (1.0 - half, half - 1.0), (0.0, 2.0 * half - 1.0)].map(|(low, high)| Range {
            bits,
            low,
            high,
        })
    };
    (2..=16).flat_map(of_bits).filter(|&range| used.iter().all(|channel| channel.fits(range))).collect()
}

/// `clamp(zero_point + nearest(w · (1 / scale)), lowest, highest)`, with a product and a quotient of 32-bit float.
fn integers(
    weight: &WeightTensor,
    observed: &[Observed],
    Range { low, high, .. }: Range,
) -> Result<WeightTensor, Fault> {
    let values = numbers(weight)?;
    let inner = (values.len() / observed.len()).max(1);
    let of_channel = |(channel, values): (&Observed, &[f64])| {
        let (zero_point, inverse) = (channel.zero_point, 1.0 / channel.scale as f32);
        let integer = move |&value: &f64| {
            let nearest = (value as f32 * inverse).round_ties_even();
            (zero_point + f64::from(nearest)).clamp(low, high) as i32
        };
        values.iter().map(integer).collect::<Vec<i32>>()
    };
    let integers: Vec<i32> = observed.iter().zip(values.chunks(inner)).flat_map(of_channel).collect();
    let zero_points: Vec<i32> = observed.iter().map(|channel| channel.zero_point as i32).collect();
    let tensor = smallest(weight.shape.clone(), &integers, &zero_points);
    let scales = observed.iter().map(|channel| channel.scale as f32).collect();
    let data_type = tensor.data_type;
    let quantization = WeightQuantization { scales, zero_points, grid: Grid::MidTread, data_type, clip: None };
    let (name, shape) = (weight.name.clone(), weight.shape.clone());
    Ok(WeightTensor { name, shape, tensor, transforms: Vec::new(), quantization: Some(quantization), eight_bits: None })
}
