//! What networks gain over the one that they were made of: a table of factors, and for each hardware a sentence about energy
//! and one about cycles that say what ate the difference to the ideal.

use runner::{
    Cause, CycleCause, CycleGain, EnergyGain, EnergyPart, Gains, Hardware, HardwareFile, Metric, Quantity, SAME,
};

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
        add(format!("{name}: energy"), &|gains| gains.hardware[h].energy.gain());
        add(format!("{name}: cycles"), &|gains| gains.hardware[h].cycles.gain());
    }
    render(&table)
}

/// What the ideal is that gains are held against, for each kind of hardware, and what losses are.
pub fn ideal_lines(hardware: &[Hardware]) -> String {
    let is_digital = |hardware: &&Hardware| match hardware.resolved {
        HardwareFile::Digital(_) => true,
        HardwareFile::Analog(_) => false,
    };
    let (digital, analog): (Vec<&Hardware>, Vec<&Hardware>) = hardware.iter().partition(is_digital);
    let mut text = String::new();
    if !digital.is_empty() {
        text += "ideal of digital hardware: weights from memory shrink like the bits of effective weights, all else like ESN_d\n";
        if digital.iter().any(|hardware| hardware.metric == Metric::EsnDFilter) {
            text += "  (also where the metric is ESN'_d, which counts zeros in filters as work)\n";
        }
    }
    if !analog.is_empty() {
        let of_analog = |metric: &&str| analog.iter().any(|hardware| hardware.metric.name() == *metric);
        let metrics: Vec<&str> = Quantity::ALL.map(Quantity::name).into_iter().filter(of_analog).collect();
        let metrics = metrics.join(", ");
        text += &format!(
            "ideal of analog hardware: energy shrinks like its metric ({metrics}), cycles like the output positions\n"
        );
    }
    text + "losses: energy that parts take beyond their ideal\n"
}

/// Why each network gains what it gains, two sentences for each hardware. `remove_dead` says how filters are removed that are
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
        let name = hardware.engine.name();
        text += &format!("  {name}: {}\n", energy_sentence(&gain.energy));
        text += &format!("  {name}: {}\n", cycle_sentence(&gain.cycles));
    }
    text
}

/// What is gained in energy, beside what is ideal, and which part of it loses most.
fn energy_sentence(energy: &EnergyGain) -> String {
    let Some(gain) = energy.gain() else {
        return "energy has no gain, for one of the networks takes none".to_string();
    };
    let fetched = energy.share_by(Quantity::EffectiveWeightBits);
    let of_memory = if fetched < 0.01 { String::new() } else { format!(" ({} weights from memory)", percent(fetched)) };
    let held = beside(&format!("energy{of_memory}"), ["gains", "is", "grows"], gain, energy.ideal());
    let loss = energy.largest_loss();
    held + &loss.map_or(String::new(), |(part, share)| {
        let share = if share < 1.0 { format!("{} of the", percent(share)) } else { "all".to_string() };
        format!(": {share} losses go to {}", lost_to(part))
    })
}

/// What is gained in cycles, beside what is ideal, and which factor divides that most.
fn cycle_sentence(cycles: &CycleGain) -> String {
    let Some(gain) = cycles.gain() else {
        return "cycles have no gain, for one of the networks takes none".to_string();
    };
    let held = beside("cycles", ["gain", "are", "grow"], gain, cycles.ideal);
    let Some((ideal, loss)) = cycles.ideal.zip(cycles.largest_loss()) else { return held };
    let others = gain / ideal / loss.gain();
    let others = match others {
        _ if factor(others) == ONE => String::new(),
        _ if others > 1.0 => format!(", and the other factors multiply it by {}", factor(others)),
        _ => format!(", and the other factors by {}", factor(1.0 / others)),
    };
    format!("{held}: {} divide it by {}{others}", slowed_by(loss.cause), factor(1.0 / loss.gain()))
}

/// A gain that is none, as [`factor`] writes it.
const ONE: &str = "1.00";

/// What a cost gains, beside what is ideal, if anything is. Its verbs are those of a gain, of no change and of growth.
fn beside(cost: &str, [gains, is, grows]: [&str; 3], gain: f64, ideal: Option<f64>) -> String {
    let changes = match gain {
        _ if factor(gain) == ONE => format!("{cost} {is} unchanged"),
        _ if gain > 1.0 => format!("{cost} {gains} {}", times(Some(gain))),
        _ => format!("{cost} {grows} {}", times(Some(1.0 / gain))),
    };
    let Some(ideal) = ideal else {
        return format!("{changes}; there is no ideal, for one of the networks has nothing to compute");
    };
    // As an array whose multipliers are wider than its small weights.
    let more = if gain > ideal { ": the first network took more than it needed" } else { "" };
    match ideal {
        _ if (gain - ideal).abs() <= SAME * ideal => format!("{changes}, as is ideal"),
        _ if factor(ideal) == ONE => format!("{changes} where no change is ideal{more}"),
        _ if ideal > 1.0 => format!("{changes} where a gain of {} is ideal{more}", times(Some(ideal))),
        _ => format!("{changes} where growth by {} is ideal{more}", times(Some(1.0 / ideal))),
    }
}

