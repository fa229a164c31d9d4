//! What networks gain over the one that they were made of: a table of factors, and a sentence for each hardware that says
//! what ate the difference.

use runner::{Cause, CycleCause, EnergyLoss, Gains, Hardware, HardwareGain, Metric, Quantity, SAME};

use super::number::{counted, factor, grouped, one_line, tail, telling_width};
use super::table::{render, table};
use crate::gains::GainingNetwork;

/// Names of network files are cut to this many characters.
const NETWORK_WIDTH: usize = 28;

/// The gains of networks over the network `before`: a row for each quantity and hardware, a column for each network.
/// Networks that cannot be compared have no column.
pub fn gain_table(hardware: &[Hardware], before: &str, networks: &[GainingNetwork<'_>]) -> String {
    let compared: Vec<(&str, &Gains)> =
        networks.iter().filter_map(|network| network.gains.ok().map(|gains| (network.name, gains))).collect();
    let width = telling_width(compared.iter().map(|(name, _)| *name), NETWORK_WIDTH);
    let names = compared.iter().map(|(name, _)| tail(name, width));
    let first = format!("gain over {}", tail(before, NETWORK_WIDTH));
    let header: Vec<String> = std::iter::once(first).chain(names).collect();
    let mut table = table(&header.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    let mut add = |what: String, of: &dyn Fn(&Gains) -> Option<f64>| {
        table.add_row(std::iter::once(what).chain(compared.iter().map(|(_, gains)| times(of(gains)))));
    };
    for (i, quantity) in Quantity::ALL.into_iter().enumerate() {
        add(quantity.name().to_string(), &|gains| gains.quantities[i].1.factor());
    }
    for (h, hardware) in hardware.iter().enumerate() {
        let name = hardware.engine.name();
        add(format!("{name}: energy"), &|gains| gains.hardware[h].energy());
        add(format!("{name}: cycles"), &|gains| gains.hardware[h].in_cycles());
    }
    render(&table)
}

/// Why each network gains what it gains, a sentence for each hardware. `remove_dead` says how filters are removed that are
/// zero and still there.
pub fn gain_reasons(hardware: &[Hardware], networks: &[GainingNetwork<'_>], remove_dead: &str) -> String {
    networks.iter().map(|network| of_network(hardware, network, remove_dead)).collect()
}

fn of_network(hardware: &[Hardware], network: &GainingNetwork<'_>, remove_dead: &str) -> String {
    let name = one_line(network.name);
    let gains = match network.gains {
        Ok(gains) => gains,
        Err(why) => return format!("\n{name}: not compared: {why}\n"),
    };
    let mut text = format!("\n{name}\n");
    if let Some(note) = network.note {
        text += &format!("  {note}\n");
    }
    if gains.dead_filters > 0 {
        text += &format!(
            "  {} of its {} are wholly zero and still in its tensors; {remove_dead}\n",
            grouped(gains.dead_filters),
            counted(gains.filters, "filter")
        );
    }
    for (hardware, gain) in hardware.iter().zip(&gains.hardware) {
        text += &format!("  {}\n", gain_sentence(hardware.engine.name(), gain));
    }
    text
}

/// What one hardware gains, beside what ideal hardware of its kind gains, and what ate the difference.
pub fn gain_sentence(hardware: &str, gain: &HardwareGain) -> String {
    let metric = gain.promised_by.name();
    let energy = match (gain.energy(), gain.promised) {
        (Some(energy), Some(promised)) => energy_clause(energy, promised, metric, gain.energy_loss),
        _ => "energy, which one of the networks takes none of, has no gain".to_string(),
    };
    let cycles = match (gain.in_cycles(), gain.promised_cycles) {
        (Some(cycles), Some(promised)) => cycle_clause(cycles, promised, gain),
        _ => "cycles have none".to_string(),
    };
    format!("{hardware}: {energy}; {cycles}.")
}

fn energy_clause(energy: f64, promised: f64, metric: &str, loss: Option<EnergyLoss>) -> String {
    let gains = change("energy", ["gains", "grows"], energy);
    let Some(loss) = loss.filter(|_| !is_equal(energy, promised)) else {
        return gains + &no_less(energy, promised, metric);
    };
    let share = (100.0 * loss.share).round();
    let part = if share >= 100.0 { "all".to_string() } else { format!("{share:.0} %") };
    let promise = change(metric, ["gains", "grows"], promised);
    format!("{gains} where {promise}: {part} of the difference goes to {}", energy_cause(loss))
}

fn cycle_clause(cycles: f64, promised: f64, gain: &HardwareGain) -> String {
    let gains = change("cycles", ["gain", "grow"], cycles);
    match gain.cycle_loss {
        _ if gain.is_analog => {
            let promise = times(Some(promised));
            format!("{gains}, and {promise} on an ideal analog array, which takes one for each output position")
        }
        Some(loss) => format!("{gains}: a factor of {} goes to {}", factor(loss.factor), cycle_cause(loss.cause)),
        None => gains + &no_less(cycles, promised, gain.promised_by.name()),
    }
}

/// That a cost gains as much as the metric, or more.
fn no_less(gain: f64, promised: f64, metric: &str) -> String {
    match (gain >= 1.0, promised >= 1.0) {
        _ if is_equal(gain, promised) => format!(", as {metric} does"),
        (_, true) => format!(", more than {metric}, which gains {}", times(Some(promised))),
        (true, false) => format!(", though {metric} grows {}", times(Some(1.0 / promised))),
        (false, false) => format!(", less than {metric}, which grows {}", times(Some(1.0 / promised))),
    }
}

/// What a cost gains; of one that grows, by how much it does.
fn change(what: &str, [gains, grows]: [&str; 2], gain: f64) -> String {
    let (verb, factor) = if gain >= 1.0 || is_equal(gain, 1.0) { (gains, gain) } else { (grows, 1.0 / gain) };
    format!("{what} {verb} {}", times(Some(factor)))
}

fn is_equal(gain: f64, promised: f64) -> bool {
    (gain - promised).abs() <= SAME * promised
}

/// What ate the gain in energy in a few words; that it is the gain of the metric, or more, where nothing did.
pub(crate) fn energy_reason(gain: &HardwareGain) -> String {
    gain.energy_loss.map_or_else(|| beside(gain.energy(), gain.promised, gain.promised_by), energy_cause)
}

/// The same of the gain in cycles.
pub(crate) fn cycle_reason(gain: &HardwareGain) -> String {
    let none = || beside(gain.in_cycles(), gain.promised_cycles, gain.promised_by);
    match gain.cycle_loss {
        _ if gain.is_analog => "one for each output position of a tile".to_string(),
        loss => loss.map_or_else(none, |loss| cycle_cause(loss.cause)),
    }
}

fn beside(gain: Option<f64>, promised: Option<f64>, metric: Metric) -> String {
    match gain.zip(promised) {
        Some((gain, promised)) if is_equal(gain, promised) => format!("as {}", metric.name()),
        Some((_, promised)) if promised >= 1.0 => format!("more than {}", metric.name()),
        Some(_) => format!("better than {}", metric.name()),
        None => String::new(),
    }
}

/// What eats a gain in energy, in words.
fn energy_cause(loss: EnergyLoss) -> String {
    let is_fetched = loss.event.group() == engine::EnergyGroup::Memory;
    let event = loss.event;
    match loss.cause {
        Cause::Macs => "the MACs themselves".to_string(),
        Cause::Zeros if is_fetched => "zeros that are stored and fetched".to_string(),
        Cause::Zeros => "zeros that are computed".to_string(),
        Cause::DeadFilters if is_fetched => "pruned filters that are still there, stored and fetched".to_string(),
        Cause::DeadFilters => "pruned filters that are still there and computed".to_string(),
        Cause::Width if is_fetched => "bits that are stored beyond those of the weights".to_string(),
        Cause::Width => "bits that are computed beyond those of the weights".to_string(),
        Cause::Indices => "indices of the nonzero weights".to_string(),
        Cause::Waiting => format!("hardware that waits ({event})"),
        Cause::Converters => format!("converters that do not shrink as much ({event})"),
        Cause::Memory => format!("memory ({event})"),
        Cause::Overhead => format!("what it takes beside the MACs ({event})"),
    }
}

/// What eats a gain in cycles, in words.
fn cycle_cause(cause: CycleCause) -> String {
    match cause {
        CycleCause::Zeros => "zeros that are computed".to_string(),
        CycleCause::DeadFilters => "pruned filters that are still there and computed".to_string(),
        CycleCause::Width => "weights that take longer than their bits".to_string(),
        CycleCause::Idle(idle) if cause.is_waiting_rows() => format!("rows that wait ({idle})"),
        CycleCause::Idle(idle) => format!("elements without work ({idle})"),
    }
}

/// A gain: `4.27 ×`; a dash where there is none.
pub(crate) fn times(gain: Option<f64>) -> String {
    gain.map_or("–".to_string(), |gain| format!("{} ×", factor(gain)))
}

#[cfg(test)]
mod tests {
    use engine::Event;
    use runner::PerImage;
    use testkit::check_all;

    use super::*;

    fn gain_of(energy: f64, promised: f64, energy_loss: Option<EnergyLoss>) -> HardwareGain {
        HardwareGain {
            energy_j: [energy, 1.0],
            cycles: [PerImage { sum: 100, images: 1 }, PerImage { sum: 50, images: 1 }],
            promised_by: Metric::EsnD,
            promised: Some(promised),
            is_analog: false,
            promised_cycles: Some(promised),
            energy_parts: Vec::new(),
            energy_loss,
            cycle_loss: None,
        }
    }

    #[test]
    fn gains_are_told_beside_what_is_promised() {
        let loss = EnergyLoss { cause: Cause::Memory, event: Event::memory("weight fetch"), share: 0.976 };
        let lost = "energy gains 1.50 × where ESN_d gains 4.00 ×: 98 % of the difference goes to memory (weight fetch)";
        let grown = "energy grows 2.00 × where ESN_d gains 4.00 ×: all of the difference goes to memory (weight fetch)";
        check_all(
            [
                (2.0, 2.01, None, "energy gains 2.00 ×, as ESN_d does"),
                (3.0, 2.0, None, "energy gains 3.00 ×, more than ESN_d, which gains 2.00 ×"),
                (1.0, 0.8, None, "energy gains 1.00 ×, though ESN_d grows 1.25 ×"),
                (0.5, 0.25, None, "energy grows 2.00 ×, less than ESN_d, which grows 4.00 ×"),
                (1.5, 4.0, Some(loss), lost),
                (0.5, 4.0, Some(EnergyLoss { share: 1.0, ..loss }), grown),
            ],
            |&(energy, promised, loss, expected)| {
                let sentence = gain_sentence("chip", &gain_of(energy, promised, loss));
                assert!(sentence.starts_with(&format!("chip: {expected}; cycles gain 2.00 ×")), "{sentence}");
                assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{sentence}");
            },
        );
        let none = gain_sentence("chip", &HardwareGain { energy_j: [0.0, 1.0], ..gain_of(1.0, 1.0, None) });
        assert!(none.starts_with("chip: energy, which one of the networks takes none of, has no gain"), "{none}");
    }

    #[test]
    fn every_cause_has_words_of_its_own() {
        let words = |event: Event| {
            let loss = |cause| EnergyLoss { cause, event, share: 1.0 };
            Cause::ALL.map(|cause| energy_cause(loss(cause)))
        };
        let all: Vec<String> =
            words(Event::new("adding")).into_iter().chain(words(Event::memory("fetching"))).collect();
        let named = |text: &str| all.iter().filter(|words| words.contains(text)).count();
        assert_eq!((named("zeros that are computed"), named("zeros that are stored and fetched")), (1, 1), "{all:?}");
        assert_eq!((named("pruned filters"), named("indices"), named("converters")), (2, 2, 2), "{all:?}");
    }
}
