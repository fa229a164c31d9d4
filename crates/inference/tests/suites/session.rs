//! Does a session run what it should, refuse what it must, and keep values exactly as long as they are read?

use inference::{ExecutorError, InferenceError, MacExecutor, Session};
use network::{Binary, Cause, DataType, ErrorKind, LayerId, MacLayer, Network, Op, Operand, Unary, ValueId};
use testkit::{Net, check_all, reals};

use crate::common::{Plain, add_mac, pointwise};

/// No layer is run.
struct Nobody;

impl MacExecutor for Nobody {
    fn run(&self, _: LayerId, _: &MacLayer, _: &[f32], _: &mut Vec<f32>) -> Result<(), ExecutorError> {
        Err(Cause::told(ErrorKind::BadArgument, "there is nobody to run it"))
    }
}

fn run(network: &Network, input: &[f32]) -> Result<Vec<f32>, InferenceError> {
    Session::new(network)?.run(input, &Nobody, None)
}

#[test]
fn operands_are_arranged_and_restored() {
    // Node input [n, positions, K] as the operand has it; weights [M, K]; expected by the plain matrix product.
    let (n, p, k, m) = (2, 3, 4, 5);
    let weights = reals(1, m * k);
    let x = reals(2, n * p * k);
    type At = fn([usize; 4], usize, usize, usize) -> usize;
    type Case = (Operand, [Vec<usize>; 2], [At; 2]);
    let cases: [Case; 4] = [
        (
            Operand::ChannelsFirst,
            [vec![n, k, p, 1], vec![n, m, p, 1]],
            [|[_, p, k, _], n, c, i| (n * k + c) * p + i, |[_, p, _, m], n, c, i| (n * m + c) * p + i],
        ),
        (
            Operand::ChannelsLast,
            [vec![n, p, k], vec![n, p, m]],
            [|[_, p, k, _], n, c, i| (n * p + i) * k + c, |[_, p, _, m], n, c, i| (n * p + i) * m + c],
        ),
        (
            Operand::WeightsLeft,
            [vec![n, k, p], vec![n, m, p]],
            [|[_, p, k, _], n, c, i| (n * k + c) * p + i, |[_, p, _, m], n, c, i| (n * m + c) * p + i],
        ),
        (
            Operand::Transposed,
            [vec![k, n * p], vec![n * p, m]],
            [|[all, p, _, _], n, c, i| c * (all * p) + n * p + i, |[_, p, _, m], n, c, i| (n * p + i) * m + c],
        ),
    ];
    let cases = cases.iter().flat_map(|case| [(case, n, 1), (case, 1, n)]);
    check_all(cases, |&((operand, [in_shape, out_shape], [in_at, out_at]), repeats, batch)| {
        let mut builder = Net::default();
        let input = builder.input(in_shape);
        let output = add_mac(&mut builder, pointwise(k, m, p, repeats), *operand, input, out_shape);
        let network = builder.finish_with(&[output], batch);
        let session = Session::new(&network).unwrap();
        let mut seen = Vec::new();
        let mut observe = |id: LayerId, input: &[f32], output: &[f32]| {
            seen.push((id, input.to_vec(), output.to_vec()));
        };
        let result = session.run(&x, &Plain(vec![weights.clone()]), Some(&mut observe)).unwrap();
        let sizes = [n, p, k, m];
        let mut handed_over = vec![0.0; n * k * p];
        for (image, position) in (0..n * p).map(|i| (i / p, i % p)) {
            for channel in 0..k {
                handed_over[(image * k + channel) * p + position] = x[in_at(sizes, image, channel, position)];
            }
            for filter in 0..m {
                let product = |c| weights[filter * k + c] * x[in_at(sizes, image, c, position)];
                let expected: f32 = (0..k).map(product).sum();
                let found = result[out_at(sizes, image, filter, position)];
                assert!((found - expected).abs() < 1e-5, "{operand:?}: {found}, not {expected}");
            }
        }
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].0, &seen[0].1), (LayerId(0), &handed_over), "{operand:?}");
        assert_eq!(seen[0].2.len(), n * m * p);
    });
}

