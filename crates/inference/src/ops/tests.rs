//! Does each operator give what ONNX says? Expected values are worked out by hand or by the plainest loop.

use network::{Binary, Coordinates, DataType, Interpolation, Nearest, Op, PadMode, Pool, Reduction, Unary};
use testkit::check_all;

use super::{ValueSpec, run};
use crate::array::{Array, Buffers, Input};
use crate::error::Problem;

fn array(shape: &[usize], data: &[f32]) -> Array {
    Array::new(shape.to_vec(), data.to_vec())
}

/// 0, 1, 2, … in a shape.
fn counting(shape: &[usize]) -> Array {
    let len: usize = shape.iter().product();
    Array::new(shape.to_vec(), (0..len).map(|i| i as f32).collect())
}

fn run_typed(op: &Op, inputs: &[&Array], out_shape: &[usize], data_type: DataType) -> Result<Array, Problem> {
    let spec = ValueSpec { shape: out_shape.to_vec(), data_type: Some(data_type) };
    let mut buffers = Buffers::default();
    let shared = inputs.iter().map(|array| Input::Shared(array)).collect();
    let result = run(op, shared, std::slice::from_ref(&spec), &mut buffers)?.swap_remove(0);
    // Whoever is handed the inputs for good must come to the same.
    let owned = inputs.iter().map(|&array| Input::Owned(array.clone())).collect();
    let in_place = run(op, owned, &[spec], &mut buffers)?.swap_remove(0);
    assert_eq!(result.shape, in_place.shape, "{op:?}");
    assert!(result.data.iter().zip(&in_place.data).all(|(a, b)| a.to_bits() == b.to_bits()), "{op:?} in place");
    assert_eq!(result.shape, out_shape, "{op:?}");
    Ok(result)
}

fn check(op: Op, inputs: &[&Array], out_shape: &[usize], expected: &[f32]) {
    let result =
        run_typed(&op, inputs, out_shape, DataType::F32).unwrap_or_else(|problem| panic!("{op:?}: {problem:?}"));
    let near = |(a, b): (&f32, &f32)| a == b || (a - b).abs() <= 1e-6 * b.abs().max(1.0) || a.is_nan() && b.is_nan();
    let all = result.data.len() == expected.len() && result.data.iter().zip(expected).all(near);
    assert!(all, "{op:?}: {:?}, not {expected:?}", result.data);
}

#[test]
fn functions_of_one_element() {
    let x = [-2.0, -0.5, 0.0, 0.25, 3.0];
    let cases: [(Op, [f32; 5]); 19] = [
        (Op::Unary(Unary::Relu), [0.0, 0.0, 0.0, 0.25, 3.0]),
        (Op::Unary(Unary::Clip { min: -1.0, max: 2.0 }), [-1.0, -0.5, 0.0, 0.25, 2.0]),
        (Op::Unary(Unary::LeakyRelu { alpha: 0.1 }), [-0.2, -0.05, 0.0, 0.25, 3.0]),
        (Op::Unary(Unary::Elu { alpha: 2.0 }), [-1.729_329_4, -0.786_938_7, 0.0, 0.25, 3.0]),
        (Op::Unary(Unary::HardSigmoid { alpha: 0.2, beta: 0.5 }), [0.1, 0.4, 0.5, 0.55, 1.0]),
        (Op::Unary(Unary::HardSwish), [-0.333_333_34, -0.208_333_34, 0.0, 0.135_416_67, 3.0]),
        (Op::Unary(Unary::Sigmoid), [0.119_202_92, 0.377_540_67, 0.5, 0.562_176_5, 0.952_574_1]),
        (Op::Unary(Unary::Tanh), [-0.964_027_6, -0.462_117_16, 0.0, 0.244_918_66, 0.995_054_8]),
        (Op::Unary(Unary::Erf), [-0.995_322_3, -0.520_499_9, 0.0, 0.276_326_4, 0.999_977_9]),
        (
            Op::Unary(Unary::Gelu { approximate: false }),
            [-0.045_500_264, -0.154_268_77, 0.0, 0.149_676_58, 2.995_950_3],
        ),
        (Op::Unary(Unary::Gelu { approximate: true }), [-0.045_402_306, -0.154_286, 0.0, 0.149_675_4, 2.996_362_6]),
        (Op::Unary(Unary::Exp), [0.135_335_28, 0.606_530_66, 1.0, 1.284_025_4, 20.085_537]),
        (Op::Unary(Unary::Neg), [2.0, 0.5, 0.0, -0.25, -3.0]),
        (Op::Unary(Unary::Softplus), [0.126_928_02, 0.474_077, std::f32::consts::LN_2, 0.825_939_4, 3.048_587_3]),
        (Op::Unary(Unary::Softsign), [-0.666_666_7, -0.333_333_34, 0.0, 0.2, 0.75]),
        (Op::Unary(Unary::Mish), [-0.252_501_5, -0.220_743_78, 0.0, 0.169_572_41, 2.986_535]),
        (
            Op::Unary(Unary::Selu { alpha: 1.673_263_2, gamma: 1.050_701 }),
            [-1.520_166_4, -0.691_758_16, 0.0, 0.262_675_26, 3.152_103],
        ),
        (Op::Unary(Unary::Celu { alpha: 2.0 }), [-1.264_241_1, -0.442_398_43, 0.0, 0.25, 3.0]),
        (Op::Unary(Unary::ThresholdedRelu { alpha: 0.25 }), [0.0, 0.0, 0.0, 0.0, 3.0]),
    ];
    check_all(cases, |(op, expected)| check(op.clone(), &[&array(&[5], &x)], &[5], expected));
    check(Op::Unary(Unary::Abs), &[&array(&[2], &[-4.0, 9.0])], &[2], &[4.0, 9.0]);
    let shrink = Op::Unary(Unary::Shrink { lambda: 0.5, bias: 0.25 });
    check(shrink, &[&array(&[5], &x)], &[5], &[-1.75, 0.0, 0.0, 0.0, 2.75]);
    check(Op::Unary(Unary::Sqrt), &[&array(&[2], &[4.0, 9.0])], &[2], &[2.0, 3.0]);
    check(Op::Unary(Unary::Log), &[&array(&[2], &[1.0, 2.0])], &[2], &[0.0, std::f32::consts::LN_2]);
    check(Op::Unary(Unary::Relu), &[&array(&[1], &[f32::NAN])], &[1], &[f32::NAN]);
    // Neither side of Softplus overflows.
    check(Op::Unary(Unary::Softplus), &[&array(&[2], &[-200.0, 200.0])], &[2], &[0.0, 200.0]);
}

