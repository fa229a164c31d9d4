//! Random departures that do not contradict themselves.

use digital::{
    Barrier, Buffers, DepartureEnergies, Departures, DigitalArray, Element, Granularity, PlaneSkipping, Schedule,
    ZeroActivations, ZeroSkipping,
};
use engine::Joules;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::array;

/// Arrays with any of the departures. Widths reach 17 planes, so that they hold every layer.
pub fn departed_arrays() -> impl Strategy<Value = DigitalArray> {
    let size = || prop_oneof![6 => 1usize..6, 1 => 1usize..40];
    let granularity =
        select(vec![Granularity::Weight, Granularity::Filter, Granularity::Layer, Granularity::Fixed(17)]);
    (size(), size(), granularity).prop_flat_map(|(rows, pes, granularity)| {
        departures(granularity).prop_map(move |departures| {
            array(rows, pes, granularity).with_departures(departures).expect("departures without contradiction")
        })
    })
}

fn departures(granularity: Granularity) -> impl Strategy<Value = Departures> {
    (weights(), time(), (buffers(), energies())).prop_map(
        move |((widths, element, zero_skipping, plane_skipping), time, (buffers, energy))| {
            let (zero_activations, schedule, barrier, fills, index) = time;
            let mut departures = Departures {
                supported_widths: widths,
                element,
                zero_skipping,
                plane_skipping,
                zero_activations,
                schedule,
                barrier,
                fill_cycles_per_tile: fills.0,
                fill_cycles_per_group: fills.1,
                index_bits_per_nonzero: index.0,
                index_cycles_per_nonzero: index.1,
                buffers,
                energy,
            };
            settle(&mut departures, granularity);
            departures
        },
    )
}

/// Takes contradictions out.
fn settle(departures: &mut Departures, granularity: Granularity) {
    if matches!(granularity, Granularity::Fixed(_)) {
        departures.supported_widths.clear();
    }
    if granularity != Granularity::Weight || !departures.supported_widths.is_empty() {
        departures.plane_skipping = PlaneSkipping::None;
    }
    let element = &mut departures.element;
    element.splits &= element.planes_per_cycle > 1 && granularity != Granularity::Weight;
    if element.splits {
        departures.zero_activations = ZeroActivations::Compute;
    }
    let has_index = match departures.zero_skipping {
        None => granularity == Granularity::Weight,
        Some(ZeroSkipping::Weights | ZeroSkipping::Pattern { .. }) => true,
        Some(ZeroSkipping::None | ZeroSkipping::Filters) => false,
    };
    if !has_index {
        (departures.index_bits_per_nonzero, departures.index_cycles_per_nonzero) = (0, 0);
    }
    if departures.index_bits_per_nonzero == 0 {
        departures.energy.index_bit = Joules(0.0);
    }
}

type Weights = (Vec<u32>, Element, Option<ZeroSkipping>, PlaneSkipping);

fn weights() -> impl Strategy<Value = Weights> {
    let widths = prop_oneof![
        2 => Just(Vec::new()),
        1 => subsequence((1..=16u32).collect::<Vec<_>>(), 0..=16).prop_map(|mut widths| {
            widths.push(17);
            widths
        }),
    ];
    let element = (prop_oneof![1 => Just(1u32), 2 => 1..=17u32], any::<bool>())
        .prop_map(|(planes_per_cycle, splits)| Element { planes_per_cycle, splits });
    let zero_skipping = select(vec![
        None,
        Some(ZeroSkipping::None),
        Some(ZeroSkipping::Filters),
        Some(ZeroSkipping::Weights),
        Some(ZeroSkipping::Weights),
        Some(ZeroSkipping::Pattern { keep: 2, of: 4 }),
        Some(ZeroSkipping::Pattern { keep: 1, of: 2 }),
        Some(ZeroSkipping::Pattern { keep: 3, of: 8 }),
    ]);
    let plane_skipping = select(vec![PlaneSkipping::None, PlaneSkipping::ZeroPlanes, PlaneSkipping::Csd]);
    (widths, element, zero_skipping, plane_skipping)
}

type Time = (ZeroActivations, Schedule, Barrier, (u64, u64), (u64, u64));

fn time() -> impl Strategy<Value = Time> {
    (
        select(vec![ZeroActivations::Compute, ZeroActivations::Gate, ZeroActivations::Skip]),
        select(vec![Schedule::InOrder, Schedule::LongestFirst]),
        select(vec![Barrier::None, Barrier::Filter, Barrier::Position]),
        (select(vec![0, 0, 3]), select(vec![0, 0, 2])),
        (select(vec![0, 4]), select(vec![0, 0, 1, 2])),
    )
}

fn buffers() -> impl Strategy<Value = Buffers> {
    let weights = prop_oneof![Just(None), (1u64..120).prop_map(Some)];
    let activations = prop_oneof![Just(None), (1u64..2000).prop_map(Some)];
    (weights, activations, 1u64..=16, 1u64..=32).prop_map(|(weights, activations, of_activation, of_sum)| Buffers {
        weight_bits_per_row: weights,
        activation_bits: activations,
        bits_per_activation: of_activation,
        bits_per_partial_sum: of_sum,
    })
}

fn energies() -> impl Strategy<Value = DepartureEnergies> {
    proptest::collection::vec(select(vec![0.0, 1e-15]), 7).prop_map(|joules| DepartureEnergies {
        idle_pe_cycle: Joules(joules[0]),
        array_cycle: Joules(joules[1]),
        row_cycle: Joules(joules[2]),
        index_bit: Joules(joules[3]),
        weight_bit: Joules(joules[4]),
        activation_bit: Joules(joules[5]),
        partial_sum_bit: Joules(joules[6]),
    })
}
