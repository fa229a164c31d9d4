//! What the tensors of a layer of Keras are, by the class of the layer: their names, and which of their axes are the
//! filters.
//!
//! A file without a configuration has the class in the name of a group, unless the user gave that name. Then the bias,
//! which has a number for each filter, tells kernels apart. What nothing tells is a doubt: the tensor is named, and the
//! network refused unless the user says which tensors are layers.
//!
//! Source: `keras/src/layers` of Keras 3, and files that Keras 2 and 3 write.

use network::WeightTransform;

use super::WeightTensor;
use super::roles::is_no_layer;

/// What a layer makes of its tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A product or a convolution: kernel `[…, channels, filters]`.
    Product,
    /// A transposed convolution: `[…, filters, channels]`.
    Transposed,
    /// `[…, channels, multiplier]`, and each filter sees one channel.
    Depthwise,
    /// A depthwise kernel, and then a product.
    Separable,
    /// One step of a recurrent layer: kernels `[inputs, gates]` and `[units, gates]`.
    Recurrent,
    /// Attention's product before its heads: `[channels, heads, size]`.
    Heads,
    /// Attention's product behind its heads: `[heads, size, filters]`.
    FromHeads,
    /// A product by an equation; none where the file does not hold it.
    Einsum(Option<String>),
    /// A table whose rows are looked up.
    Embedding,
    /// Tensors of these names, and no product.
    Factors(&'static [&'static str]),
    /// A class that has weights of its own for each position.
    Local,
    Unknown,
}

impl Kind {
    /// Of a class as a group is called after it.
    pub(super) fn of_class(class: &str) -> Self {
        let plain = class.strip_prefix("q_").or_else(|| class.strip_prefix("quant_")).unwrap_or(class);
        match plain {
            "dense" | "conv1d" | "conv2d" | "conv3d" => Self::Product,
            "conv1d_transpose" | "conv2d_transpose" | "conv3d_transpose" => Self::Transposed,
            "depthwise_conv1d" | "depthwise_conv2d" => Self::Depthwise,
            "separable_conv1d" | "separable_conv2d" => Self::Separable,
            "lstm" | "gru" | "simple_rnn" => Self::Recurrent,
            "lstm_cell" | "gru_cell" | "simple_rnn_cell" | "conv_lstm_cell" => Self::Recurrent,
            "einsum_dense" => Self::Einsum(None),
            "embedding" => Self::Embedding,
            "batch_normalization" => Self::Factors(&["gamma", "beta", "moving_mean", "moving_variance"]),
            "layer_normalization" | "group_normalization" => Self::Factors(&["gamma", "beta"]),
            "p_re_lu" => Self::Factors(&["alpha"]),
            // It keeps the kernel of the layer that it wraps a second time.
            "spectral_normalization" => Self::Factors(&["kernel_of_layer", "vector_u"]),
            "locally_connected1d" | "locally_connected2d" => Self::Local,
            _ => Self::Unknown,
        }
    }

    /// Names of tensors that have numbers, in the order in which the layer makes them.
    fn variables(&self) -> &'static [&'static str] {
        match self {
            Self::Product | Self::Transposed | Self::Depthwise | Self::Local => &["kernel", "bias"],
            Self::Heads | Self::FromHeads | Self::Einsum(_) => &["kernel", "bias"],
            Self::Separable => &["depthwise_kernel", "pointwise_kernel", "bias"],
            Self::Recurrent => &["kernel", "recurrent_kernel", "bias"],
            Self::Embedding => &["embeddings"],
            Self::Factors(names) => names,
            Self::Unknown => &[],
        }
    }
}

/// Part of a layer of attention by the name of its group, or by its own.
pub(super) fn part_of_attention(name: &str) -> Option<Kind> {
    match name.strip_prefix('_').unwrap_or(name) {
        "query_dense" | "key_dense" | "value_dense" | "query" | "key" | "value" => Some(Kind::Heads),
        "output_dense" | "attention_output" => Some(Kind::FromHeads),
        _ => None,
    }
}

/// What a tensor turns out to be.
pub(super) struct Found {
    pub(super) tensor: WeightTensor,
    pub(super) role: Role,
}

/// What is said of a tensor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing: its name and shape tell it.
    Plain,
    /// A kernel of a convolution, as far as the file tells.
    Assumed,
    /// Nobody knows what it is, for this reason.
    Doubt(String),
}

