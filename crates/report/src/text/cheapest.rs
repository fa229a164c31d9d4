//! Which networks are the cheapest on hardware, as text.

use std::cmp::Ordering;

use explore::proxies::{OfHardware, Subject, Subjects, is_broken};
use explore::store::HardwareRow;

use super::number::{factor, grouped, joules, one_line, short, tail};
use super::proxies::broken_lines;
use super::table::{render, table};
use crate::proxies::hardware_row;

/// Names of networks are cut to this many characters.
const NAME_WIDTH: usize = 60;

/// Top-1 of the engines on integers, which compute exactly, whatever hardware costs are of.
const ON_INTEGERS: &str = "top-1 on integers";

/// The networks that compression did not break, the cheapest on a hardware first, at most so many of them; of several hardware the
/// cheapest on each, and how many cost the same.
pub fn cheapest_tables(subjects: &Subjects, hardware: &[OfHardware], most: usize) -> String {
    let broken: String =
        broken_lines(subjects, hardware, "not among the cheapest").into_iter().map(|line| line + "\n").collect();
    if let [one] = hardware {
        return cheapest_on(subjects, &one.name, most) + &broken;
    }
    let mut lines = table(&["cheapest on", "network", "energy", ON_INTEGERS], 2);
    for OfHardware { name, .. } in hardware {
        let all = from_the_cheapest(subjects, name);
        let mut choices = all.iter();
        if let Some((subject, row)) = choices.next() {
            let network = match choices.take_while(|(_, other)| other.energy_j == row.energy_j).count() {
                0 => named(subjects, subject),
                ties => format!("{}, and {ties} more", named(subjects, subject)),
            };
            lines.add_row([one_line(name), network, energy(subjects, row), top1(subject)]);
        }
    }
    render(&lines) + &broken
}

/// The networks that were costed on a hardware, but for those that compression broke. Of those that cost the same, the most accurate
/// comes first.
fn from_the_cheapest<'a>(subjects: &'a Subjects, hardware: &str) -> Vec<(&'a Subject, &'a HardwareRow)> {
    let best = subjects.known_on(hardware).map(|(_, accuracy)| accuracy).max();
    let is_choice = |subject: &&Subject| match (subject.accuracy, best) {
        (Some(accuracy), Some(best)) => !is_broken(accuracy, best),
        (None, _) | (_, None) => true,
    };
    let choices = subjects.all.iter().filter(is_choice);
    let mut all: Vec<(&Subject, &HardwareRow)> =
        choices.filter_map(|subject| Some((subject, hardware_row(subject, hardware)?))).collect();
    all.sort_by(|(a, x), (b, y)| x.energy_j.total_cmp(&y.energy_j).then_with(|| by_accuracy(a, b)));
    all
}

/// The name of a network, with that of what it was made of where there are several.
fn named(subjects: &Subjects, subject: &Subject) -> String {
    let is_file = subject.name.starts_with(&*subject.network);
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

/// Top-1 of the hardware itself, where images ran on it.
fn own_top1(row: &HardwareRow) -> Option<String> {
    let score = row.score.as_ref().filter(|score| score.labelled > 0)?;
    Some(format!("{:.4}", score.top1 as f64 / score.labelled as f64))
}

fn cheapest_on(subjects: &Subjects, hardware: &str, most: usize) -> String {
    let all = from_the_cheapest(subjects, hardware);
    let least = all.first().map_or(0.0, |(_, row)| row.energy_j);
    let has_own = all.iter().all(|(_, row)| own_top1(row).is_some());
    let header = if has_own { "top-1" } else { ON_INTEGERS };
    let mut lines = table(&["cheapest", "network", "energy", "over the best", "cycles", header], 2);
    for (place, (subject, row)) in all.iter().take(most).enumerate() {
        lines.add_row([
            (place + 1).to_string(),
            named(subjects, subject),
            energy(subjects, row),
            if least > 0.0 { factor(row.energy_j / least) } else { "–".to_string() },
            grouped(row.cycles),
            own_top1(row).filter(|_| has_own).unwrap_or_else(|| top1(subject)),
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
