//! Proxies beside hardware, as text.

use explore::pareto::{Cost, Fraction};
use explore::proxies::{
    Agreement, FEW_NETWORKS, Fit, Interval, OfHardware, PROXIES, Parts, Regret, Subject, Subjects, Target, is_broken,
};

use super::number::{counted, joules, one_line};
use super::table::{render, table};
use crate::proxies::{ProxyFigures, proxy_name};
use crate::proxy_sentence::{fit_warning, proxy_sentence};

/// What was found: of one hardware every figure, of several their correlations and regrets; then a sentence for each, and a fitted
/// sum. Of few networks no correlation says anything.
pub fn proxy_tables(figures: &ProxyFigures<'_>) -> String {
    let Subjects { all, failed, .. } = figures.subjects;
    let mut text = counted(all.len() as u128, "network");
    if *failed > 0 {
        text += &format!(", and {failed} that failed");
    }
    text += &match all.len() {
        ..FEW_NETWORKS => {
            let missing = without_bits(all).map(|line| line + "\n").unwrap_or_default();
            format!(": {FEW_NETWORKS} at least tell which number ranks as a hardware does\n{missing}")
        }
        _ => correlations(figures),
    };
    text + &figures.fit.map(fit_lines).unwrap_or_default()
}

fn correlations(figures: &ProxyFigures<'_>) -> String {
    let tables = match figures.hardware {
        [one] => of_one(one),
        several => of_several(several),
    };
    let sentences: String =
        figures.hardware.iter().filter_map(proxy_sentence).map(|sentence| one_line(&sentence) + "\n").collect();
    let gap = if sentences.is_empty() { "" } else { "\n" };
    format!("\n\n{tables}{}{gap}{sentences}", missing(figures))
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
            Some(Regret { mean, worst, .. }) => format!("{}/{}", short_percent(mean), short_percent(worst)),
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

/// A regret in a few characters.
fn short_percent(regret: f64) -> String {
    format!("{:.0}%", 100.0 * regret)
}

fn percent(part: Option<f64>) -> String {
    part.map_or("–".to_string(), |part| format!("{:.1} %", 100.0 * part))
}

/// Says what is not among the figures: proxies and costs that networks lack, and networks that are no choice.
fn missing(figures: &ProxyFigures<'_>) -> String {
    let all = &figures.subjects.all;
    let lines = without_bits(all).into_iter().chain(without_ranks(figures)).chain(without_regret(figures));
    lines.map(|line| line + "\n").collect()
}

fn without_bits(all: &[Subject]) -> Option<String> {
    let knows = |proxy: &Cost| all.iter().filter(|subject| proxy.of_costs(&subject.costs).is_some()).count();
    let lacking: Vec<(&Cost, usize)> =
        PROXIES.iter().map(|proxy| (proxy, knows(proxy))).filter(|(_, networks)| *networks < all.len()).collect();
    let (_, most) = lacking.iter().max_by_key(|(_, networks)| *networks)?;
    let names = lacking.iter().map(|(proxy, _)| proxy_name(proxy)).collect::<Vec<_>>().join(", ");
    Some(match most {
        0 => format!("no network here has {names}: the store was made before they were counted"),
        some => format!("{some} of {} networks have {names}: the others were run before they were counted", all.len()),
    })
}

/// Hardware that networks were not costed on, and what is the same for all networks there.
fn without_ranks(figures: &ProxyFigures<'_>) -> Vec<String> {
    let all = &figures.subjects.all;
    let costed_on = |of: &OfHardware| all.iter().filter(|subject| subject.costs.on(&of.name).is_some()).count();
    let costed = figures.hardware.iter().map(|of| (of, costed_on(of))).filter(|(_, costed)| *costed < all.len());
    let costed = costed.map(|(of, costed)| {
        let few = if costed < FEW_NETWORKS { ", too few for ranks" } else { "" };
        format!("{costed} of {} networks were costed on {}{few}", all.len(), one_line(&of.name))
    });
    let same = Target::ALL.into_iter().filter_map(|target| {
        let of_same = figures.hardware.iter().filter(|of| of.same.contains(&target));
        let names: Vec<String> = of_same.map(|of| one_line(&of.name)).collect();
        let what = words(target);
        (!names.is_empty()).then(|| format!("no τ: the {what} is the same for all networks on {}", names.join(", ")))
    });
    costed.chain(same).collect()
}

fn words(target: Target) -> &'static str {
    match target {
        Target::Energy => "energy",
        Target::Array => "energy without memory",
        Target::Latency => "latency",
    }
}

