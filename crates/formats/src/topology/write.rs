//! Writing the table.

use std::fmt::Write as _;

use network::{Geometry, MacLayer, Network, Note, NoteKind, Operand, and_more};

use super::cell_name;
use crate::names::layer_names;

const HEADER: &str =
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n";

/// A topology file and what it cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyText {
    /// The file.
    pub text: String,
    /// One line for each property of layers that the layout has no column for.
    pub notes: Vec<Note>,
}

/// The MAC layers of a network as a topology file in the layout of convolutions.
///
/// A layer is called as in the weight file that [`crate::weight_writer`] makes of the same network. Its weights and
/// output positions, and so its MACs, are always right:
///
/// ```text
/// IFMAP = (output − 1) · stride + filter       the padded input, less what no window reads
/// ```
///
/// so that it matters neither where padding lies nor which way a reader rounds. A layer of several groups has all input
/// channels and `filters / groups` filters: a depthwise one has one filter. Some properties have no column:
///
/// - Padding: it is a part of the input.
/// - Dilation: the input is that of a filter without it.
/// - Unequal strides: the stride along the height stands for both, and the input is as wide as that needs.
/// - Several independent inputs: they are stacked along the height.
pub fn write(network: &Network) -> TopologyText {
    let mut text = HEADER.to_string();
    for (layer, name) in network.layers().iter().zip(layer_names(network)) {
        let row = row(&layer.geometry).map(|number| format!(" {number},")).concat();
        let _ = writeln!(text, "{},{row}", cell_name(&name));
    }
    TopologyText { text, notes: notes(network) }
}

/// The seven numbers of a layer. Wide, for an extent times a stride may pass 64 bits.
fn row(geometry: &Geometry) -> [u128; 7] {
    let (spec, [height, width]) = (geometry.spec(), geometry.out_size());
    let wide = |n: usize| n as u128;
    let stride = wide(spec.stride[0]);
    let input = |positions: u128, kernel: usize| (positions - 1) * stride + wide(kernel);
    [
        input(wide(spec.repeats) * wide(height), spec.kernel[0]),
        input(wide(width), spec.kernel[1]),
        wide(spec.kernel[0]),
        wide(spec.kernel[1]),
        wide(spec.in_channels),
        wide(spec.filters / spec.groups),
        stride,
    ]
}

/// Whether windows reach beyond the input.
fn reads_padding(geometry: &Geometry) -> bool {
    let spec = geometry.spec();
    let last = |axis: usize| {
        (geometry.out_size()[axis] - 1) * spec.stride[axis] + (spec.kernel[axis] - 1) * spec.dilation[axis]
    };
    (0..2).any(|axis| spec.pads[axis] > 0 || last(axis) >= spec.pads[axis] + spec.in_size[axis])
}

fn notes(network: &Network) -> Vec<Note> {
    type Lost = fn(&MacLayer) -> bool;
    let cases: [(Lost, &str); 6] = [
        (|l| reads_padding(&l.geometry), "padding: the input has it, and where inputs are fetched it counts"),
        (|l| l.geometry.spec().dilation != [1; 2], "dilation: the input is that of a filter without"),
        (
            |l| l.geometry.spec().stride[0] != l.geometry.spec().stride[1],
            "unequal strides: the one along the height stands for both",
        ),
        (|l| l.geometry.spec().groups > 1, "groups: all input channels, and filters / groups filters"),
        (|l| l.repeats() > 1, "several inputs in one image: they are stacked along the height"),
        (
            |l| matches!(l.operand, Operand::Planes(_)),
            "a depth: its taps are channels, and its outputs are stacked along the height",
        ),
    ];
    let note = |(lost, what): &(Lost, &str)| {
        let mut names = network.layers().iter().filter(|layer| lost(layer)).map(|layer| &layer.name);
        let first = names.next()?;
        let more = and_more(names.count());
        let text = format!("topology: {first:?}{more}: no column for {what}; weights and MACs are right");
        Some(Note::new(NoteKind::LeftOut, text))
    };
    cases.iter().filter_map(note).collect()
}
