//! Did a number move? The totals of the embedded network at 4 bits on six kinds of hardware.
//!
//! A change of these tables is a change of results: it belongs in CHANGELOG.md, with the old value and the new.

use engine::Event;
use esn::BitConvention;
use esnsim_tests::{analog_toml, digital_toml, hardware};
use runner::{CostPlan, Hardware, NetworkCost, Quantization, cost, embedded_network};
use testkit::check_all;

/// What one kind of hardware does with the whole network.
#[derive(Debug, PartialEq)]
struct Total {
    cycles: u128,
    energy_count: u128,
    /// Joules.
    energy: f64,
    /// Cells, or PE-cycles, that did work; and all.
    used: u128,
    offered: u128,
}

#[rustfmt::skip]
const GOLDEN: [(&str, Total); 6] = [
    ("ideal-analog", Total { cycles: 253, energy_count: 13_548_144, energy: 1.3548144000000001e-8, used: 763_520, offered: 763_520 }),
    ("ideal-digital", Total { cycles: 1_535_714, energy_count: 1_535_714, energy: 1.535714e-9, used: 1_535_714, offered: 1_535_714 }),
    ("ideal-digital-filter", Total { cycles: 3_052_672, energy_count: 3_052_672, energy: 3.052672e-9, used: 3_052_672, offered: 3_052_672 }),
    ("3 arrays of 32 × 8 cells", Total { cycles: 1_093, energy_count: 13_548_144, energy: 1.3548144000000001e-8, used: 763_520, offered: 1_093 * 3 * 32 * 8 }),
    ("4 rows of 8 elements, by weight", Total { cycles: 62_893, energy_count: 1_535_714, energy: 1.535714e-9, used: 1_535_714, offered: 2_012_576 }),
    ("4 rows of 8 elements, by filter", Total { cycles: 124_800, energy_count: 3_052_672, energy: 3.052672e-9, used: 3_052_672, offered: 3_993_600 }),
];

fn hardware_of_the_table() -> Vec<Hardware> {
    let mut all = Hardware::ideal();
    all.push(hardware(&analog_toml("3 arrays of 32 × 8 cells", "32", "8", 3)));
    all.push(hardware(&digital_toml("4 rows of 8 elements, by weight", 4, 8, "weight")));
    all.push(hardware(&digital_toml("4 rows of 8 elements, by filter", 4, 8, "filter")));
    all
}

fn embedded_cost(hardware: &[Hardware]) -> NetworkCost {
    let network = embedded_network().expect("it is valid");
    let (quantization, convention) = (Quantization::new(None), BitConvention::NonzeroAtLeastOne);
    cost(&CostPlan { network: &network, hardware, quantization, convention }).expect("every engine takes every layer")
}

#[test]
fn totals_of_hardware_are_as_they_were() {
    let all = hardware_of_the_table();
    let cost = embedded_cost(&all);
    assert_eq!(cost.totals.len(), GOLDEN.len());
    let found = all.iter().zip(&cost.totals).map(|(hardware, total)| {
        let run = &total.run;
        let total = Total {
            cycles: run.cycles.0,
            energy_count: run.ledger.count(Event::MAC),
            energy: run.ledger.energy().0,
            used: run.occupancy.used,
            offered: run.occupancy.offered,
        };
        (hardware.engine.name(), total)
    });
    check_all(found.zip(&GOLDEN), |((hardware, total), (name, golden))| {
        assert_eq!((*hardware, total), (*name, golden));
    });
}

#[test]
fn totals_of_the_metric_are_as_they_were() {
    let cost = embedded_cost(&[]);
    let esn = &cost.esn;
    let table = [
        ("weights", esn.weights, 77_072),
        ("nonzero", esn.nonzero, 77_072),
        ("MACs", esn.macs, 763_520),
        ("4 · ESN_a, c = 1", esn.esn_a_quarters, 1_106_304),
        ("4 · ESN_a, c = MACs", esn.esn_a_quarters_macs, 13_548_144),
        ("ESN_d, c = 1", esn.esn_d, 145_973),
        ("ESN_d, c = MACs", esn.esn_d_macs, 1_535_714),
        ("ESN'_d", esn.esn_d_filter, 3_052_672),
        ("weights of amplitude 0.5", esn.units, 31_836),
    ];
    check_all(table, |&(what, found, golden)| assert_eq!(found, golden, "{what}"));
    let from_snr = cost.esn_a_from_snr.expect("every layer has noise");
    assert!((from_snr / 269_745.809_247_01 - 1.0).abs() < 1e-12, "{from_snr}");
}
