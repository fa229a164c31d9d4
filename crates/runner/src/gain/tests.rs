//! Networks and hardware that are made so that one cause alone eats the gain.

use std::path::Path;

use engine::Event;
use esn::{BitConvention, BitWidth};
use network::Network;
use testkit::{chain, check_all};

use super::*;
use crate::cost::{CostPlan, cost};
use crate::detail::details;
use crate::embedded_network;
use crate::prepare::Quantization;

/// A digital array of four rows of one element, with lines in its sections.
fn digital(array: &str, energy: &str) -> Hardware {
    digital_of([4, 1], array, energy)
}

fn digital_of([rows, elements]: [usize; 2], array: &str, energy: &str) -> Hardware {
    let text = format!(
        "name = \"made\"\nengine = \"digital\"\n[array]\nrows = {rows}\npes_per_row = {elements}\n{array}\n[energy]\n\
         mac_j_per_pe_cycle = 1.0\n{energy}\n[buffers]\nactivation_buffer_bits = 1048576\nbits_per_activation = 8\nbits_per_partial_sum = 32\n"
    );
    Hardware::parse(Path::new("made.toml"), &text).expect("a valid description")
}

const FIXED: &str = "width_granularity = \"fixed\"\nfixed_width_bits = 8\nzero_skipping = \"none\"";
const OWN_WIDTH: &str = "width_granularity = \"weight\"";

/// What one network gains over another at these bits, on one hardware.
fn gains_of(hardware: &Hardware, [before, after]: [(&Network, u32); 2]) -> Gains {
    let convention = BitConvention::NonzeroAtLeastOne;
    let costed = |(network, bits): (&Network, u32)| {
        let quantization = Quantization::new(Some(BitWidth::new(bits).expect("a width")));
        let hardware = std::slice::from_ref(hardware);
        let plan = CostPlan { network, hardware, quantization, convention };
        (cost(&plan).expect("it can be costed"), details(network, quantization, convention).expect("as well"))
    };
    let [costed_before, costed_after] = [before, after].map(costed);
    fn compared<'a>(network: &Network, (cost, details): &'a (NetworkCost, Vec<LayerDetail>)) -> ComparedNetwork<'a> {
        ComparedNetwork { cost, details, bits: BitCounts::new(network, cost, details, 8) }
    }
    let [before, after] = [compared(before.0, &costed_before), compared(after.0, &costed_after)];
    gains(std::slice::from_ref(hardware), before, after)
}

/// Four filters of eight weights of the largest magnitude, but for those that `is_zero` says by filter and channel.
fn pruned(is_zero: impl Fn(usize, usize) -> bool) -> Network {
    let weights = (0..32).map(|i| if is_zero(i / 8, i % 8) { 0.0 } else { 1.0 }).collect();
    chain(&[(4, weights)])
}

fn dense() -> Network {
    pruned(|_, _| false)
}

/// Three of four weights are zero, in every filter, and in no channel all of them.
fn quarter() -> Network {
    pruned(|filter, channel| channel % 4 != filter)
}

fn only(gains: &Gains) -> &HardwareGain {
    &gains.hardware[0]
}

/// The gains in energy and in cycles.
fn both(gain: &HardwareGain) -> [Option<f64>; 2] {
    [gain.energy.gain(), gain.cycles.gain()]
}

/// Cause, event and share of the largest loss of energy.
fn energy_loss(gain: &HardwareGain) -> Option<(Cause, Event, f64)> {
    gain.energy.largest_loss().map(|(part, share)| (part.cause, part.event, share))
}

/// The largest loss of cycles, and by how much it divides the gain.
fn cycle_loss(gain: &HardwareGain) -> Option<(CycleCause, f64)> {
    gain.cycles.largest_loss().map(|factor| (factor.cause, 1.0 / factor.gain()))
}

fn is_near(x: f64, y: f64) -> bool {
    (x - y).abs() <= 1e-12 * y.abs()
}

