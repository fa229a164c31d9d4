//! Tensors that are stored without most of their zeros.
//!
//! Some axes of such a tensor may be cut into blocks. The elements are reached level by level. A level is one axis, or
//! the inside of one kind of block, and the file says in which order the levels come. A dense level has every index. A
//! sparse level stores, for each node of the level above, which indices it has (compressed sparse rows). The data of
//! the tensor are the elements at the last level. Source: `SparsityParameters` of the schema, and the TACO compiler
//! (Kjolstad et al., OOPSLA 2017) that it cites.

use super::flatbuffer::{Scalar, Table};
use crate::reading::fault::{Fault, invalid};

/// How a tensor is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sparsity {
    /// What each level is: a number below the rank is that axis of the tensor, a larger one the inside of a block.
    traversal: Vec<usize>,
    /// The axis of the tensor that each kind of block cuts.
    blocks: Vec<usize>,
    levels: Vec<Level>,
}

/// What a level stores.
#[derive(Clone, Debug, PartialEq)]
enum Level {
    /// So many indices, all of them.
    Dense(usize),
    /// Those of node `i` of the level above are `indices[segments[i]..segments[i + 1]]`, rising.
    Sparse { segments: Vec<usize>, indices: Vec<usize> },
}

/// A level whose place in the tensor is known.
struct Placed<'a> {
    level: &'a Level,
    extent: usize,
    /// Elements of the tensor from one index to the next.
    stride: usize,
}

impl Sparsity {
    /// Reads the parameters; they are compared with the tensor when it is written out.
    pub(super) fn decode(table: &Table<'_>) -> Result<Self, Fault> {
        let traversal = numbers::<i32>(table, 0)?;
        let blocks = numbers::<i32>(table, 1)?;
        let levels = table.tables(2)?.iter().map(level).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { traversal, blocks, levels })
    }

    /// All elements, row-major; those that are not stored are 0. `stored` holds elements of `size` bytes.
    ///
    /// The caller has bounded the elements of `shape`; the work is no more.
    pub(super) fn expand(&self, shape: &[usize], size: usize, stored: &[u8]) -> Result<Vec<u8>, String> {
        let levels = self.placed(shape)?;
        let count = shape.iter().product::<usize>();
        let mut walk = Walk { levels: &levels, size, stored, used: 0, dense: vec![0; count * size] };
        // A tensor without elements may have long axes all the same.
        if count > 0 {
            walk.descend(0, 0, 0)?;
        }
        if walk.used * size != stored.len() {
            return Err(format!("{} bytes are stored, its sparsity names {}", stored.len(), walk.used * size));
        }
        Ok(walk.dense)
    }

    /// The levels with their extents and strides.
    fn placed(&self, shape: &[usize]) -> Result<Vec<Placed<'_>>, String> {
        let (rank, depth) = (shape.len(), self.levels.len());
        let mut order = self.traversal.clone();
        order.sort_unstable();
        // The walk goes as deep as there are levels: an axis is cut once.
        if self.blocks.len() > rank || depth != rank + self.blocks.len() || !order.into_iter().eq(0..depth) {
            let Self { traversal, blocks, .. } = self;
            return Err(format!(
                "{depth} levels in order {traversal:?}, {} kinds of block, for shape {shape:?}",
                blocks.len()
            ));
        }
        let size_of = |block: usize| {
            let level =
                self.traversal.iter().position(|&axis| axis == rank + block).expect("the order holds every level");
            match self.levels[level] {
                Level::Dense(size) if size > 0 => Ok(size),
                Level::Dense(_) | Level::Sparse { .. } => Err(format!("the inside of block {block} is not dense")),
            }
        };
        let sizes = (0..self.blocks.len()).map(size_of).collect::<Result<Vec<usize>, String>>()?;
        // Elements from one index of an axis to the next.
        let unit = |axis: usize| shape[axis + 1..].iter().product::<usize>();
        let mut cut = vec![1; rank];
        for (i, (&axis, &size)) in self.blocks.iter().zip(&sizes).enumerate() {
            let fits = axis < rank && !self.blocks[..i].contains(&axis) && shape[axis].is_multiple_of(size);
            if !fits {
                return Err(format!("blocks of {size} along axis {axis} of shape {shape:?}"));
            }
            cut[axis] = size;
        }
        let place = |(&axis, level): (&usize, _)| match axis.checked_sub(rank) {
            Some(block) => Placed { level, extent: sizes[block], stride: unit(self.blocks[block]) },
            None => Placed { level, extent: shape[axis] / cut[axis], stride: unit(axis) * cut[axis] },
        };
        Ok(self.traversal.iter().zip(&self.levels).map(place).collect())
    }
}

