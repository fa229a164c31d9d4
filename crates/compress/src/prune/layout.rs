//! Which channel each entry of a value's axes belongs to.

/// A channel of the network: an index into the channels of a [`super::flow::Flow`].
pub(super) type Channel = usize;

/// The channels of one value. They change along `axes` (ascending) alone; `cells` holds one channel for each entry of
/// the grid that these axes span, row-major.
///
/// A feature map `[N, C, H, W]` has axes `[1]` and `C` cells; once it is flattened to `[N, C·H·W]` it has axes `[1]`
/// and each channel `H·W` times; in the middle of a channel shuffle, `[N, G, C/G, H, W]`, it has axes `[1, 2]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub axes: Vec<usize>,
    pub extents: Vec<usize>,
    pub cells: Vec<Channel>,
}

impl Layout {
    /// Channels along one axis.
    pub fn along(axis: usize, cells: Vec<Channel>) -> Self {
        Self { axes: vec![axis], extents: vec![cells.len()], cells }
    }

    /// Where `axis` is among the axes.
    pub fn position(&self, axis: usize) -> Option<usize> {
        self.axes.iter().position(|&a| a == axis)
    }

    /// The channels along `axis`, if they change along no other.
    pub fn only_along(&self, axis: usize) -> Option<&[Channel]> {
        (self.axes == [axis]).then_some(&self.cells)
    }

    /// The cells on a grid of more axes, or of larger extents where one here is 1.
    pub fn on(&self, axes: &[usize], extents: &[usize]) -> Vec<Channel> {
        let own = strides(&self.extents);
        let step = |axis: &usize| self.position(*axis).filter(|&i| self.extents[i] > 1).map_or(0, |i| own[i]);
        let steps: Vec<usize> = axes.iter().map(step).collect();
        offsets(extents, &steps).into_iter().map(|offset| self.cells[offset]).collect()
    }

    /// The same with every axis moved `by` places to the back.
    pub fn shifted(mut self, by: usize) -> Self {
        self.axes.iter_mut().for_each(|axis| *axis += by);
        self
    }

    /// The layout of the value with its axes permuted: axis `i` is axis `perm[i]` of this one.
    pub fn transposed(&self, perm: &[usize]) -> Self {
        let axes: Vec<usize> = (0..perm.len()).filter(|&i| self.axes.contains(&perm[i])).collect();
        let from: Vec<usize> = axes.iter().map(|&i| self.position(perm[i]).expect("filtered above")).collect();
        let own = strides(&self.extents);
        let extents: Vec<usize> = from.iter().map(|&i| self.extents[i]).collect();
        let steps: Vec<usize> = from.iter().map(|&i| own[i]).collect();
        let cells = offsets(&extents, &steps).into_iter().map(|offset| self.cells[offset]).collect();
        Self { axes, extents, cells }
    }

    /// The entries `indices` of an axis.
    pub fn selected(&self, axis: usize, indices: &[usize]) -> Self {
        let Some(i) = self.position(axis) else { return self.clone() };
        let extent = self.extents[i];
        let inner: usize = self.extents[i + 1..].iter().product();
        let outer = self.cells.len() / (extent * inner).max(1);
        let rows = (0..outer).flat_map(|o| indices.iter().map(move |&j| (o * extent + j) * inner));
        let cells = rows.flat_map(|start| &self.cells[start..start + inner]).copied().collect();
        let mut extents = self.extents.clone();
        extents[i] = indices.len();
        Self { axes: self.axes.clone(), extents, cells }
    }

    /// Layouts of equal axes one after another along `axis`, which is one of them.
    pub fn joined(parts: &[Self], axis: usize) -> Self {
        let i = parts[0].position(axis).expect("the axis is one of the layout");
        let outer: usize = parts[0].extents[..i].iter().product();
        let mut cells = Vec::new();
        for o in 0..outer {
            for part in parts {
                let len = part.cells.len() / outer;
                cells.extend_from_slice(&part.cells[o * len..(o + 1) * len]);
            }
        }
        let mut extents = parts[0].extents.clone();
        extents[i] = parts.iter().map(|part| part.extents[i]).sum();
        Self { axes: parts[0].axes.clone(), extents, cells }
    }

    /// The layout of the same elements in another shape; none if the shapes hold different numbers of elements.
    ///
    /// Both shapes fall into the smallest runs of axes that hold equally many elements; channels move within their
    /// runs.
    pub fn reshaped(&self, from: &[usize], to: &[usize]) -> Option<Self> {
        let runs = runs(from, to)?;
        let (mut in_axes, mut in_extents, mut axes, mut extents) = (vec![], vec![], vec![], vec![]);
        for (own, new) in runs.into_iter().filter(|(own, _)| own.clone().any(|axis| self.axes.contains(&axis))) {
            in_extents.extend_from_slice(&from[own.clone()]);
            in_axes.extend(own);
            extents.extend_from_slice(&to[new.clone()]);
            axes.extend(new);
        }
        Some(Self { cells: self.on(&in_axes, &in_extents), axes, extents }.simplified())
    }

