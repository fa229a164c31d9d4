//! A strip in vector instructions of x86-64 processors.
//!
//! The code that is unsafe loads and stores whole vectors, and calls functions that are compiled for instructions which the
//! processor was found to have.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::sweep::{Machine, Strip};
use super::vectors::strip_module;

/// Four unsigned 8-bit inputs times four signed 8-bit weights a lane (`vpdpbusd`). `None` without AVX-512 and VNNI.
pub(super) fn bytes512() -> Option<Machine<u32, i32>> {
    has_vnni().then_some(Machine { block: 8, positions: 32, strip: bytes512::strip })
}

/// The same in 8 lanes. `None` without AVX-VNNI.
pub(super) fn bytes256() -> Option<Machine<u32, i32>> {
    let has_both = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni");
    has_both.then_some(Machine { block: 4, positions: 16, strip: bytes256::strip })
}

/// Two signed 16-bit inputs times weights a lane (`vpdpwssd`). `None` without AVX-512 and VNNI.
pub(super) fn pairs512() -> Option<Machine<u32, i32>> {
    has_vnni().then_some(Machine { block: 8, positions: 32, strip: pairs512::strip })
}

/// Two signed 16-bit inputs times weights a lane (`vpmaddwd`). `None` without AVX2.
pub(super) fn pairs256() -> Option<Machine<u32, i32>> {
    is_x86_feature_detected!("avx2").then_some(Machine { block: 4, positions: 16, strip: pairs256::strip })
}

/// Tables of four weights that are looked up by four bits of inputs (`vpshufb`), 64 positions at a time. A byte must hold the
/// sum of `run` tables of a filter, one after another; 16, 4 or 1. `None` without AVX-512 for bytes.
pub(super) fn lookups(run: usize) -> Option<Machine<u8, u16, [u8; 16]>> {
    let strip = match run {
        16 => lookups::strip::<16>,
        4 => lookups::strip::<4>,
        1 => lookups::strip::<1>,
        _ => unreachable!("a run never has {run} tables"),
    };
    let has_bytes = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
    has_bytes.then_some(Machine { block: 4, positions: 128, strip })
}

/// One float a lane, 16 lanes. `None` without AVX-512.
pub(super) fn real512() -> Option<Machine<f32, f32>> {
    is_x86_feature_detected!("avx512f").then_some(Machine { block: 8, positions: 48, strip: real512::strip })
}

/// One float a lane, 8 lanes. `None` without AVX2 and FMA.
pub(super) fn real256() -> Option<Machine<f32, f32>> {
    let has_both = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    has_both.then_some(Machine { block: 4, positions: 16, strip: real256::strip })
}

/// Joins four bytes, one of each channel, to words, and says how many words it made: a multiple of 64, and none without AVX-512
/// for bytes. The rest is left to the caller.
pub(super) fn join_bytes(channels: [&[u8]; 4], joined: &mut [u32]) -> usize {
    if !(is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")) {
        return 0;
    }
    let [a, b, c, d] = channels.map(|channel| channel.as_chunks::<64>().0);
    let joined = joined.as_chunks_mut::<64>().0;
    // SAFETY: the processor has the features.
    unsafe { join512([a, b, c, d], joined) };
    64 * joined.len()
}

/// Joins blocks of bytes to blocks of words.
#[target_feature(enable = "avx512f,avx512bw")]
fn join512([a, b, c, d]: [&[[u8; 64]]; 4], joined: &mut [[u32; 64]]) {
    for ((((joined, a), b), c), d) in joined.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        // SAFETY: reads arrays that are as large as a vector, at any alignment.
        let [a, b, c, d] = [a, b, c, d].map(|bytes| unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) });
        // In each quarter of a vector, sixteen pixels: words of pixels 0 to 3, 4 to 7, 8 to 11, 12 to 15.
        let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
        let (first, second) = (_mm512_unpacklo_epi16(ab, cd), _mm512_unpackhi_epi16(ab, cd));
        let (ab, cd) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
        let (third, fourth) = (_mm512_unpacklo_epi16(ab, cd), _mm512_unpackhi_epi16(ab, cd));
        // The four quarters of a block of pixels become one vector: 4 × 4 quarters are transposed.
        let (low, high) = (_mm512_shuffle_i32x4::<0x44>(first, second), _mm512_shuffle_i32x4::<0xee>(first, second));
        let (low_2, high_2) =
            (_mm512_shuffle_i32x4::<0x44>(third, fourth), _mm512_shuffle_i32x4::<0xee>(third, fourth));
        let blocks = [
            _mm512_shuffle_i32x4::<0x88>(low, low_2),
            _mm512_shuffle_i32x4::<0xdd>(low, low_2),
            _mm512_shuffle_i32x4::<0x88>(high, high_2),
            _mm512_shuffle_i32x4::<0xdd>(high, high_2),
        ];
        for (joined, words) in joined.as_chunks_mut::<16>().0.iter_mut().zip(blocks) {
            // SAFETY: writes an array that is as large as a vector, at any alignment.
            unsafe { _mm512_storeu_si512(joined.as_mut_ptr().cast(), words) };
        }
    }
}

