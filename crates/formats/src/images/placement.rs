//! Which axes of an array are which: how its examples become those that a network takes.
//!
//! An array is a tensor. Where it has the numbers of the network's input, in the input's own order of axes or with the
//! channels at the other end, nothing but the order of the axes changes. Else it may hold grey or coloured pictures of another
//! size. What fits in two ways that differ is refused.

use serde::{Deserialize, Serialize};

use super::input::{Layout, NetworkInput};

/// How the axes of an array lie, the one that counts examples first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArrayLayout {
    /// `[examples, channels, …]`: NCHW of pictures, NCW of signals.
    #[serde(alias = "nchw", alias = "ncw")]
    ChannelsFirst,
    /// `[examples, …, channels]`: NHWC of pictures, NWC of signals.
    #[serde(alias = "nhwc", alias = "nwc")]
    ChannelsLast,
    /// As the axes of the network's input.
    AsIs,
}

/// What the examples of an array are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// How many.
    pub examples: usize,
    /// Channels, height and width of one.
    pub size: [usize; 3],
    /// Where its channels lie in the array.
    pub stored: Layout,
    /// Where they lie in the network's input, if one has exactly the numbers of the input.
    pub fitted: Option<Layout>,
}

/// Why an array is no array of examples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Misplaced {
    /// It fits in these two ways.
    TwoWays([String; 2]),
    /// It fits in one way if channels come first in the network's input, and in another if they come last.
    InputLayout,
    /// It fits in none; these shapes would.
    Shape(Vec<String>),
    /// Without a network, it has no form of images.
    NoImages,
}

/// A way to read an array whose examples have the numbers of the network's input.
#[derive(Clone, Copy, Debug)]
struct Reading {
    stored: Layout,
    network: Layout,
    size: [usize; 3],
}

impl Reading {
    /// Rows of the matrix that is transposed on the way from the array to the network; none where the numbers stay in their
    /// order.
    fn transposes(self) -> Option<usize> {
        let [channels, height, width] = self.size;
        match (self.stored == self.network || channels == 1 || height * width == 1, self.stored) {
            (true, _) => None,
            (false, Layout::Nchw) => Some(channels),
            (false, Layout::Nhwc) => Some(height * width),
        }
    }
}

/// Says what the examples of an array of this shape are, for the input of a network if there is one. `said` is how a person says
/// that the array lies.
pub(super) fn place(
    shape: &[usize],
    input: Option<&NetworkInput>,
    said: Option<ArrayLayout>,
) -> Result<Placement, Misplaced> {
    let Some((&examples, example)) = shape.split_first() else { return Err(Misplaced::NoImages) };
    let Some(input) = input else {
        let (stored, size) = picture(example, None, said)?.ok_or(Misplaced::NoImages)?;
        return Ok(Placement { examples, size, stored, fitted: None });
    };
    let grey_stack = is_stack_of_grey(shape, input);
    if grey_stack && said.is_none() {
        return Err(Misplaced::TwoWays([
            "one example without an axis that counts them, as is".to_string(),
            format!("{examples} grey pictures, channels first"),
        ]));
    }
    if let Some(reading) = exact(example, input, said)? {
        let fitted = Some(reading.network);
        return Ok(Placement { examples, size: reading.size, stored: reading.stored, fitted });
    }
    let alone = !grey_stack || said == Some(ArrayLayout::AsIs);
    if alone && shape == input.example() {
        let placed = exact(shape, input, said)?;
        let fitted = placed.ok_or_else(|| misfit(input))?;
        return Ok(Placement { examples: 1, size: fitted.size, stored: fitted.stored, fitted: Some(fitted.network) });
    }
    match pictures_for(example, input, said)? {
        Some((stored, size)) => Ok(Placement { examples, size, stored, fitted: None }),
        None => Err(misfit(input)),
    }
}

/// Whether an array has the shape of one coloured picture, and of three grey ones as well.
fn is_stack_of_grey(shape: &[usize], input: &NetworkInput) -> bool {
    let size = input.channels_lie().map(|layout| canonical(input.example(), layout));
    let is_picture = |[channels, height, width]: [usize; 3]| channels == 3 && shape == [3, height, width] && width > 1;
    shape == input.example() && size.is_some_and(is_picture)
}

fn misfit(input: &NetworkInput) -> Misplaced {
    let example = input.example();
    let mut expected = vec![counted(example)];
    if let (Some(layout), true) = (input.channels_lie(), example.len() > 1) {
        let other = if layout == Layout::Nchw { rotated_left(example) } else { rotated_right(example) };
        let words = if layout == Layout::Nchw { "channels last" } else { "channels first" };
        let other = counted(&other);
        if other != expected[0] {
            expected.push(format!("{other}, {words}"));
        }
    }
    Misplaced::Shape(expected)
}