    /// Without the axes along which channels do not change.
    fn simplified(mut self) -> Self {
        let mut i = 0;
        while i < self.axes.len() {
            let inner: usize = self.extents[i + 1..].iter().product();
            let block = self.extents[i] * inner;
            let constant = self.extents[i] > 1
                && self.cells.chunks(block.max(1)).all(|b| b.iter().zip(&b[inner..]).all(|(a, next)| a == next));
            if (constant || self.extents[i] == 1) && self.axes.len() > 1 {
                let first = self.cells.chunks(block.max(1)).flat_map(|block| &block[..inner]);
                self.cells = first.copied().collect();
                self.axes.remove(i);
                self.extents.remove(i);
            } else {
                i += 1;
            }
        }
        self
    }
}

/// Pairs of runs of axes that hold the same elements.
fn runs(from: &[usize], to: &[usize]) -> Option<Vec<(std::ops::Range<usize>, std::ops::Range<usize>)>> {
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    if count(from) != count(to) || count(from) == 0 {
        return None;
    }
    let (mut result, mut i, mut j) = (Vec::new(), 0, 0);
    while i < from.len() || j < to.len() {
        let start = (i, j);
        let (mut own, mut new) = (1, 1);
        loop {
            if own <= new && i < from.len() && (own < new || i == start.0) {
                own *= from[i];
                i += 1;
            } else if j < to.len() && (new < own || j == start.1) {
                new *= to[j];
                j += 1;
            } else {
                break;
            }
        }
        result.push((start.0..i, start.1..j));
    }
    Some(result)
}

/// Row-major strides of a shape.
pub(super) fn strides(extents: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; extents.len()];
    for axis in (1..extents.len()).rev() {
        strides[axis - 1] = strides[axis] * extents[axis];
    }
    strides
}

/// Offsets of a row-major walk over `extents` whose axes step by `steps`.
pub(super) fn offsets(extents: &[usize], steps: &[usize]) -> Vec<usize> {
    extents.iter().zip(steps).fold(vec![0], |offsets, (&extent, &step)| {
        offsets.into_iter().flat_map(|offset| (0..extent).map(move |i| offset + i * step)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flattened_map_repeats_each_channel() {
        let layout = Layout::along(1, vec![5, 6, 7]);
        let flat = layout.reshaped(&[1, 3, 2, 2], &[1, 12]).expect("same elements");
        assert_eq!(flat, Layout::along(1, vec![5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7]));
        assert_eq!(flat.reshaped(&[1, 12], &[1, 3, 2, 2]).expect("same elements"), layout);
    }

    #[test]
    fn pooled_maps_flatten_and_unflatten() {
        let layout = Layout::along(1, vec![5, 6, 7]);
        assert_eq!(layout.reshaped(&[1, 3, 1, 1], &[1, 3]).expect("same"), layout);
        assert_eq!(layout.reshaped(&[1, 3], &[1, 3, 1, 1]).expect("same"), layout);
        assert_eq!(layout.reshaped(&[1, 3, 1, 1], &[3]).expect("same"), Layout::along(0, vec![5, 6, 7]));
        assert_eq!(layout.reshaped(&[2, 3, 4, 4], &[2, 3, 16]).expect("same"), layout);
    }

    #[test]
    fn a_shuffle_permutes_channels() {
        let layout = Layout::along(1, (0..6).collect());
        let split = layout.reshaped(&[1, 6, 4, 4], &[1, 2, 3, 4, 4]).expect("same elements");
        assert_eq!(split.axes, [1, 2]);
        let turned = split.transposed(&[0, 2, 1, 3, 4]);
        let shuffled = turned.reshaped(&[1, 3, 2, 4, 4], &[1, 6, 4, 4]).expect("same elements");
        assert_eq!(shuffled, Layout::along(1, vec![0, 3, 1, 4, 2, 5]));
    }

    #[test]
    fn tokens_carry_channels_last() {
        let layout = Layout::along(1, vec![8, 9]);
        let tokens = layout.reshaped(&[1, 2, 3, 3], &[1, 2, 9]).expect("same elements").transposed(&[0, 2, 1]);
        assert_eq!(tokens, Layout::along(2, vec![8, 9]));
        assert_eq!(tokens.reshaped(&[1, 9, 2], &[9, 2]).expect("same elements"), Layout::along(1, vec![8, 9]));
    }

    #[test]
    fn parts_join_and_come_apart() {
        let parts = [Layout::along(1, vec![0, 1]), Layout::along(1, vec![2])];
        let whole = Layout::joined(&parts, 1);
        assert_eq!(whole, Layout::along(1, vec![0, 1, 2]));
        assert_eq!(whole.selected(1, &[0, 1]), parts[0]);
        assert_eq!(whole.selected(2, &[0]), whole);
        let grid = Layout { axes: vec![1, 2], extents: vec![2, 3], cells: (0..6).collect() };
        assert_eq!(grid.selected(2, &[2, 0]).cells, [2, 0, 5, 3]);
        assert_eq!(Layout::joined(&[grid.selected(2, &[0]), grid.selected(2, &[1, 2])], 2), grid);
    }
}
