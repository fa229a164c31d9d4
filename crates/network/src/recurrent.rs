//! Recurrent operators: LSTM, GRU and RNN.
//!
//! Each step multiplies its input by a matrix, and the hidden state before it by another. Both products are MAC layers, and
//! what goes from step to step is a circle. The graph has none, so that such an operator is two nodes around its layers:
//!
//! ```text
//! x -> NAME.input -> NAME (states) -> NAME.recurrent -> NAME.outputs -> Y, Y_h, Y_c
//!               \_____________________________________/
//! ```
//!
//! The first node goes through the steps. It asks whoever computes the layers for the product of each step, and makes the
//! hidden states before all steps. The layers behind it then run as any other layer does: once, on all of these. The second
//! node makes the outputs of all their products.
//!
//! Equations are those of ONNX, for pre-activations `x = W·X + b_W` and `h = R·H' + b_R`:
//!
//! ```text
//! LSTM  i = f(x_i + h_i + P_i∘C')    f = f(x_f + h_f + P_f∘C')    C = f∘C' + i∘g(x_c + h_c)
//!       o = f(x_o + h_o + P_o∘C)     H = o∘h(C)
//! GRU   z = f(x_z + h_z)    r = f(x_r + h_r)    n = g(x_n + R_n·(r∘H') + b_Rn), or g(x_n + r∘h_n)
//!       H = (1 − z)∘n + z∘H'
//! RNN   H = f(x + h)
//! ```
//!
//! An LSTM of TFLite may compute on integers instead ([`IntegerCell`]).

use crate::activation::ActivationQuantization;
use crate::requantization::Requantization;

/// One of the two nodes of a recurrent operator.
///
/// Its first inputs are products: those of its input, direction by direction, and in the second node those of its states,
/// direction by direction. With [`Cell::Gru`] that resets before the product, those of the reset states follow. Behind them
/// come [`Recurrent::inputs`].
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrent {
    /// Which of the two nodes it is.
    pub part: RecurrentPart,
    /// What a step computes.
    pub cell: Cell,
    /// One or two of them.
    pub directions: Vec<Direction>,
    /// Layers that make the products of one direction with its input, and as many with its state: one for all gates, or one
    /// for each.
    pub matrices: usize,
    /// Whether steps are the first axis of all values, and sequences the second; else the other way.
    pub steps_first: bool,
    /// Steps of each sequence, where some have fewer than all.
    pub lengths: Option<Vec<usize>>,
    /// Pre-activations lie within ± this.
    pub clip: Option<f32>,
    /// Cell states of an LSTM lie within ± this.
    pub cell_clip: Option<f32>,
    /// Set where an LSTM computes on integers. It has no biases beside those of its layers then, and sees its cell by no
    /// peepholes; its functions are sigmoid and tanh.
    pub integers: Option<IntegerCell>,
    /// What the inputs behind the products are.
    pub inputs: Vec<RecurrentInput>,
}

/// A node of a recurrent operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecurrentPart {
    /// Makes the hidden states before all steps, a value for each direction, then the reset states where there are such.
    /// The layers that multiply a value are those that read it.
    States,
    /// Makes the outputs: `Y`, `Y_h` and, of LSTM, `Y_c`.
    Outputs,
}

/// What a step computes. Gates stand in the order of ONNX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Gates: input, output, forget, cell.
    Lstm {
        /// Whether the forget gate is what the input gate leaves.
        coupled: bool,
    },
    /// Gates: update, reset, hidden.
    Gru {
        /// Whether the reset gate comes behind the product of the hidden gate; else it multiplies the state before.
        reset_behind: bool,
    },
    /// One gate.
    Rnn,
}

impl Cell {
    /// Gates, of which each has its rows of the matrices.
    pub fn gates(self) -> usize {
        match self {
            Cell::Lstm { .. } => 4,
            Cell::Gru { .. } => 3,
            Cell::Rnn => 1,
        }
    }