fn has_vnni() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
}

strip_module!(
    bytes512, "avx512f,avx512vnni", u32, i32, __m512i, 16, vectors 2, filters 1 2 3 4 5 6 7 8,
    zero _mm512_setzero_si512, splat |w: u32| _mm512_set1_epi32(w as i32),
    step |sum, x, w| _mm512_dpbusd_epi32(sum, x, w), add _mm512_add_epi32,
    load _mm512_loadu_si512, load_sums _mm512_loadu_si512, store _mm512_storeu_si512
);

strip_module!(
    bytes256, "avx2,avxvnni", u32, i32, __m256i, 8, vectors 2, filters 1 2 3 4,
    zero _mm256_setzero_si256, splat |w: u32| _mm256_set1_epi32(w as i32),
    step |sum, x, w| _mm256_dpbusd_avx_epi32(sum, x, w), add _mm256_add_epi32,
    load _mm256_loadu_si256, load_sums _mm256_loadu_si256, store _mm256_storeu_si256
);

strip_module!(
    pairs512, "avx512f,avx512vnni", u32, i32, __m512i, 16, vectors 2, filters 1 2 3 4 5 6 7 8,
    zero _mm512_setzero_si512, splat |w: u32| _mm512_set1_epi32(w as i32),
    step |sum, x, w| _mm512_dpwssd_epi32(sum, x, w), add _mm512_add_epi32,
    load _mm512_loadu_si512, load_sums _mm512_loadu_si512, store _mm512_storeu_si512
);

strip_module!(
    pairs256, "avx2", u32, i32, __m256i, 8, vectors 2, filters 1 2 3 4,
    zero _mm256_setzero_si256, splat |w: u32| _mm256_set1_epi32(w as i32),
    step |sum, x, w| _mm256_add_epi32(sum, _mm256_madd_epi16(x, w)), add _mm256_add_epi32,
    load _mm256_loadu_si256, load_sums _mm256_loadu_si256, store _mm256_storeu_si256
);

// One instruction multiplies, adds and rounds once.
strip_module!(
    real512, "avx512f", f32, f32, __m512, 16, vectors 3, filters 1 2 3 4 5 6 7 8,
    zero _mm512_setzero_ps, splat _mm512_set1_ps,
    step |sum, x, w| _mm512_fmadd_ps(x, w, sum), add _mm512_add_ps,
    load _mm512_loadu_ps, load_sums _mm512_loadu_ps, store _mm512_storeu_ps
);

strip_module!(
    real256, "avx2,fma", f32, f32, __m256, 8, vectors 2, filters 1 2 3 4,
    zero _mm256_setzero_ps, splat _mm256_set1_ps,
    step |sum, x, w| _mm256_fmadd_ps(x, w, sum), add _mm256_add_ps,
    load _mm256_loadu_ps, load_sums _mm256_loadu_ps, store _mm256_storeu_ps
);