#[test]
fn a_value_lives_until_its_last_reader() {
    // input feeds three nodes and relu two; operators work in place wherever they may.
    let mut builder = Net::default();
    let input = builder.input(&[1, 4]);
    let relu = builder.node(Op::Unary(Unary::Relu), &[input], &[1, 4]);
    let doubled = builder.node(Op::Binary(Binary::Add), &[relu, relu], &[1, 4]);
    let negated = builder.node(Op::Unary(Unary::Neg), &[relu], &[1, 4]);
    let unread = builder.node(Op::Unary(Unary::Exp), &[input], &[1, 4]);
    let sum = builder.node(Op::Binary(Binary::Mul), &[input, doubled], &[1, 4]);
    let constant = builder.constant(&[4], &[1.0, 2.0, 3.0, 4.0]);
    let scaled = builder.node(Op::Binary(Binary::Mul), &[sum, constant], &[1, 4]);
    let output = builder.node(Op::Binary(Binary::Add), &[scaled, negated], &[1, 4]);
    let last = builder.node(Op::Unary(Unary::Neg), &[output], &[1, 4]);
    let network = builder.finish_with(&[output, unread, last], 1);
    let session = Session::new(&network).unwrap();
    let expected = |x: f32, c: f32| 2.0 * x * x.max(0.0) * c - x.max(0.0);
    check_all(0..3, |&round| {
        let x = reals(round, 4);
        let result = session.run(&x, &Nobody, None).unwrap();
        for (i, (&x, found)) in x.iter().zip(result).enumerate() {
            assert!((found - expected(x, (i + 1) as f32)).abs() < 1e-6, "round {round}, element {i}");
        }
    });
}

#[test]
fn threads_share_a_session() {
    let mut builder = Net::default();
    let input = builder.input(&[1, 8, 5, 1]);
    let first = add_mac(&mut builder, pointwise(8, 8, 5, 1), Operand::ChannelsFirst, input, &[1, 8, 5, 1]);
    let relu = builder.node(Op::Unary(Unary::Relu), &[first], &[1, 8, 5, 1]);
    let sum = builder.node(Op::Binary(Binary::Add), &[relu, input], &[1, 8, 5, 1]);
    let network = builder.finish_with(&[sum], 1);
    let session = Session::new(&network).unwrap();
    let plain = Plain(vec![reals(9, 64)]);
    let alone: Vec<Vec<f32>> = (0..32).map(|seed| session.run(&reals(seed, 40), &plain, None).unwrap()).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for seed in 0..32 {
                    assert_eq!(session.run(&reals(seed, 40), &plain, None).unwrap(), alone[seed as usize]);
                }
            });
        }
    });
}

#[test]
fn an_error_leaves_the_session_usable() {
    let mut builder = Net::default();
    let input = builder.input(&[1, 2, 1, 1]);
    let output = add_mac(&mut builder, pointwise(2, 2, 1, 1), Operand::ChannelsFirst, input, &[1, 2, 1, 1]);
    let session = Session::new(&builder.finish_with(&[output], 1)).unwrap();
    let error = session.run(&[1.0, 2.0], &Nobody, None).unwrap_err();
    assert_eq!(network::chain(&error), "layer layer0: there is nobody to run it");
    let identity = Plain(vec![vec![1.0, 0.0, 0.0, 1.0]]);
    assert_eq!(session.run(&[1.0, 2.0], &identity, None).unwrap(), [1.0, 2.0]);

    struct TooFew;
    impl MacExecutor for TooFew {
        fn run(&self, _: LayerId, _: &MacLayer, _: &[f32], output: &mut Vec<f32>) -> Result<(), ExecutorError> {
            *output = vec![1.0];
            Ok(())
        }
    }
    let message = session.run(&[1.0, 2.0], &TooFew, None).unwrap_err().to_string();
    assert!(message.contains("the executor made 1 elements, the geometry 2"), "{message}");
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let network = |data_type| {
        let mut builder = Net::default();
        let input = builder.input(&[1, 2]);
        builder.network.value_mut(input).data_type = Some(data_type);
        let cast = builder.node(Op::Cast, &[input], &[1, 2]);
        builder.finish_with(&[cast], 1)
    };
    let cases: [(DataType, &[f32], &str); 7] = [
        (DataType::F32, &[1.0], "input0: 1 numbers; shape [1, 2] takes 2"),
        (DataType::F32, &[1.0, f32::NAN], "input0: an input is NaN"),
        (DataType::U8, &[1.0, 0.5], "an input is 0.5; the network takes uint8, integers from 0 to 255"),
        (DataType::U8, &[256.0, 0.0], "an input is 256"),
        (DataType::I8, &[128.0, 0.0], "integers from -128 to 127"),
        (DataType::U8, &[-1.0, 0.0], "an input is -1"),
        (DataType::I64, &[0.5, 0.0], "an input is 0.5; the network takes int64"),
    ];
    check_all(cases, |&(data_type, input, expected)| {
        let message = run(&network(data_type), input).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    });
    assert_eq!(run(&network(DataType::U8), &[0.0, 255.0]).unwrap(), [0.0, 255.0]);
    assert_eq!(run(&network(DataType::F32), &[0.1, -3.0]).unwrap(), [0.1, -3.0]);
}

