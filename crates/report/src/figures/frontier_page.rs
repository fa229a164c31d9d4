//! The page of a store: accuracy against any cost, point by point.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use explore::pareto::{Accuracy, Axes, Cost, CostValue, Density, Fraction, Group, Honeycomb, Plane, Survey};
use explore::store::{PointFigures, PointRow, Points};
use explore::sweep::Method;
use explore::{ExploreError, PointKey};
use serde::Serialize;

use super::histogram::nearest_at_or_below;
use super::{EVERY_POINT, page};

const SCRIPT: &str = include_str!("page_files/frontier.js");
/// Points that the page of a large store shows one by one. Frontiers that have more of them are left out.
const MOST_POINTS: usize = 4000;
/// Facts of a point beside its costs.
const FACTS: [&str; 4] = ["weights", "live filters", "filters", "widest weight, bits"];

/// The page of a store, ready to be written.
#[derive(Debug)]
pub struct FrontierPage(Data);

/// What the script gets. Points refer to costs, accuracies, networks and methods by index.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    title: String,
    lines: Vec<String>,
    costs: Vec<String>,
    accuracies: Vec<String>,
    networks: Vec<String>,
    methods: Vec<&'static str>,
    facts: [&'static str; 4],
    /// What is shown first.
    cost: usize,
    accuracy: usize,
    /// Costs that the table shows beside the chosen one.
    table_costs: Vec<usize>,
    points: Vec<PointData>,
    floats: Vec<FloatData>,
    /// Points whose histograms are shown first.
    pins: Vec<usize>,
    /// How many points lie where, for pairs of cost and accuracy; none where every point is there.
    planes: Option<Vec<PlaneData>>,
    honeycomb: HoneycombData,
}

/// How the cells of planes are numbered and drawn: the constants of [`Honeycomb`].
#[derive(Debug, Serialize)]
struct HoneycombData {
    stride: u32,
    corners: [(f64, f64); 6],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PointData {
    network: usize,
    method: usize,
    label: String,
    /// Every digit.
    exact: Vec<Option<String>>,
    /// To compare: equal ranks are equal costs.
    cost_ranks: Vec<Option<usize>>,
    /// Images that were named right, of how many.
    right: Vec<Option<(u64, u64)>>,
    accuracy_ranks: Vec<Option<usize>>,
    bits: Vec<u64>,
    facts: Vec<String>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FloatData {
    network: usize,
    accuracies: Vec<Option<f64>>,
}

/// The points by one pair of axes.
#[derive(Debug, Serialize)]
struct PlaneData {
    cost: usize,
    accuracy: usize,
    /// Least and largest.
    costs: [f64; 2],
    accuracies: [f64; 2],
    /// Logarithm of the cost at the left end, and of a cell's width; the accuracy at the lower end, and a row's height.
    x: [f64; 2],
    y: [f64; 2],
    groups: Vec<GroupData>,
    /// Points that stand for more than themselves, and for how many.
    equal: Vec<(usize, u64)>,
}

#[derive(Debug, Serialize)]
struct GroupData {
    network: usize,
    method: usize,
    points: u64,
    /// Cells and counts in turn.
    cells: Vec<u64>,
}

impl FrontierPage {
    /// The page of points, by a survey of all costs and accuracies ([`Survey::by_all`]); `source` is what it calls the
    /// store. Shown first: the first axes of the survey, and the histograms of the points of [`nearest_at_or_below`].
    ///
    /// Up to [`EVERY_POINT`] points are there one by one. Of more, those on the frontier of a network and method are, and
    /// cells of a honeycomb that say how many of the others lie where.
    ///
    /// # Errors
    ///
    /// Those of reading the store.
    pub fn new(
        points: &Points<'_>,
        survey: &Survey,
        source: &str,
        histogram_at: Option<f64>,
    ) -> Result<Self, ExploreError> {
        let plane = survey.planes.first().expect("points are judged by a cost and an accuracy");
        let chosen = nearest_at_or_below(points.store, plane, histogram_at)?.points;
        let shown = Shown::of(points, survey, chosen.iter().map(|point| point.row.key))?;
        let rows = points.store.rows_of(&shown.keys)?.into_iter().flatten().collect::<Vec<_>>();
        let place_of = |key: PointKey| rows.binary_search_by_key(&key, |row| row.key).ok();
        let lists = Lists::of(survey);
        let planes = match &shown.planes {
            Some(planes) => Some(lists.planes(points, survey, planes, place_of)?),
            None => None,
        };
        let pins = chosen.iter().filter_map(|point| place_of(point.row.key)).collect();
        Ok(Self(lists.data(source, survey, &rows, planes, pins)))
    }

    /// Writes the page.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&self, writer: &mut dyn Write) -> io::Result<()> {
        page::write_page(writer, &self.0.title, &self.0, SCRIPT)
    }
}

/// What a page shows one by one.
struct Shown {
    /// Keys of points, sorted.
    keys: Vec<PointKey>,
    /// The axes that it can show; none where it has every point, and so all axes.
    planes: Option<Vec<Axes>>,
}

impl Shown {
    fn of(points: &Points<'_>, survey: &Survey, chosen: impl Iterator<Item = PointKey>) -> Result<Self, ExploreError> {
        if survey.costed <= EVERY_POINT {
            let mut keys = Vec::new();
            points.for_each_figures(|point| {
                // A sweep may add points, also of other networks, while the page is made.
                let is_shown = point.is_costed() && survey.place_of(&point.network).is_some();
                keys.extend(is_shown.then_some(point.key));
                Ok::<_, ExploreError>(())
            })?;
            return Ok(Self { keys, planes: None });
        }
        let mut keys: BTreeSet<PointKey> = chosen.collect();
        let mut planes = Vec::new();
        for plane in in_order(survey) {
            let own = plane.groups.values().flat_map(|frontier| frontier.entries()).map(|entry| entry.key);
            let with: BTreeSet<PointKey> = keys.iter().copied().chain(own).collect();
            if with.len() <= MOST_POINTS || planes.is_empty() {
                keys = with;
                planes.push(plane.axes.clone());
            }
        }
        Ok(Self { keys: keys.into_iter().collect(), planes: Some(planes) })
    }
}

/// Planes with points: the first one, then those of its accuracy, then those of its cost, then the others.
fn in_order(survey: &Survey) -> Vec<&Plane> {
    let first = &survey.planes[0].axes;
    let mut planes: Vec<&Plane> = survey.planes.iter().filter(|plane| plane.judged > 0).collect();
    planes.sort_by_key(|plane| (plane.axes.accuracy != first.accuracy, plane.axes.cost != first.cost));
    planes
}

/// What points refer to by index.
struct Lists {
    costs: Vec<Cost>,
    accuracies: Vec<Accuracy>,
    networks: Vec<Arc<str>>,
}

impl Lists {
    fn of(survey: &Survey) -> Self {
        let asked = &survey.planes[0].axes;
        let mut costs: Vec<Cost> = survey.costs().collect();
        if !costs.contains(&asked.cost) {
            costs.push(asked.cost.clone());
        }
        let has = |accuracy: &Accuracy| {
            *accuracy == asked.accuracy
                || survey.planes.iter().any(|plane| plane.axes.accuracy == *accuracy && plane.has_accuracy)
        };
        let mut accuracies: Vec<Accuracy> = survey.accuracies().filter(has).collect();
        if !accuracies.contains(&asked.accuracy) {
            accuracies.push(asked.accuracy.clone());
        }
        Self { costs, accuracies, networks: survey.networks.clone() }
    }