/// A part from 0 to 1. What is not all is never rounded to all.
fn percent(part: f64) -> String {
    let rounded = (100.0 * part).round();
    format!("{} %", if part < 1.0 { rounded.min(99.0) } else { rounded })
}

/// The largest loss of energy and its share of all, in a few words; nothing where nothing is lost.
pub(crate) fn energy_reason(energy: &EnergyGain) -> String {
    let loss = energy.largest_loss();
    loss.map_or(String::new(), |(part, share)| format!("{} to {}", percent(share), lost_to(part)))
}

/// The factor that divides the ideal gain in cycles most, in a few words; nothing where nothing is lost.
pub(crate) fn cycle_reason(cycles: &CycleGain) -> String {
    let loss = cycles.largest_loss();
    loss.map_or(String::new(), |loss| format!("÷ {} by {}", factor(1.0 / loss.gain()), slowed_by(loss.cause)))
}

/// What energy is lost to, in words.
fn lost_to(part: &EnergyPart) -> String {
    let EnergyPart { cause, event, .. } = *part;
    let is_fetched = event.group() == engine::EnergyGroup::Memory;
    match cause {
        Cause::Macs => "the MACs themselves".to_string(),
        Cause::Zeros if is_fetched => "zeros that are stored and fetched".to_string(),
        Cause::Zeros => "zeros that are computed".to_string(),
        Cause::DeadFilters if is_fetched => "pruned filters that are still there, stored and fetched".to_string(),
        Cause::DeadFilters => "pruned filters that are still there and computed".to_string(),
        Cause::Width if is_fetched => "bits that are stored beyond those of the weights".to_string(),
        Cause::Width => "bits that are computed beyond those of the weights".to_string(),
        Cause::Indices if is_fetched => "indices of the nonzero weights, stored and fetched".to_string(),
        Cause::Indices => "indices of the nonzero weights, decoded".to_string(),
        Cause::Waiting => format!("hardware that waits ({event})"),
        Cause::Converters => format!("converters ({event})"),
        Cause::Memory => format!("memory ({event})"),
        Cause::Overhead => format!("what it takes beside the MACs ({event})"),
    }
}

/// What cycles are lost to, in words.
fn slowed_by(cause: CycleCause) -> String {
    match cause {
        CycleCause::Zeros => "zeros that are computed".to_string(),
        CycleCause::DeadFilters => "pruned filters that are still there and computed".to_string(),
        CycleCause::Width => "weights that take longer than their bits".to_string(),
        CycleCause::Idle(idle) => format!("elements without work (most of it {idle})"),
        CycleCause::Position => "output positions that take more cycles".to_string(),
    }
}

/// A gain: `4.27 ×`; a dash where there is none.
pub(crate) fn times(gain: Option<f64>) -> String {
    gain.map_or("–".to_string(), |gain| format!("{} ×", factor(gain)))
}

#[cfg(test)]
mod tests {
    use engine::Event;
    use runner::{CycleFactor, PerImage};
    use testkit::check_all;

    use super::*;

    fn part(cause: Cause, event: Event, joules: [f64; 2], ideal: f64) -> EnergyPart {
        EnergyPart { cause, event, joules, ideal_by: Quantity::EsnD, ideal: Some(ideal) }
    }

    fn energy(parts: Vec<EnergyPart>) -> EnergyGain {
        let joules = [0, 1].map(|side| parts.iter().map(|part| part.joules[side]).sum());
        EnergyGain { joules, parts }
    }

