//! The points of a store as a table: CSV, and whatever else a [`Sink`] makes of it. `docs/sweep.md` documents the columns.

use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::sync::Arc;

use esn::Quarters;
use explore::pareto::{Accuracy, CostValue, Fraction, Frontier, Plane, Survey};
use explore::store::{HardwareRow, PointCosts, PointSummary, Points};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Count,
    Quarters,
    Real,
    Flag,
}

/// The value that a column has of a row; its case is what the column holds.
enum Value<Row> {
    Text(fn(&Row) -> Option<&str>),
    Count(fn(&Row) -> Option<u128>),
    Quarters(fn(&Row) -> Option<Quarters>),
    Real(fn(&Row) -> Option<f64>),
    Flag(fn(&Row) -> Option<bool>),
}

impl<Row> Value<Row> {
    fn kind(&self) -> Kind {
        match self {
            Value::Text(_) => Kind::Text,
            Value::Count(_) => Kind::Count,
            Value::Quarters(_) => Kind::Quarters,
            Value::Real(_) => Kind::Real,
            Value::Flag(_) => Kind::Flag,
        }
    }

    /// Gives a sink the value of a row; none where there is no row.
    fn write(&self, row: Option<&Row>, sink: &mut dyn Sink) -> io::Result<()> {
        match self {
            Value::Text(of) => sink.text(row.and_then(of)),
            Value::Count(of) => sink.count(row.and_then(of)),
            Value::Quarters(of) => sink.quarters(row.and_then(of)),
            Value::Real(of) => sink.real(row.and_then(of)),
            Value::Flag(of) => sink.flag(row.and_then(of)),
        }
    }
}

/// A column: its name, and what it says of a row.
type Column<Row> = (&'static str, Value<Row>);

/// Columns that every store has. Those of [`OF_HARDWARE`] follow them, for each hardware, and then [`JUDGEMENT`].
const COLUMNS: [Column<Row>; 24] = [
    ("key", Value::Text(|row| Some(&row.key))),
    ("status", Value::Text(|row| Some(row.point.figures.status.name()))),
    ("error", Value::Text(|row| row.point.error.as_deref())),
    ("network", Value::Text(|row| Some(&row.point.figures.network))),
    ("method", Value::Text(|row| Some(row.point.figures.method.name()))),
    ("configuration", Value::Text(|row| Some(&row.point.label))),
    ("weights", Value::Count(|row| Some(row.costs()?.weights))),
    ("nonzero", Value::Count(|row| Some(row.costs()?.nonzero))),
    ("filters", Value::Count(|row| Some(row.costs()?.filters))),
    ("live_filters", Value::Count(|row| Some(row.costs()?.live_filters))),
    ("weights_alive", Value::Count(|row| Some(row.costs()?.weights_alive))),
    ("macs_alive", Value::Count(|row| Some(row.costs()?.macs_alive))),
    ("esn_a", Value::Quarters(|row| Some(row.costs()?.esn_a))),
    ("esn_d", Value::Count(|row| Some(row.costs()?.esn_d))),
    ("esn_a_macs", Value::Quarters(|row| Some(row.costs()?.esn_a_macs))),
    ("esn_d_macs", Value::Count(|row| Some(row.costs()?.esn_d_macs))),
    ("esn_d_filter", Value::Count(|row| Some(row.costs()?.esn_d_filter))),
    ("max_bits", Value::Count(|row| Some(row.costs()?.max_bits.into()))),
    ("images", Value::Count(|row| Some(row.point.figures.accuracy.as_ref()?.images.into()))),
    ("top1", Value::Real(|row| row.accuracy(&Accuracy::Top1))),
    ("top5", Value::Real(|row| row.accuracy(&Accuracy::Top5))),
    ("agreement", Value::Real(|row| row.accuracy(&Accuracy::Agreement))),
    ("float_top1", Value::Real(|row| row.float_accuracy(&Accuracy::Top1))),
    ("float_top5", Value::Real(|row| row.float_accuracy(&Accuracy::Top5))),
];

/// Columns of each hardware, whose name stands behind theirs.
const OF_HARDWARE: [Column<HardwareRow>; 2] =
    [("cycles", Value::Count(|row| Some(row.cycles))), ("energy_j", Value::Real(|row| Some(row.energy_j)))];

/// Columns of what was judged: whether a point is on the frontier; how exact its accuracy is; and what came later.
const JUDGEMENT: [Column<Row>; 7] = [
    ("frontier", Value::Flag(|row| Some(row.judged.is_some_and(|judged| judged.is_on_frontier)))),
    ("standard_error", Value::Real(|row| Some(row.judged?.standard_error))),
    ("within_noise", Value::Flag(|row| Some(row.judged?.is_within_noise))),
    ("effective_macs", Value::Count(|row| row.costs()?.effective_macs)),
    ("notes", Value::Text(|row| Some(row.notes.as_str()).filter(|notes| !notes.is_empty()))),
    ("layers", Value::Text(|row| Some(&*row.point.layers).filter(|layers| !layers.is_empty()))),
    ("cost", Value::Real(|row| row.cost)),
];

/// A point, and what is said of it.
struct Row {
    point: PointSummary,
    key: String,
    /// The notes of the point in one text.
    notes: String,
    /// None where the point lacks the cost or the accuracy that points are judged by.
    judged: Option<Judged>,
    /// The cost that points are judged by; none where the point lacks it.
    cost: Option<f64>,
}

#[derive(Clone, Copy)]
struct Judged {
    is_on_frontier: bool,
    standard_error: f64,
    is_within_noise: bool,
}

impl Row {
    fn costs(&self) -> Option<&PointCosts> {
        self.point.figures.costs.as_ref()
    }

    fn accuracy(&self, accuracy: &Accuracy) -> Option<f64> {
        accuracy.of(&self.point.figures).map(Fraction::to_f64)
    }

    fn float_accuracy(&self, accuracy: &Accuracy) -> Option<f64> {
        accuracy.of_float(&self.point.figures).map(Fraction::to_f64)
    }
}

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
    let named = |(name, value): &Column<Row>| (name.to_string(), value.kind());
    let of_hardware =
        |hardware: &Arc<str>| OF_HARDWARE.each_ref().map(|(name, value)| (format!("{name}:{hardware}"), value.kind()));
    let hardware = survey.hardware.iter().flat_map(|hardware| of_hardware(&hardware.name));
    COLUMNS.iter().map(named).chain(hardware).chain(JUDGEMENT.iter().map(named)).collect()
}

