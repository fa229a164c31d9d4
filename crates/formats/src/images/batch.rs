//! Pickled batches of CIFAR-10 and CIFAR-100: what Python's `pickle` makes of a dictionary of images and labels.
//!
//! Nothing of a pickle is run. What it would call is looked at, and an array is known by the function that makes it.

use std::path::Path;

use bytes::Bytes;

use super::error::ImageError;
use super::findings::Findings;
use super::placement::numbers_of;
use super::records::Records;
use crate::pickle::{Id, Object, Pickle};
use crate::reading::fault::{Fault, clean, invalid, unsupported};

/// Whether the bytes begin as a pickle of protocol 2 or later.
pub(super) fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}

/// The images of a batch; `coarse` asks for the coarse labels of CIFAR-100.
pub(super) fn read(path: &Path, bytes: &Bytes, coarse: bool) -> Result<Records, ImageError> {
    parse(path, bytes, coarse).map_err(|fault| ImageError::of_fault(path, fault))
}

fn parse(path: &Path, bytes: &Bytes, coarse: bool) -> Result<Records, Fault> {
    let pickle = Pickle::read(bytes, 0)?;
    let entries = pickle.get(pickle.root).items().unwrap_or_default();
    let find = |name: &str| {
        let is_named = |(key, _): &&(Id, Id)| pickle.get(*key).bytes() == Some(name.as_bytes());
        entries.iter().find(is_named).map(|(_, value)| *value)
    };
    let Some(data) = find("data") else {
        return Err(match find("label_names").or_else(|| find("fine_label_names")) {
            Some(_) => {
                unsupported!("it has the names of classes and no images; expected a batch, as test_batch or test")
            }
            None => unsupported!("a pickle without an entry \"data\"; expected a batch of CIFAR"),
        });
    };
    let pixels = array(&pickle, data).map_err(|problem| unsupported!("images: {problem}"))?;
    let (count, size) = extents(&pixels)?;
    let label_names: &[&str] = if coarse { &["coarse_labels"] } else { &["labels", "fine_labels"] };
    let found = label_names.iter().find_map(|name| find(name));
    let labels = found.map(|id| labels(&pickle, id)).transpose()?;
    if let Some(found) = labels.as_ref().map(Vec::len).filter(|&found| found != count) {
        return Err(invalid!("{found} labels for {count} images"));
    }
    Ok(Records {
        name: path.display().to_string(),
        bytes: bytes.slice_ref(pixels.bytes),
        start: 0,
        stride: numbers_of(&size),
        size,
        count,
        is_coarse: coarse && labels.is_some(),
        labels,
        findings: Findings::default(),
    })
}

/// An array of numpy in a pickle, row-major.
struct Array<'a> {
    /// As `u1` or `i8`.
    element: &'a str,
    shape: Vec<usize>,
    bytes: &'a [u8],
}

/// How many images an array holds, and channels, height and width of each.
fn extents(array: &Array<'_>) -> Result<(usize, [usize; 3]), Fault> {
    if array.element != "u1" {
        return Err(unsupported!("images of elements {:?}; bytes (u1) are read", clean(array.element)));
    }
    let side = |numbers: usize| (1..=256).find(|side| 3 * side * side == numbers);
    match *array.shape {
        [count, 3, height @ (1..), width @ (1..)] => Ok((count, [3, height, width])),
        [count, numbers] if side(numbers).is_some() => {
            let side = side(numbers).expect("it was found");
            Ok((count, [3, side, side]))
        }
        _ => Err(unsupported!(
            "images of shape {:?}; expected [images, 3072], or [images, 3, height, width]",
            array.shape
        )),
    }
}