/// One tensor as it stands in its layer.
pub(super) struct Stored<'a> {
    pub(super) kind: &'a Kind,
    /// Its name in the layer, or a number.
    pub(super) variable: &'a str,
    /// The shape of the tensor beside it that has the name of a bias, or the place of one.
    pub(super) bias: Option<&'a [usize]>,
}

impl Stored<'_> {
    /// The name in the layer of a tensor of so many axes.
    pub(super) fn name(&self, rank: usize) -> String {
        let Ok(place) = self.variable.parse::<usize>() else { return self.variable.to_string() };
        let names = self.kind.variables();
        match names.get(place) {
            Some(name) => (*name).to_string(),
            // The first one of a layer of any class.
            None if *self.kind == Kind::Unknown && place == 0 && rank >= 2 => "kernel".to_string(),
            None => self.variable.to_string(),
        }
    }

    /// The tensor with its filters in front, as everywhere here: `[filters, channels, …]`, and what is said of it.
    pub(super) fn found(&self, tensor: WeightTensor) -> Found {
        let name = self.name(tensor.shape.len());
        if tensor.shape.len() < 2 || name == "embeddings" || is_no_layer(&tensor.name, &tensor.shape) {
            return Found { tensor, role: Role::Plain };
        }
        if !name.ends_with("kernel") {
            let reason = "the class of its layer is not known, nor what it is there".to_string();
            return Found { tensor, role: Role::Doubt(reason) };
        }
        let (axes, role) = match self.axes(&name, &tensor.shape) {
            Ok(axes) => (axes, Role::Plain),
            Err(role) => (Axes::of_product(tensor.shape.len()), role),
        };
        Found { tensor: axes.arranged(tensor), role }
    }

    /// What the axes of a kernel are; what is said of it where the file does not tell.
    fn axes(&self, name: &str, shape: &[usize]) -> Result<Axes, Role> {
        let rank = shape.len();
        match (name, self.kind) {
            ("depthwise_kernel", _) | (_, Kind::Depthwise) => Ok(Axes::of_depthwise(rank)),
            ("pointwise_kernel" | "recurrent_kernel", _) => Ok(Axes::of_product(rank)),
            (_, Kind::Product | Kind::Separable | Kind::Recurrent) => Ok(Axes::of_product(rank)),
            (_, Kind::Transposed) => Ok(Axes::of_transposed(rank)),
            (_, Kind::Heads) if rank >= 3 => Ok(Axes::Matrix([(1..rank).collect(), vec![0]])),
            (_, Kind::FromHeads) if rank >= 3 => Ok(Axes::Matrix([(2..rank).collect(), vec![0, 1]])),
            (_, Kind::Einsum(Some(equation))) => of_equation(equation, rank).map_err(Role::Doubt),
            (_, Kind::Einsum(None)) => {
                Err(Role::Doubt("its axes are told by an equation, which the file does not hold".to_string()))
            }
            (_, Kind::Local) => Err(Role::Doubt("its layer has weights of its own for each position".to_string())),
            (_, Kind::Heads | Kind::FromHeads | Kind::Unknown | Kind::Embedding | Kind::Factors(_)) => {
                self.by_bias(shape)
            }
        }
    }

    /// What the axes of a kernel of a class that is not known are, by the bias beside it.
    fn by_bias(&self, shape: &[usize]) -> Result<Axes, Role> {
        let (rank, is_named) = (shape.len(), self.variable.parse::<usize>().is_err());
        let [a, b] = [shape[rank - 2], shape[rank - 1]];
        if rank == 2 && (is_named || self.bias == Some(&[b])) {
            return Ok(Axes::of_product(rank));
        }
        match self.bias {
            Some(&[count]) if rank > 2 && count == b => {
                if a == b {
                    Err(Role::Assumed)
                } else {
                    Ok(Axes::of_product(rank))
                }
            }
            Some(&[count]) if rank > 2 && count == a => Ok(Axes::of_transposed(rank)),
            Some(&[count]) if rank > 2 && count == a.saturating_mul(b) => Ok(Axes::of_depthwise(rank)),
            None if is_named => Err(Role::Assumed),
            Some(_) | None => {
                Err(Role::Doubt("the class of its layer is not known, nor which axis is the filters'".to_string()))
            }
        }
    }
}

