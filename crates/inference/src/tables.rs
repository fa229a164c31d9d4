//! Operators on one or two activations of 8 bits as tables of every case, which the operators themselves make.

use std::sync::Arc;

use network::{ActivationQuantization, IntegerFunction, IntegerOp, Op};

use crate::array::{Array, Buffers, Input};
use crate::codes::{CodeOutput, Codes, NEAR_BLOCK, NearCodes};
use crate::ops::{self, ValueSpec};

/// The code that is made of each code, or of each pair of them, the first of a pair times 256.
pub(crate) type Table = Arc<[u8]>;

/// Codes of an activation of 8 bits.
const CODES: usize = 256;

/// How many inputs a function of integers takes element by element; none where elements depend on others.
fn elementwise(function: &IntegerFunction) -> Option<usize> {
    match function {
        IntegerFunction::Lookup { .. } | IntegerFunction::LeakyRelu { .. } | IntegerFunction::Sigmoid => Some(1),
        IntegerFunction::Add | IntegerFunction::Sub | IntegerFunction::Mul | IntegerFunction::PRelu => Some(2),
        IntegerFunction::Quantize
        | IntegerFunction::AveragePool(_)
        | IntegerFunction::GlobalAveragePool
        | IntegerFunction::Mean { .. }
        | IntegerFunction::Concat { .. }
        | IntegerFunction::Softmax { .. }
        | IntegerFunction::ResizeBilinear { .. } => None,
    }
}

/// The table of an operator on integers, whose inputs begin at `mins` and whose output is `made`. `None` if its elements
/// depend on others, or if it makes an integer beyond 8 bits.
pub(crate) fn of_integers(op: &IntegerOp, mins: &[i32], made: [i32; 2]) -> Option<Table> {
    elementwise(&op.function).filter(|&count| count == mins.len())?;
    let cases = CODES.pow(mins.len() as u32);
    let input = |place: usize, min: i32| {
        let below = CODES.pow((mins.len() - 1 - place) as u32);
        Array::new(vec![cases], (0..cases).map(|case| (case / below % CODES) as f32 + min as f32).collect())
    };
    let inputs: Vec<Array> = mins.iter().enumerate().map(|(place, &min)| input(place, min)).collect();
    let integers = run(&Op::Integer(op.clone()), &inputs)?;
    let code = |integer: &f32| u8::try_from(*integer as i32 - made[0]).ok().filter(|_| *integer <= made[1] as f32);
    integers.iter().map(code).collect()
}

/// The table of an operator on real numbers between codes.
pub(crate) fn of_reals(op: &Op, from: ActivationQuantization, output: &CodeOutput) -> Option<Table> {
    let codes: Vec<u8> = (0..=u8::MAX).collect();
    let mut input = Array::new(vec![CODES], vec![0.0; CODES]);
    Codes { codes: &codes, quantization: from }.reals(&mut input.data);
    let reals = run(op, &[input])?;
    let mut made = vec![0; CODES];
    output.codes(&reals, &mut made);
    Some(made.into())
}

/// What an operator makes of these inputs, an element for each of them.
fn run(op: &Op, inputs: &[Array]) -> Option<Vec<f32>> {
    let specs = [ValueSpec { shape: inputs.first()?.shape.clone(), data_type: None }];
    let made = ops::run(op, inputs.iter().map(Input::Shared).collect(), &specs, &mut Buffers::default()).ok()?;
    let [made] = <[Array; 1]>::try_from(made).ok()?;
    (made.shape == specs[0].shape).then_some(made.data)
}

/// The codes that a table makes of these.
pub(crate) fn of_each(table: &Table, codes: &[u8], made: &mut [u8]) {
    let table: &[u8; CODES] = table[..].try_into().expect("a table of one activation");
    made.iter_mut().zip(codes).for_each(|(made, &code)| *made = table[usize::from(code)]);
}

/// What a table of pairs says where it is the rounded sum of both codes, each times a number: vectors of such sums are faster than
/// single entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundedSum {
    slopes: [f32; 2],
    offset: f32,
    near: NearCodes,
}

impl RoundedSum {
    /// Fewer codes than one in a hundred are farther from an integer, and go the long way.
    const CERTAIN: f32 = 0.495;

