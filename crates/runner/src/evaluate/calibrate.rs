//! Ranges of activations, for engines that compute on integers.

use compress::KernelExecutor;
use inference::{Session, gather};
use network::{ActivationQuantization, LayerId};
use rayon::prelude::*;

use super::plan::{EvaluationPlan, needs_calibration};
use crate::error::RunnerError;

/// How the input of every layer is quantized: as the file says, else over the range of the float network's activations
/// on the first images, 0 included.
pub(crate) fn calibrate(
    plan: &EvaluationPlan<'_>,
    session: &Session,
    float: Option<&KernelExecutor>,
) -> Result<Vec<ActivationQuantization>, RunnerError> {
    let layers = plan.network.layers();
    let ranges = match float {
        Some(float) if needs_calibration(plan.network) => observe_ranges(plan, session, float)?,
        Some(_) | None => vec![(0.0, 0.0); layers.len()],
    };
    let observed = |range| quantization_of(range, plan.activation_bits);
    Ok(layers.iter().zip(ranges).map(|(layer, range)| layer.input_quantization.unwrap_or(observed(range))).collect())
}

/// Smallest and largest input of every layer over the first images.
fn observe_ranges(
    plan: &EvaluationPlan<'_>,
    session: &Session,
    float: &KernelExecutor,
) -> Result<Vec<(f32, f32)>, RunnerError> {
    let images = plan.calibration_images.clamp(1, plan.samples.len().max(1)).min(plan.samples.len());
    let batch = plan.network.batch();
    let starts: Vec<usize> = (0..images).step_by(batch).collect();
    let ranges: Vec<Result<Vec<(f32, f32)>, RunnerError>> =
        starts.par_iter().map(|&start| batch_ranges(plan, session, float, start)).collect();
    let mut all = vec![(0.0f32, 0.0f32); plan.network.layers().len()];
    for ranges in ranges {
        for (sum, range) in all.iter_mut().zip(ranges?) {
            *sum = (sum.0.min(range.0), sum.1.max(range.1));
        }
    }
    Ok(all)
}

fn batch_ranges(
    plan: &EvaluationPlan<'_>,
    session: &Session,
    float: &KernelExecutor,
    start: usize,
) -> Result<Vec<(f32, f32)>, RunnerError> {
    let (input, _) = gather(plan.samples, start, plan.network.batch())?;
    let mut ranges = vec![(0.0, 0.0); plan.network.layers().len()];
    let mut observe = |id: LayerId, input: &[f32], _: &[f32]| ranges[id.0] = range_of(input);
    session
        .run(&input, float, Some(&mut observe))
        .map_err(|e| RunnerError::Inference { path: plan.network.path().to_path_buf(), source: Box::new(e) })?;
    Ok(ranges)
}

/// The smallest and the largest number. The range always includes 0, so that padding has a code.
fn range_of(values: &[f32]) -> (f32, f32) {
    values.iter().fold((0.0, 0.0), |(low, high), &x| (low.min(x), high.max(x)))
}

/// Spreads `2^bits` codes, from 0 on, over a range that includes 0. The zero point is 0 where nothing is negative.
fn quantization_of((low, high): (f32, f32), bits: u32) -> ActivationQuantization {
    let max = (1i32 << bits) - 1;
    let scale = (high - low) / max as f32;
    if !(scale.is_finite() && scale > 0.0) {
        return ActivationQuantization { scale: 1.0, zero_point: 0, min: 0, max };
    }
    let zero_point = ((-low / scale).round_ties_even() as i32).clamp(0, max);
    ActivationQuantization { scale, zero_point, min: 0, max }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_has_a_code_in_every_range() {
        let positive = quantization_of((0.0, 51.0), 8);
        assert_eq!((positive.scale, positive.zero_point, positive.max), (0.2, 0, 255));
        let signed = quantization_of((-1.0, 3.0), 2);
        assert_eq!((signed.zero_point, signed.min, signed.max), (1, 0, 3));
        assert_eq!(quantization_of((0.0, 0.0), 8).scale, 1.0);
        assert_eq!(range_of(&[2.0, 5.0]), (0.0, 5.0));
    }
}
