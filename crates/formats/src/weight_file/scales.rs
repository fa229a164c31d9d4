//! Integer weights and the tensors beside them: scale, zero point, grid.

use std::collections::HashMap;

use esn::Grid;
use network::WeightQuantization;

use super::{WeightFile, WeightTensor};
use crate::reading::fault::{Fault, invalid, unsupported};
use crate::reading::grid::stated;

/// Names of scales beside an integer tensor `x.weight`.
const SCALES: [&str; 4] = ["weight_scale", "scale", "scales", "weight.scale"];
/// Names of its zero points.
const ZERO_POINTS: [&str; 4] = ["weight_zero_point", "zero_point", "zero_points", "weight.zero_point"];

/// The tensors of a file by name, and the grid that its integers lie on.
pub(super) struct Scales<'a> {
    by_name: HashMap<&'a str, &'a WeightTensor>,
    grid: Grid,
    /// Whether user or file name the grid.
    pub(super) is_stated: bool,
}

impl<'a> Scales<'a> {
    /// `grid` is what the user says. It comes before what the file says; where neither says anything, the grid is
    /// mid-tread.
    pub(super) fn new(file: &'a WeightFile, grid: Option<Grid>) -> Result<Self, Fault> {
        let by_name = file.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let in_file = stated(&file.metadata)?;
        let stated = grid.or(in_file);
        Ok(Self { by_name, grid: stated.unwrap_or(Grid::MidTread), is_stated: stated.is_some() })
    }

    /// How a tensor of weights is quantized.
    pub(super) fn of(&self, tensor: &WeightTensor) -> Result<Quantized, Fault> {
        Ok(match (&tensor.quantization, tensor.tensor.data_type.is_real()) {
            (Some(own), _) => Quantized::Yes(WeightQuantization { grid: self.grid, ..own.clone() }),
            (None, true) => Quantized::No,
            (None, false) => self.beside(tensor)?.map_or(Quantized::Unknown, Quantized::Yes),
        })
    }

    /// Whether a tensor is the scale or zero point of an integer one.
    pub(super) fn is_parameter(&self, name: &str) -> bool {
        let is_integer = |weight: &str| {
            self.by_name.get(weight).is_some_and(|t| !t.tensor.data_type.is_real() && t.shape.len() >= 2)
        };
        SCALES.iter().chain(&ZERO_POINTS).any(|suffix| {
            let stem = name.strip_suffix(suffix).filter(|stem| stem.is_empty() || stem.ends_with('.'));
            stem.is_some_and(|stem| is_integer(&format!("{stem}weight")))
        })
    }

    /// The tensor of this name.
    pub(super) fn named(&self, name: &str) -> Option<&'a WeightTensor> {
        self.by_name.get(name).copied()
    }

    /// The scale of an integer tensor and its zero point, which stand beside it under the usual names. Without a zero
    /// point it is 0; without a scale there is no quantization.
    fn beside(&self, tensor: &WeightTensor) -> Result<Option<WeightQuantization>, Fault> {
        let name = &tensor.name;
        let Some(stem) = name.strip_suffix("weight").filter(|stem| stem.is_empty() || stem.ends_with('.')) else {
            return Ok(None);
        };
        let beside = |names: &[&str]| names.iter().find_map(|n| self.named(&format!("{stem}{n}")));
        let Some(scale) = beside(&SCALES) else { return Ok(None) };
        let filters = tensor.shape[0];
        let fits = |t: &WeightTensor| {
            let count = t.tensor.element_count();
            (count == 1 || count == filters) && t.transforms.is_empty()
        };
        let zero_point = beside(&ZERO_POINTS);
        if let Some(wrong) = [Some(scale), zero_point].into_iter().flatten().find(|t| !fits(t)) {
            return Err(unsupported!(
                "tensor {name:?} has {:?} of shape {:?}; one number or one a filter ({filters}) is handled",
                wrong.name,
                wrong.shape
            ));
        }
        let scales = scale.tensor.to_f32().map_err(|e| invalid!("tensor {:?}: {e}", scale.name))?;
        if scales.iter().any(|scale| !scale.is_finite() || *scale < 0.0) {
            return Err(invalid!("tensor {:?} has a scale that is negative or not finite", scale.name));
        }
        let zero_points = zero_point.map_or(Ok(vec![0]), |points| zero_points(name, points))?;
        let data_type = tensor.tensor.data_type;
        Ok(Some(WeightQuantization { scales, zero_points, grid: self.grid, data_type, clip: None }))
    }
}

/// What is known of the numbers of a tensor.
pub(super) enum Quantized {
    /// They are real.
    No,
    /// They are integers with a scale.
    Yes(WeightQuantization),
    /// They are integers without one.
    Unknown,
}

fn zero_points(name: &str, points: &WeightTensor) -> Result<Vec<i32>, Fault> {
    let points = points.tensor.to_i64().map_err(|e| invalid!("tensor {:?}: {e}", points.name))?;
    let narrow: Result<_, _> = points.iter().map(|&point| i32::try_from(point)).collect();
    narrow.map_err(|_| invalid!("tensor {name:?} has a zero point beyond 32 bits"))
}
