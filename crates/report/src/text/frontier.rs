//! A frontier as text.

use explore::pareto::{Judged, Survey};

use super::number::{grouped, one_line, short, tail};
use super::table::{render, table};

/// Names of networks are cut to this many characters.
const NAME_WIDTH: usize = 28;

/// What is on the frontier of a survey's first axes, and how many points there are beside it. Points that are equal in cost
/// and accuracy are one line.
pub fn frontier_table(survey: &Survey, frontier: &[Judged]) -> String {
    let plane = survey.planes.first().expect("points are judged by a cost and an accuracy");
    let mut header = vec!["configuration", "network", "method"];
    let (accuracy, cost) = (plane.axes.accuracy.label(), plane.axes.cost.label(&survey.hardware));
    header.extend([accuracy.as_str(), "± s.e.", cost.as_str(), "ESN_a", "ESN_d", "ESN'_d", "live filters"]);
    let mut lines = table(&header, 3);
    for point in frontier {
        lines.add_row(row(point));
    }
    let on: u64 = frontier.iter().map(|point| point.entry.count).sum();
    let mut text = format!("{}\n{on} of {} points are on the frontier", render(&lines), plane.judged);
    if on > frontier.len() as u64 {
        text += &format!(", equal ones in one line: {} lines", frontier.len());
    }
    if survey.failed > 0 {
        text += &format!("; {} failed", survey.failed);
    }
    text += "\n";
    if frontier.iter().any(|point| point.within_noise) {
        text +=
            "~ behind an error: the gain over the best cheaper point is no larger than the error of the difference\n";
    }
    text
}

fn row(point: &Judged) -> [String; 10] {
    let configuration = &point.row.configuration;
    let costs = point.row.costs.as_ref().expect("points without costs are not judged");
    let (exact, accuracy) = (point.entry.cost.exact(), point.entry.accuracy);
    let label = one_line(&configuration.label());
    [
        if point.entry.count > 1 { format!("{label} (+{} equal)", point.entry.count - 1) } else { label },
        tail(&point.row.network, NAME_WIDTH),
        configuration.method().name().to_string(),
        format!("{:.4}", accuracy.to_f64()),
        format!("{:.4}{}", accuracy.standard_error(), if point.within_noise { " ~" } else { "  " }),
        exact.parse().map_or(exact, grouped),
        short(costs.esn_a_macs.to_f64()),
        short(costs.esn_d_macs as f64),
        short(costs.esn_d_filter as f64),
        costs.live_filters.to_string(),
    ]
}
