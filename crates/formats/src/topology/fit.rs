//! The rows of a topology and the layers of a weight file, put together.

use network::{Geometry, GeometrySpec, MacLayer, MacOp, Network, NetworkBuilder, NetworkError, Note, NoteKind};

use super::pair::{Pairs, pair};
use super::{Form, Row, Topology};
use crate::reading::finish::finished;

impl Topology {
    /// The network of a weight file with the geometry that the rows give its layers. Rows belong to layers by name
    /// (equal, or equal behind the modules that all names share), else in order.
    ///
    /// Depthwise and grouped layers are recognized by their weights, `[filters, channels / groups, kernel_h,
    /// kernel_w]`. Their row has all input channels and `filters / groups` filters. The row of a depthwise layer may
    /// also have:
    ///
    /// - all channels and all filters;
    /// - one channel and one filter, as in the MobileNet of SCALE-Sim;
    /// - one channel and all filters, where the layer before makes as many channels.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] names row and weights: one that is missing or left over, another shape, a size too large to
    /// count.
    pub(crate) fn give(self, network: Network) -> Result<Network, NetworkError> {
        let mut given = network.edit();
        let pairs = pair(&self, network.layers())?;
        let mut before = None;
        for (index, &row) in pairs.rows.iter().enumerate() {
            let layer = &mut given.layers_mut()[index];
            layer.geometry = self.geometry(&self.rows[row], layer, before, &pairs)?;
            before = Some(layer.geometry.spec().filters);
            set_shapes(&mut given, index);
        }
        let mut notes = network.notes().to_vec();
        let text = format!(
            "there is no graph in this file: output positions are those of {}, and inputs have their padding",
            self.path.display()
        );
        notes.push(Note::new(NoteKind::Assumed, text));
        if !pairs.by_name {
            let text = "topology: names differ from those of the weights; rows are taken in order";
            notes.push(Note::new(NoteKind::Assumed, text));
        }
        notes.extend(self.notes);
        finished(given, network.path(), notes)
    }

    fn geometry(
        &self,
        row: &Row,
        layer: &MacLayer,
        before: Option<usize>,
        pairs: &Pairs,
    ) -> Result<Geometry, NetworkError> {
        let place = format!("line {}, layer {:?}", row.line, row.name);
        let weights = Weights::of(layer);
        let spec = weights.spec(&row.form, before).map_err(|why| {
            let order = if pairs.by_name { "" } else { " (names differ, so that rows are taken in order)" };
            let (name, shape) = (&layer.weights.name, weights.shape());
            self.invalid(place.clone(), format!("it does not fit tensor {name:?} of shape {shape:?}{order}: {why}"))
        })?;
        Geometry::new(spec).map_err(|e| self.invalid(place, format!("with tensor {:?}: {e}", layer.weights.name)))
    }
}

/// Gives input and output of a layer the shapes of its geometry.
pub(super) fn set_shapes(network: &mut NetworkBuilder, layer: usize) {
    let layer = &network.layers()[layer];
    let (geometry, input, output) = (&layer.geometry, layer.input, layer.output);
    let spec = geometry.spec();
    let [input_shape, output_shape] = match layer.op {
        MacOp::Conv | MacOp::ConvTranspose(_) => {
            let [_, height, width] = layer.window().map(|axis| axis.out);
            [
                vec![spec.repeats, spec.in_channels, spec.in_size[0], spec.in_size[1]],
                vec![spec.repeats, layer.out_channels(), height, width],
            ]
        }
        MacOp::Gemm | MacOp::MatMul => {
            let positions = spec.repeats * geometry.positions_per_repeat();
            [vec![positions, spec.in_channels], vec![positions, spec.filters]]
        }
    };
    network.value_mut(input).shape = Some(input_shape);
    network.value_mut(output).shape = Some(output_shape);
}

/// The weights of a layer of a weight file, `[filters, channels, kernel_h, kernel_w]`, or `[filters, channels]`.
struct Weights {
    filters: usize,
    channels: usize,
    kernel: [usize; 2],
    is_conv: bool,
}

impl Weights {
    fn of(layer: &MacLayer) -> Self {
        let spec = layer.geometry.spec();
        Self {
            filters: spec.filters,
            channels: spec.in_channels,
            kernel: spec.kernel,
            is_conv: layer.op == MacOp::Conv,
        }
    }

