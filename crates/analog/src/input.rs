//! Activations at the edge of the array, checked once.

use engine::{Activations, Arithmetic, EngineError};
use network::Geometry;

/// The input as the real numbers that an analog array takes, `[repeats, in_channels, height, width]`.
///
/// # Errors
///
/// [`EngineError::Arithmetic`] if the input is not real, [`EngineError::Shape`] if it has the wrong length,
/// [`EngineError::Activation`] if one of its numbers is not finite. All of them name the `layer`.
pub(crate) fn real_input<'a>(
    layer: &str,
    geometry: &Geometry,
    input: Activations<'a>,
) -> Result<&'a [f32], EngineError> {
    let layer = || layer.to_string();
    let Activations::Real(input) = input else {
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
