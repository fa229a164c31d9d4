//! Proxies beside hardware, as text.

use std::cmp::Ordering;

use explore::pareto::Cost;
use explore::proxies::{Agreement, Fit, Interval, OfHardware, PROXIES, Parts, Regret, Subject, Subjects, Target};
use explore::store::HardwareRow;

use super::number::{counted, factor, grouped, joules, one_line, short, tail};
use super::table::{render, table};
use crate::proxies::{FEW_NETWORKS, ProxyFigures, hardware_row, proxy_name, proxy_sentence};

/// Names of networks are cut to this many characters.
const NAME_WIDTH: usize = 60;

/// What was found: of one hardware every figure, of several their correlations and regrets; then a sentence for each. Of few
/// networks no figure says anything.
pub fn proxy_tables(figures: &ProxyFigures<'_>) -> String {
    let Subjects { all, failed, .. } = figures.subjects;
    let mut text = counted(all.len() as u128, "network");
    if *failed > 0 {
        text += &format!(", and {failed} that failed");
    }
    if all.len() < FEW_NETWORKS {
        return text + &format!(": {FEW_NETWORKS} at least tell which number ranks as a hardware does\n");
    }
    text += "\n\n";
    text += &match figures.hardware {
        [one] => of_one(one),
        several => of_several(several),
    };
    text += &missing(figures);
    let sentences: String =
        figures.hardware.iter().filter_map(proxy_sentence).map(|sentence| one_line(&sentence) + "\n").collect();
    if !sentences.is_empty() {
        text += &format!("\n{sentences}");
    }
    text + &figures.fit.map(fit_lines).unwrap_or_default()
}

/// Every figure of one hardware.
fn of_one(hardware: &OfHardware) -> String {
    let head = ["proxy", "τ energy", "95 %", "τ without memory", "95 %", "τ latency", "95 %", "regret mean", "worst"];
    let mut lines = table(&head, 1);
    for ((energy, array), latency) in hardware.energy.iter().zip(&hardware.array).zip(&hardware.latency) {
        lines.add_row([
            proxy_name(&energy.proxy),
            tau(energy.tau),
            interval(energy.interval),
            tau(array.tau),
            interval(array.interval),
            tau(latency.tau),
            interval(latency.interval),
            percent(energy.regret.map(|regret| regret.mean)),
            percent(energy.regret.map(|regret| regret.worst)),
        ]);
    }
    render(&lines)
}

fn of_several(hardware: &[OfHardware]) -> String {
    let correlation = |title: &str, target: Target| {
        let best = |of: &OfHardware| of.best(target).and_then(|best| best.tau);
        let cell = |of: &OfHardware, agreement: &Agreement| {
            let mark = if agreement.tau.is_some() && agreement.tau == best(of) { "*" } else { " " };
            format!("{}{mark}", tau(agreement.tau))
        };
        of_each(title, hardware, target, &cell)
    };
    let mut text = correlation("τ with energy", Target::Energy);
    text += &format!("\n{}", correlation("τ without memory", Target::Array));
    text += &format!("\n{}", correlation("τ with latency", Target::Latency));
    if hardware.iter().flat_map(|of| &of.energy).any(|agreement| agreement.regret.is_some()) {
        let cell = |_: &OfHardware, agreement: &Agreement| match agreement.regret {
            Some(Regret { mean, worst, .. }) => format!("{}/{}", times(mean), times(worst)),
            None => "–".to_string(),
        };
        text += "\n";
        text += &of_each("regret: mean/worst", hardware, Target::Energy, &cell);
    }
    text + "\n* the largest of its line\n"
}

/// A table of one row for each hardware, and one column for each proxy.
fn of_each(
    title: &str,
    hardware: &[OfHardware],
    target: Target,
    cell: &dyn Fn(&OfHardware, &Agreement) -> String,
) -> String {
    let head: Vec<&str> = std::iter::once(title).chain(PROXIES.iter().map(|proxy| short_name(proxy))).collect();
    let mut lines = table(&head, 1);
    for of in hardware {
        let cells = of.of(target).iter().map(|agreement| cell(of, agreement));
        lines.add_row(std::iter::once(one_line(&of.name)).chain(cells));
    }
    render(&lines)
}

/// The name of a proxy above a narrow column.
pub(crate) fn short_name(proxy: &Cost) -> &'static str {
    match proxy {
        Cost::Parameters => "params",
        Cost::EffectiveWeights => "nonzero",
        Cost::Macs => "MACs",
        Cost::EffectiveMacs => "eff. MACs",
        Cost::ModelBits => "bytes",
        Cost::BitOperations => "bit ops",
        Cost::EffectiveBitOperations => "eff. bit ops",
        Cost::EsnA => "ESN_a",
        Cost::EsnD => "ESN_d",
        Cost::EsnDFilter => "ESN'_d",
        Cost::EsnDTraffic => "+ traffic",
        Cost::EsnAWeights
        | Cost::EsnDWeights
        | Cost::WeightBits
        | Cost::ActivationBits
        | Cost::Outputs
        | Cost::Linear(_)
        | Cost::Cycles(_)
        | Cost::Energy(_) => "",
    }
}

fn tau(tau: Option<f64>) -> String {
    tau.map_or("–".to_string(), |tau| format!("{tau:.2}"))
}

fn interval(interval: Option<Interval>) -> String {
    interval.map_or("–".to_string(), |Interval { low, high }| format!("{low:.2} to {high:.2}"))
}

