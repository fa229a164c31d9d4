//! A frontier as text.

use explore::pareto::{Accuracy, Cost, Judged};
use explore::store::PointRow;

use super::number::{grouped, one_line, short, tail};
use super::table::{render, table};

/// Names of networks are cut to this many characters.
const NAME_WIDTH: usize = 28;

/// The points on the frontier, and how many there are beside them.
pub fn frontier_table(rows: &[PointRow], points: &[Judged<'_>], cost: &Cost, accuracy: &Accuracy) -> String {
    let mut header = vec!["configuration", "network", "method"];
    let (accuracy, cost) = (accuracy.label(), cost.label(rows));
    header.extend([accuracy.as_str(), "± s.e.", cost.as_str(), "ESN_a", "ESN_d", "ESN'_d", "live filters"]);
    let mut frontier = table(&header, 3);
    for point in points.iter().filter(|point| point.frontier) {
        frontier.add_row(row(point));
    }
    let on = points.iter().filter(|point| point.frontier).count();
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    let mut text = format!("{}\n{on} of {} points are on the frontier", render(&frontier), points.len());
    if failed > 0 {
        text += &format!("; {failed} failed");
    }
    text += "\n";
    if points.iter().any(|point| point.frontier && point.within_noise) {
        text +=
            "~ behind an error: the gain over the best cheaper point is no larger than the error of the difference\n";
    }
    text
}

fn row(point: &Judged<'_>) -> [String; 10] {
    let configuration = &point.row.configuration;
    let costs = point.row.costs.as_ref().expect("points without costs are not judged");
    let exact = point.cost.exact();
    [
        one_line(&configuration.label()),
        tail(&point.row.network, NAME_WIDTH),
        configuration.method().name().to_string(),
        format!("{:.4}", point.accuracy.to_f64()),
        format!("{:.4}{}", point.accuracy.standard_error(), if point.within_noise { " ~" } else { "  " }),
        exact.parse().map_or(exact, grouped),
        short(costs.esn_a_macs.to_f64()),
        short(costs.esn_d_macs as f64),
        short(costs.esn_d_filter as f64),
        costs.live_filters.to_string(),
    ]
}
