//! A strip in vector instructions of x86-64 processors.
//!
//! All unsafe code of this crate is here: loads and stores of whole vectors, and calls of functions that are compiled
//! for instructions which the processor was found to have. The workspace denies unsafe code wherever a file does not
//! allow it.
//!
//! One word of the plane goes to one lane of a vector. A lane is therefore one output position, from load to store.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::sweep::{Machine, Strip};

/// Four unsigned 8-bit inputs times four signed 8-bit weights a lane (`vpdpbusd`). `None` without AVX-512 and VNNI.
pub(super) fn bytes() -> Option<Machine<u32, i32>> {
    has_vnni().then_some(Machine { block: 8, strip: bytes512::strip })
}

/// Two signed 16-bit inputs times weights a lane (`vpdpwssd`). `None` without AVX-512 and VNNI.
pub(super) fn pairs512() -> Option<Machine<u32, i32>> {
    has_vnni().then_some(Machine { block: 8, strip: pairs512::strip })
}

/// Two signed 16-bit inputs times weights a lane (`vpmaddwd`). `None` without AVX2.
pub(super) fn pairs256() -> Option<Machine<u32, i32>> {
    is_x86_feature_detected!("avx2").then_some(Machine { block: 4, strip: pairs256::strip })
}

/// One float a lane, 16 lanes. `None` without AVX-512.
pub(super) fn real512() -> Option<Machine<f32, f32>> {
    is_x86_feature_detected!("avx512f").then_some(Machine { block: 8, strip: real512::strip })
}

/// One float a lane, 8 lanes. `None` without AVX2.
pub(super) fn real256() -> Option<Machine<f32, f32>> {
    is_x86_feature_detected!("avx2").then_some(Machine { block: 4, strip: real256::strip })
}

fn has_vnni() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
}

/// Defines a module whose `strip` is the function of a [`Machine`]; `$filters` are the sizes of blocks that it takes.
///
/// `strip` may only be handed out where the processor has `$features`.
macro_rules! strip_module {
    (
        $module:ident, $features:literal, $word:ty, $sum:ty, $vector:ty, $lanes:literal, filters $($filters:literal)*,
        zero $zero:ident, splat $splat:expr, step $step:expr, add $add:ident,
        load $load:ident, load_sums $load_sums:ident, store $store:ident
    ) => {
        mod $module {
            use super::*;

            pub(super) fn strip(filters: usize, strip: &Strip<'_, $word>, sums: &mut [$sum]) {
                match filters {
                    // SAFETY: this function is handed out only where the processor has the features.
                    $($filters => unsafe { all::<$filters>(strip, sums) },)*
                    _ => unreachable!("a block never has {filters} filters"),
                }
            }

            #[target_feature(enable = $features)]
            fn all<const F: usize>(strip: &Strip<'_, $word>, sums: &mut [$sum]) {
                let mut at = 0;
                while at < strip.len {
                    if strip.len - at > $lanes {
                        positions::<F, 2>(strip, at, sums);
                        at += 2 * $lanes;
                    } else {
                        positions::<F, 1>(strip, at, sums);
                        at += $lanes;
                    }
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn positions<const F: usize, const V: usize>(strip: &Strip<'_, $word>, at: usize, sums: &mut [$sum]) {
                let mut partial = [[$zero(); V]; F];
                for (weights, &tap) in strip.weights.as_chunks::<F>().0.iter().zip(strip.taps) {
                    let inputs = &strip.plane[tap + at..][..V * $lanes].as_chunks::<$lanes>().0;
                    let mut vectors = [$zero(); V];
                    for v in 0..V {
                        vectors[v] = load(&inputs[v]);
                    }
                    for f in 0..F {
                        let weight = $splat(weights[f]);
                        for v in 0..V {
                            partial[f][v] = $step(partial[f][v], vectors[v], weight);
                        }
                    }
                }
                for f in 0..F {
                    let sums = sums[f * strip.pitch + at..][..V * $lanes].as_chunks_mut::<$lanes>().0;
                    for v in 0..V {
                        add(&mut sums[v], partial[f][v]);
                    }
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn load(words: &[$word; $lanes]) -> $vector {
                // SAFETY: reads the array, which is as large as a vector, at any alignment.
                unsafe { $load(words.as_ptr().cast()) }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn add(sums: &mut [$sum; $lanes], partial: $vector) {
                // SAFETY: reads the array, which is as large as a vector, at any alignment.
                let before = unsafe { $load_sums(sums.as_ptr().cast()) };
                // SAFETY: writes the array, which is as large as a vector, at any alignment.
                unsafe { $store(sums.as_mut_ptr().cast(), $add(before, partial)) }
            }
        }
    };
}

strip_module!(
    bytes512, "avx512f,avx512vnni", u32, i32, __m512i, 16, filters 1 2 3 4 5 6 7 8,
    zero _mm512_setzero_si512, splat |w: u32| _mm512_set1_epi32(w as i32),
    step |sum, x, w| _mm512_dpbusd_epi32(sum, x, w), add _mm512_add_epi32,
    load _mm512_loadu_si512, load_sums _mm512_loadu_si512, store _mm512_storeu_si512
);

strip_module!(
    pairs512, "avx512f,avx512vnni", u32, i32, __m512i, 16, filters 1 2 3 4 5 6 7 8,
    zero _mm512_setzero_si512, splat |w: u32| _mm512_set1_epi32(w as i32),
    step |sum, x, w| _mm512_dpwssd_epi32(sum, x, w), add _mm512_add_epi32,
    load _mm512_loadu_si512, load_sums _mm512_loadu_si512, store _mm512_storeu_si512
);

strip_module!(
    pairs256, "avx2", u32, i32, __m256i, 8, filters 1 2 3 4,
    zero _mm256_setzero_si256, splat |w: u32| _mm256_set1_epi32(w as i32),
    step |sum, x, w| _mm256_add_epi32(sum, _mm256_madd_epi16(x, w)), add _mm256_add_epi32,
    load _mm256_loadu_si256, load_sums _mm256_loadu_si256, store _mm256_storeu_si256
);

// Multiplication and addition stay two instructions, for a product is rounded before it is added.
strip_module!(
    real512, "avx512f", f32, f32, __m512, 16, filters 1 2 3 4 5 6 7 8,
    zero _mm512_setzero_ps, splat _mm512_set1_ps,
    step |sum, x, w| _mm512_add_ps(sum, _mm512_mul_ps(x, w)), add _mm512_add_ps,
    load _mm512_loadu_ps, load_sums _mm512_loadu_ps, store _mm512_storeu_ps
);

strip_module!(
    real256, "avx2", f32, f32, __m256, 8, filters 1 2 3 4,
    zero _mm256_setzero_ps, splat _mm256_set1_ps,
    step |sum, x, w| _mm256_add_ps(sum, _mm256_mul_ps(x, w)), add _mm256_add_ps,
    load _mm256_loadu_ps, load_sums _mm256_loadu_ps, store _mm256_storeu_ps
);