/// Which networks have no regret, and why.
fn without_regret(figures: &ProxyFigures<'_>) -> Vec<String> {
    let all = &figures.subjects.all;
    let known = all.iter().filter(|subject| subject.accuracy.is_some()).count();
    let mut lines = Vec::new();
    if known == 0 {
        lines.push("no regret: it is among networks of one accuracy, and no images were run".to_string());
    } else if known < all.len() {
        lines.push(format!("{known} of {} networks have an accuracy; regret is among these", all.len()));
    }
    lines.extend(broken_lines(figures.subjects, figures.hardware, "left out of regret"));
    lines
}

/// Broken networks that are named.
const NAMED: usize = 3;

/// How many networks compression broke, what becomes of them, and which they are if they are few. They are held against the best of
/// those that were costed on the same hardware, so that there is a line for each accuracy that is the best on some.
pub(super) fn broken_lines(subjects: &Subjects, hardware: &[OfHardware], what: &str) -> Vec<String> {
    let mut groups: Vec<(Fraction, Vec<(usize, Fraction)>)> = Vec::new();
    for of in hardware {
        let known: Vec<(usize, Fraction)> = subjects.known_on(&of.name).collect();
        let Some(best) = known.iter().map(|(_, accuracy)| *accuracy).max() else { continue };
        let broken = known.into_iter().filter(|(_, accuracy)| is_broken(*accuracy, best));
        match groups.iter_mut().find(|(other, _)| *other == best) {
            Some((_, all)) => all.extend(broken),
            None => groups.push((best, broken.collect())),
        }
    }
    let lines = groups.into_iter().filter_map(|(best, mut broken)| {
        broken.sort_by_key(|(place, _)| *place);
        broken.dedup_by_key(|(place, _)| *place);
        broken_line(subjects, best, &broken, what)
    });
    lines.collect()
}

fn broken_line(subjects: &Subjects, best: Fraction, broken: &[(usize, Fraction)], what: &str) -> Option<String> {
    let name = |(place, accuracy): &(usize, Fraction)| {
        format!("{} ({:.4})", one_line(&subjects.all[*place].name), accuracy.to_f64())
    };
    let named = match broken.len() {
        0 => return None,
        1..=NAMED => format!(": {}", broken.iter().map(name).collect::<Vec<_>>().join("; ")),
        _ => String::new(),
    };
    let (networks, verb) = (counted(broken.len() as u128, "network"), if broken.len() == 1 { "is" } else { "are" });
    Some(format!("{networks} {verb} less than half as accurate as the best ({:.4}), and {what}{named}", best.to_f64()))
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
    let warning = fit_warning(fit).map(|warning| warning + "\n").unwrap_or_default();
    format!(
        "\nenergy on {} as a sum, fitted to {networks}\n{}{}{}{warning}--cost {}\n",
        one_line(&fit.hardware),
        render(&lines),
        error("on these networks", fit.seen),
        error(&format!("on networks that it has not seen ({parts})"), fit.unseen),
        Cost::Linear(fit.cost.clone()).id(),
    )
}

#[cfg(test)]
mod tests {
    use explore::store::{HardwareRow, PointCosts};

    use super::*;

    #[test]
    fn networks_are_held_against_the_best_of_their_hardware() {
        let subject = |name: &str, hardware: &str, right: u64| {
            let row = HardwareRow {
                name: hardware.into(),
                metric: "ESN_d".into(),
                verdict: "pass".into(),
                cycles: 1,
                energy_count: 1,
                energy_j: 1.0,
                spent: None,
                utilization: 1.0,
                score: None,
                agreement: None,
            };
            let costs = PointCosts { hardware: vec![row], ..PointCosts::default() };
            Subject {
                name: name.into(),
                network: name.into(),
                costs,
                accuracy: Some(Fraction { count: right, of: 10 }),
            }
        };
        let on_chip = [subject("whole", "chip", 9), subject("cut", "chip", 1)];
        let on_other = [subject("narrow", "other chip", 5), subject("slim", "other chip", 2)];
        let all = [on_chip, on_other].concat();
        let subjects = Subjects { all, ..Subjects::default() };
        let shown = |names: &[&str]| {
            let hardware = names.iter().map(|name| (*name).into()).collect::<Vec<_>>();
            broken_lines(&subjects, &explore::proxies::compare(&subjects, &hardware, 0), "gone")
        };
        let first = "1 network is less than half as accurate as the best (0.9000), and gone: cut (0.1000)";
        let second = "1 network is less than half as accurate as the best (0.5000), and gone: slim (0.2000)";
        assert_eq!(shown(&["chip"]), [first]);
        assert_eq!(shown(&["other chip"]), [second]);
        assert_eq!(shown(&["other chip", "chip"]), [second, first]);
        assert_eq!(shown(&["no chip"]), [""; 0]);
    }
}
