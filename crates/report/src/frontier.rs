//! The points of a store as a table: CSV, and whatever else a [`Sink`] makes of it. `docs/sweep.md` documents the columns.

use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::sync::Arc;

use esn::Quarters;
use explore::pareto::{Accuracy, Frontier, Plane, Survey};
use explore::store::{PointCosts, PointFigures, PointSummary, Points};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Count,
    Quarters,
    Real,
    Flag,
}

/// Columns that every store has. Two columns for each hardware follow them, and then [`JUDGEMENT`].
const COLUMNS: [(&str, Kind); 24] = [
    ("key", Kind::Text),
    ("status", Kind::Text),
    ("error", Kind::Text),
    ("network", Kind::Text),
    ("method", Kind::Text),
    ("configuration", Kind::Text),
    ("weights", Kind::Count),
    ("nonzero", Kind::Count),
    ("filters", Kind::Count),
    ("live_filters", Kind::Count),
    ("weights_alive", Kind::Count),
    ("macs_alive", Kind::Count),
    ("esn_a", Kind::Quarters),
    ("esn_d", Kind::Count),
    ("esn_a_macs", Kind::Quarters),
    ("esn_d_macs", Kind::Count),
    ("esn_d_filter", Kind::Count),
    ("max_bits", Kind::Count),
    ("images", Kind::Count),
    ("top1", Kind::Real),
    ("top5", Kind::Real),
    ("agreement", Kind::Real),
    ("float_top1", Kind::Real),
    ("float_top5", Kind::Real),
];

/// Columns of what was judged: whether a point is on the frontier; how exact its accuracy is; and what came later.
const JUDGEMENT: [(&str, Kind); 5] = [
    ("frontier", Kind::Flag),
    ("standard_error", Kind::Real),
    ("within_noise", Kind::Flag),
    ("effective_macs", Kind::Count),
    ("notes", Kind::Text),
];

/// Where a table goes, value after value in the order of its columns. What is not there is none.
pub(crate) trait Sink {
    fn text(&mut self, text: Option<&str>) -> io::Result<()>;
    fn count(&mut self, count: Option<u128>) -> io::Result<()>;
    fn quarters(&mut self, quarters: Option<Quarters>) -> io::Result<()>;
    fn real(&mut self, real: Option<f64>) -> io::Result<()>;
    fn flag(&mut self, flag: Option<bool>) -> io::Result<()>;
    fn end_row(&mut self) -> io::Result<()>;
}

/// The columns of the table of a survey.
pub(crate) fn columns(survey: &Survey) -> Vec<(String, Kind)> {
    let named = |&(name, kind): &(&str, Kind)| (name.to_string(), kind);
    let of_hardware = |name: &str| [(format!("cycles:{name}"), Kind::Count), (format!("energy_j:{name}"), Kind::Real)];
    let hardware = survey.hardware.iter().flat_map(|hardware| of_hardware(&hardware.name));
    COLUMNS.iter().map(named).chain(hardware).chain(JUDGEMENT.iter().map(named)).collect()
}

/// Gives a sink one row a point, one after another in the order of keys.
pub(crate) fn write_table(sink: &mut dyn Sink, points: &Points<'_>, survey: &Survey) -> io::Result<()> {
    let plane = survey.planes.first().expect("points are judged by a cost and an accuracy");
    let hardware = survey.hardware.iter().map(|hardware| Arc::clone(&hardware.name)).collect();
    let mut table = Table { sink, notes: String::new(), frontier: plane.frontier(), plane, hardware };
    points.for_each_summary(|point| table.row(&point).map_err(Fault::Output)).map_err(|fault| match fault {
        Fault::Output(error) => error,
        Fault::Store(error) => io::Error::other(network::chain(&error)),
    })
}

/// Why a table cannot be written.
enum Fault {
    Output(io::Error),
    Store(explore::ExploreError),
}

impl From<explore::ExploreError> for Fault {
    fn from(error: explore::ExploreError) -> Self {
        Fault::Store(error)
    }
}

/// A table under way.
struct Table<'a> {
    sink: &'a mut dyn Sink,
    /// The notes of a point, kept so that not every row asks for memory.
    notes: String,
    plane: &'a Plane,
    frontier: Frontier,
    hardware: Vec<Arc<str>>,
}

