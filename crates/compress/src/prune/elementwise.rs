//! Follows channels through operators on pairs of elements, and BatchNorm.

use network::{Binary, Node, ValueId};

use super::constants::{Aligned, Summary, numbers};
use super::flow::{Source, ZeroRule};
use super::layout::{Channel, Layout};
use super::trace::Tracer;

impl Tracer<'_> {
    /// Scale and shift of each channel. Where both are 0 the channel is zero whatever it was.
    pub fn batch_norm(&mut self, node: &Node, mut layout: Layout) -> Option<Layout> {
        let parameter = |i: usize| self.parameter(node, i, &layout);
        let (scales, shifts, means) = (parameter(1)?, parameter(2)?, parameter(3)?);
        parameter(4)?;
        for (i, cell) in layout.cells.iter_mut().enumerate() {
            let rule = match (scales[i] == 0.0, shifts[i] == 0.0, means[i] == 0.0) {
                (true, true, _) => ZeroRule::Always,
                (_, true, true) => ZeroRule::Keeps,
                _ => ZeroRule::Never,
            };
            *cell = self.flow.add(Source::Map { of: *cell, rule, clears: true });
        }
        Some(layout)
    }

    /// Scale and shift of each channel, its own mean taken off before.
    pub fn instance_norm(&mut self, node: &Node, mut layout: Layout) -> Option<Layout> {
        self.parameter(node, 1, &layout)?;
        let shifts = self.parameter(node, 2, &layout)?;
        for (cell, shift) in layout.cells.iter_mut().zip(shifts) {
            let rule = if shift == 0.0 { ZeroRule::Keeps } else { ZeroRule::Never };
            *cell = self.flow.add(Source::Map { of: *cell, rule, clears: true });
        }
        Some(layout)
    }

    /// A constant with one number a channel.
    fn parameter(&self, node: &Node, input: usize, layout: &Layout) -> Option<Vec<f64>> {
        let channels = layout.only_along(1)?.len();
        let id = node.inputs.get(input).copied().flatten()?;
        numbers(self.graph.value(id).constant.as_ref()?).filter(|numbers| numbers.len() == channels)
    }

    /// Activations meet channel by channel; constants come after.
    pub fn elementwise(&mut self, node: &Node, function: Binary) -> Option<Layout> {
        let inputs: Vec<ValueId> = node.inputs.iter().flatten().copied().collect();
        let rank = self.shape(node.outputs[0])?.len();
        let (constants, activations): (Vec<ValueId>, Vec<ValueId>) =
            inputs.iter().partition(|&&id| self.graph.value(id).constant.is_some());
        if activations.is_empty() {
            return None;
        }
        let layouts = activations.iter().map(|&id| self.aligned(id, rank)).collect::<Option<Vec<_>>>()?;
        let mut axes: Vec<usize> = layouts.iter().flat_map(|layout| layout.axes.clone()).collect();
        axes.sort_unstable();
        axes.dedup();
        let shape = self.shape(node.outputs[0])?;
        let extents: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
        let mut cells = self.meet(node, function, &layouts, [&axes, &extents])?;
        for id in constants {
            let first = node.inputs.first() == Some(&Some(id));
            let layout = Layout { axes: axes.clone(), extents: extents.clone(), cells };
            cells = self.with_constant(node, function, (id, first), layout)?;
        }
        Some(Layout { axes, extents, cells })
    }

    fn aligned(&self, id: ValueId, rank: usize) -> Option<Layout> {
        let missing = rank.checked_sub(self.shape(id)?.len())?;
        Some(self.layout(id)?.clone().shifted(missing))
    }

    /// The channels of the output, constants left out.
    fn meet(
        &mut self,
        node: &Node,
        function: Binary,
        layouts: &[Layout],
        [axes, extents]: [&[usize]; 2],
    ) -> Option<Vec<Channel>> {
        let cells: usize = extents.iter().product();
        if let ([only], true) = (layouts, layouts[0].cells.len() == cells) {
            return Some(only.on(axes, extents));
        }
        // A channel that many others read cannot go with any one of them.
        for layout in layouts.iter().filter(|layout| layout.cells.len() != cells) {
            self.flow.pin(&layout.cells, format!("{} {}, broadcast over channels", node.op_type, node.name));
        }
        let spread = |layout: &Layout| layout.on(axes, extents);
        let grids: Vec<(bool, Vec<Channel>)> =
            layouts.iter().map(|layout| (layout.cells.len() == cells, spread(layout))).collect();
        Some((0..cells).map(|i| self.met(function, &grids, i)).collect())
    }

    /// The channel of cell `i` of the output; it goes with those of operands that have a channel for each cell.
    fn met(&mut self, function: Binary, grids: &[(bool, Vec<Channel>)], i: usize) -> Channel {
        let all: Vec<Channel> = grids.iter().map(|(_, cells)| cells[i]).collect();
        let of = all[0];
        let map = |rule| Source::Map { of, rule, clears: false };
        let channel = self.flow.add_apart(match function {
            Binary::Mul => Source::Product(all),
            Binary::Add | Binary::Sub | Binary::Min | Binary::Max => Source::Sum(all),
            Binary::PRelu => map(ZeroRule::Keeps),
            // 0 / y and 0 ^ y are not zero for every y.
            Binary::Div | Binary::Pow => map(ZeroRule::Never),
            Binary::And | Binary::Or | Binary::Xor => map(ZeroRule::Never),
            Binary::Equal | Binary::Greater | Binary::GreaterOrEqual => map(ZeroRule::Never),
            Binary::Less | Binary::LessOrEqual => map(ZeroRule::Never),
        });
        for (_, cells) in grids.iter().filter(|(whole, _)| *whole) {
            self.flow.unite(channel, cells[i]);
        }
        channel
    }

    /// What a constant makes of the channels: the same, or others where it may change whether they are zero.
    fn with_constant(
        &mut self,
        node: &Node,
        function: Binary,
        (id, first): (ValueId, bool),
        layout: Layout,
    ) -> Option<Vec<Channel>> {
        let tensor = self.graph.value(id).constant.as_ref()?;
        let rank = self.shape(node.outputs[0])?.len();
        let aligned = Aligned::new(&tensor.shape, rank)?;
        let summaries = aligned.summaries(&numbers(tensor)?, &layout.axes, &layout.extents);
        let by_cell = aligned.is_by_cell(&layout.axes, &layout.extents);
        let clears = by_cell && matches!(function, Binary::Add | Binary::Sub);
        let mut cell = |(&of, summary): (&Channel, &Summary)| match rule(function, first, summary) {
            ZeroRule::Keeps => of,
            rule @ (ZeroRule::Always | ZeroRule::Never) => self.flow.add(Source::Map { of, rule, clears }),
        };
        Some(layout.cells.iter().zip(&summaries).map(&mut cell).collect())
    }
}

/// When the result of an operator on a channel and a constant is zero; `first` says that the constant is on the left.
fn rule(function: Binary, first: bool, constant: &Summary) -> ZeroRule {
    let keeps = match function {
        Binary::Add | Binary::Sub => constant.all_zero(),
        Binary::Mul if constant.all_zero() => return ZeroRule::Always,
        Binary::Mul => true,
        Binary::PRelu => !first,
        Binary::Div => !first && !constant.any_zero,
        Binary::Pow => !first && constant.min > 0.0,
        Binary::Min => constant.min >= 0.0,
        Binary::Max => constant.max <= 0.0,
        Binary::And | Binary::Or | Binary::Xor => false,
        Binary::Equal | Binary::Greater | Binary::GreaterOrEqual | Binary::Less | Binary::LessOrEqual => false,
    };
    if keeps { ZeroRule::Keeps } else { ZeroRule::Never }
}