/// The shape of an array of such examples.
fn counted(example: &[usize]) -> String {
    let extents: Vec<String> = example.iter().map(ToString::to_string).collect();
    format!("[{}]", [vec!["N".to_string()], extents].concat().join(", "))
}

fn rotated_left(shape: &[usize]) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape.rotate_left(1);
    shape
}

fn rotated_right(shape: &[usize]) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape.rotate_right(1);
    shape
}

/// Extents other than 1.
fn wide(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&extent| extent != 1).collect()
}

/// How many numbers these extents have. Where that is too large to count, they are those of a file without an image.
pub(super) fn numbers_of(extents: &[usize]) -> usize {
    extents.iter().copied().fold(1, usize::saturating_mul)
}

/// Channels, height and width of an example whose channels lie so: of more than two further axes, all but the last are the
/// height.
pub(super) fn canonical(example: &[usize], layout: Layout) -> [usize; 3] {
    let (channels, rest) = match (layout, example) {
        (_, []) => (1, &[][..]),
        (Layout::Nchw, [first, rest @ ..]) => (*first, rest),
        (Layout::Nhwc, [rest @ .., last]) => (*last, rest),
    };
    match rest {
        [] => [channels, 1, 1],
        [rows @ .., width] => [channels, numbers_of(rows), *width],
    }
}

/// How an array whose examples have exactly the numbers of the input is read; none where they have others.
fn exact(example: &[usize], input: &NetworkInput, said: Option<ArrayLayout>) -> Result<Option<Reading>, Misplaced> {
    let Some(needed) = input.example().iter().try_fold(1usize, |product, &extent| product.checked_mul(extent)) else {
        return Ok(None);
    };
    if example.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent)) != Some(needed) {
        return Ok(None);
    }
    if input.example().len() < 2 {
        return flat(example, needed, said).map(Some);
    }
    let networks = match input.channels_lie() {
        Some(layout) => vec![layout],
        None => vec![Layout::Nchw, Layout::Nhwc],
    };
    let is_row = wide(example).len() <= 1;
    let mut readings = Vec::new();
    for &network in &networks {
        let size = canonical(input.example(), network);
        for stored in stored_as(said, network) {
            let expected = match (stored, network) {
                (Layout::Nhwc, Layout::Nchw) => rotated_left(input.example()),
                (Layout::Nchw, Layout::Nhwc) => rotated_right(input.example()),
                (Layout::Nchw, Layout::Nchw) | (Layout::Nhwc, Layout::Nhwc) => input.example().to_vec(),
            };
            if is_row || wide(example) == wide(&expected) {
                readings.push(Reading { stored, network, size });
            }
        }
    }
    choose(&readings, input, said, is_row)
}

/// The layouts that the array may have.
fn stored_as(said: Option<ArrayLayout>, network: Layout) -> Vec<Layout> {
    match said {
        None => vec![network, if network == Layout::Nchw { Layout::Nhwc } else { Layout::Nchw }],
        Some(ArrayLayout::AsIs) => vec![network],
        Some(ArrayLayout::ChannelsFirst) => vec![Layout::Nchw],
        Some(ArrayLayout::ChannelsLast) => vec![Layout::Nhwc],
    }
}

/// The one reading, if all that fit give the network the same numbers. Rows and columns without channels, as of an input
/// `[N, 28, 28]` that no convolution reads, are no second reading.
fn choose(
    readings: &[Reading],
    input: &NetworkInput,
    said: Option<ArrayLayout>,
    is_row: bool,
) -> Result<Option<Reading>, Misplaced> {
    let Some(&first) = readings.first() else { return Ok(None) };
    let Some(other) = readings.iter().find(|reading| reading.transposes() != first.transposes()) else {
        return Ok(Some(first));
    };
    let has_no_channels = input.layout.is_none() && input.example().len() == 2;
    let in_order = readings.iter().find(|reading| reading.transposes().is_none());
    if let (None, true, Some(&reading)) = (said, input.is_said || has_no_channels, in_order) {
        return Ok(Some(reading));
    }
    match said {
        Some(_) => Err(Misplaced::InputLayout),
        None => Err(Misplaced::TwoWays([way(first, input, is_row), way(*other, input, is_row)])),
    }
}