#[test]
fn a_dense_engine_computes_zeros() {
    let gains = gains_of(&digital(FIXED, ""), [(&dense(), 8), (&quarter(), 8)]);
    let gain = only(&gains);
    assert_eq!((both(gain), gain.energy.ideal()), ([Some(1.0); 2], Some(4.0)));
    assert_eq!(energy_loss(gain), Some((Cause::Zeros, digital::event::COMPUTED_ZEROS, 1.0)));
    assert_eq!(cycle_loss(gain), Some((CycleCause::Zeros, 4.0)));
    let unchanged = [Quantity::Weights, Quantity::BitOperations, Quantity::OutputPositions, Quantity::EsnDFilter];
    for (quantity, count) in gains.quantities {
        let expected = if unchanged.contains(&quantity) { 1.0 } else { 4.0 };
        assert_eq!(count.factor(), Some(expected), "{quantity:?}");
    }
}

#[test]
fn memory_keeps_zeros_where_no_index_stands() {
    let hardware = digital(FIXED, "weight_fetch_j_per_bit = 1000.0");
    let gains = gains_of(&hardware, [(&dense(), 8), (&quarter(), 8)]);
    let (cause, event, _) = energy_loss(only(&gains)).expect("nothing is gained");
    assert_eq!((cause, event), (Cause::Zeros, digital::event::WEIGHT_FETCH));
    let hardware = digital(FIXED, "activation_fetch_j_per_bit = 1000.0");
    let gains = gains_of(&hardware, [(&dense(), 8), (&quarter(), 8)]);
    let (cause, event, _) = energy_loss(only(&gains)).expect("nothing is gained");
    assert_eq!((cause, event), (Cause::Memory, digital::event::ACTIVATION_FETCH));
}

#[test]
fn an_engine_of_one_width_takes_bits_that_weights_do_not_need() {
    let gains = gains_of(&digital(FIXED, "weight_fetch_j_per_bit = 1.0"), [(&dense(), 8), (&dense(), 2)]);
    let gain = only(&gains);
    assert_eq!((both(gain), gain.energy.ideal()), ([Some(1.0); 2], Some(4.0)));
    // Of 8 planes at each of 6 positions 6 are not needed, and of the 8 bits that are fetched once.
    let lost = |event| {
        let part = gain.energy.parts.iter().find(|part| part.event == event && part.cause == Cause::Width);
        gain.energy.share_of_losses(part.expect("energy is lost to it")).expect("it is lost")
    };
    assert!(is_near(lost(digital::event::WIDTH_ROUNDING), 6.0 / 7.0), "{gain:?}");
    assert!(is_near(lost(digital::event::WEIGHT_FETCH), 1.0 / 7.0), "{gain:?}");
    assert_eq!(cycle_loss(gain), Some((CycleCause::Width, 4.0)));
}

#[test]
fn indices_do_not_shrink_with_bits() {
    let array = format!("{OWN_WIDTH}\nindex_bits_per_nonzero = 4");
    check_all(
        [
            ("index_j_per_bit = 1000.0", digital::event::INDEX),
            ("weight_fetch_j_per_bit = 1000.0", digital::event::WEIGHT_FETCH),
        ],
        |&(energy, event)| {
            let gains = gains_of(&digital(&array, energy), [(&dense(), 8), (&dense(), 2)]);
            let gain = only(&gains);
            let (cause, lost_to, _) = energy_loss(gain).expect("less is gained than is ideal");
            assert_eq!((cause, lost_to), (Cause::Indices, event), "{gain:?}");
            assert_eq!((gain.cycles.gain(), cycle_loss(gain)), (Some(4.0), None));
        },
    );
}