    /// That of the sum or difference that a table was made of; `None` of other functions, and where rounding departs from the
    /// nearest integer by more than little. Every entry of the table was compared: whatever the arithmetic of the operator
    /// is, no code is another one.
    pub(crate) fn of_integers(table: &Table, op: &IntegerOp, mins: &[i32], made: [i32; 2]) -> Option<Self> {
        let (&[a, b], &[min_a, min_b]) = (op.inputs.as_slice(), mins) else { return None };
        let is = |function| op.function == function;
        let sign = if is(IntegerFunction::Add) { 1.0 } else { -1.0 };
        if !(is(IntegerFunction::Add) || is(IntegerFunction::Sub)) {
            return None;
        }
        let (low, high) = table.iter().fold((u8::MAX, 0), |(low, high), &code| (low.min(code), high.max(code)));
        let slopes = [f64::from(a.scale), sign * f64::from(b.scale)].map(|scale| scale / f64::from(op.output.scale));
        let starts = [min_a - a.zero_point, min_b - b.zero_point].map(f64::from);
        let offset = f64::from(op.output.zero_point - made[0]) + slopes[0] * starts[0] + slopes[1] * starts[1];
        let (slopes, offset) = (slopes.map(|slope| slope as f32), offset as f32);
        let sum = Self { slopes, offset, near: NearCodes::between([low, high], 0.5) };
        let certain = sum.least_wrong(table).next_down();
        (certain >= Self::CERTAIN).then_some(Self { near: NearCodes::between([low, high], certain), ..sum })
    }

    /// How near to an integer a sum lies that is rounded to another code than that of the table.
    fn least_wrong(self, table: &Table) -> f32 {
        let mut least = 0.5f32;
        for (a, codes) in table.chunks_exact(CODES).enumerate() {
            let (a, found) = (a as f32, &mut least);
            lanes::run(
                #[inline(always)]
                move || {
                    for (b, &code) in codes.iter().enumerate() {
                        let (nearest, distance) = self.near.nearest(self.steps(a, b as f32));
                        // Of steps without bounds the distance is no number.
                        let distance = if distance <= 0.5 { distance } else { 0.0 };
                        *found = found.min(if nearest == code { 0.5 } else { distance });
                    }
                },
            );
        }
        least
    }

    #[inline(always)]
    fn steps(self, a: f32, b: f32) -> f32 {
        a.mul_add(self.slopes[0], b.mul_add(self.slopes[1], self.offset))
    }

    /// The codes that the table makes of these pairs.
    pub(crate) fn of_pairs(self, table: &Table, [a, b]: [&[u8]; 2], made: &mut [u8]) {
        let (blocks, rest) = made.as_chunks_mut::<NEAR_BLOCK>();
        let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<NEAR_BLOCK>(), b.as_chunks::<NEAR_BLOCK>());
        lanes::run(
            #[inline(always)]
            || {
                for ((made, a), b) in blocks.iter_mut().zip(a).zip(b) {
                    self.near.block(
                        made,
                        #[inline(always)]
                        |i| self.steps(a[i].into(), b[i].into()),
                        #[inline(always)]
                        |i| table[usize::from(a[i]) * CODES + usize::from(b[i])],
                    );
                }
            },
        );
        of_pairs(table, [rest_a, rest_b], rest);
    }
}

/// The codes that a table makes of these pairs.
pub(crate) fn of_pairs(table: &Table, [a, b]: [&[u8]; 2], made: &mut [u8]) {
    let table: &[u8; CODES * CODES] = table[..].try_into().expect("a table of two activations");
    let pairs = a.iter().zip(b).map(|(&a, &b)| usize::from(a) * CODES + usize::from(b));
    made.iter_mut().zip(pairs).for_each(|(made, pair)| *made = table[pair]);
}

#[cfg(test)]
mod tests {
    use network::{IntegerArithmetic, Unary};
    use testkit::check_all;

    use super::*;