impl Table<'_> {
    fn row(&mut self, point: &PointSummary) -> io::Result<()> {
        let figures = &point.figures;
        self.sink.text(Some(&figures.key.to_string()))?;
        self.sink.text(Some(figures.status.name()))?;
        self.sink.text(point.error.as_deref())?;
        self.sink.text(Some(&figures.network))?;
        self.sink.text(Some(figures.method.name()))?;
        self.sink.text(Some(&point.label))?;
        self.costs(figures.costs.as_ref())?;
        self.accuracies(figures)?;
        for name in &self.hardware {
            let rows = figures.costs.iter().flat_map(|costs| &costs.hardware);
            let row = rows.into_iter().find(|hardware| hardware.name == *name);
            self.sink.count(row.map(|row| row.cycles))?;
            self.sink.real(row.map(|row| row.energy_j))?;
        }
        self.judgement(point)?;
        self.sink.end_row()
    }

    fn costs(&mut self, costs: Option<&PointCosts>) -> io::Result<()> {
        let counts: [fn(&PointCosts) -> u128; 6] =
            [|c| c.weights, |c| c.nonzero, |c| c.filters, |c| c.live_filters, |c| c.weights_alive, |c| c.macs_alive];
        counts.iter().try_for_each(|count| self.sink.count(costs.map(count)))?;
        self.sink.quarters(costs.map(|c| c.esn_a))?;
        self.sink.count(costs.map(|c| c.esn_d))?;
        self.sink.quarters(costs.map(|c| c.esn_a_macs))?;
        self.sink.count(costs.map(|c| c.esn_d_macs))?;
        self.sink.count(costs.map(|c| c.esn_d_filter))?;
        self.sink.count(costs.map(|c| c.max_bits.into()))
    }

    fn accuracies(&mut self, point: &PointFigures) -> io::Result<()> {
        self.sink.count(point.accuracy.as_ref().map(|accuracy| accuracy.images.into()))?;
        for accuracy in [Accuracy::Top1, Accuracy::Top5, Accuracy::Agreement] {
            self.sink.real(accuracy.of(point).map(|fraction| fraction.to_f64()))?;
        }
        for accuracy in [Accuracy::Top1, Accuracy::Top5] {
            self.sink.real(accuracy.of_float(point).map(|fraction| fraction.to_f64()))?;
        }
        Ok(())
    }

    fn judgement(&mut self, point: &PointSummary) -> io::Result<()> {
        let judged = self.plane.axes.of(&point.figures);
        self.sink.flag(Some(judged.is_some_and(|(cost, accuracy)| self.frontier.has(cost, accuracy))))?;
        self.sink.real(judged.map(|(_, accuracy)| accuracy.standard_error()))?;
        self.sink.flag(judged.map(|(cost, accuracy)| self.frontier.is_within_noise(cost, accuracy)))?;
        self.sink.count(point.figures.costs.as_ref().and_then(|costs| costs.effective_macs))?;
        self.notes.clear();
        for (place, note) in point.notes.iter().enumerate() {
            self.notes += if place > 0 { "; " } else { "" };
            self.notes += note;
        }
        self.sink.text(Some(&self.notes))
    }
}

/// Writes one row a point, accuracies as numbers from 0 to 1, one after another in the order of keys. `frontier` is `true`
/// for the points on the frontier of the first axes of the survey.
///
/// # Errors
///
/// Those of the writer, and of reading the store.
pub fn write_csv(writer: &mut dyn Write, points: &Points<'_>, survey: &Survey) -> io::Result<()> {
    let mut csv = Csv { csv: csv::Writer::from_writer(writer), text: String::new() };
    csv.csv.write_record(columns(survey).iter().map(|(name, _)| name))?;
    write_table(&mut csv, points, survey)?;
    csv.csv.flush()
}

struct Csv<'a> {
    csv: csv::Writer<&'a mut dyn Write>,
    /// The text of one field, kept so that not every field asks for memory.
    text: String,
}

impl Csv<'_> {
    fn field(&mut self, value: Option<impl Display>) -> io::Result<()> {
        self.text.clear();
        if let Some(value) = value {
            write!(self.text, "{value}").map_err(io::Error::other)?;
        }
        Ok(self.csv.write_field(&self.text)?)
    }
}

impl Sink for Csv<'_> {
    fn text(&mut self, text: Option<&str>) -> io::Result<()> {
        Ok(self.csv.write_field(text.unwrap_or_default())?)
    }

    fn count(&mut self, count: Option<u128>) -> io::Result<()> {
        self.field(count)
    }

    fn quarters(&mut self, quarters: Option<Quarters>) -> io::Result<()> {
        self.field(quarters)
    }

    /// In the shortest form that reads back.
    fn real(&mut self, real: Option<f64>) -> io::Result<()> {
        self.field(real.map(|real| format!("{real:?}")))
    }

    fn flag(&mut self, flag: Option<bool>) -> io::Result<()> {
        self.field(flag)
    }

    fn end_row(&mut self) -> io::Result<()> {
        Ok(self.csv.write_record(None::<&[u8]>)?)
    }
}
