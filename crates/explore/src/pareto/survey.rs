//! One pass over the points of a store: what is on which frontier, and how far points reach.

use std::collections::BTreeMap;
use std::sync::Arc;

use runner::Metric;

use super::accuracy::{Accuracy, Fraction};
use super::frontier::Frontier;
use super::hardware::SurveyedHardware;
use super::measure::{Cost, CostValue};
use crate::configuration::Method;
use crate::error::ExploreError;
use crate::key::PointKey;
use crate::store::{PointFigures, Points, Status};

/// A cost and an accuracy that points are judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axes {
    /// The cost.
    pub cost: Cost,
    /// The accuracy.
    pub accuracy: Accuracy,
}

impl Axes {
    /// The two figures of a point that is done and has both.
    pub fn of(&self, point: &PointFigures) -> Option<(CostValue, Fraction)> {
        match point.status {
            Status::Done => Some((self.cost.of(point)?, self.accuracy.of(point)?)),
            Status::Failed => None,
        }
    }
}

/// Costs and accuracies that several pairs of axes have in common, so that each is looked up once a point.
#[derive(Clone, Debug, Default)]
pub(super) struct Measures {
    costs: Vec<Cost>,
    accuracies: Vec<Accuracy>,
    /// For each pair of axes, the places of its cost and accuracy.
    pub places: Vec<(usize, usize)>,
}

/// What a point comes to by each cost and each accuracy.
pub(super) struct Measured {
    pub costs: Vec<Option<CostValue>>,
    pub accuracies: Vec<Option<Fraction>>,
}

impl Measures {
    pub fn of_axes<'a>(axes: impl Iterator<Item = &'a Axes>) -> Self {
        let mut measures = Self::default();
        axes.for_each(|axes| measures.add(axes));
        measures
    }

    fn add(&mut self, axes: &Axes) {
        fn place<T: Clone + PartialEq>(known: &mut Vec<T>, sought: &T) -> usize {
            known.iter().position(|one| one == sought).unwrap_or_else(|| {
                known.push(sought.clone());
                known.len() - 1
            })
        }
        self.places.push((place(&mut self.costs, &axes.cost), place(&mut self.accuracies, &axes.accuracy)));
    }

    pub fn of(&self, point: &PointFigures) -> Measured {
        Measured {
            costs: self.costs.iter().map(|cost| cost.of(point)).collect(),
            accuracies: self.accuracies.iter().map(|accuracy| accuracy.of(point)).collect(),
        }
    }
}

/// Points that figures tell apart: those of one network and one of the paper's three ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// The network's place in [`Survey::networks`].
    pub network: usize,
    /// The way.
    pub method: Method,
}

/// What points come to by one pair of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// The axes.
    pub axes: Axes,
    /// Whether some point has this accuracy, with or without this cost.
    pub has_accuracy: bool,
    /// Points that have both figures.
    pub judged: u64,
    /// The frontier of each group.
    pub groups: BTreeMap<Group, Frontier>,
    /// The least and the largest cost above 0; the first is the larger one where there is none.
    pub costs: [f64; 2],
    /// The least and the largest accuracy; likewise.
    pub accuracies: [f64; 2],
}

impl Plane {
    fn new(axes: Axes) -> Self {
        let none = [f64::INFINITY, f64::NEG_INFINITY];
        Self { axes, has_accuracy: false, judged: 0, groups: BTreeMap::new(), costs: none, accuracies: none }
    }

    fn add(&mut self, key: PointKey, cost: Option<CostValue>, accuracy: Option<Fraction>, group: Group) {
        let Some(accuracy) = accuracy else { return };
        self.has_accuracy = true;
        let Some(cost) = cost else { return };
        self.judged += 1;
        self.groups.entry(group).or_default().add(key, cost, accuracy);
        let widen = |range: &mut [f64; 2], x: f64| *range = [range[0].min(x), range[1].max(x)];
        if cost.to_f64() > 0.0 {
            widen(&mut self.costs, cost.to_f64());
        }
        widen(&mut self.accuracies, accuracy.to_f64());
    }

    /// The frontier of all points: no point is on it that is not on that of its group.
    pub fn frontier(&self) -> Frontier {
        self.frontier_of(|_| true)
    }

    /// The frontier of the points of one way.
    pub fn frontier_of_method(&self, method: Method) -> Frontier {
        self.frontier_of(|group| group.method == method)
    }

    fn frontier_of(&self, is_meant: impl Fn(&Group) -> bool) -> Frontier {
        let mut whole = Frontier::default();
        let groups = self.groups.iter().filter(|(group, _)| is_meant(group));
        groups.flat_map(|(_, frontier)| frontier.entries()).for_each(|entry| whole.merge(*entry));
        whole
    }
}

/// What one pass over points found.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Points that are done.
    pub done: u64,
    /// Points that are done and have costs.
    pub costed: u64,
    /// Points that failed.
    pub failed: u64,
    /// The most images that a point that is done was run on; none where no point was.
    pub images: Option<u64>,
    /// Names of the networks of points that are done and costed, in the order in which they first come.
    pub networks: Vec<Arc<str>>,
    /// For each network the first point that was run on images, if there is one.
    pub floats: Vec<Option<PointFigures>>,
    /// All hardware, in the order in which it first comes.
    pub hardware: Vec<SurveyedHardware>,
    /// What points come to, by each pair of axes that was asked for.
    pub planes: Vec<Plane>,
    /// The costs and accuracies of the planes.
    measures: Measures,
    /// Whether points are judged by every cost and accuracy that they have.
    by_all: bool,
}