#[test]
fn rounding() {
    let x = array(&[6], &[-1.5, -0.5, 0.0, 0.5, 1.5, 4.0]);
    let cases = [
        (Op::Unary(Unary::Floor), [-2.0, -1.0, 0.0, 0.0, 1.0, 4.0]),
        (Op::Unary(Unary::Ceil), [-1.0, 0.0, 0.0, 1.0, 2.0, 4.0]),
        (Op::Unary(Unary::Round), [-2.0, 0.0, 0.0, 0.0, 2.0, 4.0]),
        (Op::Unary(Unary::Sign), [-1.0, -1.0, 0.0, 1.0, 1.0, 1.0]),
        (Op::Unary(Unary::Reciprocal), [-2.0 / 3.0, -2.0, f32::INFINITY, 2.0, 2.0 / 3.0, 0.25]),
    ];
    check_all(cases, |(op, expected)| check(op.clone(), &[&x], &[6], expected));
}

#[test]
fn choices() {
    let (a, b) = (array(&[3], &[1.0, -8.0, 2.0]), array(&[3], &[2.0, -8.0, -3.0]));
    let cases = [
        (Op::Binary(Binary::Equal), [0.0, 1.0, 0.0]),
        (Op::Binary(Binary::Greater), [0.0, 0.0, 1.0]),
        (Op::Binary(Binary::GreaterOrEqual), [0.0, 1.0, 1.0]),
        (Op::Binary(Binary::Less), [1.0, 0.0, 0.0]),
        (Op::Binary(Binary::LessOrEqual), [1.0, 1.0, 0.0]),
    ];
    check_all(cases, |(op, expected)| check(op.clone(), &[&a, &b], &[3], expected));
    let (p, q) = (array(&[4], &[0.0, 0.0, 1.0, 1.0]), array(&[4], &[0.0, 1.0, 0.0, 1.0]));
    check(Op::Binary(Binary::And), &[&p, &q], &[4], &[0.0, 0.0, 0.0, 1.0]);
    check(Op::Binary(Binary::Or), &[&p, &q], &[4], &[0.0, 1.0, 1.0, 1.0]);
    check(Op::Binary(Binary::Xor), &[&p, &q], &[4], &[0.0, 1.0, 1.0, 0.0]);
    check(Op::Unary(Unary::Not), &[&p], &[4], &[1.0, 1.0, 0.0, 0.0]);
    let columns = array(&[2, 1], &[1.0, 0.0]);
    check(Op::Where, &[&columns, &a, &array(&[], &[7.0])], &[2, 3], &[1.0, -8.0, 2.0, 7.0, 7.0, 7.0]);
    let spec = ValueSpec { shape: vec![3], data_type: None };
    let two = vec![Input::Shared(&a), Input::Shared(&b)];
    assert!(matches!(run(&Op::Where, two, &[spec], &mut Buffers::default()), Err(Problem::Invalid(_))));
}