    #[test]
    fn tables_are_what_operators_make() {
        let wide = ActivationQuantization { scale: 0.05, zero_point: -20, min: -128, max: 127 };
        let mut random = testkit::Random::new(5);
        let codes: [Vec<u8>; 2] = std::array::from_fn(|_| (0..5000).map(|_| random.below(CODES) as u8).collect());
        let integers = codes
            .each_ref()
            .map(|codes| Array::new(vec![codes.len()], codes.iter().map(|&code| f32::from(code) - 128.0).collect()));
        let functions = [IntegerFunction::Add, IntegerFunction::Sub, IntegerFunction::Mul, IntegerFunction::PRelu];
        check_all(functions, |function| {
            let (function, arithmetic) = (function.clone(), IntegerArithmetic::LiteRt);
            let op = IntegerOp { function, arithmetic, inputs: vec![wide; 2], output: wide };
            let table = of_integers(&op, &[-128, -128], [-128, 127]).expect("it is element by element");
            let mut made = vec![0; codes[0].len()];
            of_pairs(&table, [&codes[0], &codes[1]], &mut made);
            let expected = run(&Op::Integer(op), &integers).expect("it runs");
            assert_eq!(made.iter().map(|&code| f32::from(code) - 128.0).collect::<Vec<f32>>(), expected);
        });
        let output = CodeOutput::new(wide, None);
        let table = of_reals(&Op::Unary(Unary::HardSwish), wide, &output).expect("it is element by element");
        let mut made = vec![0; codes[0].len()];
        of_each(&table, &codes[0], &mut made);
        // 128 is −20 behind 20: 0, which is 0 again.
        assert_eq!(table[128 - 20], 128 - 20);
        // 3 and more is itself, −3 and less is 0.
        assert!(made.iter().zip(&codes[0]).all(|(&made, &code)| match code {
            168.. => made == code,
            ..=48 => made == 108,
            _ => made >= 100,
        }));
    }

    #[test]
    fn rounded_sums_are_what_their_tables_say() {
        let of = |scale, zero_point, min, max| ActivationQuantization { scale, zero_point, min, max };
        let (plain, shifted) = (of(0.0213, 11, 0, 255), of(0.4, -128, -128, 127));
        // The last output is clamped by an activation function, and one has far larger steps than its inputs.
        let outputs = [(of(0.0371, -5, -128, 127), -128), (of(3.0, 0, -128, 127), -128), (of(0.11, 3, 3, 90), 0)];
        let pairs: [Vec<u8>; 2] = [|i: usize| i / CODES, |i: usize| i % CODES]
            .map(|code| (0..CODES * CODES).map(|i| code(i) as u8).collect());
        let cases =
            outputs.iter().flat_map(|&output| [IntegerFunction::Add, IntegerFunction::Sub].map(|f| (output, f)));
        check_all(cases, |((output, made_min), function)| {
            let (function, arithmetic) = (function.clone(), IntegerArithmetic::LiteRt);
            let op = IntegerOp { function, arithmetic, inputs: vec![plain, shifted], output: *output };
            let (mins, range) = ([0, -128], [*made_min, made_min + 255]);
            let table = of_integers(&op, &mins, range).expect("it is element by element");
            let sum = RoundedSum::of_integers(&table, &op, &mins, range).expect("its codes are the nearest");
            // Blocks, and a rest.
            for len in [CODES * CODES, 200, 3] {
                let mut made = vec![0; len];
                sum.of_pairs(&table, [&pairs[0][..len], &pairs[1][..len]], &mut made);
                assert_eq!(made, table[..len]);
            }
            let endless =
                IntegerOp { inputs: vec![of(f32::MAX, 0, 0, 255); 2], output: of(1e-30, 0, 0, 255), ..op.clone() };
            assert!(RoundedSum::of_integers(&table, &endless, &mins, range).is_none());
            let other = IntegerOp { function: IntegerFunction::Mul, ..op };
            assert!(RoundedSum::of_integers(&table, &other, &mins, range).is_none());
            // A table of another sum is no sum of this one.
            let wrong: Table = table.iter().rev().copied().collect();
            let op = IntegerOp { function: IntegerFunction::Add, ..other };
            assert!(RoundedSum::of_integers(&wrong, &op, &mins, range).is_none());
        });
    }

    #[test]
    fn what_looks_beyond_an_element_has_no_table() {
        let byte = ActivationQuantization { scale: 1.0, zero_point: 0, min: 0, max: 255 };
        let op = |function, count| {
            let arithmetic = IntegerArithmetic::OnnxRuntime;
            IntegerOp { function, arithmetic, inputs: vec![byte; count], output: byte }
        };
        assert_eq!(of_integers(&op(IntegerFunction::GlobalAveragePool, 1), &[0], [0, 255]), None);
        assert_eq!(of_integers(&op(IntegerFunction::Add, 2), &[0], [0, 255]), None);
        // A sum beyond the type of its output.
        assert_eq!(of_integers(&op(IntegerFunction::Add, 2), &[0, 0], [0, 127]), None);
    }
}