impl Survey {
    /// A survey of no point yet, by these axes.
    pub fn by(axes: impl IntoIterator<Item = Axes>) -> Self {
        let planes: Vec<Plane> = axes.into_iter().map(Plane::new).collect();
        let measures = Measures::of_axes(planes.iter().map(|plane| &plane.axes));
        Self { planes, measures, ..Self::default() }
    }

    /// A survey of no point yet, by these axes and by every cost and accuracy that points turn out to have.
    pub fn by_all(axes: Axes) -> Self {
        let mut survey = Self { by_all: true, ..Self::by([axes]) };
        let all = [Accuracy::Top1, Accuracy::Top5, Accuracy::Agreement];
        Cost::plain().for_each(|cost| survey.add_planes([cost], &all));
        survey
    }

    /// Surveys points, one after another.
    ///
    /// # Errors
    ///
    /// Those of reading a store.
    pub fn of(mut self, points: &Points<'_>) -> Result<Self, ExploreError> {
        points.for_each_figures(|point| {
            self.add(&point);
            Ok::<_, ExploreError>(())
        })?;
        let firsts: Vec<PointKey> = self.hardware.iter().map(|hardware| hardware.first).collect();
        for (hardware, row) in self.hardware.iter_mut().zip(points.store.rows_of(&firsts)?) {
            let descriptions = row.iter().flat_map(|row| &row.configuration.hardware);
            let own = descriptions.filter(|description| description["name"] == *hardware.name);
            hardware.is_normalized = own.map(|own| &own["energy"]["normalized"]).any(|normalized| *normalized == true);
        }
        Ok(self)
    }

    /// What points come to by these axes, if they were surveyed by them.
    pub fn plane(&self, axes: &Axes) -> Option<&Plane> {
        self.planes.iter().find(|plane| plane.axes == *axes)
    }

    fn add_planes(&mut self, costs: impl IntoIterator<Item = Cost>, accuracies: &[Accuracy]) {
        for cost in costs {
            for accuracy in accuracies {
                let axes = Axes { cost: cost.clone(), accuracy: accuracy.clone() };
                if self.plane(&axes).is_none() {
                    self.measures.add(&axes);
                    self.planes.push(Plane::new(axes));
                }
            }
        }
    }

    /// Takes a point up.
    pub fn add(&mut self, point: &PointFigures) {
        self.add_hardware(point);
        if point.status == Status::Failed {
            self.failed += 1;
            return;
        }
        self.done += 1;
        if !point.is_costed() {
            return;
        }
        self.costed += 1;
        self.images = self.images.max(point.accuracy.as_ref().map(|accuracy| accuracy.images));
        let network = self.network(point);
        let group = Group { network, method: point.method };
        let measured = self.measures.of(point);
        for (plane, &(cost, accuracy)) in self.planes.iter_mut().zip(&self.measures.places) {
            plane.add(point.key, measured.costs[cost], measured.accuracies[accuracy], group);
        }
    }

    fn network(&mut self, point: &PointFigures) -> usize {
        let place = self.place_of(&point.network).unwrap_or_else(|| {
            self.networks.push(Arc::clone(&point.network));
            self.floats.push(None);
            self.networks.len() - 1
        });
        if self.floats[place].is_none() && point.accuracy.is_some() {
            self.floats[place] = Some(point.clone());
        }
        place
    }

    /// The place of a network among [`Survey::networks`].
    pub fn place_of(&self, network: &str) -> Option<usize> {
        self.networks.iter().position(|name| **name == *network)
    }

    fn add_hardware(&mut self, point: &PointFigures) {
        for row in point.costs.iter().flat_map(|costs| &costs.hardware) {
            let place = self.hardware.iter().position(|known| known.name == row.name);
            let place = place.unwrap_or_else(|| self.meet(&row.name, point.key));
            if !self.hardware[place].is_scored && *row.metric == *Metric::EsnA.name() && row.score.is_some() {
                self.hardware[place].is_scored = true;
                if self.by_all {
                    let costs: Vec<Cost> = self.costs().collect();
                    self.add_planes(costs, &[Accuracy::Hardware(row.name.to_string())]);
                }
            }
        }
    }

    /// Hardware that no point had before, so that no plane of it has missed one.
    fn meet(&mut self, name: &Arc<str>, first: PointKey) -> usize {
        self.hardware.push(SurveyedHardware { name: Arc::clone(name), first, is_scored: false, is_normalized: false });
        if self.by_all {
            let accuracies: Vec<Accuracy> = self.accuracies().collect();
            self.add_planes([Cost::Cycles(name.to_string()), Cost::Energy(name.to_string())], &accuracies);
        }
        self.hardware.len() - 1
    }

    /// Every cost that a point may have.
    pub fn costs(&self) -> impl Iterator<Item = Cost> {
        let names = self.hardware.iter().map(|hardware| hardware.name.to_string());
        Cost::plain().chain(names.flat_map(|name| [Cost::Cycles(name.clone()), Cost::Energy(name)]))
    }

    /// Every accuracy that a point may have.
    pub fn accuracies(&self) -> impl Iterator<Item = Accuracy> {
        let scored = self.hardware.iter().filter(|hardware| hardware.is_scored);
        let scored = scored.map(|hardware| Accuracy::Hardware(hardware.name.to_string()));
        [Accuracy::Top1, Accuracy::Top5, Accuracy::Agreement].into_iter().chain(scored)
    }
}