#[test]
fn pruned_filters_cost_until_they_are_removed() {
    let still_there = pruned(|filter, _| filter >= 2);
    let removed = chain(&[(2, vec![1.0; 16])]);
    // Seven bits leave room for the code of a zero in words of eight.
    let hardware = digital(FIXED, "weight_fetch_j_per_bit = 10.0");
    let gains = gains_of(&hardware, [(&dense(), 7), (&still_there, 7)]);
    assert_eq!((gains.dead_filters, gains.filters), (2, 4));
    let lost = only(&gains).energy.parts.iter().filter(|part| only(&gains).energy.share_of_losses(part).is_some());
    assert!(lost.map(|part| part.cause).eq([Cause::DeadFilters; 2]), "computed and fetched: {gains:?}");
    let gains = gains_of(&hardware, [(&dense(), 7), (&removed, 7)]);
    assert_eq!((gains.dead_filters, gains.filters), (0, 2));
    assert_eq!((only(&gains).energy.gain(), energy_loss(only(&gains))), (Some(2.0), None));

    let one_row = digital_of([1, 1], FIXED, "");
    let gains = gains_of(&one_row, [(&dense(), 8), (&still_there, 8)]);
    assert_eq!(cycle_loss(only(&gains)), Some((CycleCause::DeadFilters, 2.0)));
    assert_eq!(cycle_loss(only(&gains_of(&one_row, [(&dense(), 8), (&removed, 8)]))), None);
}

#[test]
fn rows_wait_for_the_one_that_was_not_pruned() {
    // One filter keeps its eight weights, three keep one: 11 of 32, and the first row takes as long as before.
    let uneven = pruned(|filter, channel| filter > 0 && channel > 0);
    check_all([("", "row finished early"), ("barrier = \"position\"", "synchronization")], |&(barrier, cause)| {
        let hardware = digital(&format!("{OWN_WIDTH}\n{barrier}"), "");
        let gains = gains_of(&hardware, [(&dense(), 8), (&uneven, 8)]);
        let gain = only(&gains);
        assert!(gain.cycles.ideal.is_some_and(|ideal| is_near(ideal, 32.0 / 11.0)));
        assert_eq!((energy_loss(gain), gain.cycles.gain()), (None, Some(1.0)));
        let (lost_to, divisor) = cycle_loss(gain).expect("nothing is gained");
        assert!(is_near(divisor, 32.0 / 11.0), "{divisor}");
        assert_eq!(lost_to.name(), format!("idle: {cause}"));
    });
}

#[test]
fn elements_that_are_idle_before_and_after_eat_nothing() {
    // Six output positions on four elements: a quarter of them is idle in the second group, with any weights.
    let hardware = digital_of([1, 4], OWN_WIDTH, "");
    let gains = gains_of(&hardware, [(&dense(), 8), (&quarter(), 8)]);
    assert_eq!((only(&gains).cycles.gain(), cycle_loss(only(&gains))), (Some(4.0), None));
}

#[test]
fn converters_do_not_shrink() {
    let text = "name = \"made\"\nengine = \"analog\"\n[array]\nrows = 128\ncolumns = 128\narrays = 1\n[energy]\n\
                mac_j_per_squared_half_step = 1.0\n[adc]\nbits = 8\nconversion_j = 1000000.0\ncolumns_per_converter = 1\n\
                full_scale = \"max-sum\"\n";
    let hardware = Hardware::parse(Path::new("made.toml"), text).expect("a valid description");
    let gains = gains_of(&hardware, [(&dense(), 8), (&quarter(), 8)]);
    let gain = only(&gains);
    assert_eq!((gain.energy.ideal_by(), gain.energy.ideal()), (vec![Quantity::EsnA], Some(4.0)));
    assert_eq!(energy_loss(gain), Some((Cause::Converters, analog::event::ADC, 1.0)));
    assert_eq!((gain.cycles.ideal_by, gain.cycles.ideal), (Quantity::OutputPositions, Some(1.0)));
    assert_eq!((gain.cycles.gain(), cycle_loss(gain)), (Some(1.0), None));
}

