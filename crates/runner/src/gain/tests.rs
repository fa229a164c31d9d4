//! Networks and hardware that are made so that one cause alone eats the gain.

use std::path::Path;

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
    let (before, after) = (costed(before), costed(after));
    let compared = |(cost, details)| ComparedNetwork { cost, details };
    gains(std::slice::from_ref(hardware), compared((&before.0, &before.1)), compared((&after.0, &after.1)))
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

fn is_near(x: f64, y: f64) -> bool {
    (x - y).abs() <= 1e-12 * y.abs()
}

#[test]
fn a_dense_engine_computes_zeros() {
    let gains = gains_of(&digital(FIXED, ""), [(&dense(), 8), (&quarter(), 8)]);
    let gain = only(&gains);
    assert_eq!((gain.energy(), gain.in_cycles(), gain.promised), (Some(1.0), Some(1.0), Some(4.0)));
    let loss = EnergyLoss { cause: Cause::Zeros, event: digital::event::COMPUTED_ZEROS, share: 1.0 };
    assert_eq!(gain.energy_loss, Some(loss));
    assert_eq!(gain.cycle_loss, Some(CycleLoss { cause: CycleCause::Zeros, factor: 4.0 }));
    let factors: Vec<Option<f64>> = gains.quantities.iter().map(|(_, count)| count.factor()).collect();
    let [one, four] = [1.0, 4.0].map(Some);
    assert_eq!(factors, [one, four, four, four, four, four, one], "all but the tensors and ESN'_d are a quarter");
}

#[test]
fn memory_keeps_zeros_where_no_index_stands() {
    let hardware = digital(FIXED, "weight_fetch_j_per_bit = 1000.0");
    let loss = only(&gains_of(&hardware, [(&dense(), 8), (&quarter(), 8)])).energy_loss.expect("nothing is gained");
    assert_eq!((loss.cause, loss.event), (Cause::Zeros, digital::event::WEIGHT_FETCH));
    let hardware = digital(FIXED, "activation_fetch_j_per_bit = 1000.0");
    let loss = only(&gains_of(&hardware, [(&dense(), 8), (&quarter(), 8)])).energy_loss.expect("nothing is gained");
    assert_eq!((loss.cause, loss.event), (Cause::Memory, digital::event::ACTIVATION_FETCH));
}

#[test]
fn an_engine_of_one_width_takes_bits_that_weights_do_not_need() {
    let gains = gains_of(&digital(FIXED, "weight_fetch_j_per_bit = 1.0"), [(&dense(), 8), (&dense(), 2)]);
    let gain = only(&gains);
    assert_eq!((gain.energy(), gain.in_cycles(), gain.promised), (Some(1.0), Some(1.0), Some(4.0)));
    assert_eq!(gain.energy_loss.map(|loss| (loss.cause, loss.share)), Some((Cause::Width, 1.0)));
    assert_eq!(gain.cycle_loss, Some(CycleLoss { cause: CycleCause::Width, factor: 4.0 }));
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
            let loss = gain.energy_loss.expect("less is gained than promised");
            assert_eq!((loss.cause, loss.event), (Cause::Indices, event), "{gain:?}");
            assert_eq!((gain.in_cycles(), gain.cycle_loss), (Some(4.0), None));
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
    let loss = only(&gains).energy_loss.expect("nothing is gained");
    assert_eq!((gains.dead_filters, gains.filters, loss.cause, loss.share), (2, 4, Cause::DeadFilters, 1.0));
    let gains = gains_of(&hardware, [(&dense(), 7), (&removed, 7)]);
    assert_eq!((gains.dead_filters, gains.filters), (0, 2));
    assert_eq!((only(&gains).energy(), only(&gains).energy_loss), (Some(2.0), None));

    let one_row = digital_of([1, 1], FIXED, "");
    let gains = gains_of(&one_row, [(&dense(), 8), (&still_there, 8)]);
    assert_eq!(only(&gains).cycle_loss, Some(CycleLoss { cause: CycleCause::DeadFilters, factor: 2.0 }));
    assert_eq!(only(&gains_of(&one_row, [(&dense(), 8), (&removed, 8)])).cycle_loss, None);
}