/// Class numbers: a list, or an array of one axis.
fn labels(pickle: &Pickle<'_>, id: Id) -> Result<Vec<usize>, Fault> {
    let class = |index: usize, number: i64| {
        u32::try_from(number)
            .map(|class| class as usize)
            .map_err(|_| invalid!("the label of image {index}, counted from 0, is {number}"))
    };
    if let Some(ids) = pickle.get(id).elements() {
        let number = |id: Id| if let Object::Integer(number) = *pickle.get(id) { Some(number) } else { None };
        let label = |(index, &id): (usize, &Id)| {
            class(
                index,
                number(id).ok_or_else(|| invalid!("the label of image {index}, counted from 0, is no whole number"))?,
            )
        };
        return ids.iter().enumerate().map(label).collect();
    }
    let array = array(pickle, id).map_err(|problem| unsupported!("labels: {problem}"))?;
    let numbers: Vec<i64> = match array.element {
        "u1" => array.bytes.iter().map(|&byte| byte.into()).collect(),
        "i4" => array.bytes.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes).into()).collect(),
        "i8" => array.bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect(),
        other => return Err(unsupported!("labels of elements {:?}", clean(other))),
    };
    numbers.into_iter().enumerate().map(|(index, number)| class(index, number)).collect()
}

/// The array that a call in the pickle makes: `_reconstruct` with a state, or since protocol 5 `_frombuffer`.
///
/// Source: `_reconstruct` and `__setstate__` of `numpy/_core/src/multiarray`, `_frombuffer` of `numpy/_core/numeric.py`.
fn array<'a>(pickle: &Pickle<'a>, id: Id) -> Result<Array<'a>, String> {
    let no_array = || "no array of numpy".to_string();
    let Object::Call { function, arguments, state, .. } = pickle.get(id) else { return Err(no_array()) };
    let Object::Global { module, name } = *pickle.get(*function) else { return Err(no_array()) };
    let tuple = |id: Id| pickle.get(id).elements().unwrap_or_default();
    let is_of = |modules: [&str; 2]| modules.contains(&module);
    let [shape, element, order, data] = match (name, state) {
        ("_reconstruct", Some(state)) if is_of(["numpy.core.multiarray", "numpy._core.multiarray"]) => {
            let &[_, shape, element, order, data] = tuple(*state) else { return Err(no_array()) };
            [shape, element, order, data]
        }
        ("_frombuffer", None) if is_of(["numpy.core.numeric", "numpy._core.numeric"]) => {
            let &[data, element, shape, order] = tuple(*arguments) else { return Err(no_array()) };
            [shape, element, order, data]
        }
        _ => return Err(no_array()),
    };
    if !matches!(pickle.get(order), Object::Bool(false) | Object::Integer(0) | Object::Text("C")) {
        return Err("an array in column order".to_string());
    }
    let extent = |id: &Id| if let Object::Integer(n) = *pickle.get(*id) { usize::try_from(n).ok() } else { None };
    let shape = tuple(shape).iter().map(extent).collect::<Option<Vec<usize>>>().ok_or_else(no_array)?;
    let element = element_of(pickle, element)?;
    let bytes = pickle.get(data).bytes().ok_or("an array whose elements are no bytes in the file")?;
    let size = element[1..].parse::<usize>().map_err(|_| format!("elements {:?}", clean(element)))?;
    let expected = shape.iter().try_fold(size, |product, &extent| product.checked_mul(extent));
    match expected == Some(bytes.len()) {
        true => Ok(Array { element, shape, bytes }),
        false => Err(format!("{} bytes cannot be an array of shape {shape:?} of {}", bytes.len(), clean(element))),
    }
}

/// The type of the elements, as `u1`, little-endian.
fn element_of<'a>(pickle: &Pickle<'a>, id: Id) -> Result<&'a str, String> {
    let Object::Call { function, arguments, state, .. } = pickle.get(id) else { return Err("no type".to_string()) };
    let is_type = matches!(pickle.get(*function), Object::Global { module: "numpy", name: "dtype" });
    let name = pickle.get(*arguments).elements().unwrap_or_default().first().map(|&id| pickle.get(id));
    let Some(Object::Text(name)) = name.filter(|_| is_type) else {
        return Err("elements of no known type".to_string());
    };
    let order = state.and_then(|state| pickle.get(state).elements().unwrap_or_default().get(1).copied());
    let is_plain = name.len() >= 2 && name.is_ascii();
    match order.map(|id| pickle.get(id)) {
        Some(Object::Text(">")) => Err("elements in big-endian order".to_string()),
        _ if is_plain => Ok(name),
        _ => Err(format!("elements {:?}", clean(name))),
    }
}
