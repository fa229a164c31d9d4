//! Where the activations of a layer are not 0, as far as its weights see them.

use engine::EngineError;

use super::setting::Setting;
use crate::departures::{Barrier, ZeroActivations};
use crate::input::PaddedInput;

/// Where the weights of a filter meet activations that are not 0. It is the same for every filter of a group of the
/// layer.
pub(super) struct Activity {
    weights: Vec<WeightActivity>,
    /// Whether any element is active, `[weights, groups of positions]`; empty where the time of single groups does not
    /// matter.
    groups: Vec<bool>,
    groups_per_weight: usize,
}

/// Where one weight meets activations that are not 0.
#[derive(Clone, Copy)]
struct WeightActivity {
    /// Positions with an activation that is not 0.
    positions: u64,
    /// Groups of positions in which the weight takes its cycles.
    groups: u64,
    /// Whether the last group is among them.
    last: bool,
}

impl Activity {
    /// The activity of each group of the layer.
    ///
    /// # Errors
    ///
    /// As [`PaddedInput::new`].
    pub(super) fn of_groups(setting: &Setting<'_>, input: &[i32]) -> Result<Vec<Self>, EngineError> {
        let geometry = setting.layer.geometry();
        let input = PaddedInput::new(setting.layer, input)?;
        let corners = input.corners(geometry);
        let groups = 0..geometry.spec().groups;
        Ok(groups.map(|group| Self::new(setting, &input, &corners, &input.offsets(geometry, group))).collect())
    }

    fn new(setting: &Setting<'_>, input: &PaddedInput, corners: &[u32], offsets: &[u32]) -> Self {
        let departures = &setting.departures;
        let skips = departures.zero_activations == ZeroActivations::Skip;
        let asked_by_group = skips && departures.barrier == Barrier::Position;
        let mut activity =
            Self { weights: Vec::with_capacity(offsets.len()), groups: Vec::new(), groups_per_weight: 0 };
        for &offset in offsets {
            let mut of_weight = WeightActivity { positions: 0, groups: 0, last: false };
            for group in corners.chunks(setting.spec.pes_per_row) {
                let is_active = |corner: &&u32| input.values[**corner as usize + offset as usize] != 0;
                let active = group.iter().filter(is_active).count() as u64;
                of_weight.positions += active;
                of_weight.last = active > 0 || !skips;
                of_weight.groups += u64::from(of_weight.last);
                if asked_by_group {
                    activity.groups.push(of_weight.last);
                }
            }
            activity.weights.push(of_weight);
        }
        activity.groups_per_weight = activity.groups.len() / offsets.len();
        activity
    }

    /// Positions with an activation that is not 0, groups in which the weight takes its cycles, and 1 where the last
    /// group is among them.
    pub(super) fn of(&self, weight: usize) -> [u128; 3] {
        let WeightActivity { positions, groups, last } = self.weights[weight];
        [u128::from(positions), u128::from(groups), u128::from(last)]
    }

    /// Whether the weight takes its cycles in each group of positions; `None` where that does not matter.
    pub(super) fn groups_of(&self, weight: usize) -> Option<&[bool]> {
        let per_weight = self.groups_per_weight;
        (per_weight > 0).then(|| &self.groups[weight * per_weight..(weight + 1) * per_weight])
    }
}
