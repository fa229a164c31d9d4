//! Weights of 9 bits as signed bytes, and what is added once for all filters of a group.

use esn::WeightShape;

use super::{CodeRoom, IntegerConv, bytes};
use crate::kernel::lowering::Lowering;
use crate::kernel::processor::Vectors;
use crate::kernel::sweep::{HandedStrip, Input, Packed, Schedule, Weights};

/// How codes of more than 8 bits become signed bytes: `code = scale · byte + offset`, but for filters that are 0 as a whole. What the
/// offset contributes to a sum is the same for all filters of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AsBytes {
    scale: i32,
    offset: i32,
}

impl AsBytes {
    /// `code = 2 · byte + 1` where all codes are odd, up to 255 in magnitude.
    const ODD: Self = Self { scale: 2, offset: 1 };

    /// A way for these codes, those of filters that are 0 left out.
    pub(super) fn of(codes: impl Iterator<Item = i32> + Clone) -> Option<Self> {
        let (low, high) = codes.clone().fold((0, 0), |(low, high), code| (code.min(low), code.max(high)));
        if codes.clone().all(|code| code % 2 != 0) && low >= -255 && high <= 255 {
            return Some(Self::ODD);
        }
        // Codes that lie within 256 of one another, as those of unsigned bytes less a zero point.
        (high - low <= 255).then(|| Self { scale: 1, offset: 0.clamp(high - 127, low + 128) })
    }

    fn byte(self, code: i32) -> i32 {
        (code - self.offset) / self.scale
    }
}

/// A layer whose codes are taken for bytes and an offset.
#[derive(Debug)]
pub(super) struct Parts {
    /// Of a filter that is 0 as a whole they are 0.
    bytes: Packed<u32>,
    /// One filter a group, of ones.
    ones: Packed<u32>,
    /// By filter, whether it is 0 as a whole.
    dead: Vec<bool>,
}

impl Parts {
    fn new(conv: &IntegerConv, as_bytes: AsBytes, block: usize) -> Self {
        let lowering = || Lowering::new(&conv.geometry, 4).expect("it exists with one channel a word");
        let filters = || conv.codes.chunks_exact(conv.geometry.rows());
        let is_dead = |filter: &[i32]| filter[conv.rows.clone()].iter().all(|&code| code == 0);
        let dead: Vec<bool> = filters().map(is_dead).collect();
        let of_filter = |(filter, &is_dead): (&[i32], &bool)| -> Vec<i32> {
            let byte = |&code: &i32| if is_dead { 0 } else { as_bytes.byte(code >> conv.halvings) };
            filter.iter().map(byte).collect()
        };
        // A byte of 0 adds nothing, so that it may be skipped as a weight of 0 is.
        let of_filters: Vec<i32> = filters().zip(&dead).flat_map(of_filter).collect();
        let all_ones = vec![1; conv.geometry.weight_shape().groups * conv.geometry.rows()];
        let shape = WeightShape { filters: conv.geometry.spec().groups, ..conv.geometry.weight_shape() };
        let of_filters = Weights { values: &of_filters, ..conv.weights() };
        let ones = Weights { values: &all_ones, shape, ..conv.weights() };
        let packed = |weights| Packed::new(lowering(), block, &weights, bytes);
        Self { bytes: packed(of_filters), ones: packed(ones), dead }
    }
}

impl IntegerConv {
    /// `Σ code · x = scale · Σ byte · x + offset · Σ x`, without the second sum for filters that are 0.
    pub(super) fn sum_parts(
        &self,
        vectors: Vectors,
        input: Input<'_, u8>,
        room: &mut CodeRoom,
        mut take: impl FnMut(HandedStrip<'_, i32>),
    ) {
        let machine = vectors.bytes().expect("the path is taken only where there is a machine");
        let as_bytes = self.as_bytes.expect("the path is taken only where there is a way");
        let AsBytes { scale, offset } = as_bytes;
        let parts = self.parts[vectors as usize].get_or_init(|| Parts::new(self, as_bytes, machine.block));
        let Parts { bytes, ones, dead } = parts;
        let CodeRoom { words, inputs, whole, .. } = room;
        bytes.each_plane(&machine, input, vectors.join(), words, |slot, plane, sums| {
            let mut strips = 0;
            let mut keep = |strip: HandedStrip<'_, i32>| {
                if inputs.len() <= strips {
                    inputs.resize_with(strips + 1, Vec::new);
                }
                inputs[strips].clear();
                inputs[strips].extend_from_slice(strip.sums);
                strips += 1;
            };
            ones.sweep_plane(&machine, Schedule::WHOLE, slot, plane, sums, &mut keep);
            let mut put_together = |strip: HandedStrip<'_, i32>| {
                if dead[strip.filter] {
                    return take(strip);
                }
                whole.resize(strip.sums.len(), 0);
                let inputs = inputs[strip.place % strips].as_slice();
                let (made, bytes) = (whole.as_mut_slice(), strip.sums);
                lanes::run(
                    #[inline(always)]
                    move || {
                        for ((made, &bytes), &inputs) in made.iter_mut().zip(bytes).zip(inputs) {
                            *made = scale * bytes + offset * inputs;
                        }
                    },
                );
                take(HandedStrip { sums: whole, ..strip });
            };
            bytes.sweep_plane(&machine, Schedule::WHOLE, slot, plane, sums, &mut put_together);
        });
    }
}