/// The way down the levels.
struct Walk<'a> {
    levels: &'a [Placed<'a>],
    size: usize,
    stored: &'a [u8],
    /// Elements that were stored.
    used: usize,
    dense: Vec<u8>,
}

impl Walk<'_> {
    /// Follows node `node` of the level above, which begins at element `offset` of the tensor.
    fn descend(&mut self, depth: usize, node: usize, offset: usize) -> Result<(), String> {
        let levels = self.levels;
        let Some(Placed { level, extent, stride }) = levels.get(depth) else { return self.place(node, offset) };
        match level {
            Level::Dense(found) if found != extent => Err(format!("level {depth} has {found} indices of {extent}")),
            Level::Dense(extent) => (0..*extent)
                .try_for_each(|index| self.descend(depth + 1, node * extent + index, offset + index * stride)),
            Level::Sparse { segments, indices } => {
                let segment = segments.get(node).zip(segments.get(node + 1));
                let Some(found) = segment.and_then(|(&from, &to)| indices.get(from..to)) else {
                    return Err(format!("level {depth} has no segment {node} within its {} indices", indices.len()));
                };
                if !found.is_sorted_by(|a, b| a < b) || found.last().is_some_and(|last| last >= extent) {
                    return Err(format!("level {depth}, segment {node}: its indices do not rise below {extent}"));
                }
                let first = segments[node];
                let mut within = found.iter().enumerate();
                within.try_for_each(|(i, index)| self.descend(depth + 1, first + i, offset + index * stride))
            }
        }
    }

    fn place(&mut self, node: usize, offset: usize) -> Result<(), String> {
        let size = self.size;
        let Some(element) = self.stored.get(node * size..(node + 1) * size) else {
            return Err(format!("element {node} is not among the {} stored bytes", self.stored.len()));
        };
        self.dense[offset * size..(offset + 1) * size].copy_from_slice(element);
        self.used += 1;
        Ok(())
    }
}

fn level(table: &Table<'_>) -> Result<Level, Fault> {
    match table.scalar(0, 0i8)? {
        0 => {
            let found = table.scalar(1, 0i32)?;
            usize::try_from(found).map(Level::Dense).map_err(|_| invalid!("a dense level of {found} indices"))
        }
        1 => Ok(Level::Sparse { segments: index_vector(table, 2)?, indices: index_vector(table, 4)? }),
        other => Err(invalid!("a level of format {other}; expected 0 (dense) or 1 (sparse)")),
    }
}

/// A union: its kind is in `field`, and the field behind it leads to a vector of 32, 16 or 8 bits.
fn index_vector(table: &Table<'_>, field: usize) -> Result<Vec<usize>, Fault> {
    let Some(vector) = table.table(field + 1)? else { return Ok(Vec::new()) };
    match table.scalar(field, 0u8)? {
        1 => numbers::<i32>(&vector, 0),
        2 => numbers::<u16>(&vector, 0),
        3 => numbers::<u8>(&vector, 0),
        other => Err(invalid!("indices of kind {other}; expected 1 to 3")),
    }
}