#[test]
fn graphs_that_cannot_run_are_refused_by_name() {
    type Build = fn(&mut Net, ValueId) -> ValueId;
    let simple = |build: Build| {
        let mut builder = Net::default();
        let input = builder.input(&[1, 2]);
        let output = build(&mut builder, input);
        builder.finish_with(&[output], 1)
    };
    let unknown_shape = |builder: &mut Net, input| {
        let output = builder.node(Op::Unary(Unary::Relu), &[input], &[1, 2]);
        builder.network.value_mut(output).shape = None;
        output
    };
    let two_inputs = |builder: &mut Net, input| {
        let other = builder.input(&[1, 2]);
        builder.node(Op::Binary(Binary::Add), &[input, other], &[1, 2])
    };
    let integers = |builder: &mut Net, input| {
        builder.network.value_mut(input).data_type = Some(DataType::U8);
        builder.node(Op::Binary(Binary::Add), &[input, input], &[1, 2])
    };
    let early = |builder: &mut Net, input| {
        let late = builder.value("late", &[1, 2]);
        builder.network.set_outside(vec![late]);
        builder.node(Op::Binary(Binary::Add), &[input, late], &[1, 2])
    };
    let constant = |builder: &mut Net, input| {
        builder.node(Op::Unary(Unary::Relu), &[input], &[1, 2]);
        builder.constant(&[1], &[1.0])
    };
    let huge = |builder: &mut Net, input| builder.node(Op::Expand, &[input], &[1 << 30, 2]);
    let countless = |builder: &mut Net, input| builder.node(Op::Expand, &[input], &[usize::MAX, 2]);
    let cases: [(Build, &str); 8] = [
        (|b, x| b.node(Op::Unsupported, &[x], &[1, 2]), "Unsupported node0: unsupported: nothing here runs"),
        (unknown_shape, "node0_out: unsupported: the shape of this value is not known"),
        (two_inputs, "a network of one input is handled"),
        (integers, "Add node0: unsupported: arithmetic on uint8 (input0)"),
        (early, "Add node0: it reads late before anything makes it"),
        (constant, "this output does not depend on the input"),
        (huge, "Expand node0: live activations of 8589934600 bytes; at most 4294967296 are allowed"),
        (countless, "has more elements than memory can hold"),
    ];
    check_all(cases, |&(build, expected)| {
        let message = Session::new(&simple(build)).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}, not {expected}");
    });
}

#[test]
fn a_shape_that_the_network_says_wrong_is_found() {
    let mut builder = Net::default();
    let input = builder.input(&[1, 2, 4, 4]);
    let output = builder.node(Op::GlobalAveragePool, &[input], &[1, 2]);
    let message = run(&builder.finish_with(&[output], 1), &[0.0; 32]).unwrap_err().to_string();
    assert!(message.contains("it made shape [1, 2, 1, 1]; the network says [1, 2]"), "{message}");
}

#[test]
fn integers_flow_through_operators_that_only_move_them() {
    let mut builder = Net::default();
    let input = builder.input(&[1, 1, 1, 4]);
    let scalar = |builder: &mut Net, x: f32| builder.constant(&[], &[x]);
    let (scale, zero_point) = (scalar(&mut builder, 0.5), scalar(&mut builder, 1.0));
    let quantized = builder.node(Op::QuantizeLinear { axis: 1 }, &[input, scale, zero_point], &[1, 1, 1, 4]);
    builder.network.value_mut(quantized).data_type = Some(DataType::U8);
    let flipped = builder.node(
        Op::Slice { starts: vec![-1], ends: vec![i64::MIN], axes: vec![3], steps: vec![-1] },
        &[quantized],
        &[1, 1, 1, 4],
    );
    builder.network.value_mut(flipped).data_type = Some(DataType::U8);
    let output = builder.node(Op::DequantizeLinear { axis: 1 }, &[flipped, scale, zero_point], &[1, 1, 1, 4]);
    let result = run(&builder.finish_with(&[output], 1), &[0.25, 0.75, -9.0, 200.0]).unwrap();
    assert_eq!(result, [127.0, -0.5, 1.0, 0.0]);
}