/// The axes of a kernel as a file has them.
#[derive(Debug, PartialEq, Eq)]
enum Axes {
    /// The order in which they are `[filters, channels, …]`.
    Order(Vec<usize>),
    /// The order in which they are `[channels, multiplier, …]`, and each filter sees one channel.
    Depthwise(Vec<usize>),
    /// Those that count filters, and those that count channels.
    Matrix([Vec<usize>; 2]),
}

impl Axes {
    fn of_product(rank: usize) -> Self {
        Self::Order([rank - 1, rank - 2].into_iter().chain(0..rank - 2).collect())
    }

    fn of_transposed(rank: usize) -> Self {
        Self::Order([rank - 2, rank - 1].into_iter().chain(0..rank - 2).collect())
    }

    fn of_depthwise(rank: usize) -> Self {
        Self::Depthwise([rank - 2, rank - 1].into_iter().chain(0..rank - 2).collect())
    }

    /// The tensor as `[filters, channels, …]`.
    fn arranged(self, mut tensor: WeightTensor) -> WeightTensor {
        let count = |extents: &[usize]| extents.iter().fold(1usize, |product, &n| product.saturating_mul(n));
        let (order, merged): (Vec<usize>, Option<[usize; 2]>) = match self {
            Self::Order(order) => (order, None),
            Self::Depthwise(order) => (order, Some([2, 0])),
            Self::Matrix([filters, channels]) => {
                let merged = [filters.len(), channels.len()];
                ([filters, channels].concat(), Some(merged))
            }
        };
        tensor.shape = order.iter().map(|&axis| tensor.shape[axis]).collect();
        tensor.transforms.push(WeightTransform::Transpose(order));
        let Some([filters, channels]) = merged else { return tensor };
        let mut stored = tensor.in_order();
        let axes = [count(&stored.shape[..filters]), count(&stored.shape[filters..filters + channels])];
        stored.shape.splice(..filters + channels, axes);
        WeightTensor { shape: stored.shape.clone(), tensor: stored, transforms: Vec::new(), ..tensor }
    }
}

/// The axes of a kernel by the equation of its layer: `abc,cd->abd` has the channels `c` and the filters `d`.
fn of_equation(equation: &str, rank: usize) -> Result<Axes, String> {
    let unclear = || format!("its equation {equation:?} is no product of a matrix");
    let (inputs, output) = equation.split_once("->").ok_or_else(unclear)?;
    let (input, kernel) = inputs.split_once(',').ok_or_else(unclear)?;
    let letters: Vec<char> = kernel.chars().filter(|letter| letter.is_alphabetic()).collect();
    let (mut filters, mut channels) = (Vec::new(), Vec::new());
    for (axis, &letter) in letters.iter().enumerate() {
        match (input.contains(letter), output.contains(letter)) {
            (true, false) => channels.push(axis),
            (false, true) => filters.push(axis),
            (true, true) | (false, false) => return Err(unclear()),
        }
    }
    if letters.len() == rank { Ok(Axes::Matrix([filters, channels])) } else { Err(unclear()) }
}

#[cfg(test)]
mod tests {
    use network::DataType;
    use testkit::check_all;

    use super::*;

    /// What is said of a tensor of ones, and its shape as it is arranged.
    fn found(kind: &Kind, variable: &str, shape: &[usize], bias: Option<&[usize]>) -> (String, Vec<usize>, Role) {
        let stored = Stored { kind, variable, bias };
        let name = stored.name(shape.len());
        let bytes = vec![0; 4 * shape.iter().product::<usize>()].into();
        let tensor = WeightTensor::new(name.clone(), DataType::F32, shape.to_vec(), bytes).expect("its size fits");
        let Found { tensor, role } = stored.found(tensor);
        (name, tensor.shape, role)
    }

    /// Kind, variable and shape in the file, and name and shape that come out.
    type Case = (Kind, &'static str, &'static [usize], &'static str, &'static [usize]);

    /// Variable, shape, shape of the bias, and the shape that comes out or else whether a note tells what is assumed.
    type Doubtful = (&'static str, &'static [usize], Option<&'static [usize]>, Result<&'static [usize], bool>);

