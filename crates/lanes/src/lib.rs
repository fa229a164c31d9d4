//! Loops compiled for the vector instructions of the processor that runs them.
//!
//! A program that must run on every processor of its kind is compiled for the oldest of them. A loop given to [`run`] is
//! compiled for several generations, of which the newest that the processor knows runs.
//!
//! ```
//! let (scale, numbers) = (0.5f32, [1.0f32, 2.0, 3.0]);
//! let mut scaled = [0.0; 3];
//! lanes::run(
//!     #[inline(always)]
//!     || scaled.iter_mut().zip(&numbers).for_each(|(scaled, x)| *scaled = x * scale),
//! );
//! assert_eq!(scaled, [0.5, 1.0, 1.5]);
//! ```
//!
//! [`round`], [`round_to_integer`] and [`round_to_byte`] round without a call, so that a loop with them has vectors everywhere.
//!
//! What a loop computes is the same in all generations: the compiler reorders no sum of floats and fuses no product with a
//! sum unless the code says `mul_add`.

#![forbid(unsafe_code)]

use std::sync::LazyLock;

use pulp::{Arch, NullaryFnOnce};

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Runs a loop in the best instructions that the processor has. The closure, and what it calls, must be
/// `#[inline(always)]`, or it is compiled for the oldest processor after all. What the closure takes along it should own
/// (`move`): a number behind a reference is read again in every turn, and the loop has no vectors.
#[inline(always)]
pub fn run(work: impl FnMut()) {
    ARCH.dispatch(Work(work));
}

/// Whether all numbers have a property. All are looked at, which takes less time than to stop at the first that has not.
///
/// ```
/// assert!(lanes::all(&[1.0, 2.0], f32::is_finite));
/// assert!(!lanes::all(&[1.0, f32::NAN, 2.0], f32::is_finite));
/// ```
#[inline(always)]
pub fn all(numbers: &[f32], holds: impl Fn(f32) -> bool + Copy) -> bool {
    let mut failing = 0;
    let found = &mut failing;
    run(
        #[inline(always)]
        move || {
            let mut failing = 0u32;
            for &x in numbers {
                failing |= u32::from(!holds(x));
            }
            *found = failing;
        },
    );
    failing == 0
}

/// Whether all numbers are integers from `least` to `most`, which are below 2^22 in magnitude.
///
/// ```
/// assert!(lanes::are_integers(&[-1.0, 255.0], -1.0, 255.0));
/// assert!(!lanes::are_integers(&[0.5], 0.0, 255.0) && !lanes::are_integers(&[256.0], 0.0, 255.0));
/// ```
#[inline(always)]
pub fn are_integers(numbers: &[f32], least: f32, most: f32) -> bool {
    all(
        numbers,
        #[inline(always)]
        move |x| (round(x) == x) & (least <= x) & (x <= most),
    )
}

/// A closure that is called in place. Called by value it would be a function of its own.
struct Work<F>(F);

impl<F: FnMut()> NullaryFnOnce for Work<F> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        (self.0)();
    }
}

/// Adding 1.5·2^23 leaves no bit for a fraction, and rounds as the processor does; the last bits of the sum are those of the
/// integer.
const WHOLE: f32 = 12_582_912.0;

/// The nearest integer, ties to even, of a number below 2^22 in magnitude. Unlike `round_ties_even` it is no call on
/// processors without an instruction for it.
///
/// ```
/// assert_eq!([0.5, 1.5, -2.5, 7.25].map(lanes::round), [0.0, 2.0, -2.0, 7.0]);
/// ```
#[inline(always)]
pub fn round(x: f32) -> f32 {
    (x + WHOLE) - WHOLE
}

/// As [`round`], as an integer.
///
/// ```
/// assert_eq!([0.5, 1.5, -2.5, 7.25].map(lanes::round_to_integer), [0, 2, -2, 7]);
/// ```
#[inline(always)]
pub fn round_to_integer(x: f32) -> i32 {
    (x + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits()) as i32
}

/// The last eight bits of the nearest integer, as [`round`] has it.
///
/// ```
/// assert_eq!([0.5, 255.0, -1.25, 256.0].map(lanes::round_to_byte), [0, 255, 255, 0]);
/// ```
#[inline(always)]
pub fn round_to_byte(x: f32) -> u8 {
    (x + WHOLE).to_bits() as u8
}
