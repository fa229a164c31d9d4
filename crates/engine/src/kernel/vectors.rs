//! A strip in vectors of some length, whatever the processor calls its instructions.
//!
//! All unsafe code of this crate is in what is defined here, and in the modules that use it. The workspace denies unsafe code
//! wherever a file does not allow it.
//!
//! One word of the plane goes to one lane of a vector. A lane is therefore one output position, from load to store.

/// Defines a module whose `strip` is the function of a [`Machine`]; `$filters` are the sizes of blocks that it takes.
///
/// `strip` may only be handed out where the processor has `$features`.
macro_rules! strip_module {
    (
        $module:ident, $features:literal, $word:ty, $sum:ty, $vector:ty, $lanes:literal, vectors $vectors:literal, filters $($filters:literal)*,
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
                    if $vectors == 3 && strip.len - at > 2 * $lanes {
                        positions::<F, 3>(strip, at, sums);
                        at += 3 * $lanes;
                    } else if strip.len - at > $lanes {
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
                        // A sum begins at 0: a partial sum of floats may be -0.
                        let before = if strip.fresh { $zero() } else { load_sums(&sums[v]) };
                        store(&mut sums[v], $add(before, partial[f][v]));
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
            fn load_sums(sums: &[$sum; $lanes]) -> $vector {
                // SAFETY: as above.
                unsafe { $load_sums(sums.as_ptr().cast()) }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn store(sums: &mut [$sum; $lanes], sum: $vector) {
                // SAFETY: writes the array, which is as large as a vector, at any alignment.
                unsafe { $store(sums.as_mut_ptr().cast(), sum) }
            }
        }
    };
}

pub(super) use strip_module;
