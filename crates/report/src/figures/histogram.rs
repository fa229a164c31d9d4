//! The histogram of the widest bits of each filter (Figure 6, right): which points it compares, and its picture.

use explore::ExploreError;
use explore::pareto::{Cost, Frontier, Judged, Plane, SurveyedHardware, judged};
use explore::store::Store;
use explore::sweep::Method;
use plotters::prelude::*;

use super::chart::{COLORS, FONT, Fault, area, draw_mesh, fault, short};

/// Points of one cost, or a little less.
#[derive(Debug)]
pub struct AtOneCost {
    /// The cost that none of them is above.
    pub limit: f64,
    /// At most one of each method.
    pub points: Vec<Judged>,
}

/// Of each of the paper's three ways, the most costly point of its own frontier at or below a cost: what Figure 6
/// (right) compares.
///
/// Without a cost: the largest at which every way that is there has a point.
///
/// # Errors
///
/// Those of reading the store.
pub fn nearest_at_or_below(store: &Store, plane: &Plane, cost: Option<f64>) -> Result<AtOneCost, ExploreError> {
    let frontiers = Method::ALL.map(|method| plane.frontier_of_method(method));
    let largest = frontiers.iter().filter_map(|frontier| frontier.entries().last()).map(|entry| entry.cost.to_f64());
    let limit = cost.unwrap_or(largest.fold(f64::INFINITY, f64::min));
    let mut points = Vec::new();
    for frontier in &frontiers {
        if let Some(entry) = frontier.entries().iter().rfind(|entry| entry.cost.to_f64() <= limit) {
            let mut one = Frontier::default();
            one.merge(*entry);
            points.extend(judged(store, &one)?);
        }
    }
    Ok(AtOneCost { limit, points })
}

/// Draws how many filters of each of these points have which widest weight.
pub(super) fn draw_histogram(
    text: &mut String,
    chosen: &AtOneCost,
    cost: &Cost,
    known: &[SurveyedHardware],
) -> Result<(), Fault> {
    let AtOneCost { limit, points: chosen } = chosen;
    let area = area(text)?;
    let bits = |point: &Judged| point.row.costs.as_ref().map_or(Vec::new(), |costs| costs.filter_bits.clone());
    let widest = chosen.iter().filter_map(|point| bits(point).iter().rposition(|&n| n > 0)).max().unwrap_or(1).max(1);
    let most = chosen.iter().flat_map(bits).max().unwrap_or(1).max(1);
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(-0.5..widest as f64 + 0.5, 0.0..most as f64 * 1.4)
        .map_err(fault)?;
    draw_mesh(
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(widest + 2)
            .x_desc("largest bit width of the filter (0: pruned)")
            .y_desc("filters")
            .x_label_formatter(&whole)
            .y_label_formatter(&|y| format!("{y:.0}")),
    )?;
    let width = 0.8 / chosen.len() as f64;
    for (i, point) in chosen.iter().enumerate() {
        let color = color(point.row.configuration.method());
        let left = move |bits: usize| bits as f64 - 0.4 + i as f64 * width;
        let counts = bits(point);
        let bars = counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(bits, &count)| {
            Rectangle::new([(left(bits), 0.0), (left(bits) + width * 0.92, count as f64)], color.mix(0.85).filled())
        });
        let label = format!("{} ({})", point.row.configuration.label(), short(point.entry.cost.to_f64()));
        chart
            .draw_series(bars)
            .map_err(fault)?
            .label(label)
            .legend(move |(x, y)| Rectangle::new([(x + 3, y - 5), (x + 15, y + 5)], color.filled()));
    }
    draw_legend(&mut chart)?;
    let caption = caption(*limit, &cost.name(), cost.unit(known));
    area.draw(&Text::new(caption, (84, 4), (FONT, 13).into_font())).map_err(fault)?;
    area.present().map_err(fault)
}

/// At which cost points are compared.
fn caption(limit: f64, cost: &str, unit: Option<&str>) -> String {
    let unit = unit.map(|unit| format!(" {unit}")).unwrap_or_default();
    format!("the best configurations of {cost} up to {}{unit}", short(limit))
}

/// What the colours mean, in a corner of the figure.
fn draw_legend<'a, C>(chart: &mut ChartContext<'a, SVGBackend<'a>, C>) -> Result<(), Fault>
where
    C: CoordTranslate,
{
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, 14))
        .draw()
        .map_err(fault)
}

fn color(method: Method) -> RGBColor {
    COLORS.iter().find(|(m, _)| *m == method).map_or(BLACK, |(_, color)| *color)
}

/// Labels stand at whole numbers alone.
fn whole(x: &f64) -> String {
    if (x - x.round()).abs() < 1e-6 { format!("{x:.0}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn a_histogram_names_the_cost_at_which_it_compares() {
        let cases = [
            (142e6, Cost::EsnD, "the best configurations of ESN_d up to 142M bits"),
            (12_345.0, Cost::Macs, "the best configurations of MACs alive up to 12.35k"),
            (7.12e-6, Cost::Energy("unpu".to_string()), "the best configurations of energy on unpu up to 7.12µ J"),
        ];
        check_all(cases, |(limit, cost, expected)| {
            assert_eq!(caption(*limit, &cost.name(), cost.unit(&[])), *expected);
        });
    }
}