/// A regret in a few characters: per cent, or how many times as much.
fn times(regret: f64) -> String {
    match regret {
        ..10.0 => format!("{:.0}%", 100.0 * regret),
        _ => format!("{}×", factor(regret + 1.0)),
    }
}

fn percent(part: Option<f64>) -> String {
    part.map_or("–".to_string(), |part| format!("{:.1} %", 100.0 * part))
}

/// Says which proxies cannot be computed, and why there is no regret.
fn missing(figures: &ProxyFigures<'_>) -> String {
    let all = &figures.subjects.all;
    let lacks = |proxy: &&Cost| all.iter().all(|subject| proxy.of_costs(&subject.costs).is_none());
    let names: Vec<String> = PROXIES.iter().filter(lacks).map(proxy_name).collect();
    let mut text = String::new();
    if !names.is_empty() {
        text += &format!("no network here has {}: the store was made before they were counted\n", names.join(", "));
    }
    if all.iter().all(|subject| subject.accuracy.is_none()) {
        text += "no regret: it is among networks of one accuracy, and no images were run\n";
    }
    text
}

fn fit_lines(fit: &Fit) -> String {
    let mut lines = table(&["term", "weight"], 1);
    for (cost, weight) in fit.cost.terms() {
        lines.add_row([cost.label(&[]), joules(*weight)]);
    }
    let parts = match fit.parts {
        Parts::Networks(count) => format!("{count} networks, each left out once"),
        Parts::Points(count) => format!("{count} parts of the points, each left out once"),
    };
    let error = |words: &str, error: explore::proxies::FitError| {
        let mean = percent(Some(error.mean));
        format!("{words}: {mean} off in the mean, {} at the most, τ {}\n", percent(Some(error.worst)), tau(error.tau))
    };
    let networks = counted(fit.networks as u128, "network");
    format!(
        "\nenergy on {} as a sum, fitted to {networks}\n{}{}{}--cost {}\n",
        one_line(&fit.hardware),
        render(&lines),
        error("on these networks", fit.seen),
        error(&format!("on networks that it has not seen ({parts})"), fit.unseen),
        Cost::Linear(fit.cost.clone()).id(),
    )
}

/// The networks, the cheapest on a hardware first, at most so many of them; of several hardware the cheapest on each that is
/// at least half as accurate as the best.
pub fn cheapest_tables(subjects: &Subjects, hardware: &[OfHardware], most: usize) -> String {
    if let [one] = hardware {
        return cheapest_on(subjects, &one.name, most);
    }
    let mut lines = table(&["cheapest of use on", "network", "energy", "top-1"], 2);
    let best = subjects.all.iter().filter_map(|subject| subject.accuracy).max();
    let is_of_use = |subject: &Subject| match (subject.accuracy, best) {
        (Some(accuracy), Some(best)) => 2.0 * accuracy.to_f64() >= best.to_f64(),
        _ => true,
    };
    for OfHardware { name, .. } in hardware {
        let all = from_the_cheapest(subjects, name);
        if let Some((subject, row)) = all.iter().find(|(subject, _)| is_of_use(subject)) {
            lines.add_row([one_line(name), named(subjects, subject), energy(subjects, row), top1(subject)]);
        }
    }
    render(&lines)
}

/// The networks that were costed on a hardware. Of those that cost the same, the most accurate comes first.
fn from_the_cheapest<'a>(subjects: &'a Subjects, hardware: &str) -> Vec<(&'a Subject, &'a HardwareRow)> {
    let mut all: Vec<(&Subject, &HardwareRow)> =
        subjects.all.iter().filter_map(|subject| Some((subject, hardware_row(subject, hardware)?))).collect();
    all.sort_by(|(a, x), (b, y)| x.energy_j.total_cmp(&y.energy_j).then_with(|| by_accuracy(a, b)));
    all
}

/// The name of a network, with that of what it was made of where there are several.
fn named(subjects: &Subjects, subject: &Subject) -> String {
    let is_file = subject.name == subject.network;
    let name = match subjects.networks().len() > 1 && !is_file {
        true => format!("{}: {}", subject.network, subject.name),
        false => subject.name.to_string(),
    };
    tail(&name, NAME_WIDTH)
}

fn energy(subjects: &Subjects, row: &HardwareRow) -> String {
    match subjects.normalized.contains(&row.name) {
        true => format!("{} u", short(row.energy_count as f64)),
        false => joules(row.energy_j),
    }
}

fn top1(subject: &Subject) -> String {
    subject.accuracy.map_or("–".to_string(), |accuracy| format!("{:.4}", accuracy.to_f64()))
}

fn cheapest_on(subjects: &Subjects, hardware: &str, most: usize) -> String {
    let all = from_the_cheapest(subjects, hardware);
    let least = all.first().map_or(0.0, |(_, row)| row.energy_j);
    let mut lines = table(&["cheapest", "network", "energy", "over the best", "cycles", "top-1"], 2);
    for (place, (subject, row)) in all.iter().take(most).enumerate() {
        lines.add_row([
            (place + 1).to_string(),
            named(subjects, subject),
            energy(subjects, row),
            if least > 0.0 { factor(row.energy_j / least) } else { "–".to_string() },
            grouped(row.cycles),
            top1(subject),
        ]);
    }
    let left = all.len().saturating_sub(most);
    let more = if left > 0 { format!("and {left} more\n") } else { String::new() };
    format!("on {}\n{}{more}", one_line(hardware), render(&lines))
}

/// The more accurate first.
fn by_accuracy(a: &Subject, b: &Subject) -> Ordering {
    b.accuracy.cmp(&a.accuracy).then_with(|| a.name.cmp(&b.name))
}
