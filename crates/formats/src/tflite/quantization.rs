//! Quantization of activations, and the multipliers between them.

use network::{
    ActivationQuantization, DataType, Encoding, Op, Requantization, RequantizationRule, Tensor, ValueId,
    fixed_point_multiplier, multiply_fixed_point,
};

use super::builder::Builder;
use super::operation::Operation;
use crate::reading::fault::{Fault, invalid, not_run};

/// A real factor as the multiplication that integer kernels do with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Multiplier {
    pub(super) mantissa: i32,
    pub(super) shift: i32,
}

impl Multiplier {
    pub(super) fn new(real: f64) -> Result<Self, Fault> {
        let found = fixed_point_multiplier(real);
        let (mantissa, shift) =
            found.ok_or_else(|| not_run!("the ratio of its scales is {real:e}; it must be below 2^31"))?;
        Ok(Self { mantissa, shift })
    }

    pub(super) fn apply(self, x: i32) -> i32 {
        multiply_fixed_point(x, self.mantissa, self.shift)
    }

    /// The rule by which sums times this become integers.
    pub(super) fn rounding_to(self, output: ActivationQuantization) -> Requantization {
        let (multipliers, shifts) = (vec![self.mantissa], vec![self.shift]);
        Requantization { rule: RequantizationRule::FixedPoint { multipliers, shifts }, output }
    }
}

impl Builder<'_> {
    /// Whether a tensor holds real numbers.
    pub(super) fn is_real(&self, tensor: usize) -> Result<bool, Fault> {
        self.data_type(tensor).map(DataType::is_real)
    }

    pub(super) fn data_type(&self, tensor: usize) -> Result<DataType, Fault> {
        self.slots[tensor].info.data_type.map_err(|t| not_run!("elements of type {t}"))
    }

    /// The one scale and zero point of a tensor of integers of at most 16 bits.
    pub(super) fn quantization(&self, tensor: usize) -> Result<ActivationQuantization, Fault> {
        let data_type = self.data_type(tensor)?;
        let (DataType::I8 | DataType::U8 | DataType::I16 | DataType::U16) = data_type else {
            let name = &self.slots[tensor].info.name;
            return Err(not_run!("{name:?} is {}; 8- and 16-bit integers are handled", data_type.name()));
        };
        let (min, max) = data_type.range().expect("an integer type of at most 16 bits has a range");
        self.with_range(tensor, [min as i32, max as i32])
    }

    /// The one scale and zero point of a tensor of 32-bit integers.
    pub(super) fn wide(&self, tensor: usize) -> Result<ActivationQuantization, Fault> {
        self.with_range(tensor, [i32::MIN, i32::MAX])
    }

    fn with_range(&self, tensor: usize, [min, max]: [i32; 2]) -> Result<ActivationQuantization, Fault> {
        let info = &self.slots[tensor].info;
        let q = info.quantization.as_ref().ok_or_else(|| not_run!("{:?} has no scale", info.name))?;
        let (&[scale], &[zero_point]) = (q.scales.as_slice(), q.zero_points.as_slice()) else {
            return Err(not_run!("activation {:?} has a scale for each channel", info.name));
        };
        if !(min..=max).contains(&zero_point) {
            let data_type = self.data_type(tensor)?.name();
            return Err(invalid!("zero point {zero_point} of {:?} is no {data_type}", info.name));
        }
        Ok(ActivationQuantization { scale, zero_point, min, max })
    }

    /// As [`Builder::quantization`], of a tensor that must have this type.
    pub(super) fn integers_of(&self, tensor: usize, expected: DataType) -> Result<ActivationQuantization, Fault> {
        let (name, found) = (&self.slots[tensor].info.name, self.data_type(tensor)?);
        if found != expected {
            return Err(not_run!("{name:?} is {}; {} is handled", found.name(), expected.name()));
        }
        self.quantization(tensor)
    }

    /// As [`Builder::quantization`], of 8 bits alone: other kernels compute on 16-bit activations.
    pub(super) fn quantization_8(&self, tensor: usize) -> Result<ActivationQuantization, Fault> {
        let q = self.quantization(tensor)?;
        match q.max - q.min {
            255 => Ok(q),
            _ => Err(not_run!("16-bit integers are not handled by this operator")),
        }
    }

    /// How a tensor is quantized whose integers are the entries of a table.
    pub(super) fn tabulated(&mut self, tensor: usize) -> Result<ActivationQuantization, Fault> {
        let q = self.quantization(tensor)?;
        self.spend(q.max.abs_diff(q.min) as usize + 1)?;
        Ok(q)
    }

    /// The real numbers that the integers of a value stand for.
    pub(super) fn dequantized(
        &mut self,
        name: &str,
        value: ValueId,
        q: ActivationQuantization,
        (data_type, shape): (DataType, Vec<usize>),
    ) -> ValueId {
        let name = format!("{name}/dequantize");
        let inputs = [vec![value], self.parameters(&name, q, data_type)].concat();
        self.emit(&name, "DEQUANTIZE", Op::DequantizeLinear { axis: 0 }, inputs, (DataType::F32, shape))
    }

    /// Real numbers rounded to those that integers stand for; `shape` is that of the graph.
    pub(super) fn rounded(
        &mut self,
        name: &str,
        value: ValueId,
        q: ActivationQuantization,
        (data_type, shape): (DataType, Vec<usize>),
    ) -> ValueId {
        let value = self.emit_quantize(name, value, q, (data_type, shape.clone()));
        self.dequantized(name, value, q, (data_type, shape))
    }

    /// Gives a tensor of integers the real numbers of a value, rounded; `shape` is that of the file.
    pub(super) fn quantized(
        &mut self,
        operation: &Operation<'_>,
        tensor: usize,
        value: ValueId,
        shape: &[usize],
    ) -> Result<(), Fault> {
        let (q, data_type) = (self.quantization(tensor)?, self.data_type(tensor)?);
        let value = self.emit_quantize(&operation.name, value, q, (data_type, super::layout::ours(shape)));
        self.assign(tensor, value, shape)
    }

    /// Real numbers as the integers of a value.
    pub(super) fn emit_quantize(
        &mut self,
        name: &str,
        value: ValueId,
        q: ActivationQuantization,
        form: (DataType, Vec<usize>),
    ) -> ValueId {
        let name = format!("{name}/quantize");
        let inputs = [vec![value], self.parameters(&name, q, form.0)].concat();
        self.emit(&name, "QUANTIZE", Op::QuantizeLinear { axis: 0 }, inputs, form)
    }

    /// Scale and zero point as constants of the graph.
    pub(super) fn parameters(&mut self, name: &str, q: ActivationQuantization, data_type: DataType) -> Vec<ValueId> {
        let scale = self.constant(&format!("{name}/scale"), Tensor::from_f32(Vec::new(), &[q.scale]));
        let bytes = q.zero_point.to_le_bytes()[..data_type.size().min(4)].to_vec();
        let encoding = Encoding::Raw;
        let zero_point = Tensor { data_type, shape: Vec::new(), encoding, chunks: vec![bytes.into()] };
        vec![scale, self.constant(&format!("{name}/zero_point"), zero_point)]
    }
}