/// Gives a sink one row a point, one after another in the order of keys.
pub(crate) fn write_table(sink: &mut dyn Sink, points: &Points<'_>, survey: &Survey) -> io::Result<()> {
    let plane = survey.planes.first().expect("points are judged by a cost and an accuracy");
    let hardware = survey.hardware.iter().map(|hardware| Arc::clone(&hardware.name)).collect();
    let mut table = Table { sink, frontier: plane.frontier(), plane, hardware };
    points.for_each_summary(|point| table.row(point).map_err(Fault::Output)).map_err(|fault| match fault {
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
    plane: &'a Plane,
    frontier: Frontier,
    hardware: Vec<Arc<str>>,
}

impl Table<'_> {
    fn row(&mut self, point: PointSummary) -> io::Result<()> {
        let judged = self.plane.axes.of(&point.figures).map(|(cost, accuracy)| Judged {
            is_on_frontier: self.frontier.has(cost, accuracy),
            standard_error: accuracy.standard_error(),
            is_within_noise: self.frontier.is_within_noise(cost, accuracy),
        });
        let cost = self.plane.axes.cost.of(&point.figures).map(CostValue::to_f64);
        let row = Row { key: point.figures.key.to_string(), notes: point.notes.join("; "), judged, cost, point };
        COLUMNS.iter().try_for_each(|(_, value)| value.write(Some(&row), self.sink))?;
        for name in &self.hardware {
            let mut of_point = row.costs().into_iter().flat_map(|costs| &costs.hardware);
            let of_hardware = of_point.find(|hardware| hardware.name == *name);
            OF_HARDWARE.iter().try_for_each(|(_, value)| value.write(of_hardware, self.sink))?;
        }
        JUDGEMENT.iter().try_for_each(|(_, value)| value.write(Some(&row), self.sink))?;
        self.sink.end_row()
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