    fn shape(&self) -> Vec<usize> {
        let [height, width] = self.kernel;
        let shape = [self.filters, self.channels, height, width];
        if self.is_conv { shape.to_vec() } else { shape[..2].to_vec() }
    }

    /// The geometry that a row gives to these weights. The error says why they do not fit.
    fn spec(&self, form: &Form, before: Option<usize>) -> Result<GeometrySpec, String> {
        match *form {
            Form::Gemm { positions, filters, depth } => self.gemm(positions, filters, depth),
            Form::Conv { kernel, channels, filters, .. } if !self.is_conv => {
                self.product(form, kernel, channels, filters)
            }
            Form::Conv { input, kernel, channels, filters, stride } => {
                if kernel != self.kernel {
                    return Err(format!("the row has a filter of {}×{}", kernel[0], kernel[1]));
                }
                let groups = self.groups(channels, filters, before)?;
                let in_channels = self.channels * groups;
                Ok(GeometrySpec { groups, stride, in_size: input, ..self.base(in_channels) })
            }
        }
    }

    /// `K` weights of each of `N` filters, whichever axes they have, at `M` positions.
    fn gemm(&self, positions: usize, filters: usize, depth: usize) -> Result<GeometrySpec, String> {
        let rows = self.channels as u128 * self.kernel[0] as u128 * self.kernel[1] as u128;
        if filters != self.filters || rows != depth as u128 {
            return Err(format!("the row has N = {filters} and K = {depth}"));
        }
        let base = self.base(self.channels);
        Ok(match self.is_conv {
            // Which windows the positions are is not known, and no cost depends on it.
            true => GeometrySpec { repeats: positions, ..base },
            false => GeometrySpec { in_size: [positions, 1], ..base },
        })
    }

    /// A fully connected layer that stands as a convolution: over one pixel, or over all pixels that its filters cover.
    fn product(
        &self,
        form: &Form,
        kernel: [usize; 2],
        channels: usize,
        filters: usize,
    ) -> Result<GeometrySpec, String> {
        let depth = channels as u128 * kernel[0] as u128 * kernel[1] as u128;
        if filters != self.filters || depth != self.channels as u128 {
            return Err(format!("the row has {filters} filters of {}×{}×{channels} weights", kernel[0], kernel[1]));
        }
        let &Form::Conv { input, stride, .. } = form else { unreachable!("a product in the layout of convolutions") };
        let window = GeometrySpec { in_channels: 1, filters: 1, kernel, stride, in_size: input, ..self.base(1) };
        let positions = Geometry::new(window).map_err(|e| e.to_string())?.out_size();
        Ok(GeometrySpec { in_size: positions, ..self.base(self.channels) })
    }

    /// Groups of a convolution whose row has so many channels and filters.
    fn groups(&self, channels: usize, filters: usize, before: Option<usize>) -> Result<usize, String> {
        let is_depthwise = self.channels == 1 && self.filters > 1;
        if channels == self.channels && filters == self.filters {
            return match before {
                // One channel of the input of a network, or of a layer with one filter.
                None | Some(1) => Ok(1),
                Some(_) if !is_depthwise => Ok(1),
                Some(before) if before == self.filters => Ok(self.filters),
                Some(before) => Err(format!(
                    "one channel behind a layer of {before} filters may be any of them; a depthwise layer stands with all \
                     its input channels and filters / channels filters"
                )),
            };
        }
        if is_depthwise && [filters, channels] == [1; 2] {
            return Ok(self.filters);
        }
        let groups = channels / self.channels;
        let divides = groups > 1 && channels.is_multiple_of(self.channels) && self.filters.is_multiple_of(groups);
        let is_plain_depthwise = is_depthwise && [filters, channels] == [self.filters; 2];
        if divides && (filters == self.filters / groups || is_plain_depthwise) {
            return Ok(groups);
        }
        Err(format!("the row has {channels} channels and {filters} filters"))
    }

    /// One output position.
    fn base(&self, in_channels: usize) -> GeometrySpec {
        GeometrySpec::convolution(in_channels, self.filters, self.kernel, self.kernel)
    }
}
