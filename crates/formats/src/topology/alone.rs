//! The rows of a topology as a network of their own, without values of weights.

use network::DataType;
use network::{
    Absent, Geometry, GeometrySpec, MacLayer, MacOp, Names, Network, NetworkBuilder, NetworkError, Note, NoteKind,
    Operand, Tensor, Value, ValueId, WeightSource, and_more,
};

use super::fit::set_shapes;
use super::{Form, Row, Topology, cell_name};
use crate::reading::finish::finished;

impl Topology {
    /// The layers of the rows, which nothing connects. Sizes are those of the table; weights have no values.
    ///
    /// A row stands for what it says: one of one filter over all channels, as SCALE-Sim writes depthwise layers, is one
    /// filter. It has the weights and the MACs of the depthwise layer.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] names the row: a filter larger than its input, a size too large to count.
    pub fn into_network(self) -> Result<Network, NetworkError> {
        let mut network = NetworkBuilder::new(&self.path);
        let (mut names, mut absent) = (Names::default(), Vec::new());
        for (index, row) in self.rows.iter().enumerate() {
            let name = names.counted(cell_name(&row.name));
            let layer = self.layer(row, name.clone(), &mut network)?;
            network.add_mac(layer.op.name(), layer);
            set_shapes(&mut network, index);
            absent.push(Absent { tensor: name, reason: "a topology has sizes alone".to_string() });
        }
        network.set_outside(network.layers().iter().map(|layer| layer.input).collect());
        let mut notes = self.notes.clone();
        notes.extend(self.one_filter());
        Ok(finished(network, &self.path, notes)?.with_absent(absent))
    }

    fn layer(&self, row: &Row, name: String, network: &mut NetworkBuilder) -> Result<MacLayer, NetworkError> {
        let (op, operand, spec) = match row.form {
            Form::Conv { input, kernel, channels, filters, stride } => {
                let spec = GeometrySpec::convolution(channels, filters, kernel, input);
                (MacOp::Conv, Operand::ChannelsFirst, GeometrySpec { stride, ..spec })
            }
            Form::Gemm { positions, filters, depth } => {
                let spec = GeometrySpec::convolution(depth, filters, [1; 2], [positions, 1]);
                (MacOp::Gemm, Operand::ChannelsLast, spec)
            }
        };
        let place = || format!("line {}, layer {:?}", row.line, row.name);
        let geometry = Geometry::new(spec).map_err(|e| self.invalid(place(), e.to_string()))?;
        let mut value = |part: &str| -> ValueId { network.add_value(Value::new(format!("{name}.{part}"), None, None)) };
        let (input, output) = (value("input"), value("output"));
        let shape = vec![spec.filters, spec.in_channels, spec.kernel[0], spec.kernel[1]];
        let tensor = Tensor::absent(DataType::F32, shape);
        Ok(MacLayer {
            weights: WeightSource { name: name.clone(), tensor, transforms: Vec::new(), quantization: None },
            name,
            op,
            geometry,
            operand,
            bias: None,
            alpha: 1.0,
            input_quantization: None,
            requantization: None,
            input,
            output,
        })
    }

    /// A note on rows that may be depthwise layers.
    fn one_filter(&self) -> Option<Note> {
        let is_one = |row: &&Row| matches!(row.form, Form::Conv { filters: 1, channels: 2.., .. });
        let mut rows = self.rows.iter().filter(is_one);
        let first = rows.next()?;
        let more = and_more(rows.count());
        let text = format!(
            "topology: layer {:?}{more}: one filter over all channels, as the row says; a depthwise layer stands in such \
             tables so, and has the same weights and MACs",
            first.name
        );
        Some(Note::new(NoteKind::Assumed, text))
    }
}
