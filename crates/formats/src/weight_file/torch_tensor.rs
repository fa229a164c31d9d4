//! One tensor of a PyTorch checkpoint: a view of a storage.

use bytes::Bytes;
use esn::Grid;
use network::{DataType, WeightQuantization, WeightTransform};

use super::{WeightTensor, eight_bits};
use crate::pickle::{Id, Object, Pickle};
use crate::reading::fault::{Fault, invalid, unsupported};
use crate::reading::strides;

/// How many calls may wrap a tensor, one around the other.
const MAX_WRAPPERS: usize = 8;

/// Where the elements of tensors lie.
pub(super) trait Storages {
    /// The bytes of a storage.
    fn get(&mut self, key: &str) -> Result<Bytes, Fault>;
}

/// A storage as the pickle names it.
pub(super) struct Storage<'a> {
    /// `FloatStorage` and the like.
    class: &'a str,
    pub(super) key: &'a str,
}

impl Storage<'_> {
    fn data_type(&self) -> Option<DataType> {
        Some(match self.class {
            "FloatStorage" => DataType::F32,
            "DoubleStorage" => DataType::F64,
            "HalfStorage" => DataType::F16,
            "BFloat16Storage" => DataType::Bf16,
            "CharStorage" | "QInt8Storage" => DataType::I8,
            "ByteStorage" | "QUInt8Storage" => DataType::U8,
            "ShortStorage" => DataType::I16,
            "IntStorage" | "QInt32Storage" => DataType::I32,
            "LongStorage" => DataType::I64,
            "BoolStorage" => DataType::Bool,
            _ => return None,
        })
    }

    /// Bytes of an element; none of a class that is not known.
    pub(super) fn element_size(&self) -> Option<usize> {
        match self.class {
            "UntypedStorage" => Some(1),
            "ComplexFloatStorage" => Some(8),
            "ComplexDoubleStorage" => Some(16),
            _ => self.data_type().map(DataType::size),
        }
    }
}

/// The storage that an object is, `("storage", class, key, location, numel, …)` as a persistent id.
pub(super) fn storage_of<'a>(pickle: &Pickle<'a>, id: Id) -> Option<Storage<'a>> {
    let Object::Persistent(key) = *pickle.get(id) else { return None };
    let Object::Tuple(parts) = pickle.get(key) else { return None };
    match parts.get(..3)?.iter().map(|&part| pickle.get(part)).collect::<Vec<_>>().as_slice() {
        [Object::Text("storage"), Object::Global { name, .. }, Object::Text(key)] => Some(Storage { class: name, key }),
        _ => None,
    }
}

/// Function and arguments of a call.
pub(super) fn called<'a, 'p>(pickle: &'p Pickle<'a>, id: Id) -> Option<((&'a str, &'a str), &'p [Id])> {
    let Object::Call { function, arguments, .. } = pickle.get(id) else { return None };
    match (pickle.get(*function), pickle.get(*arguments)) {
        (&Object::Global { module, name }, Object::Tuple(arguments)) => Some(((module, name), arguments)),
        _ => None,
    }
}

/// Whether an object stands where PyTorch would make a tensor.
pub(super) fn is_tensor(pickle: &Pickle<'_>, id: Id) -> bool {
    called(pickle, id).is_some_and(|((module, name), _)| {
        let is_parameter = (module, name) == ("torch.nn.parameter", "Parameter");
        is_parameter || matches!(module, "torch._utils" | "torch._tensor") && name.starts_with("_rebuild")
    })
}