    fn place(&self, axes: &Axes) -> Option<(usize, usize)> {
        let cost = self.costs.iter().position(|cost| *cost == axes.cost)?;
        Some((cost, self.accuracies.iter().position(|accuracy| *accuracy == axes.accuracy)?))
    }

    fn data(
        &self,
        source: &str,
        survey: &Survey,
        rows: &[PointRow],
        planes: Option<Vec<PlaneData>>,
        pins: Vec<usize>,
    ) -> Data {
        let (cost, accuracy) = self.place(&survey.planes[0].axes).expect("what was asked for is listed");
        let beside = [Cost::EsnA, Cost::EsnD, Cost::EsnDFilter, Cost::Macs];
        Data {
            title: "Accuracy against cost".to_string(),
            lines: self.lines(source, survey, rows.len(), planes.as_deref()),
            cost,
            accuracy,
            table_costs: beside.iter().filter_map(|cost| self.costs.iter().position(|c| c == cost)).collect(),
            points: self.points(rows),
            floats: self.floats(survey),
            methods: Method::ALL.map(|method| method.name()).to_vec(),
            facts: FACTS,
            costs: self.costs.iter().map(|cost| cost.label(&survey.hardware)).collect(),
            accuracies: self.accuracies.iter().map(Accuracy::label).collect(),
            networks: short_names(&self.networks),
            pins,
            planes,
            honeycomb: HoneycombData { stride: Honeycomb::STRIDE, corners: Honeycomb::CORNERS },
        }
    }

    fn lines(&self, source: &str, survey: &Survey, shown: usize, planes: Option<&[PlaneData]>) -> Vec<String> {
        let mut line = format!("{source}: {} points", page::grouped(survey.costed.into()));
        if survey.failed > 0 {
            line += &format!(", {} failed", page::grouped(survey.failed.into()));
        }
        if let Some(images) = survey.images {
            line += &format!("; accuracy on {} images", page::grouped(images.into()));
        }
        let mut lines = vec![line, "ESN counts every weight once for each output position of one image.".to_string()];
        if let Some(planes) = planes {
            lines.push(format!(
                "{} points, those on a frontier of a network and method, are here one by one. The others are left out and \
                 counted in hexagons; the CSV has every point.",
                page::grouped(shown as u128)
            ));
            let left_out = survey.planes.iter().filter(|plane| plane.judged > 0).count() - planes.len();
            if left_out > 0 {
                lines.push(format!(
                    "{left_out} pairs of cost and accuracy are left out, for their frontiers have too many points; a page \
                     with another cost and accuracy shown first has theirs."
                ));
            }
        }
        lines
    }