    #[test]
    fn energy_is_told_beside_what_is_ideal() {
        let one = |gain: f64, ideal: f64| energy(vec![part(Cause::Macs, Event::MAC, [gain, 1.0], ideal)]);
        check_all(
            [
                (2.0, 2.01, "energy gains 2.00 ×, as is ideal"),
                (1.0, 1.0, "energy is unchanged, as is ideal"),
                (
                    3.0,
                    2.0,
                    "energy gains 3.00 × where a gain of 2.00 × is ideal: the first network took more than it needed",
                ),
                (
                    1.0,
                    0.8,
                    "energy is unchanged where growth by 1.25 × is ideal: the first network took more than it needed",
                ),
                (0.5, 1.0, "energy grows 2.00 × where no change is ideal: all losses go to the MACs themselves"),
                (1.0, 4.0, "energy is unchanged where a gain of 4.00 × is ideal: all losses go to the MACs themselves"),
            ],
            |&(gain, ideal, expected)| assert_eq!(energy_sentence(&one(gain, ideal)), expected),
        );
        let none = energy(vec![part(Cause::Macs, Event::MAC, [0.0, 1.0], 1.0)]);
        assert_eq!(energy_sentence(&none), "energy has no gain, for one of the networks takes none");
        let macs = EnergyPart { ideal: None, ..part(Cause::Macs, Event::MAC, [2.0, 1.0], 1.0) };
        let of_nothing = "energy gains 2.00 ×; there is no ideal, for one of the networks has nothing to compute";
        assert_eq!(energy_sentence(&energy(vec![macs])), of_nothing);
    }

    #[test]
    fn the_part_that_loses_most_is_named_with_its_own_share() {
        // Two parts of memory lose more together than the converters, of which either loses less.
        let (sums, inputs) = (Event::memory("partial sums"), Event::memory("activation fetch"));
        let parts = vec![
            part(Cause::Memory, sums, [30.0, 30.0], 2.0),
            part(Cause::Memory, inputs, [30.0, 30.0], 2.0),
            part(Cause::Converters, Event::conversion("adc"), [40.0, 40.0], 2.0),
            // What gains more than its ideal is no loss, and takes nothing from the others'.
            part(Cause::Macs, Event::MAC, [40.0, 10.0], 2.0),
        ];
        let told = energy_sentence(&energy(parts));
        let expected = "energy gains 1.27 × where a gain of 2.00 × is ideal: 40 % of the losses go to converters (adc)";
        assert_eq!(told, expected);
    }

    #[test]
    fn weights_from_memory_are_told_with_their_part_of_the_energy() {
        let fetch = part(Cause::Memory, Event::memory("weight fetch"), [90.0, 18.0], 5.0);
        let parts = vec![
            EnergyPart { ideal_by: Quantity::EffectiveWeightBits, ..fetch },
            part(Cause::Macs, Event::MAC, [10.0, 5.0], 2.0),
        ];
        assert_eq!(energy_sentence(&energy(parts)), "energy (90 % weights from memory) gains 4.35 ×, as is ideal");
    }

    #[test]
    fn factors_of_the_cycles_multiply_to_what_is_missing() {
        let factor = |cause, gain: f64| CycleFactor { cause, factor: [gain, 1.0] };
        let told = |cycles: u128, factors| {
            let cycles = [100, cycles].map(|sum| PerImage { sum, images: 1 });
            cycle_sentence(&CycleGain { cycles, ideal_by: Quantity::EsnD, ideal: Some(2.0), factors })
        };
        let zeros = factor(CycleCause::Zeros, 0.25);
        check_all(
            [
                (50, vec![], "cycles gain 2.00 ×, as is ideal"),
                (
                    200,
                    vec![zeros],
                    "cycles grow 2.00 × where a gain of 2.00 × is ideal: zeros that are computed divide it by 4.00",
                ),
                (
                    100,
                    vec![factor(CycleCause::Width, 2.0), zeros],
                    "cycles are unchanged where a gain of 2.00 × is ideal: zeros that are computed divide it by 4.00, and the \
                     other factors multiply it by 2.00",
                ),
                (
                    400,
                    vec![factor(CycleCause::Width, 0.5), zeros],
                    "cycles grow 4.00 × where a gain of 2.00 × is ideal: zeros that are computed divide it by 4.00, and the \
                     other factors by 2.00",
                ),
            ],
            |(cycles, factors, expected)| assert_eq!(told(*cycles, factors.clone()), *expected),
        );
    }

    #[test]
    fn every_cause_has_words_of_its_own() {
        let words = |event: Event| Cause::ALL.map(|cause| lost_to(&part(cause, event, [1.0; 2], 1.0)));
        let all: Vec<String> =
            words(Event::new("adding")).into_iter().chain(words(Event::memory("fetching"))).collect();
        let named = |text: &str| all.iter().filter(|words| words.contains(text)).count();
        assert_eq!((named("zeros that are computed"), named("zeros that are stored and fetched")), (1, 1), "{all:?}");
        assert_eq!((named("pruned filters"), named("indices"), named("converters")), (2, 2, 2), "{all:?}");
    }
}
