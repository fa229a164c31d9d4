//! Integers in memory.

use network::Tensor;

/// Integers in the smallest type that takes them and `others`, their zero points for example; they fill `shape` row-major.
pub(crate) fn smallest(shape: Vec<usize>, integers: &[i32], others: &[i32]) -> Tensor {
    let fits = |min: i32, max: i32| integers.iter().chain(others).all(|q| (min..=max).contains(q));
    if fits(-128, 127) {
        Tensor::from_i8(shape, integers)
    } else if fits(-32768, 32767) {
        Tensor::from_i16(shape, integers)
    } else {
        Tensor::from_i32(shape, integers)
    }
}