    /// How many points lie where, by these axes.
    fn planes(
        &self,
        points: &Points<'_>,
        survey: &Survey,
        shown: &[Axes],
        place_of: impl Fn(PointKey) -> Option<usize>,
    ) -> Result<Vec<PlaneData>, ExploreError> {
        let densities = Density::of(points, survey, |axes| shown.contains(axes))?;
        let data = |density: &Density| {
            let plane = survey.plane(&density.axes)?;
            let (cost, accuracy) = self.place(&density.axes)?;
            let entries = plane.groups.values().flat_map(|frontier| frontier.entries());
            let equal = entries.filter(|entry| entry.count > 1);
            Some(PlaneData {
                cost,
                accuracy,
                costs: plane.costs,
                accuracies: plane.accuracies,
                x: density.honeycomb.cost,
                y: density.honeycomb.accuracy,
                groups: density.groups.iter().map(group_data).collect(),
                equal: equal.filter_map(|entry| Some((place_of(entry.key)?, entry.count))).collect(),
            })
        };
        Ok(densities.iter().filter_map(data).collect())
    }

    fn points(&self, rows: &[PointRow]) -> Vec<PointData> {
        let figures: Vec<PointFigures> = rows.iter().map(PointFigures::from).collect();
        let cost_ranks: Vec<Vec<Option<usize>>> =
            self.costs.iter().map(|cost| ranks(&figures.iter().map(|row| cost.of(row)).collect::<Vec<_>>())).collect();
        let accuracy_ranks: Vec<Vec<Option<usize>>> =
            self.accuracies.iter().map(|a| ranks(&figures.iter().map(|row| a.of(row)).collect::<Vec<_>>())).collect();
        let column = |ranks: &[Vec<Option<usize>>], i: usize| ranks.iter().map(|ranks| ranks[i]).collect();
        let point = |(i, (row, figures)): (usize, (&PointRow, &PointFigures))| PointData {
            network: self.network(&row.network),
            method: figures.method.place(),
            label: row.configuration.label(),
            exact: self.costs.iter().map(|cost| cost.of(figures).map(CostValue::exact)).collect(),
            cost_ranks: column(&cost_ranks, i),
            right: self.accuracies.iter().map(|a| a.of(figures).map(|right| (right.count, right.of))).collect(),
            accuracy_ranks: column(&accuracy_ranks, i),
            bits: row.costs.as_ref().map_or(Vec::new(), |costs| costs.filter_bits.clone()),
            facts: facts(row),
            notes: row.notes.clone(),
        };
        rows.iter().zip(&figures).enumerate().map(point).collect()
    }

    fn network(&self, name: &str) -> usize {
        let place = self.networks.iter().position(|known| **known == *name);
        place.expect("a survey has the networks of all points that are costed")
    }

    /// The float network's accuracy, a network.
    fn floats(&self, survey: &Survey) -> Vec<FloatData> {
        let of = |(network, point): (usize, &Option<PointFigures>)| {
            let point = point.as_ref()?;
            let accuracies = self.accuracies.iter().map(|a| a.of_float(point).map(Fraction::to_f64)).collect();
            Some(FloatData { network, accuracies })
        };
        survey.floats.iter().enumerate().filter_map(of).collect()
    }
}

fn group_data((group, cells): (&Group, &BTreeMap<u32, u64>)) -> GroupData {
    GroupData {
        network: group.network,
        method: group.method.place(),
        points: cells.values().sum(),
        cells: cells.iter().flat_map(|(&cell, &count)| [cell.into(), count]).collect(),
    }
}

/// The files' names without folders and ends, if these tell the networks apart.
fn short_names(networks: &[Arc<str>]) -> Vec<String> {
    let stem = |name: &Arc<str>| Path::new(&**name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let stems: Vec<String> = networks.iter().map(stem).collect();
    let different: BTreeSet<&String> = stems.iter().collect();
    if different.len() == networks.len() { stems } else { networks.iter().map(ToString::to_string).collect() }
}

/// Place of each value among the different values, from the smallest on.
fn ranks<T: Ord + Copy>(values: &[Option<T>]) -> Vec<Option<usize>> {
    let mut different: Vec<T> = values.iter().flatten().copied().collect();
    different.sort_unstable();
    different.dedup();
    values.iter().map(|value| value.and_then(|value| different.binary_search(&value).ok())).collect()
}

/// The values of [`FACTS`].
fn facts(row: &PointRow) -> Vec<String> {
    let Some(costs) = &row.costs else { return Vec::new() };
    let max_bits = u128::from(costs.max_bits);
    [costs.weights, costs.live_filters, costs.filters, max_bits].map(|count| count.to_string()).to_vec()
}