#[test]
fn functions_of_two_elements_broadcast() {
    let shapes: [[&[usize]; 3]; 8] = [
        [&[2, 3], &[2, 3], &[2, 3]],
        [&[2, 3], &[], &[2, 3]],
        [&[1], &[2, 3], &[2, 3]],
        [&[2, 3, 4, 5], &[3, 1, 1], &[2, 3, 4, 5]],
        [&[2, 3, 1, 1], &[2, 3, 4, 5], &[2, 3, 4, 5]],
        [&[4, 1], &[1, 3], &[4, 3]],
        [&[2, 1, 3], &[1, 4, 1], &[2, 4, 3]],
        [&[3], &[2, 1, 1], &[2, 1, 3]],
    ];
    check_all(shapes, |&[a_shape, b_shape, out]| {
        let (a, b) = (counting(a_shape), counting(b_shape));
        let expected: Vec<f32> = (0..out.iter().product())
            .map(|i| a.data[source_index(i, out, a_shape)] - 3.0 * b.data[source_index(i, out, b_shape)])
            .collect();
        let tripled = array(b_shape, &b.data.iter().map(|x| 3.0 * x).collect::<Vec<_>>());
        check(Op::Binary(Binary::Sub), &[&a, &tripled], out, &expected);
    });
}

/// Which element of `shape` stands at element `index` of the broadcast `out`.
fn source_index(index: usize, out: &[usize], shape: &[usize]) -> usize {
    let (mut rest, mut stride, mut result) = (index, 1, 0);
    for axis in (0..out.len()).rev() {
        let i = rest % out[axis];
        rest /= out[axis];
        if let Some(own) = (axis + shape.len()).checked_sub(out.len()) {
            result += if shape[own] == 1 { 0 } else { i * stride };
            stride *= shape[own];
        }
    }
    result
}

#[test]
fn each_function_of_two_elements() {
    let (a, b) = (array(&[3], &[1.0, -8.0, 6.0]), array(&[3], &[2.0, 2.0, 3.0]));
    let cases = [
        (Op::Binary(Binary::Add), [3.0, -6.0, 9.0]),
        (Op::Binary(Binary::Sub), [-1.0, -10.0, 3.0]),
        (Op::Binary(Binary::Mul), [2.0, -16.0, 18.0]),
        (Op::Binary(Binary::Div), [0.5, -4.0, 2.0]),
        (Op::Binary(Binary::Pow), [1.0, 64.0, 216.0]),
        (Op::Binary(Binary::Min), [1.0, -8.0, 3.0]),
        (Op::Binary(Binary::Max), [2.0, 2.0, 6.0]),
        (Op::Binary(Binary::PRelu), [1.0, -16.0, 6.0]),
    ];
    check_all(cases, |(op, expected)| check(op.clone(), &[&a, &b], &[3], expected));
    check(Op::Binary(Binary::Max), &[&a, &b, &array(&[1], &[5.0])], &[3], &[5.0, 5.0, 6.0]);
    check(Op::Binary(Binary::Add), &[&a, &b, &array(&[1], &[5.0])], &[3], &[8.0, -1.0, 14.0]);
    check(Op::Binary(Binary::Min), &[&a], &[3], &a.data);
    let spec = ValueSpec { shape: vec![3], data_type: None };
    let misfit = run(
        &Op::Binary(Binary::Add),
        vec![Input::Shared(&a), Input::Shared(&counting(&[2]))],
        &[spec],
        &mut Buffers::default(),
    );
    assert!(matches!(misfit, Err(Problem::Invalid(_))));
}