/// Reads the tensor that `id` is, under this name.
pub(super) fn read(
    pickle: &Pickle<'_>,
    id: Id,
    name: &str,
    storages: &mut dyn Storages,
) -> Result<WeightTensor, Fault> {
    let mut id = id;
    for _ in 0..MAX_WRAPPERS {
        let Some(((_, function), arguments)) = called(pickle, id) else { break };
        match (function, arguments) {
            // Before PyTorch 0.4.1 the class itself was called.
            ("_rebuild_parameter" | "_rebuild_parameter_with_state" | "Parameter", [data, ..]) => id = *data,
            ("_rebuild_tensor" | "_rebuild_tensor_v2", [storage, offset, size, stride, ..]) => {
                return View { pickle, name, parts: [*storage, *offset, *size, *stride] }.read(None, storages);
            }
            ("_rebuild_tensor_v3", [storage, offset, size, stride, _, _, data_type, ..]) => {
                let view = View { pickle, name, parts: [*storage, *offset, *size, *stride] };
                if let Some(number) = of_8_bits(pickle, *data_type) {
                    return eight_bits::widened(view.read(Some(DataType::U8), storages)?, number);
                }
                let data_type = named_type(pickle, *data_type).map_err(|found| not_read(name, &found))?;
                return view.read(Some(data_type), storages);
            }
            ("_rebuild_qtensor", [storage, offset, size, stride, quantizer, ..]) => {
                let view = View { pickle, name, parts: [*storage, *offset, *size, *stride] };
                let tensor = view.read(None, storages)?;
                return quantized(pickle, tensor, *quantizer, storages);
            }
            _ => return Err(unsupported!("tensor {name:?} is made by {function:?}; dense tensors are read")),
        }
    }
    Err(invalid!("tensor {name:?} is no view of a storage"))
}

/// `torch.float8_e4m3fn` and the like, by their number in `onnx.proto`.
fn of_8_bits(pickle: &Pickle<'_>, id: Id) -> Option<i32> {
    let Object::Global { module: "torch", name } = *pickle.get(id) else { return None };
    Some(match name {
        "float8_e4m3fn" => eight_bits::E4M3FN,
        "float8_e4m3fnuz" => eight_bits::E4M3FNUZ,
        "float8_e5m2" => eight_bits::E5M2,
        "float8_e5m2fnuz" => eight_bits::E5M2FNUZ,
        "float8_e8m0fnu" => eight_bits::E8M0,
        _ => return None,
    })
}

/// `torch.float16` and the like.
fn named_type(pickle: &Pickle<'_>, id: Id) -> Result<DataType, String> {
    let Object::Global { module: "torch", name } = *pickle.get(id) else { return Err("no known type".to_string()) };
    Ok(match name {
        "float32" => DataType::F32,
        "float64" => DataType::F64,
        "float16" => DataType::F16,
        "bfloat16" => DataType::Bf16,
        "int8" => DataType::I8,
        "uint8" => DataType::U8,
        "int16" => DataType::I16,
        "uint16" => DataType::U16,
        "int32" => DataType::I32,
        "uint32" => DataType::U32,
        "int64" => DataType::I64,
        "uint64" => DataType::U64,
        "bool" => DataType::Bool,
        other => return Err(other.to_string()),
    })
}

fn not_read(name: &str, found: &str) -> Fault {
    unsupported!(
        "tensor {name:?} has elements of {found:?}; floats of 8 to 64 bits and integers of 8 to 64 bits are read"
    )
}

/// Storage, offset, size and stride of a tensor, counted in elements.
struct View<'p, 'a> {
    pickle: &'p Pickle<'a>,
    name: &'p str,
    parts: [Id; 4],
}

impl View<'_, '_> {
    fn read(&self, stated: Option<DataType>, storages: &mut dyn Storages) -> Result<WeightTensor, Fault> {
        let name = self.name;
        let [storage, offset, size, stride] = self.parts;
        let storage = storage_of(self.pickle, storage).ok_or_else(|| invalid!("tensor {name:?} names no storage"))?;
        let data_type = match stated {
            Some(data_type) => data_type,
            None => storage.data_type().ok_or_else(|| not_read(name, storage.class))?,
        };
        let offset = self.number(offset)?;
        let (shape, strides) = (self.numbers(size)?, self.numbers(stride)?);
        let elements = storages.get(storage.key)?;
        let stored = strides::view(&shape, &strides, offset, data_type.size(), &elements)
            .map_err(|fault| fault.within(&format!("tensor {name:?}")))?;
        let mut tensor = WeightTensor::new(name.to_string(), data_type, shape, stored.bytes)?;
        tensor.tensor.shape = stored.shape;
        tensor.transforms.extend(stored.transpose.map(WeightTransform::Transpose));
        Ok(tensor)
    }

