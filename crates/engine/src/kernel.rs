//! Convolution kernels that engines share, and that give the same result on every machine.
//!
//! [`IntegerConv`] sums integers exactly; [`RealConv`] sums 32-bit floats in the order of an analog array. Both work
//! alike: the input of a group is laid out as a plane in which every weight finds the inputs of all its output positions
//! side by side, at a fixed distance (its tap) from them. No matrix of copied patches is built, whatever the stride and
//! the dilation. Positions then fill the lanes of a vector, a weight is the same for all of them, and a block of filters
//! shares what was loaded.
//!
//! ```text
//! lowering   geometry -> plane, taps         sweep      repeats, groups, blocks of filters, strips of rows
//! portable   one strip in safe Rust          x86        the same in vector instructions; all of the unsafe code
//! ```
//!
//! Which instructions run is decided by what the processor has and by proven bounds, so no sum ever saturates or wraps.

mod integer;
mod lowering;
mod portable;
mod real;
#[cfg(test)]
mod reference;
mod sweep;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use integer::{IntegerConv, MAX_ACTIVATION};
pub use real::RealConv;