#[test]
fn padding() {
    let line = array(&[1, 4], &[1.0, 2.0, 3.0, 4.0]);
    let cases: [(PadMode, [i64; 2], &[f32]); 7] = [
        (PadMode::Constant, [2, 1], &[9.0, 9.0, 1.0, 2.0, 3.0, 4.0, 9.0]),
        (PadMode::Edge, [2, 1], &[1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 4.0]),
        (PadMode::Reflect, [2, 3], &[3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0]),
        (PadMode::Wrap, [2, 3], &[3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0]),
        (PadMode::Constant, [-1, 1], &[2.0, 3.0, 4.0, 9.0]),
        (PadMode::Constant, [-1, -2], &[2.0]),
        (PadMode::Edge, [1, -2], &[1.0, 1.0, 2.0]),
    ];
    check_all(cases, |&(mode, [before, after], expected)| {
        let op = Op::Pad { pads: vec![0, before, 0, after], mode, value: 9.0 };
        check(op, &[&line], &[1, expected.len()], expected);
    });
    // The channels of a shortcut: zeros before and after, planes whole.
    let op = Op::Pad { pads: vec![0, 1, 0, 0, 0, 1, 0, 0], mode: PadMode::Constant, value: 0.0 };
    check(op, &[&counting(&[1, 1, 2, 2])], &[1, 3, 2, 2], &[0., 0., 0., 0., 0., 1., 2., 3., 0., 0., 0., 0.]);
    let too_far = Op::Pad { pads: vec![0, 4, 0, 0], mode: PadMode::Reflect, value: 0.0 };
    assert!(matches!(run_typed(&too_far, &[&line], &[1, 8], DataType::F32), Err(Problem::Invalid(_))));
}

#[test]
fn slices() {
    let line = counting(&[6]);
    let cases: [([i64; 3], &[f32]); 8] = [
        ([0, i64::MAX, 2], &[0.0, 2.0, 4.0]),
        ([1, -1, 1], &[1.0, 2.0, 3.0, 4.0]),
        ([-2, 100, 1], &[4.0, 5.0]),
        ([-1, i64::MIN, -1], &[5.0, 4.0, 3.0, 2.0, 1.0, 0.0]),
        ([4, 0, -2], &[4.0, 2.0]),
        ([100, -100, -3], &[5.0, 2.0]),
        ([3, 3, 1], &[]),
        ([9, 12, 1], &[]),
    ];
    check_all(cases, |&([start, end, step], expected)| {
        let op = Op::Slice { starts: vec![start], ends: vec![end], axes: vec![0], steps: vec![step] };
        check(op, &[&line], &[expected.len()], expected);
    });
    let op = Op::Slice { starts: vec![0, 1], ends: vec![9, 9], axes: vec![2, 1], steps: vec![2, 1] };
    check(op, &[&counting(&[2, 2, 3])], &[2, 1, 2], &[3.0, 5.0, 9.0, 11.0]);
    // A step beyond the axis is never taken.
    let op = Op::Slice { starts: vec![1, 0], ends: vec![9, 9], axes: vec![0, 2], steps: vec![i64::MIN, i64::MAX] };
    check(op, &[&counting(&[2, 2, 3])], &[0, 2, 1], &[]);
    let op = Op::Slice { starts: vec![1, 0], ends: vec![9, 9], axes: vec![0, 2], steps: vec![i64::MAX, i64::MAX] };
    check(op, &[&counting(&[2, 2, 3])], &[1, 2, 1], &[6.0, 9.0]);
}

