//! Is the machine that advances cycle by cycle a circuit?
//!
//! A simulator runs the SystemVerilog of `rtl/` beside the stepped machine, in lockstep: in every cycle every row must be
//! at the same weight, plane and positions, and every element at the same partial sum; at the end the counters of the
//! circuit and all outputs must be equal. Where a tool is not installed its tests print `skipped`. What they print with
//! `--nocapture` is the log of `docs/rtl.md`.

mod case;
mod circuit;
mod image;
mod lockstep;

use std::process::Command;
use std::time::Instant;

use digital::Granularity;
use esnsim_tests::repository;

use case::Case;
use circuit::{Circuit, SYNTHESIZABLE, Simulator};
use lockstep::{Compared, compare};
use testkit::{check_all, tool};

/// Rows and elements a row of the circuits that the random layers run on.
const SHAPES: [[usize; 2]; 12] =
    [[1, 1], [1, 8], [8, 1], [2, 3], [3, 2], [4, 4], [5, 7], [7, 5], [2, 8], [8, 3], [6, 6], [8, 8]];

/// Random layers a circuit.
const LAYERS: usize = 25;

#[test]
fn random_layers_take_the_same_cycles_and_sums() {
    let Some(version) = tool("iverilog", "-V") else { return };
    println!("{version}");
    let started = Instant::now();
    let total: Compared = std::thread::scope(|scope| {
        let halves = SHAPES.chunks(SHAPES.len() / 2);
        let workers: Vec<_> =
            halves.map(|shapes| scope.spawn(|| shapes.iter().map(run_shape).sum::<Compared>())).collect();
        workers.into_iter().map(|worker| worker.join().expect("the mismatch is told above")).sum()
    });
    assert_eq!(total.layers, SHAPES.len() * LAYERS);
    println!("random, total: {total}; 0 mismatches, {:.1} s", started.elapsed().as_secs_f64());
}

/// Random layers on one circuit, every other one at filter granularity.
fn run_shape(&shape: &[usize; 2]) -> Compared {
    let [rows, pes] = shape;
    let seed = |n: usize| (1000 * rows + 100 * pes + n) as u64;
    let cases: Vec<Case> = (0..LAYERS).map(|n| Case::random(seed(n), shape)).collect();
    let compared =
        compare(&circuit(), Simulator::Icarus, &cases).unwrap_or_else(|mismatch| panic!("{rows} × {pes}: {mismatch}"));
    println!("random, {rows} × {pes}: {compared}");
    compared
}

#[test]
fn the_embedded_network_takes_the_same_cycles_and_sums() {
    let Some(version) = tool("verilator", "--version") else { return };
    println!("{version}");
    let started = Instant::now();
    let runs = [(4, Granularity::Weight), (4, Granularity::Filter), (1, Granularity::Weight), (8, Granularity::Filter)];
    let cases: Vec<Case> =
        runs.iter().flat_map(|&(bits, granularity)| Case::embedded(bits, granularity, [4, 8])).collect();
    let compared = compare(&circuit(), Simulator::Verilator, &cases).unwrap_or_else(|mismatch| panic!("{mismatch}"));
    assert_eq!(compared.layers, 4 * 10);
    println!("digits, 4 × 8: {compared}; 0 mismatches, {:.1} s", started.elapsed().as_secs_f64());
}

/// Circuits with one fault each: the comparison must see all of them.
#[test]
fn a_faulty_circuit_is_caught() {
    if tool("iverilog", "-V").is_none() {
        return;
    }
    let faults = [
        ("pe.sv", "x) <<< exponent", "x) <<< 0"),
        ("pe.sv", "first ? '0 : accumulator", "accumulator"),
        ("plane_encoder.sv", "(magnitude >> 1) - 1'b1", "magnitude >> 1"),
        ("plane_encoder.sv", "bit_b ^ top)", "bit_b)"),
        ("plane_encoder.sv", "!pruned &&", ""),
        ("position.sv", "(carry_y ? wrap_y : '0)", "'0"),
        ("row.sv", "positions - position <= GROUP", "positions - position < GROUP"),
        ("row.sv", "by_filter ? filter_width : least", "least"),
        ("mac_array.sv", "at_work_now - busy_now", "at_work_now"),
        ("mac_array.sv", "COUNT_W'(ROWS * PES) - at_work_now", "COUNT_W'(PES) - at_work_now"),
    ];
    let cases: Vec<Case> = (0..12).map(|seed| Case::random(seed, [3, 3])).collect();
    compare(&circuit(), Simulator::Icarus, &cases).expect("without a fault they agree");
    check_all(faults, |&(file, from, to)| {
        let mut faulty = circuit();
        faulty.replace(file, from, to);
        let mismatch = compare(&faulty, Simulator::Icarus, &cases).expect_err("a fault");
        println!("fault in {file}, `{from}` → `{to}`: {mismatch}");
    });
}

#[test]
fn the_circuit_is_free_of_lint_at_every_size() {
    let Some(version) = tool("verilator", "--version") else { return };
    println!("{version}");
    check_all(SHAPES, |&[rows, pes]| {
        let sizes = [format!("-GROWS={rows}"), format!("-GPES={pes}")];
        let lint = Command::new("verilator")
            .args(["--lint-only", "-Wall", "--top-module", "mac_array"])
            .args(sizes)
            .args(SYNTHESIZABLE.map(|file| repository("rtl").join(file)))
            .output()
            .expect("it was found above");
        let told = String::from_utf8_lossy(&lint.stderr);
        assert!(lint.status.success() && told.is_empty(), "{rows} × {pes}: {told}");
    });
    println!("verilator --lint-only -Wall: no message at any of {} sizes", SHAPES.len());
}

fn circuit() -> Circuit {
    Circuit::read(&repository("rtl"))
}
