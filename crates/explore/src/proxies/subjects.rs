//! Networks that are compared: points of a store, or files that were costed.

use std::sync::Arc;

use crate::error::ExploreError;
use crate::pareto::{Accuracy, Fraction, Survey};
use crate::store::{PointCosts, PointSummary, Points};

/// A network, and what it comes to.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What it is called: the configuration of a point, or a file and its width.
    pub name: Arc<str>,
    /// The network that it was made of.
    pub network: Arc<str>,
    /// What it costs.
    pub costs: PointCosts,
    /// Images that it names right, on engines on integers.
    pub accuracy: Option<Fraction>,
}

/// Networks of which some number shall say which is cheaper.
#[derive(Clone, Debug, Default)]
pub struct Subjects {
    /// The networks.
    pub all: Vec<Subject>,
    /// Points that are not among them, because they failed.
    pub failed: usize,
    /// Hardware whose energies are units of a choice.
    pub normalized: Vec<Arc<str>>,
}

impl Subjects {
    /// The networks that were costed on a hardware and whose accuracy is known, by their places, with it.
    pub fn known_on<'a>(&'a self, hardware: &'a str) -> impl Iterator<Item = (usize, Fraction)> + 'a {
        let costed = self.all.iter().enumerate().filter(move |(_, subject)| subject.costs.on(hardware).is_some());
        costed.filter_map(|(place, subject)| Some((place, subject.accuracy?)))
    }

    /// The points of a store that are done and costed, of these networks alone where some are named, in the order of keys.
    ///
    /// # Errors
    ///
    /// Those of reading a store.
    pub fn of_points(points: &Points<'_>, networks: &[String]) -> Result<Self, ExploreError> {
        let mut subjects = Self::default();
        points.for_each_summary(|point| {
            let figures = &point.figures;
            if !networks.is_empty() && !networks.iter().any(|name| **name == *figures.network) {
                return Ok(());
            }
            match point.figures.is_costed() {
                true => subjects.all.extend(subject(point)),
                false => subjects.failed += 1,
            }
            Ok::<_, ExploreError>(())
        })?;
        let survey = Survey::by([]).of(points)?;
        let normalized = survey.hardware.into_iter().filter(|hardware| hardware.is_normalized);
        subjects.normalized = normalized.map(|hardware| hardware.name).collect();
        Ok(subjects)
    }

    /// Names of the hardware that some network was costed on, in the order in which they first come.
    pub fn hardware(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for row in self.all.iter().flat_map(|subject| &subject.costs.hardware) {
            if !names.contains(&row.name) {
                names.push(Arc::clone(&row.name));
            }
        }
        names
    }

    /// Names of the networks that the others were made of, in the order in which they first come.
    pub fn networks(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for subject in &self.all {
            if !names.contains(&subject.network) {
                names.push(Arc::clone(&subject.network));
            }
        }
        names
    }
}

fn subject(point: PointSummary) -> Option<Subject> {
    let accuracy = Accuracy::Top1.of(&point.figures);
    let costs = point.figures.costs?;
    Some(Subject { name: point.label, network: point.figures.network, costs, accuracy })
}