    fn number(&self, id: Id) -> Result<usize, Fault> {
        let wrong = || invalid!("the view of tensor {:?} has a number that is no count", self.name);
        let Object::Integer(n) = *self.pickle.get(id) else { return Err(wrong()) };
        usize::try_from(n).map_err(|_| wrong())
    }

    /// A tuple of counts, or a call of `torch.Size` with one.
    fn numbers(&self, id: Id) -> Result<Vec<usize>, Fault> {
        let tuple = match called(self.pickle, id) {
            Some((("torch", "Size"), [tuple])) => *tuple,
            _ => id,
        };
        // No tensor has more axes than this.
        let counts = self.pickle.get(tuple).elements().filter(|ids| ids.len() <= 64);
        let wrong = || invalid!("tensor {:?} has a size or stride that is no tuple of counts", self.name);
        counts.ok_or_else(wrong)?.iter().map(|&id| self.number(id)).collect()
    }
}

/// Integers with scales: `(torch.per_tensor_affine, scale, zero_point)` or
/// `(torch.per_channel_affine, scales, zero_points, axis)`.
fn quantized(
    pickle: &Pickle<'_>,
    tensor: WeightTensor,
    quantizer: Id,
    storages: &mut dyn Storages,
) -> Result<WeightTensor, Fault> {
    let (name, data_type) = (tensor.name.clone(), tensor.tensor.data_type);
    let Object::Tuple(parts) = pickle.get(quantizer) else {
        return Err(invalid!("the quantizer of tensor {name:?} is no tuple"));
    };
    let scheme = match parts.first().map(|&id| pickle.get(id)) {
        Some(Object::Global { name, .. }) => *name,
        _ => "",
    };
    let (scales, zero_points) = match (scheme, parts.get(1..).unwrap_or_default()) {
        ("per_tensor_affine", &[scale, zero_point]) => match (pickle.get(scale), pickle.get(zero_point)) {
            (&Object::Real(scale), &Object::Integer(zero_point)) => (vec![scale], vec![zero_point]),
            _ => return Err(invalid!("the quantizer of tensor {name:?} has no scale or zero point")),
        },
        ("per_channel_affine", &[scales, zero_points, axis]) => {
            if !matches!(pickle.get(axis), Object::Integer(0)) {
                return Err(unsupported!("tensor {name:?} is quantized along an axis that is not the first"));
            }
            let (scales, zero_points) =
                (read(pickle, scales, &name, storages)?, read(pickle, zero_points, &name, storages)?);
            let wrong = |e: network::TensorError| invalid!("the quantizer of tensor {name:?}: {e}");
            (scales.tensor.to_f64().map_err(wrong)?, zero_points.tensor.to_i64().map_err(wrong)?)
        }
        _ => {
            return Err(unsupported!(
                "tensor {name:?} is quantized by {scheme:?}; per_tensor_affine and per_channel_affine are read"
            ));
        }
    };
    let filters = tensor.shape.first().copied().unwrap_or(1);
    let fits = |count: usize| count == 1 || count == filters;
    let zero_points: Option<Vec<i32>> = zero_points.iter().map(|&n| i32::try_from(n).ok()).collect();
    let zero_points = zero_points.filter(|points| fits(points.len()) && fits(scales.len()));
    let zero_points =
        zero_points.ok_or_else(|| invalid!("tensor {name:?} has scales or zero points that do not fit it"))?;
    let scales: Vec<f32> = scales.iter().map(|&scale| scale as f32).collect();
    if scales.iter().any(|scale| !scale.is_finite() || *scale < 0.0) {
        return Err(invalid!("tensor {name:?} has a scale that is negative or not finite"));
    }
    let quantization = WeightQuantization { scales, zero_points, grid: Grid::MidTread, data_type, clip: None };
    Ok(WeightTensor { quantization: Some(quantization), ..tensor })
}
