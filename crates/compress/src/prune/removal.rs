//! Which dead channels can be taken out of the tensors.

use super::flow::Flow;
use super::layout::{Channel, Layout, strides};

/// The channels that are taken out.
#[derive(Clone, Debug)]
pub(super) struct Removal {
    /// By channel.
    pub gone: Vec<bool>,
}

impl Removal {
    /// No channel is taken out.
    pub fn none(flow: &Flow) -> Self {
        Self { gone: vec![false; flow.sources.len()] }
    }

    /// Removes every class of channels that no filter reads and that nothing holds. Three things hold a class: a reader
    /// outside the tracked part, a tensor in which a channel that stays shares every index with it, and a channel that
    /// stays and is read with the same weights by another layer.
    pub fn new(flow: &mut Flow, read: &[bool]) -> Self {
        let classes = flow.classes();
        let mut goes = vec![true; classes.len()];
        for (channel, &class) in classes.iter().enumerate() {
            goes[class] &= !(flow.pinned[channel] || flow.fixed[channel] || read[channel]);
        }
        loop {
            let gone = classes.iter().map(|&class| goes[class]).collect();
            let removal = Self { gone };
            let is_uneven = |[a, b]: &&[Channel; 2]| removal.gone[*a] != removal.gone[*b];
            let uneven = flow.tied_inputs.iter().filter(is_uneven).flatten().copied();
            let held = flow.layouts.iter().flatten().flat_map(|layout| removal.held(layout));
            let mut held = held.chain(uneven).peekable();
            if held.peek().is_none() {
                return removal;
            }
            held.for_each(|channel| goes[classes[channel]] = false);
        }
    }

    /// The entries that stay, for each axis of the layout: those in which a channel that stays has a part.
    pub fn kept(&self, layout: &Layout) -> Vec<Vec<usize>> {
        let strides = strides(&layout.extents);
        let mut kept: Vec<Vec<bool>> = layout.extents.iter().map(|&extent| vec![false; extent]).collect();
        for (i, _) in layout.cells.iter().enumerate().filter(|(_, cell)| !self.gone[**cell]) {
            for (axis, kept) in kept.iter_mut().enumerate() {
                kept[i / strides[axis] % layout.extents[axis]] = true;
            }
        }
        let indices = |kept: Vec<bool>| (0..kept.len()).filter(|&i| kept[i]).collect();
        kept.into_iter().map(indices).collect()
    }

    /// Channels that would go, but that share every index with channels that stay; of a value of which nothing would
    /// stay, one.
    fn held(&self, layout: &Layout) -> Vec<Channel> {
        let gone = |cell: &&Channel| self.gone[**cell];
        let staying = layout.cells.iter().filter(|cell| !gone(cell)).count();
        if staying == layout.cells.len() {
            return Vec::new();
        }
        if staying == 0 {
            return layout.cells.first().copied().into_iter().collect();
        }
        let kept = self.kept(layout);
        if kept.iter().map(Vec::len).product::<usize>() == staying {
            return Vec::new();
        }
        let mut inside = layout.clone();
        for (&axis, kept) in layout.axes.iter().zip(&kept) {
            inside = inside.selected(axis, kept);
        }
        inside.cells.iter().filter(gone).copied().collect()
    }
}
