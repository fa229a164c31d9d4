//! Operators on one or two activations of 8 bits as tables of every case, which the operators themselves make.

use std::sync::Arc;

use network::{ActivationQuantization, IntegerFunction, IntegerOp, Op};

use crate::array::{Array, Buffers, Input};
use crate::codes::{CodeOutput, Codes};
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
