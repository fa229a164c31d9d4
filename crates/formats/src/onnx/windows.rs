//! Windows that slide over an input: convolution and pooling.

use network::{Op, Pool, PoolAxis, WindowAxis};

use super::plan::Plan;
use super::view::View;
use crate::reading::fault::{Fault, invalid};
use crate::reading::windows::{positions, same_padding, span};

/// A window along every spatial axis, with `auto_pad` made explicit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Windows {
    pub(super) kernel: Vec<usize>,
    pub(super) stride: Vec<usize>,
    pub(super) dilation: Vec<usize>,
    /// Paddings before each axis, then after.
    pub(super) pads: Vec<usize>,
    /// Output extents.
    pub(super) out: Vec<usize>,
}

impl Windows {
    /// Reads the window attributes of a node that slides `kernel` over an input of extents `size`.
    pub(super) fn read(view: &View<'_>, kernel: &[usize], size: &[usize], ceil_mode: bool) -> Result<Self, Fault> {
        let stride = positive(view, "strides", size.len())?;
        let dilation = positive(view, "dilations", size.len())?;
        let pads = match view.attributes.ints("pads")? {
            None => vec![0; 2 * size.len()],
            Some(pads) if pads.len() != 2 * size.len() => {
                return Err(invalid!("pads {pads:?}; expected {} numbers", 2 * size.len()));
            }
            Some(pads) => {
                let pad = |&n: &i64| usize::try_from(n).map_err(|_| invalid!("pads {pads:?} are negative"));
                pads.iter().map(pad).collect::<Result<_, _>>()?
            }
        };
        let mut windows = Self { kernel: kernel.to_vec(), stride, dilation, pads, out: vec![0; size.len()] };
        if kernel.contains(&0) || size.contains(&0) {
            return Err(invalid!("a kernel of {kernel:?} over an input of {size:?}"));
        }
        windows.resolve_auto_pad(view, size)?;
        for (axis, &extent) in size.iter().enumerate() {
            windows.out[axis] = windows.out_extent(axis, extent, ceil_mode)?;
        }
        Ok(windows)
    }

