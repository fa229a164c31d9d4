//! Blocks of space that become images of a batch, and back: SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND. TensorFlow writes a dilated
//! convolution as one without dilation between these two.

use network::{DataType, Op, PadMode};

use super::builder::Builder;
use super::layout;
use super::operation::Operation;
use crate::reading::fault::{Fault, invalid, not_run};

/// The tensors and numbers of one of the two operators.
struct Blocks {
    x: usize,
    output: usize,
    data_type: DataType,
    /// Of an input `[N, H, W, C]`.
    from: [usize; 4],
    /// Height and width of a block.
    block: [usize; 2],
    /// What is padded, or cropped, before and after rows and columns.
    edges: [[usize; 2]; 2],
}

impl Blocks {
    fn new(b: &Builder<'_>, operation: &Operation<'_>) -> Result<Self, Fault> {
        operation.arity(3, 3)?;
        let (x, output) = (operation.input(0)?, operation.output()?);
        let &[batch, height, width, channels] = b.shape(x) else {
            return Err(not_run!("an input of shape {:?}; four axes are handled", b.shape(x)));
        };
        let (block, edges) = (b.known_ints(operation.input(1)?, 8)?, b.known_ints(operation.input(2)?, 16)?);
        let wrong = || invalid!("blocks of {block:?} with edges {edges:?} for an input of {:?}", b.shape(x));
        let count = |n: i64| usize::try_from(n).ok().filter(|&n| n <= MAX_EDGE).ok_or_else(wrong);
        let (&[rows, columns], &[top, bottom, left, right]) = (block.as_slice(), edges.as_slice()) else {
            return Err(wrong());
        };
        let block = [count(rows)?, count(columns)?];
        if block.contains(&0) {
            return Err(wrong());
        }
        let edges = [[count(top)?, count(bottom)?], [count(left)?, count(right)?]];
        let (from, data_type) = ([batch, height, width, channels], b.data_type(x)?);
        Ok(Self { x, output, data_type, from, block, edges })
    }

    /// What does not divide into whole blocks.
    fn torn(&self) -> Fault {
        invalid!("blocks of {:?} with edges {:?} for an input of {:?}", self.block, self.edges, self.from)
    }
}

/// Blocks and edges beyond this are no layer's, and their products could not be counted.
const MAX_EDGE: usize = 1 << 24;

/// SPACE_TO_BATCH_ND: pads an image, and makes one image of each place in its blocks.
pub(super) fn space_to_batch(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    let blocks = Blocks::new(b, operation)?;
    let Blocks { x, output, data_type, from: [batch, height, width, channels], block: [rows, columns], edges } = blocks;
    if batch != 1 {
        return Err(not_run!("{batch} images side by side; one is handled"));
    }
    let [[top, bottom], [left, right]] = edges;
    let padded = [height.checked_add(top + bottom), width.checked_add(left + right)];
    let [Some(padded_height), Some(padded_width)] = padded else { return Err(blocks.torn()) };
    if !padded_height.is_multiple_of(rows) || !padded_width.is_multiple_of(columns) {
        return Err(blocks.torn());
    }
    let fill = if b.is_real(x)? { 0.0 } else { b.same_quantization(x, output)?.zero_point as f32 };
    let value = b.in_file_order(x)?;
    let name = operation.name.as_str();
    let pads = [0, top, left, 0, 0, bottom, right, 0].map(|n| n as i64).to_vec();
    let op = Op::Pad { pads, mode: PadMode::Constant, value: fill };
    let form = (data_type, vec![1, padded_height, padded_width, channels]);
    let value = b.emit(&format!("{name}/padded"), operation.kind, op, vec![value], form);
    let in_blocks = vec![padded_height / rows, rows, padded_width / columns, columns, channels];
    let value = b.emit(&format!("{name}/blocks"), "RESHAPE", Op::Reshape, vec![value], (data_type, in_blocks));
    let by_place = vec![rows, columns, padded_height / rows, padded_width / columns, channels];
    let op = Op::Transpose { perm: vec![1, 3, 0, 2, 4] };
    let flat = b.emit(&format!("{name}/places"), "TRANSPOSE", op, vec![value], (data_type, by_place));
    let places = rows.checked_mul(columns).ok_or_else(|| invalid!("blocks of {rows} × {columns}"))?;
    let shape = [places, padded_height / rows, padded_width / columns, channels];
    let value = b.reshaped(name, flat, &shape, data_type);
    b.assign(output, value, &shape)
}

/// BATCH_TO_SPACE_ND: puts the images of all places in blocks together to one, and crops it.
pub(super) fn batch_to_space(b: &mut Builder<'_>, operation: &Operation<'_>) -> Result<(), Fault> {
    let blocks = Blocks::new(b, operation)?;
    let Blocks { x, output, data_type, from: [batch, height, width, channels], block: [rows, columns], edges } = blocks;
    if rows.checked_mul(columns) != Some(batch) {
        return Err(not_run!("{batch} images for blocks of {rows} × {columns}; one whole image is handled"));
    }
    let whole = [height.checked_mul(rows), width.checked_mul(columns)];
    let [Some(whole_height), Some(whole_width)] = whole else { return Err(blocks.torn()) };
    let [[top, bottom], [left, right]] = edges;
    if top + bottom > whole_height || left + right > whole_width {
        return Err(blocks.torn());
    }
    if !b.is_real(x)? {
        b.same_quantization(x, output)?;
    }
    let flat = b.in_file_order(x)?;
    let name = operation.name.as_str();
    let by_place = vec![rows, columns, height, width, channels];
    let value = b.emit(&format!("{name}/places"), "RESHAPE", Op::Reshape, vec![flat], (data_type, by_place));
    let op = Op::Transpose { perm: vec![2, 0, 3, 1, 4] };
    let in_blocks = vec![height, rows, width, columns, channels];
    let flat = b.emit(&format!("{name}/blocks"), "TRANSPOSE", op, vec![value], (data_type, in_blocks));
    let value = b.reshaped(name, flat, &[1, whole_height, whole_width, channels], data_type);
    let shape = [1, whole_height - top - bottom, whole_width - left - right, channels];
    let op = Op::Slice {
        starts: vec![top as i64, left as i64],
        ends: vec![(whole_height - bottom) as i64, (whole_width - right) as i64],
        steps: vec![1, 1],
        axes: vec![layout::axis(4, 1), layout::axis(4, 2)],
    };
    b.define(operation, output, op, vec![value], &shape)
}