/// A reading in words: `[N, C, H, W], channels first`, or `rows of [C, H, W], channels first`.
fn way(reading: Reading, input: &NetworkInput, is_row: bool) -> String {
    let start = if is_row { "rows of [" } else { "[N, " };
    let axes = match input.example().len() {
        2 => "L",
        3 => "H, W",
        _ => "…",
    };
    match reading.stored {
        Layout::Nchw => format!("{start}C, {axes}], channels first"),
        Layout::Nhwc => format!("{start}{axes}, C], channels last"),
    }
}

/// How an array is read for a network that takes rows of so many numbers: as it lies, but for pictures, whose planes come one
/// after another.
fn flat(example: &[usize], count: usize, said: Option<ArrayLayout>) -> Result<Reading, Misplaced> {
    let in_order = Reading { stored: Layout::Nchw, network: Layout::Nchw, size: [1, 1, count] };
    let of = |stored| Reading { stored, network: Layout::Nchw, size: canonical(example, stored) };
    if example.len() < 2 {
        return Ok(in_order);
    }
    let (first, last) = (of(Layout::Nchw), of(Layout::Nhwc));
    let is_colour = |channels: usize| channels == 1 || channels == 3;
    match said {
        Some(ArrayLayout::AsIs) => Ok(in_order),
        Some(ArrayLayout::ChannelsFirst) => Ok(first),
        Some(ArrayLayout::ChannelsLast) => Ok(last),
        None if example.len() != 3 => Ok(in_order),
        None if is_colour(first.size[0]) && !is_colour(last.size[0]) => Ok(first),
        None if is_colour(last.size[0]) && !is_colour(first.size[0]) => Ok(last),
        None if last.transposes().is_none() => Ok(first),
        None => Err(Misplaced::TwoWays([
            "[N, C, H, W], channels first, whose numbers stay in their order".to_string(),
            "[N, H, W, C], channels last, whose planes come one after another".to_string(),
        ])),
    }
}

/// Where the channels of pictures of another size, or of other channels, lie, and their size; none where they are no pictures
/// that can be made to fit.
fn pictures_for(
    example: &[usize],
    input: &NetworkInput,
    said: Option<ArrayLayout>,
) -> Result<Option<(Layout, [usize; 3])>, Misplaced> {
    let (Some(layout), [_, _, _]) = (input.channels_lie(), input.example()) else { return Ok(None) };
    let [channels, height, width] = canonical(input.example(), layout);
    if !matches!(channels, 1 | 3) || height < 2 || width < 2 {
        return Ok(None);
    }
    let said = match said {
        Some(ArrayLayout::AsIs) if layout == Layout::Nchw => Some(ArrayLayout::ChannelsFirst),
        Some(ArrayLayout::AsIs) => Some(ArrayLayout::ChannelsLast),
        said => said,
    };
    let found = match picture(example, Some(channels), said) {
        // A person said where the channels of the network lie, and these may lie there, too.
        Err(Misplaced::TwoWays(_)) if input.is_said => Ok(Some((layout, canonical(example, layout)))),
        found => found,
    }?;
    Ok(found.filter(|(_, [channels, height, width])| matches!(channels, 1 | 3) && *height > 1 && *width > 1))
}

/// Where the channels of a picture lie, and its size. They are the axis with as many as the network takes. Where that is not
/// known or no axis has so many, they are the one with 1 or 3, as grey and coloured pictures are converted into each other.
fn picture(
    example: &[usize],
    channels: Option<usize>,
    said: Option<ArrayLayout>,
) -> Result<Option<(Layout, [usize; 3])>, Misplaced> {
    let &[first, _, last] = example else {
        return Ok(match *example {
            [height, width] => Some((Layout::Nchw, [1, height, width])),
            [count] => Some((Layout::Nchw, [1, 1, count])),
            _ => None,
        });
    };
    let only = |fits: &dyn Fn(usize) -> bool| match (fits(first), fits(last)) {
        (true, false) => Some(Layout::Nchw),
        (false, true) => Some(Layout::Nhwc),
        (true, true) | (false, false) => None,
    };
    let is_colour = |count: usize| count == 1 || count == 3;
    let layout = match said {
        Some(ArrayLayout::ChannelsFirst) => Some(Layout::Nchw),
        Some(ArrayLayout::ChannelsLast) => Some(Layout::Nhwc),
        Some(ArrayLayout::AsIs) | None => only(&|count| Some(count) == channels).or_else(|| only(&is_colour)),
    };
    match layout {
        Some(layout) => Ok(Some((layout, canonical(example, layout)))),
        None if channels.is_some() && !is_colour(first) && !is_colour(last) => Ok(None),
        None => Err(Misplaced::TwoWays([
            "[N, C, H, W], channels first".to_string(),
            "[N, H, W, C], channels last".to_string(),
        ])),
    }
}