    fn resolve_auto_pad(&mut self, view: &View<'_>, size: &[usize]) -> Result<(), Fault> {
        let mode = view.attributes.choice("auto_pad", &["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])?;
        if mode == "NOTSET" {
            return Ok(());
        }
        let mut pads = vec![0; 2 * size.len()];
        for (axis, &extent) in size.iter().enumerate().filter(|_| mode != "VALID") {
            let total = self.span(axis).and_then(|span| same_padding(extent, span, self.stride[axis]));
            let total = total.ok_or_else(too_large)?;
            let (small, large) = (total / 2, total - total / 2);
            let (before, after) = if mode == "SAME_UPPER" { (small, large) } else { (large, small) };
            pads[axis] = before;
            pads[axis + size.len()] = after;
        }
        if self.pads.iter().any(|&pad| pad != 0) && self.pads != pads {
            return Err(invalid!("auto_pad {mode} means pads {pads:?}, but pads are {:?}", self.pads));
        }
        self.pads = pads;
        Ok(())
    }

    /// Extent of the dilated kernel.
    fn span(&self, axis: usize) -> Option<usize> {
        span(self.kernel[axis], self.dilation[axis])
    }

    fn out_extent(&self, axis: usize, extent: usize, ceil_mode: bool) -> Result<usize, Fault> {
        let (before, after) = (self.pads[axis], self.pads[axis + self.out.len()]);
        let padded = extent.checked_add(before).and_then(|n| n.checked_add(after)).ok_or_else(too_large)?;
        let span = self.span(axis).ok_or_else(too_large)?;
        let stride = self.stride[axis];
        let whole = positions(padded, span, stride);
        let whole = whole.ok_or_else(|| invalid!("a kernel of {span} does not fit a padded input of {padded}"))?;
        if !ceil_mode {
            return Ok(whole);
        }
        let out = (padded - span).div_ceil(stride) + 1;
        // A window that would start in the padding behind the input does not count.
        Ok(if (out - 1) * stride >= extent + before { out - 1 } else { out })
    }

    /// The window along depth, height and width, over an input of extents `size`; the last axis is the width. `None` for
    /// more axes.
    pub(super) fn spatial(&self, size: &[usize]) -> Option<[WindowAxis; 3]> {
        let mut axes = [WindowAxis::ONE; 3];
        let rank = size.len();
        let missing = axes.len().checked_sub(rank)?;
        for (i, axis) in axes[missing..].iter_mut().enumerate() {
            *axis = WindowAxis {
                size: size[i],
                kernel: self.kernel[i],
                stride: self.stride[i],
                dilation: self.dilation[i],
                pads: [self.pads[i], self.pads[i + rank]],
                out: self.out[i],
            };
        }
        Some(axes)
    }
}

pub(super) fn too_large() -> Fault {
    invalid!("the number of padded input elements is too large to count")
}

pub(super) fn positive(view: &View<'_>, name: &str, len: usize) -> Result<Vec<usize>, Fault> {
    let Some(found) = view.attributes.ints(name)? else { return Ok(vec![1; len]) };
    let numbers: Option<Vec<usize>> = found.iter().map(|&n| usize::try_from(n).ok().filter(|&n| n > 0)).collect();
    match numbers {
        Some(numbers) if numbers.len() == len => Ok(numbers),
        _ => Err(invalid!("{name} {found:?}; expected {len} numbers of at least 1")),
    }
}

/// Extents of the spatial axes: those from the third on.
pub(super) fn spatial(shape: &[usize]) -> Result<&[usize], Fault> {
    shape.get(2..).ok_or_else(|| invalid!("an input of shape {shape:?}; expected batch and channels first"))
}

/// MaxPool and AveragePool.
pub(super) fn pool(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let x = view.shape(0)?;
    let size = spatial(x)?;
    let attributes = &view.attributes;
    let found = attributes.ints("kernel_shape")?.ok_or_else(|| invalid!("attribute \"kernel_shape\" is missing"))?;
    let kernel = positive(view, "kernel_shape", size.len())
        .map_err(|_| invalid!("kernel_shape {found:?}; expected {} numbers of at least 1", size.len()))?;
    let ceil_mode = attributes.flag("ceil_mode", false)?;
    let windows = Windows::read(view, &kernel, size, ceil_mode)?;
    let is_max = view.op_type == "MaxPool";
    let count_include_pad = !is_max && attributes.flag("count_include_pad", false)?;
    if is_max {
        // Only the order of the indices, a second output.
        attributes.ignore("storage_order");
    }
    let form = view.like_first([&x[..2], windows.out.as_slice()].concat());
    let Some([depth, height, width]) = windows.spatial(size) else {
        return Ok(Plan::not_run("pooling is run over one to three axes", form));
    };
    let WindowAxis { kernel, stride, dilation, pads, .. } = depth;
    let pool = Pool {
        kernel: [height.kernel, width.kernel],
        stride: [height.stride, width.stride],
        dilation: [height.dilation, width.dilation],
        pads: [height.pads[0], width.pads[0], height.pads[1], width.pads[1]],
        depth: (size.len() == 3).then_some(PoolAxis { kernel, stride, dilation, pads }),
        ceil_mode,
        count_include_pad,
    };
    Ok(Plan::run(if is_max { Op::MaxPool(pool) } else { Op::AveragePool(pool) }, form))
}

/// LpPool whose windows may end behind the padding; any other one is taken apart before.
pub(super) fn lp_pool(view: &View<'_>) -> Result<Plan, Fault> {
    view.attributes.ignore("p");
    let plan = pool(view)?;
    let form = plan.outputs.into_iter().next().unwrap_or_default();
    Ok(Plan::not_run("its ceil_mode is 1", form))
}

/// GlobalAveragePool and GlobalMaxPool.
pub(super) fn global_pool(view: &View<'_>) -> Result<Plan, Fault> {
    view.arity(1, 1)?;
    let x = view.shape(0)?;
    let ones = vec![1; spatial(x)?.len()];
    let op = if view.op_type == "GlobalMaxPool" { Op::GlobalMaxPool } else { Op::GlobalAveragePool };
    Ok(Plan::run(op, view.like_first([&x[..2], &ones].concat())))
}