/// Defines a function that looks up the sums of neighbouring positions in tables; it needs AVX-512 for bytes.
macro_rules! lookup_positions {
    (
        $positions:ident, $vector:ty, $bytes:literal, $pairs:literal, zero $zero:ident, load $load:ident, broadcast $broadcast:ident,
        look_up $look_up:ident, add_bytes $add_bytes:ident, add_pairs $add_pairs:ident, and $and:ident, splat $splat:ident,
        shift $shift:ident, interleave $interleave:ident, store $store:ident
    ) => {
        /// Bytes hold the sums of `E` entries. They are then added to sums of 16 bits, those of even and of odd positions.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx2")]
        fn $positions<const F: usize, const V: usize, const E: usize>(
            strip: &Strip<'_, u8, [u8; 16]>,
            at: usize,
            sums: &mut [u16],
        ) {
            let mut wide = [[[$zero(); 2]; V]; F];
            let low = $splat(0xff);
            let tables = strip.weights.as_chunks::<F>().0;
            for (tables, taps) in tables.chunks(E).zip(strip.taps.chunks(E)) {
                let mut narrow = [[$zero(); V]; F];
                for (tables, &tap) in tables.iter().zip(taps) {
                    let bits = strip.plane[tap + at..][..V * $bytes].as_chunks::<$bytes>().0;
                    let mut indices = [$zero(); V];
                    for v in 0..V {
                        // SAFETY: reads the array, which is as large as a vector, at any alignment.
                        indices[v] = unsafe { $load(bits[v].as_ptr().cast()) };
                    }
                    for f in 0..F {
                        // SAFETY: reads the array of 16 bytes, at any alignment.
                        let table = $broadcast(unsafe { _mm_loadu_si128(tables[f].as_ptr().cast()) });
                        for v in 0..V {
                            narrow[f][v] = $add_bytes(narrow[f][v], $look_up(table, indices[v]));
                        }
                    }
                }
                for f in 0..F {
                    for v in 0..V {
                        let [even, odd] = &mut wide[f][v];
                        *even = $add_pairs(*even, $and(narrow[f][v], low));
                        *odd = $add_pairs(*odd, $shift::<8>(narrow[f][v]));
                    }
                }
            }
            for f in 0..F {
                for v in 0..V {
                    let [even, odd] = wide[f][v];
                    let sums = sums[f * strip.pitch + at + v * $bytes..][..$bytes].as_chunks_mut::<$pairs>().0;
                    for (sums, partial) in sums.iter_mut().zip($interleave(even, odd)) {
                        // SAFETY: reads the array, which is as large as a vector, at any alignment.
                        let before = || unsafe { $load(sums.as_ptr().cast()) };
                        let sum = if strip.fresh { partial } else { $add_pairs(before(), partial) };
                        // SAFETY: writes the array, which is as large as a vector, at any alignment.
                        unsafe { $store(sums.as_mut_ptr().cast(), sum) };
                    }
                }
            }
        }
    };
}

mod lookups {
    use super::*;

    pub(super) fn strip<const E: usize>(filters: usize, strip: &Strip<'_, u8, [u8; 16]>, sums: &mut [u16]) {
        match filters {
            // SAFETY: this function is handed out only where the processor has the features.
            1 => unsafe { all::<1, E>(strip, sums) },
            // SAFETY: as above.
            2 => unsafe { all::<2, E>(strip, sums) },
            // SAFETY: as above.
            3 => unsafe { all::<3, E>(strip, sums) },
            // SAFETY: as above.
            4 => unsafe { all::<4, E>(strip, sums) },
            _ => unreachable!("a block never has {filters} filters"),
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx2")]
    fn all<const F: usize, const E: usize>(strip: &Strip<'_, u8, [u8; 16]>, sums: &mut [u16]) {
        let mut at = 0;
        while at < strip.len {
            match strip.len - at {
                ..=32 => {
                    positions256::<F, 1, E>(strip, at, sums);
                    at += 32;
                }
                33..=96 => {
                    positions512::<F, 1, E>(strip, at, sums);
                    at += 64;
                }
                97.. => {
                    positions512::<F, 2, E>(strip, at, sums);
                    at += 128;
                }
            }
        }
    }

    /// Numbers of 16 bits, those of the two vectors in turn.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn interleave512(even: __m512i, odd: __m512i) -> [__m512i; 2] {
        // In every 128 bits the first numbers of both, and the last.
        let (low, high) = (_mm512_unpacklo_epi16(even, odd), _mm512_unpackhi_epi16(even, odd));
        let first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
        let last = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
        [_mm512_permutex2var_epi64(low, first, high), _mm512_permutex2var_epi64(low, last, high)]
    }

    /// As [`interleave512`].
    #[inline]
    #[target_feature(enable = "avx2")]
    fn interleave256(even: __m256i, odd: __m256i) -> [__m256i; 2] {
        let (low, high) = (_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd));
        [_mm256_permute2x128_si256::<0x20>(low, high), _mm256_permute2x128_si256::<0x31>(low, high)]
    }

    lookup_positions!(
        positions512, __m512i, 64, 32, zero _mm512_setzero_si512, load _mm512_loadu_si512, broadcast _mm512_broadcast_i32x4,
        look_up _mm512_shuffle_epi8, add_bytes _mm512_add_epi8, add_pairs _mm512_add_epi16, and _mm512_and_si512,
        splat _mm512_set1_epi16, shift _mm512_srli_epi16, interleave interleave512, store _mm512_storeu_si512
    );

    lookup_positions!(
        positions256, __m256i, 32, 16, zero _mm256_setzero_si256, load _mm256_loadu_si256, broadcast _mm256_broadcastsi128_si256,
        look_up _mm256_shuffle_epi8, add_bytes _mm256_add_epi8, add_pairs _mm256_add_epi16, and _mm256_and_si256,
        splat _mm256_set1_epi16, shift _mm256_srli_epi16, interleave interleave256, store _mm256_storeu_si256
    );
}
