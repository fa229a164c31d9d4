//! Convolution kernels that engines share, and that give the same result on every machine.
//!
//! [`IntegerConv`] sums integers exactly, and [`BitConv`] bits of them. [`RealConv`] sums 32-bit floats in the order of an
//! analog array. All work in the same way. The input of a group is laid out as a plane in which the inputs of all output
//! positions of a weight lie side by side, at a fixed distance, the tap of the weight, from where the plane begins. No
//! matrix of copied patches is built, whatever the stride and the dilation. Neighbouring positions fill the lanes of a
//! vector and are multiplied with the same weight, and what was loaded serves a whole block of filters.
//!
//! ```text
//! lowering   geometry -> plane, taps         sweep      repeats, groups, blocks of filters, strips of rows
//! portable   one strip in safe Rust          x86, arm   the same in vector instructions; all unsafe code of this crate
//! processor  which vectors there may be      vectors    what x86 and arm have in common
//! depthwise  layers in which each channel has filters of its own, another way for inputs of bytes
//! ```
//!
//! Which instructions run depends on the processor and on proven bounds of the numbers, so no sum ever saturates or
//! wraps.

#[cfg(target_arch = "aarch64")]
mod arm;
mod bits;
mod depthwise;
mod integer;
mod lowering;
mod portable;
mod processor;
mod real;
mod sweep;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vectors;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use bits::{BitConv, BitRoom};
pub use integer::{CodeRoom, CodeSums, IntegerConv, MAX_ACTIVATION, ShortSums, Sums};
pub use real::{RealConv, RealRoom};