#[test]
fn weights_in_memory_are_held_against_their_bits_and_all_else_against_esn_d() {
    // Nonzero weights alone are kept, with an index: the gain in memory is that of the weights, whatever their bits.
    let array = format!("{OWN_WIDTH}\nindex_bits_per_nonzero = 4");
    let uneven = pruned(|filter, channel| filter > 0 && channel > 0);
    let hardware = digital(&array, "weight_fetch_j_per_bit = 100.0");
    let gains = gains_of(&hardware, [(&dense(), 8), (&uneven, 8)]);
    let energy = &only(&gains).energy;
    assert_eq!(energy.ideal_by(), [Quantity::EffectiveWeightBits, Quantity::EsnD]);
    assert!(energy.share_by(Quantity::EffectiveWeightBits) > 0.9, "{energy:?}");
    let [gain, ideal] = [energy.gain(), energy.ideal()].map(|x| x.expect("a gain"));
    assert!(is_near(gain, 32.0 / 11.0) && is_near(ideal, gain), "{gain} of {ideal}");
    assert_eq!(energy_loss(only(&gains)), None);
}

#[test]
fn zeros_that_are_stored_in_filters_of_their_own_width_are_named() {
    let hardware = digital("width_granularity = \"filter\"", "weight_fetch_j_per_bit = 1000.0");
    let gains = gains_of(&hardware, [(&dense(), 8), (&quarter(), 8)]);
    let (cause, event, share) = energy_loss(only(&gains)).expect("nothing is gained");
    assert_eq!((cause, event), (Cause::Zeros, digital::event::WEIGHT_FETCH));
    assert!(share > 0.9, "{share}");
}

#[test]
fn ideal_hardware_gains_what_is_ideal_and_parts_and_factors_make_up_the_whole_everywhere() {
    let network = embedded_network().expect("it comes along");
    let hardware: Vec<Hardware> = Hardware::all().into_iter().filter(|hardware| !hardware.needs_images()).collect();
    check_all(hardware.iter().map(|hardware| hardware.engine.name()), |name| {
        let hardware = hardware.iter().find(|hardware| hardware.engine.name() == *name).expect("it is one of them");
        let gains = gains_of(hardware, [(&network, 8), (&network, 4)]);
        let gain = only(&gains);
        let HardwareGain { energy, cycles } = gain;
        for side in [0, 1] {
            let parts: f64 = energy.parts.iter().map(|part| part.joules[side]).sum();
            assert!((parts - energy.joules[side]).abs() <= 1e-9 * parts, "{name}: {parts} of {}", energy.joules[side]);
            assert!(energy.parts.iter().all(|part| part.joules[side] >= 0.0), "{name}: {:?}", energy.parts);
        }
        let shares: f64 = energy.parts.iter().filter_map(|part| energy.share_of_losses(part)).sum();
        assert!(if energy.largest_loss().is_some() { is_near(shares, 1.0) } else { shares == 0.0 }, "{name}: {shares}");
        let factors: f64 = cycles.factors.iter().map(CycleFactor::gain).product();
        let product = factors * cycles.ideal.expect("a gain");
        assert!(
            cycles.gain().is_some_and(|gain| (gain - product).abs() <= 1e-9 * gain),
            "{name}: {product}, {cycles:?}"
        );
        if hardware.ideal && hardware.metric != Metric::EsnDFilter {
            assert!(is_near(energy.gain().expect("a gain"), energy.ideal().expect("a gain")), "{name}");
            assert_eq!((energy_loss(gain), cycle_loss(gain)), (None, None), "{name}");
        }
        if cycles.ideal_by == Quantity::OutputPositions {
            assert_eq!(cycles.ideal, Some(1.0), "{name}: as many positions as before");
        }
        let gains = gains_of(hardware, [(&network, 8), (&network, 8)]);
        assert_eq!(both(only(&gains)), [Some(1.0); 2], "{name}");
        assert_eq!((energy_loss(only(&gains)), cycle_loss(only(&gains))), (None, None), "{name}");
    });
}
