//! What an engine computes on, and what its input and its sums are.

use std::fmt;

use network::Geometry;

use crate::error::EngineError;

/// The numbers that an engine computes on. They decide what its [`Activations`] and its [`Outputs`] are.
///
/// Take two weights of 1.5 and −0.5 steps, whose codes are 3 and −1, and the activations 10 and 20. The digital engine
/// is given integers, and its sum is `3 · 10 − 1 · 20 = 10` half-steps. The analog engine is given real numbers, and
/// its sum is `1.5 · 10 − 0.5 · 20 = 5` steps. The two sums are the same number in different units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// Exact integers, as in a digital array. An engine is given [`Activations::Integer`] and gives
    /// [`Outputs::Integer`]. The order of its additions does not matter, so that all engines of this kind compute the
    /// same sums.
    Integer,
    /// Real numbers, as in an analog array. An engine is given [`Activations::Real`] and gives [`Outputs::Real`]. The
    /// order of its additions belongs to the hardware, and what departs from the ideal may change the sums.
    Real,
}

impl Arithmetic {
    /// The word in reports: `"integer"` or `"real"`.
    pub const fn name(self) -> &'static str {
        match self {
            Arithmetic::Integer => "integer",
            Arithmetic::Real => "real",
        }
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The input of a layer: `[repeats, in_channels, height, width]`, row-major.
#[derive(Clone, Copy, Debug)]
pub enum Activations<'a> {
    /// For [`Arithmetic::Integer`]: integers with the zero point already subtracted, at most 17 bits with sign.
    Integer(&'a [i32]),
    /// For [`Arithmetic::Real`]: real numbers, all finite.
    Real(&'a [f32]),
}

impl<'a> Activations<'a> {
    /// The input as the real numbers that a layer takes, `[repeats, in_channels, height, width]`.
    ///
    /// # Errors
    ///
    /// [`EngineError::Arithmetic`] if the input is not real, [`EngineError::Shape`] if it has the wrong length,
    /// [`EngineError::Activation`] if one of its numbers is not finite. All of them name the `layer`.
    pub fn finite_reals(self, layer: &str, geometry: &Geometry) -> Result<&'a [f32], EngineError> {
        let layer = || layer.to_string();
        let Activations::Real(input) = self else {
            return Err(EngineError::Arithmetic { layer: layer(), expected: Arithmetic::Real });
        };
        let (expected, found) = (geometry.input_len(), input.len());
        if found != expected {
            return Err(EngineError::Shape { layer: layer(), what: "input", expected, found });
        }
        if lanes::all(input, f32::is_finite) {
            return Ok(input);
        }
        let index = input.iter().position(|x| !x.is_finite()).expect("one of them is not");
        Err(EngineError::Activation {
            layer: layer(),
            index,
            value: input[index].to_string(),
            expected: "real activations must be finite",
        })
    }
}

/// The sums of a layer, `[repeats, filters, out_height, out_width]`, row-major, without bias.
#[derive(Clone, Debug, PartialEq)]
pub enum Outputs {
    /// Of [`Arithmetic::Integer`]: `Σ code · x` exactly, in half-steps of the weight grid.
    Integer(Vec<i64>),
    /// Of [`Arithmetic::Real`]: `Σ (code / 2) · x`, in steps of the weight grid.
    Real(Vec<f32>),
}
