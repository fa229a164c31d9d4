//! An observer of stepped machines that keeps what it is shown.

use engine::{Lane, Observer, Parts, StageWork, View};

/// Keeps everything that a machine shows.
#[derive(Debug, Default)]
pub struct Watch {
    /// The parts that work on the layer.
    pub parts: Parts,
    /// Every cycle.
    pub cycles: Vec<Seen>,
    /// What is shown of the next cycle.
    next: Seen,
}

/// What is shown of a cycle.
#[derive(Debug, Default)]
pub struct Seen {
    /// The lanes, with their index.
    pub lanes: Vec<(usize, Lane)>,
    /// The stages; none where a machine has none.
    pub stages: Vec<Option<StageWork>>,
}

impl Observer for Watch {
    fn cycle(&mut self, _: u128, _: u64, _: u128) {
        self.cycles.push(std::mem::take(&mut self.next));
    }

    fn begin(&mut self, parts: &Parts) {
        self.parts = parts.clone();
    }

    fn view(&self) -> Option<View> {
        Some(View { lanes: self.parts.lanes.clone(), elements: usize::MAX })
    }

    fn lane(&mut self, index: usize, lane: Lane) {
        self.next.lanes.push((index, lane));
    }

    fn stages(&mut self, stages: Vec<Option<StageWork>>) {
        self.next.stages = stages;
    }
}
