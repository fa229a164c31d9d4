//! Rounding to few levels that stay real numbers: the operators of QONNX.

/// `Quant`, `IntQuant`, `BipolarQuant` and `Trunc` of QONNX (Pappalardo et al. 2022), as its reference executor computes
/// them in 32-bit float.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quant {
    /// `(round(clamp(x / scale + zero point, min, max)) − zero point) · scale`; inputs x, scale, zero point, broadcast.
    Integer {
        /// Smallest integer.
        min: f32,
        /// Largest integer.
        max: f32,
        /// The rounding.
        rounding: Rounding,
    },
    /// `(1 − zero point) · scale` where `x / scale + zero point` is 0 or above, else `(−1 − zero point) · scale`; inputs
    /// x, scale, zero point, broadcast. A signed integer of 1 bit.
    Sign,
    /// `scale` where x is 0 or above, else `−scale`; inputs x, scale, broadcast.
    Bipolar,
    /// Drops low bits: `(round(clamp(round(x / scale + zero point) / divisor, min, max)) − output zero point) · output
    /// scale`, the inner rounding to even; the input is x alone.
    Trunc {
        /// Size of a step of x.
        scale: f32,
        /// The integer of 0 in x.
        zero_point: f32,
        /// A power of 2.
        divisor: f32,
        /// Smallest integer of the output; −∞ where it has no bound.
        min: f32,
        /// Largest integer of the output.
        max: f32,
        /// The outer rounding.
        rounding: Rounding,
        /// The number of steps that stands for 0 in the output.
        output_zero_point: f32,
        /// Size of a step of the output.
        output_scale: f32,
    },
}

/// How [`Quant`] rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest integer, ties to even: `ROUND`, `HALF_EVEN`.
    HalfEven,
    /// To the nearest integer, ties away from 0: `HALF_UP`.
    HalfUp,
    /// To the nearest integer, ties towards 0: `HALF_DOWN`.
    HalfDown,
    /// Up: `CEIL`.
    Ceil,
    /// Down: `FLOOR`.
    Floor,
    /// Away from 0: `UP`.
    Up,
    /// Towards 0: `DOWN`, `ROUND_TO_ZERO`.
    Down,
}

impl Rounding {
    /// The rounding that a file calls by this name, in any case of letters.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "ROUND" | "HALF_EVEN" => Rounding::HalfEven,
            "HALF_UP" => Rounding::HalfUp,
            "HALF_DOWN" => Rounding::HalfDown,
            "CEIL" => Rounding::Ceil,
            "FLOOR" => Rounding::Floor,
            "UP" => Rounding::Up,
            "DOWN" | "ROUND_TO_ZERO" => Rounding::Down,
            _ => return None,
        })
    }

    /// The integer that `x` is rounded to.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Rounding::HalfEven => x.round_ties_even(),
            // In 32 bits, as the reference has it: the largest number below a half goes up.
            Rounding::HalfUp => (x.abs() + 0.5).floor().copysign(x),
            Rounding::HalfDown => (x.abs() - 0.5).ceil() * sign(x),
            Rounding::Ceil => x.ceil(),
            Rounding::Floor => x.floor(),
            Rounding::Up => x.abs().ceil().copysign(x),
            Rounding::Down => x.trunc(),
        }
    }
}

fn sign(x: f32) -> f32 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

impl Quant {
    /// The number of steps for an `x` in units of 32-bit float, zero point not yet taken away; `None` for [`Quant::Trunc`],
    /// whose steps are others than those of its input. [`Quant::Bipolar`] has no zero point.
    pub fn steps(&self, x: f32, scale: f32, zero_point: f32) -> Option<f32> {
        let sign = |x: f32| if x >= 0.0 { 1.0 } else { -1.0 };
        match *self {
            // In this order: NaN stays NaN, and crossed bounds cannot be.
            Quant::Integer { min, max, rounding } => Some(rounding.apply(clip(x / scale + zero_point, min, max))),
            Quant::Sign => Some(sign(x / scale + zero_point)),
            Quant::Bipolar => Some(sign(x)),
            Quant::Trunc { .. } => None,
        }
    }

    /// What [`Quant::Trunc`] makes of `x`; `None` for the others.
    pub fn truncated(&self, x: f32) -> Option<f32> {
        let Quant::Trunc { scale, zero_point, divisor, min, max, rounding, output_zero_point, output_scale } = *self
        else {
            return None;
        };
        let code = (x / scale + zero_point).round_ties_even();
        Some((rounding.apply(clip(code / divisor, min, max)) - output_zero_point) * output_scale)
    }
}

fn clip(x: f32, min: f32, max: f32) -> f32 {
    let x = if x > max { max } else { x };
    if x < min { min } else { x }
}

#[cfg(test)]
mod tests {
    use testkit::check_all;

    use super::*;

    #[test]
    fn roundings_are_those_of_numpy() {
        let cases = [
            (Rounding::HalfEven, [2.0, 2.0, -2.0, 1.0, -1.0, 0.0]),
            (Rounding::HalfUp, [2.0, 3.0, -3.0, 1.0, -1.0, 0.0]),
            (Rounding::HalfDown, [1.0, 2.0, -2.0, 1.0, -1.0, 0.0]),
            (Rounding::Ceil, [2.0, 3.0, -2.0, 2.0, -1.0, 0.0]),
            (Rounding::Floor, [1.0, 2.0, -3.0, 1.0, -2.0, 0.0]),
            (Rounding::Up, [2.0, 3.0, -3.0, 2.0, -2.0, 0.0]),
            (Rounding::Down, [1.0, 2.0, -2.0, 1.0, -1.0, 0.0]),
        ];
        check_all(cases, |&(rounding, expected)| {
            assert_eq!([1.5, 2.5, -2.5, 1.2, -1.2, 0.0].map(|x| rounding.apply(x)), expected, "{rounding:?}");
        });
        assert_eq!(Rounding::from_name("round"), Some(Rounding::HalfEven));
        assert_eq!(Rounding::from_name("nearest"), None);
    }

    #[test]
    fn levels() {
        let quant = Quant::Integer { min: -1.0, max: 1.0, rounding: Rounding::HalfEven };
        assert_eq!([-9.0, -0.3, 0.5, 0.8].map(|x| quant.steps(x, 0.5, 0.0)), [-1.0, -1.0, 1.0, 1.0].map(Some));
        assert_eq!([-0.1, -0.0, 0.0, 0.1].map(|x| Quant::Bipolar.steps(x, 3.0, 0.0)), [-1.0, 1.0, 1.0, 1.0].map(Some));
        let trunc = Quant::Trunc {
            scale: 0.5,
            zero_point: 0.0,
            divisor: 4.0,
            min: f32::NEG_INFINITY,
            max: f32::INFINITY,
            rounding: Rounding::Floor,
            output_zero_point: 0.0,
            output_scale: 0.5,
        };
        assert_eq!([3.5, 4.0, -0.5].map(|x| trunc.truncated(x)), [0.5, 1.0, -0.5].map(Some));
    }
}