/// A vector of numbers that are not negative.
fn numbers<T: Scalar + Into<i64>>(table: &Table<'_>, field: usize) -> Result<Vec<usize>, Fault> {
    let found = table.scalars::<T>(field)?.unwrap_or_default();
    let index = |number: T| usize::try_from(number.into()).map_err(|_| invalid!("sparsity with a negative number"));
    found.into_iter().map(index).collect()
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    fn sparse(segments: &[usize], indices: &[usize]) -> Level {
        Level::Sparse { segments: segments.to_vec(), indices: indices.to_vec() }
    }

    /// Rows of a matrix: row 0 holds columns 1 and 3, row 1 none, row 2 column 0.
    fn rows() -> Sparsity {
        let levels = vec![Level::Dense(3), sparse(&[0, 2, 2, 3], &[1, 3, 0])];
        Sparsity { traversal: vec![0, 1], blocks: Vec::new(), levels }
    }

    #[test]
    fn compressed_rows_are_written_out() {
        assert_eq!(rows().expand(&[3, 4], 1, &[7, 8, 9]), Ok(vec![0, 7, 0, 8, 0, 0, 0, 0, 9, 0, 0, 0]));
    }

    #[test]
    fn columns_come_first_if_the_order_says_so() {
        let levels = vec![Level::Dense(2), sparse(&[0, 1, 3], &[2, 0, 1])];
        let columns = Sparsity { traversal: vec![1, 0], blocks: Vec::new(), levels };
        assert_eq!(columns.expand(&[3, 2], 1, &[7, 8, 9]), Ok(vec![0, 8, 0, 9, 7, 0]));
    }

    #[test]
    fn blocks_are_dense_inside() {
        // 4 × 4 in blocks of 2 × 2, of which the upper right and the lower left are stored.
        let levels = vec![Level::Dense(2), sparse(&[0, 1, 2], &[1, 0]), Level::Dense(2), Level::Dense(2)];
        let blocks = Sparsity { traversal: vec![0, 1, 2, 3], blocks: vec![0, 1], levels };
        let expected = vec![0, 0, 1, 2, 0, 0, 3, 4, 5, 6, 0, 0, 7, 8, 0, 0];
        assert_eq!(blocks.expand(&[4, 4], 1, &[1, 2, 3, 4, 5, 6, 7, 8]), Ok(expected));
    }

    #[test]
    fn a_small_file_asks_for_little() {
        let empty = Sparsity {
            traversal: vec![0, 1, 2],
            blocks: Vec::new(),
            levels: vec![Level::Dense(1 << 31), Level::Dense(1 << 31), Level::Dense(0)],
        };
        assert_eq!(empty.expand(&[1 << 31, 1 << 31, 0], 1, &[]), Ok(Vec::new()));
        // A million levels inside one another, in blocks of one element.
        let deep = 1 << 20;
        let levels = vec![Level::Dense(1); deep];
        let deep = Sparsity { traversal: (0..deep).collect(), blocks: vec![0; deep - 1], levels };
        assert!(deep.expand(&[1], 1, &[1]).is_err());
        let twice = Sparsity { traversal: vec![0, 1, 2, 3], blocks: vec![0, 0], levels: vec![Level::Dense(1); 4] };
        assert!(twice.expand(&[1, 1], 1, &[1]).is_err());
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let with = |change: fn(&mut Sparsity)| {
            let mut sparsity = rows();
            change(&mut sparsity);
            sparsity.expand(&[3, 4], 1, &[7, 8, 9])
        };
        let changes: [fn(&mut Sparsity); 10] = [
            |s| s.traversal = vec![0, 0],
            |s| s.traversal = vec![0],
            |s| s.blocks = vec![1],
            |s| s.levels[0] = Level::Dense(2),
            |s| s.levels[0] = Level::Dense(1 << 40),
            |s| s.levels[1] = sparse(&[0, 2, 2], &[1, 3, 0]),
            |s| s.levels[1] = sparse(&[0, 2, 2, 9], &[1, 3, 0]),
            |s| s.levels[1] = sparse(&[0, 2, 1, 3], &[1, 3, 0]),
            |s| s.levels[1] = sparse(&[0, 2, 2, 3], &[1, 4, 0]),
            |s| s.levels[1] = sparse(&[0, 2, 2, 3], &[3, 1, 0]),
        ];
        check_all(changes, |&change| assert!(with(change).is_err()));
        assert!(rows().expand(&[3, 4], 1, &[7, 8]).is_err());
        assert!(rows().expand(&[3, 4], 1, &[7, 8, 9, 10]).is_err());
    }
}
