//! A strip in vector instructions of 64-bit ARM processors, which all have vectors of 128 bits (NEON).
//!
//! The code that is unsafe loads and stores whole vectors, and calls functions that are compiled for instructions which the
//! processor was found to have.

#![allow(unsafe_code)]

use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};

use super::sweep::{Machine, Strip};
use super::vectors::strip_module;

/// Four signed 8-bit inputs times four signed 8-bit weights a lane (`sdot`). `None` without products of bytes.
pub(super) fn bytes() -> Option<Machine<u32, i32>> {
    is_aarch64_feature_detected!("dotprod").then_some(Machine { block: 8, positions: 8, strip: bytes::strip })
}

/// One float a lane, 4 lanes. `None` without vectors.
pub(super) fn real() -> Option<Machine<f32, f32>> {
    is_aarch64_feature_detected!("neon").then_some(Machine { block: 8, positions: 12, strip: real::strip })
}

/// The library has no stable function for this instruction.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(mut sum: int32x4_t, x: int32x4_t, w: int32x4_t) -> int32x4_t {
    // SAFETY: the instruction reads and writes these registers alone.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {x:v}.16b, {w:v}.16b",
            sum = inout(vreg) sum, x = in(vreg) x, w = in(vreg) w,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

#[inline]
#[target_feature(enable = "neon")]
fn no_integers() -> int32x4_t {
    vdupq_n_s32(0)
}

#[inline]
#[target_feature(enable = "neon")]
fn no_reals() -> float32x4_t {
    vdupq_n_f32(0.0)
}

strip_module!(
    bytes, "neon,dotprod", u32, i32, int32x4_t, 4, vectors 2, filters 1 2 3 4 5 6 7 8,
    zero no_integers, splat |w: u32| vdupq_n_s32(w as i32), step dot, add vaddq_s32,
    load vld1q_s32, load_sums vld1q_s32, store vst1q_s32
);

// One instruction multiplies, adds and rounds once.
strip_module!(
    real, "neon", f32, f32, float32x4_t, 4, vectors 3, filters 1 2 3 4 5 6 7 8,
    zero no_reals, splat vdupq_n_f32, step vfmaq_f32, add vaddq_f32,
    load vld1q_f32, load_sums vld1q_f32, store vst1q_f32
);