    /// Activation functions: `f`, `g` and `h` of the equations, as far as there are such.
    pub fn functions(self) -> &'static [GateFunction] {
        match self {
            Cell::Lstm { .. } => &[GateFunction::Sigmoid, GateFunction::Tanh, GateFunction::Tanh],
            Cell::Gru { .. } => &[GateFunction::Sigmoid, GateFunction::Tanh],
            Cell::Rnn => &[GateFunction::Tanh],
        }
    }

    /// Whether rows of the recurrent matrix multiply reset states.
    pub fn resets_before(self) -> bool {
        self == Cell::Gru { reset_behind: false }
    }
}

/// The integers of an LSTM of TFLite, in the arithmetic of LiteRT: activations of 8 bits, gates and cells of 16.
///
/// Values between nodes stay real numbers that integers stand for. Layers make products in units of `2^−12`
/// ([`IntegerCell::PRODUCT`]), and read hidden states of the scale of [`IntegerCell::hidden`]. In the equations all are
/// integers, `⌊·⌉` rounds to the nearest, ties away from 0, every sum saturates at 16 bits, and functions are those of
/// [`crate::fixed_point_sigmoid`] and [`crate::fixed_point_tanh`]:
///
/// ```text
/// i = sigmoid(x_i + h_i)    f = sigmoid(x_f + h_f)    g = tanh(x_c + h_c)    o = sigmoid(x_o + h_o)
/// C = ⌊f∘C' / 2^15⌉ + ⌊i∘g / 2^(15 + cell_bits)⌉    H = hidden(o∘tanh(C))
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerCell {
    /// A cell state stands for `C / 2^(15 − cell_bits)`; at most 6.
    pub cell_bits: u32,
    /// Cell states lie within ± this integer.
    pub clip: Option<i32>,
    /// How a product of 30 fraction bits becomes the integer of a hidden state.
    pub hidden: Requantization,
}

impl IntegerCell {
    /// Products of the layers, in which the pre-activations of gates are sums of two. They have a bit more than a sum,
    /// because a sum saturates only as a whole.
    pub const PRODUCT: ActivationQuantization =
        ActivationQuantization { scale: 1.0 / 4096.0, zero_point: 0, min: -(1 << 17), max: 1 << 17 };

    /// The real number of one step of a cell state.
    pub fn cell_scale(&self) -> f32 {
        1.0 / (1 << (15 - self.cell_bits)) as f32
    }
}

/// One direction of a recurrent operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    /// Whether it goes from the last step of each sequence to the first.
    pub reverse: bool,
    /// As many as [`Cell::functions`].
    pub functions: Vec<GateFunction>,
}

/// The activation function of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum GateFunction {
    Sigmoid,
    Tanh,
    Relu,
}

impl GateFunction {
    /// All of them.
    pub const ALL: [GateFunction; 3] = [GateFunction::Sigmoid, GateFunction::Tanh, GateFunction::Relu];

    /// The name in ONNX.
    pub fn name(self) -> &'static str {
        match self {
            GateFunction::Sigmoid => "Sigmoid",
            GateFunction::Tanh => "Tanh",
            GateFunction::Relu => "Relu",
        }
    }
}

/// An input of a recurrent operator behind its products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecurrentInput {
    /// `[directions, 2 · gates · units]`: those of the input, then those of the states.
    Biases,
    /// Hidden states before the first step, a vector for each direction and sequence.
    Hidden,
    /// Cell states before the first step, likewise.
    Cell,
    /// `[directions, 3 · units]`: those of the input gate, the output gate and the forget gate.
    Peepholes,
}

impl Recurrent {
    /// Values that its first node makes, which layers multiply.
    pub fn states(&self) -> usize {
        self.directions.len() * if self.cell.resets_before() { 2 } else { 1 }
    }

    /// Whether its outputs may lie on both sides of 0.
    pub fn is_signed(&self) -> bool {
        let never_below = |direction: &Direction| match direction.functions.last() {
            Some(GateFunction::Relu | GateFunction::Sigmoid) => true,
            Some(GateFunction::Tanh) | None => false,
        };
        !self.directions.iter().all(never_below)
    }
}
