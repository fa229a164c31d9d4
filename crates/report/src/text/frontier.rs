//! A frontier as text.

use explore::pareto::{CostValue, JOULES, Judged, Survey};

use super::number::{grouped, grouped_quarters, joules, one_line, short, tail};
use super::table::{render, table};

/// Names of networks are cut to this many characters.
const NAME_WIDTH: usize = 28;

/// What is on the frontier of a survey's first axes, and how many points there are beside it. Points that are equal in cost
/// and accuracy are one line.
pub fn frontier_table(survey: &Survey, frontier: &[Judged]) -> String {
    let plane = survey.planes.first().expect("points are judged by a cost and an accuracy");
    let mut header = vec!["configuration", "network", "method"];
    let cost = &plane.axes.cost;
    // Joules stand with their unit in every line.
    let is_in_joules = cost.unit(&survey.hardware) == Some(JOULES);
    let cost = if is_in_joules { cost.name() } else { cost.label(&survey.hardware) };
    let accuracy = plane.axes.accuracy.label();
    header.extend([accuracy.as_str(), "± s.e.", cost.as_str(), "ESN_a", "ESN_d", "ESN'_d", "live filters"]);
    let mut lines = table(&header, 3);
    for point in frontier {
        lines.add_row(row(point, is_in_joules));
    }
    let on: u64 = frontier.iter().map(|point| point.entry.count).sum();
    let (on_frontier, all) = (grouped(on.into()), grouped(plane.judged.into()));
    let mut text = format!("{}\n{on_frontier} of {all} points are on the frontier", render(&lines));
    if on > frontier.len() as u64 {
        text += &format!(", equal ones in one line: {} lines", grouped(frontier.len() as u128));
    }
    if survey.failed > 0 {
        text += &format!("; {} failed", grouped(survey.failed.into()));
    }
    text += "\n";
    if frontier.iter().any(|point| point.within_noise) {
        text +=
            "~ behind an error: the gain over the best cheaper point is no larger than the error of the difference\n";
    }
    text
}

/// An amount of a cost. Normalized energies are no joules, and stand as they are.
fn amount(cost: CostValue, is_in_joules: bool) -> String {
    match cost {
        CostValue::Count(count) => grouped(count),
        CostValue::Quarters(quarters) => grouped_quarters(quarters),
        CostValue::Joules(energy) if is_in_joules => joules(energy),
        CostValue::Joules(_) => cost.exact(),
    }
}

fn row(point: &Judged, is_in_joules: bool) -> [String; 10] {
    let configuration = &point.row.configuration;
    let costs = point.row.costs.as_ref().expect("points without costs are not judged");
    let accuracy = point.entry.accuracy;
    let label = one_line(&configuration.label());
    let equal = point.entry.count - 1;
    [
        if equal > 0 { format!("{label} (+{} equal)", grouped(equal.into())) } else { label },
        tail(&point.row.network, NAME_WIDTH),
        configuration.method().name().to_string(),
        format!("{:.4}", accuracy.to_f64()),
        format!("{:.4}{}", accuracy.standard_error(), if point.within_noise { " ~" } else { "  " }),
        amount(point.entry.cost, is_in_joules),
        short(costs.esn_a_macs.to_f64()),
        short(costs.esn_d_macs as f64),
        short(costs.esn_d_filter as f64),
        grouped(costs.live_filters),
    ]
}

#[cfg(test)]
mod tests {
    use esn::Quarters;
    use testkit::check_all;

    use super::*;

    #[test]
    fn amounts_are_read_at_a_glance() {
        let cases = [
            (CostValue::Count(62_046_401), false, "62,046,401"),
            (CostValue::Quarters(Quarters(2_354_473)), false, "588,618.25"),
            (CostValue::Joules(7.12e-6), true, "7.12 µJ"),
            (CostValue::Joules(1.535714e-9), false, "1.535714e-9"),
        ];
        check_all(cases, |&(cost, is_in_joules, expected)| assert_eq!(amount(cost, is_in_joules), expected));
    }
}