#[test]
fn rows_wait_for_the_one_that_was_not_pruned() {
    // One filter keeps its eight weights, three keep one: 11 of 32, and the first row takes as long as before.
    let uneven = pruned(|filter, channel| filter > 0 && channel > 0);
    check_all([("", "row finished early"), ("barrier = \"position\"", "synchronization")], |&(barrier, cause)| {
        let hardware = digital(&format!("{OWN_WIDTH}\n{barrier}"), "");
        let gains = gains_of(&hardware, [(&dense(), 8), (&uneven, 8)]);
        let gain = only(&gains);
        assert!(gain.promised.is_some_and(|promised| is_near(promised, 32.0 / 11.0)));
        assert_eq!((gain.energy_loss, gain.in_cycles()), (None, Some(1.0)));
        let loss = gain.cycle_loss.expect("nothing is gained");
        assert!(loss.cause.is_waiting_rows() && is_near(loss.factor, 32.0 / 11.0), "{loss:?}");
        assert_eq!(loss.cause.name(), cause);
    });
}

#[test]
fn elements_that_are_idle_before_and_after_eat_nothing() {
    // Six output positions on four elements: a quarter of them is idle in the second group, with any weights.
    let hardware = digital_of([1, 4], OWN_WIDTH, "");
    let gains = gains_of(&hardware, [(&dense(), 8), (&quarter(), 8)]);
    assert_eq!((only(&gains).in_cycles(), only(&gains).cycle_loss), (Some(4.0), None));
}

#[test]
fn converters_do_not_shrink() {
    let text = "name = \"made\"\nengine = \"analog\"\n[array]\nrows = 128\ncolumns = 128\narrays = 1\n[energy]\n\
                mac_j_per_squared_half_step = 1.0\n[adc]\nbits = 8\nconversion_j = 1000000.0\ncolumns_per_converter = 1\n\
                full_scale = \"max-sum\"\n";
    let hardware = Hardware::parse(Path::new("made.toml"), text).expect("a valid description");
    let gains = gains_of(&hardware, [(&dense(), 8), (&quarter(), 8)]);
    let gain = only(&gains);
    let loss = EnergyLoss { cause: Cause::Converters, event: analog::event::ADC, share: 1.0 };
    assert_eq!((gain.promised_by, gain.promised, gain.energy_loss), (Metric::EsnA, Some(4.0), Some(loss)));
    assert_eq!((gain.in_cycles(), gain.promised_cycles, gain.cycle_loss), (Some(1.0), Some(1.0), None));
}

#[test]
fn ideal_hardware_gains_what_is_promised_and_parts_add_up_everywhere() {
    let network = embedded_network().expect("it comes along");
    let hardware: Vec<Hardware> = Hardware::all().into_iter().filter(|hardware| !hardware.needs_images()).collect();
    check_all(hardware.iter().map(|hardware| hardware.engine.name()), |name| {
        let hardware = hardware.iter().find(|hardware| hardware.engine.name() == *name).expect("it is one of them");
        let gains = gains_of(hardware, [(&network, 8), (&network, 4)]);
        let gain = only(&gains);
        for side in [0, 1] {
            let parts: f64 = gain.energy_parts.iter().map(|part| part.joules[side]).sum();
            assert!((parts - gain.energy_j[side]).abs() <= 1e-9 * parts, "{name}: {parts} of {}", gain.energy_j[side]);
            assert!(gain.energy_parts.iter().all(|part| part.joules[side] >= 0.0), "{name}: {:?}", gain.energy_parts);
        }
        if hardware.ideal && hardware.metric != Metric::EsnDFilter {
            assert!(is_near(gain.energy().expect("a gain"), gain.promised.expect("a gain")), "{name}");
            assert_eq!((gain.energy_loss, gain.cycle_loss), (None, None), "{name}");
        }
        assert!(!gain.is_analog || gain.promised_cycles == Some(1.0), "{name}: as many positions as before");
        let gains = gains_of(hardware, [(&network, 8), (&network, 8)]);
        assert_eq!((only(&gains).energy(), only(&gains).in_cycles()), (Some(1.0), Some(1.0)), "{name}");
        assert_eq!((only(&gains).energy_loss, only(&gains).cycle_loss), (None, None), "{name}");
    });
}