    #[test]
    fn classes_tell_names_and_axes() {
        let einsum = |equation: &str| Kind::Einsum(Some(equation.to_string()));
        let class = Kind::of_class;
        let cases: [Case; 18] = [
            (class("dense"), "0", &[3, 5], "kernel", &[5, 3]),
            (class("q_conv2d"), "0", &[2, 2, 3, 5], "kernel", &[5, 3, 2, 2]),
            (class("conv2d_transpose"), "kernel", &[2, 2, 5, 3], "kernel", &[5, 3, 2, 2]),
            (class("depthwise_conv2d"), "0", &[2, 2, 3, 2], "kernel", &[6, 1, 2, 2]),
            (class("separable_conv2d"), "1", &[1, 1, 6, 4], "pointwise_kernel", &[4, 6, 1, 1]),
            (class("lstm_cell"), "0", &[6, 16], "kernel", &[16, 6]),
            (class("lstm_cell"), "1", &[4, 16], "recurrent_kernel", &[16, 4]),
            (class("conv_lstm_cell"), "1", &[2, 2, 4, 16], "recurrent_kernel", &[16, 4, 2, 2]),
            (class("gru_cell"), "2", &[2, 9], "bias", &[2, 9]),
            (class("p_re_lu"), "0", &[5, 5], "alpha", &[5, 5]),
            (class("layer_normalization"), "1", &[5, 6], "beta", &[5, 6]),
            (Kind::Heads, "0", &[7, 2, 3], "kernel", &[6, 7]),
            (Kind::Heads, "1", &[2, 3], "bias", &[2, 3]),
            (Kind::FromHeads, "0", &[2, 3, 7], "kernel", &[7, 6]),
            (einsum("abc,cde->abde"), "0", &[7, 2, 3], "kernel", &[6, 7]),
            (einsum("abde,dec->abc"), "kernel", &[2, 3, 7], "kernel", &[7, 6]),
            (einsum("...x,xy->...y"), "0", &[3, 5], "kernel", &[5, 3]),
            (class("spectral_normalization"), "1", &[1, 4], "vector_u", &[1, 4]),
        ];
        check_all(cases, |(kind, variable, shape, name, arranged)| {
            let (found_name, found_shape, role) = found(kind, variable, shape, None);
            assert_eq!((found_name.as_str(), found_shape.as_slice()), (*name, *arranged));
            assert_eq!(role, Role::Plain);
        });
    }

    #[test]
    fn a_bias_tells_what_a_layer_of_no_known_class_is() {
        let cases: [Doubtful; 13] = [
            ("kernel", &[2, 2, 3, 5], Some(&[5]), Ok(&[5, 3, 2, 2])),
            ("kernel", &[2, 2, 5, 3], Some(&[5]), Ok(&[5, 3, 2, 2])),
            ("0", &[2, 2, 5, 3], Some(&[5]), Ok(&[5, 3, 2, 2])),
            ("0", &[2, 2, 5, 3], Some(&[15]), Ok(&[15, 1, 2, 2])),
            ("depthwise_kernel", &[2, 2, 5, 3], None, Ok(&[15, 1, 2, 2])),
            ("0", &[3, 5], Some(&[5]), Ok(&[5, 3])),
            ("kernel", &[3, 5], None, Ok(&[5, 3])),
            // Taken as a convolution, with a note.
            ("kernel", &[2, 2, 3, 5], None, Err(true)),
            ("kernel", &[2, 2, 3, 3], Some(&[3]), Err(true)),
            // Refused.
            ("0", &[2, 2, 3, 5], None, Err(false)),
            ("0", &[3, 5], None, Err(false)),
            ("1", &[3, 5], None, Err(false)),
            ("kernel", &[2, 3, 5], Some(&[3, 5]), Err(false)),
        ];
        check_all(cases, |&(variable, shape, bias, expected)| {
            let (_, arranged, role) = found(&Kind::Unknown, variable, shape, bias);
            match expected {
                Ok(expected) => assert_eq!((arranged.as_slice(), role), (expected, Role::Plain)),
                Err(true) => assert_eq!(role, Role::Assumed),
                Err(false) => assert!(matches!(role, Role::Doubt(_)), "{role:?}"),
            }
        });
    }

    #[test]
    fn an_equation_that_is_no_product_of_a_matrix_is_a_doubt() {
        check_all(["abc,bcd->abd", "abc,cd", "abc,cdx->abd", "abc,c->ab"], |equation| {
            let kind = Kind::Einsum(Some((*equation).to_string()));
            let (_, _, role) = found(&kind, "0", &[3, 4], None);
            assert!(matches!(role, Role::Doubt(reason) if reason.contains(equation)));
        });
        assert!(matches!(found(&Kind::Einsum(None), "0", &[3, 4], None).2, Role::Doubt(_)));
    }
}
