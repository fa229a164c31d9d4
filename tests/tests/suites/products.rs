//! Do stacks of matrices, and products to which more than a bias is added, give what runtimes make of them, and cost what
//! their weights say?
//!
//! `reference/products.json` has the outputs that onnxruntime gives. `python/products.py` made it.

use esnsim_tests::Recorded;
use esnsim_tests::executors::{assert_steps, digital, ideal, rewritten, run};
use inference::FloatExecutor;
use network::{ActivationQuantization, Operand};
use testkit::{Model, check_all, float, model};

#[test]
fn recorded_products_give_what_onnxruntime_makes_of_them() {
    let cases = Recorded::all("products.json");
    assert_eq!(cases.len(), 22);
    check_all(0..cases.len(), |&row| {
        let network = cases[row].assert_everywhere();
        assert_eq!(network.not_costed().len(), 0);
    });
}

#[test]
fn a_stack_costs_each_of_its_weights_once_a_row() {
    // Input, weights, groups, repeats, rows.
    let cases: [(&[i64], &[i64], [usize; 3]); 4] = [
        (&[0, 2, 3, 5, 8], &[2, 3, 8, 6], [6, 1, 5]),
        (&[0, 7, 3, 5, 8], &[3, 8, 6], [3, 7, 5]),
        (&[0, 1, 5, 8], &[4, 8, 6], [1, 1, 5]),
        (&[0, 9, 1, 5, 8], &[2, 8, 6], [1, 9, 5]),
    ];
    check_all(cases, |&(x, w, [groups, repeats, rows])| {
        let network = model().input("x", x).weights("w", w).node("MatMul", &["x", "w"], &["y"]).read();
        let (layer, weights) = (&network.layers()[0], w.iter().product::<i64>() as usize);
        let spec = layer.geometry.spec();
        assert_eq!((spec.groups, spec.repeats, spec.in_size), (groups, repeats, [rows, 1]));
        assert!(matches!(layer.operand, Operand::Stack(_)));
        assert_eq!(
            (network.parameter_count(), layer.geometry.macs()),
            (weights as u128, (weights * repeats * rows) as u128)
        );
        assert_eq!(ideal(&network).layers[0].esn.macs, (weights * repeats * rows) as u128);
        assert_steps(&network);
    });
    let mixed = model().input("x", &[0, 2, 3, 5, 8]).weights("w", &[1, 2, 3, 8, 6]);
    assert_eq!(mixed.node("MatMul", &["x", "w"], &["y"]).read().layers().len(), 1);
    // Some axes of the stack are counted by the input, some are not.
    let torn = model().input("x", &[0, 1, 3, 5, 8]).weights("w", &[2, 3, 8, 6]).node("MatMul", &["x", "w"], &["y"]);
    let found = torn.error();
    assert!(found.contains("a stack of matrices [2, 3] over a stack of inputs [1, 1, 3]"), "{found}");
}

#[test]
fn the_digital_engine_computes_the_integers_of_a_stack() {
    let codes: Vec<i8> = (0..48).map(|i| (i * 37 % 255) as i8).collect();
    let file = model().input("x", &[0, 2, 3, 4]).floats("one", &[], &[1.0]).int8s("zero", &[], &[0]);
    let file = file.int8s("q", &[2, 4, 6], &codes).node("DequantizeLinear", &["q", "one", "zero"], &["w"]);
    let network = file.node("MatMul", &["x", "w"], &["y"]).read();
    let input: Vec<u8> = (0..24).map(|i| (i * 11 % 256) as u8).collect();
    let mut expected = Vec::new();
    for (matrix, row, column) in (0..36).map(|i| (i / 18, i / 6 % 3, i % 6)) {
        let term =
            |k: usize| i64::from(input[(matrix * 3 + row) * 4 + k]) * i64::from(codes[(matrix * 4 + k) * 6 + column]);
        expected.push((0..4).map(term).sum::<i64>() as f32);
    }
    let input: Vec<f32> = input.into_iter().map(f32::from).collect();
    let bytes = ActivationQuantization { scale: 1.0, zero_point: 0, min: 0, max: 255 };
    for network in [&network, &rewritten(&network)] {
        assert_eq!(run(network, &input, &digital(network, &[bytes])), expected);
        assert_eq!(run(network, &input, &FloatExecutor::from_file(network).expect("finite")), expected);
    }
}

/// A Gemm of 2 rows, 3 inputs and 4 filters, and this C.
fn gemm(c: impl FnOnce(Model) -> Model) -> Model {
    let file =
        model().input("x", &[1, 6]).ints("s", &[2, 3]).weights("w", &[3, 4]).node("Reshape", &["x", "s"], &["a"]);
    c(file).node_with("Gemm", &["a", "w", "c"], &["y"], vec![float("beta", 2.0)])
}

#[test]
fn no_cost_depends_on_c() {
    let files = [
        gemm(|file| file.floats("c", &[4], &[1.0; 4])),
        gemm(|file| file.floats("c", &[2, 4], &[1.0; 8])),
        gemm(|file| file.floats("c", &[2, 1], &[1.0; 2])),
        gemm(|file| file.input("c", &[2, 4])),
        gemm(|file| file.node("acme:Unheard", &["a"], &["c"])),
    ];
    check_all(files, |file| {
        let network = file.read();
        assert_eq!((network.parameter_count(), network.layers()[0].geometry.macs()), (12, 24));
        assert!(network.not_costed().is_empty(), "{:?}", network.not_costed());
    });
}