#[test]
fn moving_elements() {
    let x = counting(&[2, 3]);
    check(Op::Transpose { perm: vec![1, 0] }, &[&x], &[3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    let cube = counting(&[2, 1, 3]);
    check(Op::Transpose { perm: vec![2, 1, 0] }, &[&cube], &[3, 1, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    check(Op::Reshape, &[&x], &[3, 1, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    check(Op::Expand, &[&counting(&[2, 1])], &[2, 2, 2], &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    check(Op::Concat { axis: 1 }, &[&x, &counting(&[2, 1])], &[2, 4], &[0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 5.0, 1.0]);
    check(Op::Gather { axis: 1 }, &[&x, &array(&[2], &[2.0, -3.0])], &[2, 2], &[2.0, 0.0, 5.0, 3.0]);
    check(Op::Gather { axis: 0 }, &[&x, &array(&[], &[1.0])], &[3], &[3.0, 4.0, 5.0]);
    let blocks = array(&[1, 4, 1, 2], &[0., 1., 2., 3., 4., 5., 6., 7.]);
    check_all([false, true], |&column_row_depth| {
        let op = Op::DepthToSpace { block: 2, column_row_depth };
        check(op, &[&blocks], &[1, 1, 2, 4], &[0., 2., 1., 3., 4., 6., 5., 7.]);
    });
    let expected = [0., 2., 8., 10., 1., 3., 9., 11., 4., 6., 12., 14., 5., 7., 13., 15.];
    check(Op::SpaceToDepth { block: 2 }, &[&counting(&[1, 2, 2, 4])], &[1, 8, 1, 2], &expected);
    check(Op::Tile, &[&counting(&[2, 1])], &[4, 2], &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    check(Op::Tile, &[&counting(&[2])], &[0], &[]);
    let deep = counting(&[1, 8, 1, 1]);
    let op = |column_row_depth| Op::DepthToSpace { block: 2, column_row_depth };
    check(op(false), &[&deep], &[1, 2, 2, 2], &[0., 2., 4., 6., 1., 3., 5., 7.]);
    check(op(true), &[&deep], &[1, 2, 2, 2], &[0., 1., 2., 3., 4., 5., 6., 7.]);
}

#[test]
fn splitting() {
    let specs = [1, 2].map(|extent| ValueSpec { shape: vec![2, extent], data_type: None });
    let x = counting(&[2, 3]);
    let parts = run(&Op::Split { axis: 1 }, vec![Input::Shared(&x)], &specs, &mut Buffers::default()).unwrap();
    assert_eq!(parts, [array(&[2, 1], &[0.0, 3.0]), array(&[2, 2], &[1.0, 2.0, 4.0, 5.0])]);
}

fn window(kernel: usize, stride: usize, pad: [usize; 2]) -> Pool {
    Pool {
        kernel: [1, kernel],
        stride: [1, stride],
        dilation: [1, 1],
        pads: [0, pad[0], 0, pad[1]],
        depth: None,
        ceil_mode: false,
        count_include_pad: false,
    }
}

#[test]
fn pooling() {
    let line = array(&[1, 1, 1, 5], &[1.0, -2.0, 3.0, 4.0, 8.0]);
    let padded = window(3, 2, [1, 1]);
    let dilated = Pool { dilation: [1, 2], ..window(2, 1, [0, 0]) };
    let ceil = Pool { ceil_mode: true, ..window(2, 2, [0, 0]) };
    let counted = Pool { count_include_pad: true, ..padded };
    // The last window reaches one beyond the padding, which never counts.
    let counted_ceil = Pool { count_include_pad: true, ceil_mode: true, ..window(3, 3, [1, 1]) };
    let cases: [(Op, &[f32]); 9] = [
        (Op::MaxPool(window(2, 2, [0, 0])), &[1.0, 4.0]),
        (Op::MaxPool(padded), &[1.0, 4.0, 8.0]),
        (Op::MaxPool(dilated), &[3.0, 4.0, 8.0]),
        (Op::MaxPool(ceil), &[1.0, 4.0, 8.0]),
        (Op::AveragePool(window(2, 2, [0, 0])), &[-0.5, 3.5]),
        (Op::AveragePool(padded), &[-0.5, 5.0 / 3.0, 6.0]),
        (Op::AveragePool(counted), &[-1.0 / 3.0, 5.0 / 3.0, 4.0]),
        (Op::AveragePool(ceil), &[-0.5, 3.5, 8.0]),
        (Op::AveragePool(counted_ceil), &[-1.0 / 3.0, 5.0, 0.0]),
    ];
    check_all(cases, |(op, expected)| {
        if expected.last() == Some(&0.0) {
            // A window on padding alone has no mean of its own elements and is refused.
            assert!(matches!(run_typed(op, &[&line], &[1, 1, 1, 3], DataType::F32), Err(Problem::Invalid(_))));
            check(op.clone(), &[&line], &[1, 1, 1, 2], &expected[..2]);
        } else {
            check(op.clone(), &[&line], &[1, 1, 1, expected.len()], expected);
        }
    });
    let square = Pool { kernel: [2, 2], stride: [2, 2], ..window(2, 2, [0, 0]) };
    check(Op::AveragePool(square), &[&counting(&[1, 2, 2, 4])], &[1, 2, 1, 2], &[2.5, 4.5, 10.5, 12.5]);
    check(Op::MaxPool(window(2, 1, [0, 0])), &[&counting(&[1, 2, 3])], &[1, 2, 2], &[1.0, 2.0, 4.0, 5.0]);
}

/// Time and memory are those of the input.
#[test]
fn a_window_far_larger_than_its_input() {
    let line = array(&[1, 1, 1, 5], &[1.0, -2.0, 3.0, 4.0, 8.0]);
    let half = 1 << 39;
    let large = Pool { kernel: [1 << 40, 1 << 40], pads: [half, half, half - 1, half], ..window(1, 1, [0, 0]) };
    check(Op::MaxPool(large), &[&line], &[1, 1, 1, 6], &[8.0; 6]);
    check(Op::AveragePool(large), &[&line], &[1, 1, 1, 6], &[2.8; 6]);
    let counted = Op::AveragePool(Pool { count_include_pad: true, ..large });
    check(counted, &[&line], &[1, 1, 1, 6], &[14.0 / 2f32.powi(80); 6]);
    let far = Pool { dilation: [1, 1 << 50], ..window(2, 1, [0, 1 << 50]) };
    check(Op::MaxPool(far), &[&line], &[1, 1, 1, 5], &[1.0, -2.0, 3.0, 4.0, 8.0]);
}

#[test]
fn reductions() {
    let x = counting(&[1, 2, 2, 3]);
    check(Op::GlobalAveragePool, &[&x], &[1, 2, 1, 1], &[2.5, 8.5]);
    check(Op::GlobalMaxPool, &[&x], &[1, 2, 1, 1], &[5.0, 11.0]);
    check(
        Op::Reduce { reduction: Reduction::Mean, axes: vec![1], keep_dims: false },
        &[&x],
        &[1, 2, 3],
        &[3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
    );
    check(
        Op::Reduce { reduction: Reduction::Sum, axes: vec![1, 3], keep_dims: true },
        &[&x],
        &[1, 1, 2, 1],
        &[24.0, 42.0],
    );
    check(Op::Reduce { reduction: Reduction::Max, axes: vec![2, 3], keep_dims: false }, &[&x], &[1, 2], &[5.0, 11.0]);
    check(Op::Reduce { reduction: Reduction::Min, axes: vec![2, 3], keep_dims: false }, &[&x], &[1, 2], &[0.0, 6.0]);
    check(
        Op::Reduce { reduction: Reduction::Product, axes: vec![1], keep_dims: false },
        &[&x],
        &[1, 2, 3],
        &[0.0, 7.0, 16.0, 27.0, 40.0, 55.0],
    );
    check(
        Op::Reduce { reduction: Reduction::L2, axes: vec![0], keep_dims: true },
        &[&array(&[2], &[3.0, -4.0])],
        &[1],
        &[5.0],
    );
}

#[test]
fn normalizations() {
    let x = array(&[1, 2, 1, 2], &[1.0, 3.0, -1.0, 5.0]);
    let parameters = [[2.0, 1.0], [0.5, -1.0], [1.0, 2.0], [3.0, 15.0]].map(|p| array(&[2], &p));
    let [scale, bias, mean, variance] = &parameters;
    let op = Op::BatchNormalization { epsilon: 1.0 };
    check(op, &[&x, scale, bias, mean, variance], &[1, 2, 1, 2], &[0.5, 2.5, -1.75, -0.25]);

    let logits = array(&[1, 3, 2], &[0.0, 1000.0, 0.0, 1000.0, std::f32::consts::LN_2, 0.0]);
    check(Op::Softmax { axis: 1 }, &[&logits], &[1, 3, 2], &[0.25, 0.5, 0.25, 0.5, 0.5, 0.0]);
    let ln = |x: f32| x.ln();
    let row = array(&[1, 2], &[ln(1.0), ln(3.0)]);
    check(Op::LogSoftmax { axis: 1 }, &[&row], &[1, 2], &[ln(0.25), ln(0.75)]);
    let square = array(&[1, 2, 2], &[ln(1.0), ln(3.0), ln(4.0), ln(2.0)]);
    let from = |logarithm| Op::SoftmaxFrom { axis: 1, logarithm };
    check(from(false), &[&square], &[1, 2, 2], &[0.1, 0.3, 0.4, 0.2]);
    check(from(true), &[&square], &[1, 2, 2], &[ln(0.1), ln(0.3), ln(0.4), ln(0.2)]);
}

#[test]
fn normalizations_by_their_own_statistics() {
    let x = array(&[1, 2, 2], &[1.0, 3.0, -1.0, 5.0]);
    let (scale, bias) = (array(&[2], &[2.0, 1.0]), array(&[2], &[0.5, -1.0]));
    let op = |axis| Op::LayerNormalization { axis, epsilon: 1.0 };
    let rows = [-0.914_213_54, -0.292_893_23, -1.397_366_6, -0.051_316_7];
    check(op(2), &[&x, &scale, &bias], &[1, 2, 2], &rows);
    let planes = [-0.316_496_58, -0.591_751_7, -1.949_489_7, 0.224_744_87];
    check(op(1), &[&x, &scale, &bias], &[1, 2, 2], &planes);
    check(op(2), &[&x, &array(&[1], &[1.0])], &[1, 2, 2], &[-0.707_106_77, 0.707_106_77, -0.948_683_3, 0.948_683_3]);
    let channels = [-0.914_213_54, 1.914_213_5, -1.948_683_3, -0.051_316_7];
    check(Op::InstanceNormalization { epsilon: 1.0 }, &[&x, &scale, &bias], &[1, 2, 2], &channels);

    let x = array(&[1, 4, 1, 1], &[1.0, 2.0, 3.0, 4.0]);
    let lrn = |size| Op::Lrn { alpha: 2.0, beta: 1.0, bias: 1.0, size };
    check(lrn(3), &[&x], &[1, 4, 1, 1], &[0.230_769_23, 0.193_548_38, 0.147_540_99, 0.226_415_1]);
    check(lrn(2), &[&x], &[1, 4, 1, 1], &[0.166_666_67, 0.142_857_15, 0.115_384_616, 0.235_294_12]);
}

#[test]
fn resizing() {
    let op = |linear: bool, coordinates: &str, nearest: &str| Op::Resize {
        interpolation: match linear {
            true => Interpolation::Linear,
            false => Interpolation::Nearest(Nearest::named(nearest).expect("a word of ONNX")),
        },
        coordinates: Coordinates::named(coordinates).expect("a word of ONNX"),
        scales: None,
    };
    let line = array(&[1, 1, 1, 2], &[0.0, 4.0]);
    let long = counting(&[1, 1, 1, 8]);
    let cases: [(Op, &Array, &[f32]); 8] = [
        (op(true, "half_pixel", ""), &line, &[0.0, 1.0, 3.0, 4.0]),
        (op(true, "align_corners", ""), &line, &[0.0, 4.0 / 3.0, 8.0 / 3.0, 4.0]),
        (op(true, "asymmetric", ""), &line, &[0.0, 2.0, 4.0, 4.0]),
        (op(true, "pytorch_half_pixel", ""), &line, &[0.0]),
        (op(false, "asymmetric", "floor"), &line, &[0.0, 0.0, 4.0, 4.0]),
        (op(false, "half_pixel", "round_prefer_floor"), &long, &[0.0, 2.0, 4.0, 6.0]),
        (op(false, "half_pixel", "round_prefer_ceil"), &long, &[1.0, 3.0, 5.0, 7.0]),
        (op(false, "half_pixel", "ceil"), &long, &[1.0, 3.0, 5.0, 7.0]),
    ];
    check_all(cases, |(op, x, expected)| check(op.clone(), &[x], &[1, 1, 1, expected.len()], expected));
    let unknown = op(true, "tf_half_pixel_for_nn", "");
    assert!(matches!(run_typed(&unknown, &[&line], &[1, 1, 1, 4], DataType::F32), Err(Problem::Unsupported(_))));
}

#[test]
fn products_of_matrices() {
    let cases: [[&[usize]; 3]; 6] = [
        [&[2, 3], &[3, 4], &[2, 4]],
        [&[1, 3], &[3, 4], &[1, 4]],
        [&[3], &[3, 2], &[2]],
        [&[2, 3], &[3], &[2]],
        [&[5, 2, 3], &[3, 2], &[5, 2, 2]],
        [&[2, 1, 1, 3], &[4, 3, 2], &[2, 4, 1, 2]],
    ];
    check_all(cases, |&[a_shape, b_shape, out]| {
        let (a, b) = (counting(a_shape), counting(b_shape));
        check(Op::MatMul, &[&a, &b], out, &plain_product(&a, &b));
    });
}

/// A product of stacks of matrices by the definition; stacks broadcast only over leading ones.
fn plain_product(a: &Array, b: &Array) -> Vec<f32> {
    let [m, k] =
        if a.shape.len() == 1 { [1, a.shape[0]] } else { [a.shape[a.shape.len() - 2], a.shape[a.shape.len() - 1]] };
    let n = if b.shape.len() == 1 { 1 } else { b.shape[b.shape.len() - 1] };
    let (a_count, b_count) = (a.data.len() / (m * k), b.data.len() / (k * n));
    let stacked_apart = a.shape.len() == 4;
    let pairs: Vec<(usize, usize)> = if stacked_apart {
        (0..a_count).flat_map(|i| (0..b_count).map(move |j| (i, j))).collect()
    } else {
        (0..a_count.max(b_count)).map(|i| (i % a_count, i % b_count)).collect()
    };
    let element = |(i, j): (usize, usize), row: usize, column: usize| -> f32 {
        (0..k).map(|l| a.data[i * m * k + row * k + l] * b.data[j * k * n + l * n + column]).sum()
    };
    pairs
        .into_iter()
        .flat_map(|pair| (0..m * n).map(move |i| (pair, i / n, i % n)))
        .map(|(pair, row, column)| element(pair, row, column))
        .collect()
}

#[test]
fn quantizing_rounds_ties_to_even_and_saturates() {
    type Case<'a> = (DataType, f32, f32, &'a [f32], &'a [f32]);
    let cases: [Case; 5] = [
        (DataType::U8, 1.0, 0.0, &[0.5, 1.5, 2.5, 254.5, 255.5, -3.0], &[0.0, 2.0, 2.0, 254.0, 255.0, 0.0]),
        (DataType::I8, 2.0, 0.0, &[-1.0, -3.0, 1.0, 3.0, 999.0, -999.0], &[0.0, -2.0, 0.0, 2.0, 127.0, -128.0]),
        // The zero point is added after rounding: an odd one turns no tie round.
        (DataType::U8, 1.0, 3.0, &[0.5, 1.5, -2.5], &[3.0, 5.0, 1.0]),
        (DataType::U16, 1.0, 65535.0, &[-65535.5, -65534.5, 1.0], &[0.0, 1.0, 65535.0]),
        (DataType::I16, 1.0, -1.0, &[32767.6, 1e30, -1e30, f32::INFINITY], &[32767.0, 32767.0, -32768.0, 32767.0]),
    ];
    check_all(cases, |&(data_type, scale, zero_point, x, expected)| {
        let scalars = [array(&[], &[scale]), array(&[], &[zero_point])];
        let op = Op::QuantizeLinear { axis: 1 };
        let inputs = [&array(&[x.len()], x), &scalars[0], &scalars[1]];
        let result = run_typed(&op, &inputs, &[x.len()], data_type).unwrap();
        assert_eq!(result.data, expected, "{data_type:?}, scale {scale}, zero point {zero_point}");
    });
}

#[test]
fn quantizing_divides_by_the_scale() {
    let divided = |x: f32, scale: f32| (x / scale).round_ties_even().clamp(0.0, 255.0);
    let op = Op::QuantizeLinear { axis: 0 };
    let mut differences = 0;
    for step in 1..400 {
        let scale = step as f32 * 0.003_1;
        let x: Vec<f32> = (0..256).map(|code| (code as f32 + 0.5) * scale).collect();
        let result = run_typed(&op, &[&array(&[256], &x), &array(&[], &[scale])], &[256], DataType::U8).unwrap();
        for (&x, &code) in x.iter().zip(&result.data) {
            assert_eq!(code, divided(x, scale), "{x} / {scale}");
            differences += usize::from(code != (x * (1.0 / scale)).round_ties_even().clamp(0.0, 255.0));
        }
    }
    assert!(differences > 0, "no case tells division from multiplication by the reciprocal");
}

#[test]
fn scales_along_an_axis() {
    let x = array(&[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let (scale, zero_point) = (array(&[2], &[1.0, 0.5]), array(&[2], &[0.0, 10.0]));
    let quantize = Op::QuantizeLinear { axis: 1 };
    let codes = run_typed(&quantize, &[&x, &scale, &zero_point], &[1, 2, 2], DataType::U8).unwrap();
    assert_eq!(codes.data, [1.0, 2.0, 16.0, 18.0]);
    check(Op::DequantizeLinear { axis: 1 }, &[&codes, &scale, &zero_point], &[1, 2, 2], &x.data);
    let cases = [(array(&[3], &[1.0; 3]), "scales of shape"), (array(&[], &[0.0]), "must be positive")];
    check_all(cases, |(bad, expected)| match run_typed(&quantize, &[&x, bad], &[1, 2, 2], DataType::U8) {
        Err(Problem::Invalid(message) | Problem::Unsupported(message)) => {
            assert!(message.contains(expected), "{message}")
        }
        Ok(_) => panic!("accepted {bad:?}"),
    });
}

#[test]
fn casts() {
    let x = array(&[4], &[-1.9, 0.0, 2.7, 127.0]);
    let cases = [
        (DataType::I8, [-1.0, 0.0, 2.0, 127.0]),
        (DataType::F32, [-1.9, 0.0, 2.7, 127.0]),
        (DataType::Bool, [1.0, 0.0, 1.0, 1.0]),
    ];
    check_all(cases, |&(to, expected)| {
        assert_eq!(run_typed(&Op::Cast, &[&x], &[4], to).unwrap().data, expected, "{to:?}");
    });
    let fine = array(&[2], &[1.0 + 1.0 / 512.0, 2049.0]);
    assert_eq!(run_typed(&Op::Cast, &[&fine], &[2], DataType::F16).unwrap().data, [1.0 + 1.0 / 512.0, 2048.0]);
    assert_eq!(run_typed(&Op::Cast, &[&fine], &[2], DataType::Bf16).unwrap().data, [1.0, 2048.0]);
    assert!(matches!(run_typed(&Op::Cast, &[&x], &[4], DataType::U8), Err(Problem::Invalid(_))));
}
